// What of a scenario file is for a proxy, and what is refused, with its place.

import { describe, expect, it } from 'vitest';
import { readProxyScenario } from '../../../sim/scenario/proxy-scenario.ts';
import { readScenario } from '../../../sim/scenario/scenario-plan.ts';
import { ACTIONS } from '../../../sim/scenario/timeline-actions.ts';

const NOTHING = { clients: undefined, seed: undefined };

function read(fields: object, overrides: object = {}) {
  return readProxyScenario('x.json', JSON.stringify(fields), () => '', { ...NOTHING, ...overrides });
}

/** What is said of an entry of a timeline, or '' when it can be. */
function saidOf(entry: object, more: object = {}): string {
  try {
    read({ timeline: [{ at: '1s', ...entry }], ...more });
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('a scenario of a proxy', () => {
  it('has cross traffic on lines, but not on the ways of clients', () => {
    const source = { type: 'cbr', rate: '1Mbit/s' };
    expect(saidOf({ cut: '*' }, { sources: { a: { ...source, over: { latency: '1ms' } } } })).toBe('');
    expect(saidOf({ cut: '*' }, { sources: { a: { ...source, over: 'client-0>server' } } })).toBe(
      'x.json:1: sources.a.over: clients of a proxy come and go: give a bottleneck, or fields of a link of its own (got "client-0>server")',
    );
  });

  it('has the links of a run', () => {
    const file = { seed: 3, link: { preset: 'lte', loss: '2%' } };
    const { link, down, seed } = readScenario('x.json', JSON.stringify(file), () => '');
    expect(read(file)).toMatchObject({ seed, link, down });
    expect(read(file, { seed: '9', changes: { loss: 0.5 } })).toMatchObject({
      seed: '9',
      link: { ...link, loss: 0.5 },
    });
  });

  it('tells clients apart by every pattern of links and timeline, however many come', () => {
    const { kinds } = read({
      links: { 'client-1': { loss: 1 } },
      timeline: [{ at: '1s', cut: ['client-[0..3]', 'client-1'] }],
    }).scenario;
    const of = (...numbers: number[]) => numbers.map((number) => kinds.of(`client-${number}`));
    expect(kinds.first).toEqual([0, 1, 4]);
    expect(of(0, 1, 2, 3, 4, 7, 9_999, 123_456)).toEqual([0, 1, 0, 0, 2, 2, 2, 2]);
  });

  it('says that it expects something, which nobody looks at', () => {
    expect(read({ expect: [{ metric: 'clientsFailed', eq: 0 }] }).expects).toBe(true);
    expect(read({}).expects).toBe(false);
  });

  it('is wrong where a run would be', () => {
    expect(saidOf({ cut: 'client-9' }, { clients: 4 })).toContain('no client is called "client-9"');
    expect(saidOf({ cut: 'client-9' }, { clients: 10 })).toBe('');
    expect(saidOf({ ramp: { rate: '1Mbit/s' }, over: '1s' })).toContain('rate is not set when the ramp begins');
    expect(saidOf({ cut: '*' }, { seconds: 0.5 })).toContain('lies beyond the end of the run');
  });

  it.each<[object, string]>([
    [{ pause: 'server', for: '1s' }, 'pause'],
    [{ crash: 'client-0' }, 'crash'],
    [{ restart: 'client-0' }, 'restart'],
    [{ cpu: null, host: 'server' }, 'cpu'],
    [{ receiveBuffer: null, host: 'server' }, 'receiveBuffer'],
    [{ failSends: 'EAGAIN', host: '*', times: 1 }, 'failSends'],
    [{ failReceives: 1, host: '*' }, 'failReceives'],
    [{ drift: '1ppm', host: '*' }, 'drift'],
    [{ stepCalendar: '1s', host: '*' }, 'stepCalendar'],
    [{ leap: '1s', host: '*' }, 'leap'],
  ])('does nothing to hosts: %j', (entry, field) => {
    expect(saidOf(entry)).toContain(`x.json:1: timeline[0].${field}: needs simulated hosts`);
  });

  it.each<[object]>([
    [{ set: { loss: '1%' } }],
    [{ ramp: { loss: '1%' }, over: '1s' }],
    [{ rebind: ['client-0', '*'] }],
    [{ cut: '*', direction: 'up' }],
    [{ mend: '*' }],
    [{ hold: '*', for: '1s' }],
    [{ release: '*' }],
    [{ partition: 'client-0' }],
    [{ heal: 'server', others: '*' }],
    [{ natTimeout: '30s', host: '*' }],
  ])('may have %j', (entry) => {
    expect(saidOf(entry)).toBe('');
  });

  it('is asked about every action that there is', () => {
    const asked = Object.keys(ACTIONS).filter((name) =>
      /needs simulated hosts|^$/.test(saidOf({ [name]: name in SAMPLES ? SAMPLES[name] : '*', ...MORE[name] })),
    );
    expect(asked).toEqual(Object.keys(ACTIONS));
  });

  it.each<[object, string]>([
    [{ rebind: 'server' }, 'timeline[0].rebind: a proxy has NATs before clients only: name clients (got "server")'],
    [{ rebind: ['*', 'server'] }, 'timeline[0].rebind: a proxy has NATs before clients only'],
    [{ rebind: '*', address: true }, 'timeline[0].address: a proxy has one address'],
    [{ natTimeout: '1s', host: 'server' }, 'timeline[0].host: a proxy has NATs before clients only'],
    [{ partition: 'client-0', others: 'client-1' }, 'timeline[0].others: a proxy has no links between clients'],
  ])('says what a proxy has not: %j', (entry, text) => {
    expect(saidOf(entry)).toContain(`x.json:1: ${text}`);
  });
});

/** A value and other fields for each action that a pattern of hosts does not do for. */
const SAMPLES: Readonly<Record<string, unknown>> = {
  set: { loss: 0 },
  ramp: { loss: 0 },
  natTimeout: null,
  cpu: null,
  receiveBuffer: null,
  failSends: 'EAGAIN',
  failReceives: 1,
  drift: '1ppm',
  stepCalendar: '1s',
  leap: '1s',
};
const ofHost = { host: '*' };
const MORE: Readonly<Record<string, object>> = {
  ramp: { over: '1s' },
  pause: { for: '1s' },
  ...{ natTimeout: ofHost, cpu: ofHost, receiveBuffer: ofHost, drift: ofHost, stepCalendar: ofHost, leap: ofHost },
  failSends: { ...ofHost, times: 1 },
  failReceives: ofHost,
};

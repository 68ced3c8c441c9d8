// Faults in time as they befall a world: begun, ended, noted and met.

import { describe, expect, it } from 'vitest';
import { Fates } from '../../../sim/link/fates.ts';
import { faultText, isPacketFault, parseFaults } from '../../../sim/link/fault.ts';
import { TimedFaults, type TimedFaultsOptions } from '../../../sim/world/timed-faults.ts';
import type { World } from '../../../sim/world/world.ts';
import { openWorld, startAsker, startEcho } from '../open-world.ts';

const LATENCY = 5_000;
const END = 500_000;

const ALL = [
  'cut asker>server at 100ms for 50ms',
  'hold server>asker at 120ms for 100ms',
  'pause server at 150ms for 20ms',
  'failSends asker at 200ms for 30ms EAGAIN',
  'failReceives server at 210ms 3 times',
  'receiveBuffer server at 220ms for 30ms of 2048B',
  'drift asker at 230ms for 100ms by -5000ppm',
  'leap server at 240ms by 7ms',
  'stepCalendar server at 250ms by -90000ms',
  'natTimeout asker at 260ms for 100ms after 3ms',
  'rebind asker at 400ms to another address',
];

/** A host that asks another one each 20 ms, befallen by a script. */
async function play(lines: readonly string[], more: Partial<TimedFaultsOptions> = {}) {
  const script = parseFaults(lines.join('\n'));
  const fates = new Fates({ script, record: true });
  const world: World = openWorld({ link: { latencyMicros: LATENCY }, fates });
  const timed = new TimedFaults({ world, fates, faults: fates.timed, ...more });
  timed.schedule();
  const server = startEcho(world);
  startAsker(world, 'asker', server, 40);
  await world.run({ untilMicros: END });
  timed.settle();
  return { world, fates, timed, recorded: fates.recorded.map(faultText), met: [...fates.met].map(faultText) };
}

describe('faults in time', () => {
  it('are noted as they befall, and a record of them is the same run', async () => {
    const first = await play([...ALL].reverse());
    expect(first.recorded).toEqual(ALL);
    const again = await play(first.recorded);
    expect(again.world.digest()).toBe(first.world.digest());
    expect(again.world.digest()).not.toBe((await play([])).world.digest());
  });

  it('are met when something has come of them', async () => {
    const { met, world } = await play([
      'cut asker>server at 100ms for 50ms',
      'cut server>asker at 151ms for 3ms',
      'hold server>asker at 200ms for 60ms',
      'failSends asker at 300ms for 30ms EPERM',
      'pause nobody at 300ms for 3ms',
      'cut asker>nobody at 300ms for 3ms',
    ]);
    expect(met).toEqual([
      'cut asker>server at 100ms for 50ms',
      'hold server>asker at 200ms for 60ms',
      'failSends asker at 300ms for 30ms EPERM',
    ]);
    const [asker, server] = [world.hostNamed('asker')!, world.hostNamed('server')!];
    expect(world.direction(asker, server).stats.cut).toBe(3);
    expect(world.direction(server, asker).stats.held).toBe(3);
    expect(asker.faultStats.sendsRefused).toBe(2);
  });

  it('end when their time is over, or all do, and leave a host as it was', async () => {
    for (const until of [Number.POSITIVE_INFINITY, 290_000]) {
      const { world, timed, recorded } = await play(ALL, { until });
      const [asker, server] = [world.hostNamed('asker')!, world.hostNamed('server')!];
      expect(asker.clock.driftPpm).toBe(0);
      expect(timed.slowestPpm('asker')).toBe(-5_000);
      expect(timed.slowestPpm('server')).toBe(0);
      expect(server.receiveBufferBytesMax).toBe(1 << 30);
      expect(world.direction(asker, server).isCut || world.direction(server, asker).isHolding).toBe(false);
      expect(recorded.includes('rebind asker at 400ms to another address')).toBe(until > 400_000);
      const drift = `drift asker at 230ms for ${until > 400_000 ? 100 : 60}ms by -5000ppm`;
      expect(recorded).toContain(drift);
    }
  });

  it('of one kind at one place go on until the last of them ends', async () => {
    const overlapping = ['cut asker>server at 100ms for 100ms', 'cut asker>server at 150ms for 100ms'];
    const one = await play(['cut asker>server at 100ms for 150ms']);
    const two = await play(overlapping);
    expect(two.world.stats.cut).toBe(one.world.stats.cut);
    const drifts = ['drift asker at 100ms for 100ms by 50ppm', 'drift asker at 150ms for 50ms by -50ppm'];
    expect((await play(drifts)).world.hostNamed('asker')!.clock.driftPpm).toBe(0);
  });

  it('that are not allowed do not befall', async () => {
    const { recorded, met } = await play(ALL, { allows: ({ kind }) => kind === 'leap' });
    expect(recorded).toEqual(['leap server at 240ms by 7ms']);
    expect(met).toEqual(recorded);
  });

  it('are told from those of packets', () => {
    expect(
      parseFaults(`${ALL.join('\n')}\ndrop a>b #1`)
        .filter(isPacketFault)
        .map(faultText),
    ).toEqual(['drop a>b #1']);
  });
});

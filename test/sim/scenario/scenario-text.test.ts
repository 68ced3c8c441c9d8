// A scenario file and what is said of it when it cannot be run: a line for each problem, with its place.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readScenario } from '../../../sim/scenario/scenario-plan.ts';
import { ScenarioFileError } from '../../../sim/scenario/scenario-text.ts';
import { Stream } from '../../../sim/world/streams.ts';

const TEXTS = ['train', 'office-upload', 'cell', 'bad-day'].map((name) =>
  readFileSync(new URL(`../../../samples/scenarios/${name}.json`, import.meta.url), 'utf8'),
);

describe('a problem of a file', () => {
  it.each([
    [
      '{ "link": { "up": { "loss": "5 percent" } } }',
      'storm.json:1: link.up.loss: give a probability from 0 to 1, or a percentage',
    ],
    ['{ "link": { "up": { "loss": "5 percent" } } }', '(got "5 percent")'],
    [
      '{ "link": { "loss": 2 } }',
      'link.loss: give a probability from 0 to 1, or a percentage such as "5%"; or a model',
    ],
    ['{ "link": { "los": 0.1 } }', 'link.los: unknown field; do you mean "loss"?'],
    ['{ "ports": 1 }', 'ports: unknown field'],
    ['{ "link": { "latency": 50 } }', 'link.latency: give a duration from 0us to 1min, such as "50ms" (got 50)'],
    ['{ "link": { "latency": "61s" } }', 'link.latency: give a duration from 0us to 1min'],
    [
      '{ "link": { "rate": "2Mbps" } }',
      'link.rate: give a rate from 1kbit/s to 1000Gbit/s, such as "2Mbit/s" (got "2Mbps")',
    ],
    ['{ "link": "pigeon" }', 'link: give a preset (lan, fiber'],
    ['{ "link": { "preset": "pigeon" } }', 'link.preset: give one of lan, fiber'],
    ['{ "link": { "wifi": { "busi": 1 } } }', 'link.wifi.busi: unknown field; do you mean "busy"?'],
    [
      '{ "link": { "loss": { "model": "gilbert-elliott", "loss": 0.9, "meanBurstPackets": 2 } } }',
      'link: loss.meanBurstPackets 2 is too short',
    ],
    ['{ "link": { "loss": { "model": "gilbert" } } }', 'link.loss: give a probability'],
    ['{ "link": { "jitter": "5ms" } }', 'link: jitter (5000 us) is larger than latency (0 us)'],
    ['{ "link": { "queue": "64KiB" } }', 'link: queue belongs to a rate: give rate too'],
    ['{ "link": { "queue": "50ms" } }', 'link: queue is given as a time, which needs a rate'],
    ['{ "link": { "rate": "1Gbit/s", "queue": "60s" } }', 'link: queue holds at most 64MiB'],
    [
      '{ "link": { "rate": "1Mbit/s", "discipline": "red" } }',
      "link: discipline 'red' takes its thresholds from queue",
    ],
    ['{ "link": { "rate": "1Mbit/s", "rateTrace": [5] } }', 'link: rate and rateTrace both set a rate'],
    ['{ "link": { "rateTrace": [5, 4] } }', 'link: rateTrace[1] is a whole number of milliseconds from 5'],
    ['{ "link": { "rateTrace": "none.trace" } }', 'link: no file none.trace'],
    ['{ "link": { "bottleneck": "a" } }', 'link: there is no bottleneck "a"'],
    [
      '{ "bottlenecks": { "a": { "rate": "1Mbit/s" } }, "link": { "bottleneck": "a", "queue": "1KiB" } }',
      'link: queue belongs to bottleneck "a": set it there',
    ],
    ['{ "bottlenecks": { "a": { "queue": "1KiB" } } }', 'bottlenecks.a: a bottleneck has a rate'],
    [
      '{ "links": { "client-9": "lte" } }',
      'links.client-9: no client is called "client-9"; there is client-0 to client-7',
    ],
    [
      '{ "links": { "*": { "latency": "5ms" }, "client-3": { "jitter": "6ms" } } }',
      'links.client-3: jitter (6000 us) is larger',
    ],
    ['{ "sources": { "x": { "type": "udp" } } }', 'sources.x: give a source: { "type": "aimd"'],
    ['{ "sources": { "x": { "type": "aimd", "over": {} } } }', 'sources.x.rtt: is missing: give a duration'],
    [
      '{ "sources": { "x": { "type": "aimd", "over": "client-8>server", "rtt": "1ms" } } }',
      'sources.x.over: give one of the bottlenecks',
    ],
    [
      '{ "sources": { "x": { "type": "cbr", "over": {}, "rate": "1Mbit/s", "on": "1s" } } }',
      'sources.x: give both "on" and "off"',
    ],
    [
      '{ "sources": { "x": { "type": "cbr", "over": {}, "rate": "1Mbit/s", "start": "2s", "stop": "1s" } } }',
      'sources.x.stop: is before the start',
    ],
    ['{ "timeline": [{ "at": "5s", "sett": {} }] }', 'timeline[0].sett: unknown field; do you mean "set"?'],
    ['{ "timeline": [{ "set": {} }] }', 'timeline[0]: give "at", or "from" and "every"'],
    [
      '{ "timeline": [{ "at": "1s", "every": "1s", "set": {} }] }',
      'timeline[0]: give "at", or "from" and "every", not both',
    ],
    [
      '{ "timeline": [{ "from": "3s", "every": "1s", "until": "2s", "set": {} }] }',
      'timeline[0]: "until" is before "from"',
    ],
    ['{ "timeline": [{ "from": "3s", "every": "10us", "set": {} }] }', 'timeline[0].every: give a duration from 1ms'],
    ['{ "timeline": [{ "at": "8s", "ramp": { "latency": "1ms" } }] }', 'timeline[0].over: is missing'],
    ['{ "timeline": [{ "at": "8s", "ramp": { "mtu": "1kB" }, "over": "1s" }] }', 'timeline[0].ramp.mtu: unknown field'],
    ['{ "timeline": [7] }', 'timeline[0]: give an object with "at" and one of set, ramp, rebind, cut,'],
    ['{ "timeline": [{ "at": "1s" }] }', 'timeline[0]: give an object with "at" and one of set, ramp, rebind, cut,'],
    ['{ "timeline": [{ "at": "1s", "explode": "*" }] }', 'timeline[0]: give an object with "at" and one of set,'],
    ['{ "timeline": [{ "at": "1s", "cut": "*", "hold": "*" }] }', 'timeline[0]: give an object with "at" and one of'],
    ['{ "timeline": [{ "at": "1s", "cut": "*", "pause": "*" }] }', 'timeline[0].pause: is another action: give it an'],
    [
      '{ "timeline": [{ "at": "1s", "craash": "*", "for": "1s" }] }',
      'timeline[0].craash: unknown field; do you mean "crash"?',
    ],
    [
      '{ "timeline": [{ "at": "1s", "pause": "server" }] }',
      'timeline[0].for: is missing: give a duration from 1us to 1h',
    ],
    ['{ "timeline": [{ "at": "1s", "cut": "*", "for": "3day" }] }', 'timeline[0].for: give a duration from 1us to 48h'],
    ['{ "timeline": [{ "at": "1s", "cut": [] }] }', 'timeline[0].cut: give a name such as "client-3"'],
    ['{ "timeline": [{ "at": "1s", "cut": "server" }] }', 'timeline[0]: name clients: a link is between one of them'],
    ['{ "timeline": [{ "at": "1s", "crash": "client-8" }] }', 'timeline[0]: no client is called "client-8"; there is'],
    ['{ "timeline": [{ "at": "1s", "restart": "server" }] }', 'timeline[0]: server has not crashed when it is to be'],
    [
      '{ "timeline": [{ "at": "3s", "crash": "client-*" }, { "at": "1s", "crash": "client-3" }] }',
      'timeline[0]: client-3 has crashed already: restart it before',
    ],
    [
      '{ "timeline": [{ "at": "1s", "crash": "client-3", "for": "3s" }, { "at": "5s", "restart": "client-3" }] }',
      'timeline[1]: client-3 has not crashed',
    ],
    [
      '{ "timeline": [{ "at": "1s", "partition": "client-[0..3]", "others": ["server", "client-3"] }] }',
      'timeline[0]: client-3 is on both sides',
    ],
    [
      '{ "clients": 1000, "timeline": [{ "at": "1s", "partition": "client-[0..499]", "others": "client-[500..999]" }] }',
      'timeline[0]: 500 hosts and 500 others: give at most 100000 pairs',
    ],
    ['{ "timeline": [{ "at": "1s", "failSends": "EPERM", "host": "server" }] }', 'timeline[0]: give either "for" or'],
    [
      '{ "timeline": [{ "at": "1s", "failSends": "EIO", "host": "server" }] }',
      'timeline[0].failSends: give one of EAGAIN',
    ],
    [
      '{ "timeline": [{ "at": "1s", "cpu": { "perTurn": "2s" }, "host": "server" }] }',
      'timeline[0].cpu.perTurn: give a time from 0ns to 1s',
    ],
    [
      '{ "timeline": [{ "at": "1s", "drift": "50", "host": "*" }] }',
      'timeline[0].drift: give a drift from -100000ppm to',
    ],
    ['{ "timeline": [{ "at": "1s", "leap": "-1s", "host": "*" }] }', 'timeline[0].leap: give a duration from 0us to'],
    [
      '{ "timeline": [{ "at": "1s", "receiveBuffer": "1B", "host": "*" }] }',
      'timeline[0].receiveBuffer: give a size from',
    ],
    ['{ "timeline": [{ "at": "70s", "crash": "*" }] }', 'timeline[0].at: lies beyond the end of the run (1min)'],
    [
      '{ "seconds": 9.5, "timeline": [{ "at": "10s", "set": {} }] }',
      'timeline[0].at: lies beyond the end of the run (9500ms)',
    ],
    [
      '{ "timeline": [{ "from": "61s", "every": "1s", "set": {} }] }',
      'timeline[0].from: lies beyond the end of the run',
    ],
    [
      '{ "timeline": [{ "at": "59s", "cut": "*", "for": "2s" }] }',
      'timeline[0].for: reaches beyond the end of the run (1min)',
    ],
    [
      '{ "timeline": [{ "from": "1s", "every": "2s", "pause": "server", "for": "2s" }] }',
      'timeline[0].for: is not shorter than "every"',
    ],
    ['{ "timeline": [{ "at": "1s", "set": {}, "link": "x*" }] }', 'timeline[0]: no client is called "x*"'],
    ['{ "timeline": [{ "at": "1s", "set": {}, "bottleneck": "a" }] }', 'timeline[0]: there is no bottleneck "a"'],
    ['{ "timeline": [{ "at": "1s", "rebind": "bob" }] }', 'timeline[0]: no client is called "bob"'],
    [
      '{ "timeline": [{ "at": "1s", "ramp": { "rate": "1Mbit/s" }, "over": "1s" }] }',
      'timeline[0]: rate is not set when the ramp begins',
    ],
    [
      '{ "link": { "loss": { "model": "trace", "pattern": "01" } }, "timeline": [{ "at": "1s", "ramp": { "loss": 0 }, "over": "1s" }] }',
      'timeline[0]: loss is a model when the ramp begins',
    ],
    [
      '{ "seconds": 200, "timeline": [{ "from": "0s", "every": "1ms", "set": {} }] }',
      'timeline[0]: the timeline takes more than 100000 steps',
    ],
    [
      '{ "expect": [{ "metric": "clientFailed", "eq": 0 }] }',
      'expect[0].metric: unknown metric; do you mean "clientsFailed"?',
    ],
    ['{ "expect": [{ "metric": "latency.p99", "lt": 50 }] }', 'expect[0].lt: give a duration such as "250ms" (got 50)'],
    ['{ "expect": [{ "metric": "clientsFailed" }] }', 'expect[0]: give what is expected'],
    [
      '{ "expect": [{ "metric": "channel.a.b.p99", "lt": "1s" }] }',
      'expect[0].metric: give channel.<name>.<server or clients>',
    ],
    ['{ "seed": 1, "seed": 2 }', 'seed: is there twice'],
    ['{ "seconds": 1e9 }', 'seconds: give seconds from 0.001 to 2592000'],
    ['{ "clients": 1.5 }', 'clients: give a whole number from 0 to 10000 (got 1.5)'],
    ['[]', 'storm.json: give an object'],
    ['', 'storm.json:1: no JSON'],
    ['{ "name": }', 'storm.json:1: no JSON: value expected at }'],
  ])('is told for %s', (text, message) => {
    expect(problems(text).join('\n')).toContain(message);
    expect(problems(text)).toHaveLength(1 + Number(/sett|craash/.test(text)));
  });

  it('has the line of its field, and all problems of a file are told at once, in the order of the file', () => {
    const text =
      '{\n  // a comment\n  "clientz": 4,\n  "link": {\n    "up": {\n      "loss": 7 } },\n  "seconds": "2",\n}';
    expect(problems(text).map((line) => line.replace(/ give.*/, ''))).toEqual([
      'storm.json:3: clientz: unknown field; do you mean "clients"?',
      'storm.json:6: link.up.loss:',
      'storm.json:7: seconds:',
    ]);
  });

  it('is not what the command line leaves out by a shorter time, nor what it takes in by a longer one', () => {
    const timeline = (at: string) => `{ "seconds": 20, "timeline": [{ "at": "${at}", "crash": "*" }] }`;
    const read = (text: string, seconds: number) => readScenario('storm.json', text, () => '', { seconds }).seconds;
    expect(read(timeline('20s'), 5)).toBe(5);
    expect(read(timeline('30s'), 30)).toBe(30);
    expect(() => read(timeline('30s'), 5)).toThrow(
      'storm.json:1: timeline[0].at: lies beyond the end of the run (20s)',
    );
  });

  it('is found in a step that would be taken in an hour', () => {
    const text =
      '{ "seconds": 7200, "link": { "latency": "30ms", "jitter": "20ms" }, "links": { "client-2": { "latency": "90ms" } },\n' +
      '"timeline": [\n{ "at": "3600s", "set": { "jitter": "40ms" }, "link": "client-2" },\n' +
      '{ "at": "3601s", "ramp": { "latency": "10ms" }, "over": "1s" } ] }';
    expect(problems(text)).toEqual(['storm.json:4: timeline[1]: jitter (20000 us) is larger than latency (18000 us)']);
  });
});

it('never ends otherwise than with a plan or a list of problems, whatever the text', () => {
  const stream = new Stream('texts');
  const pieces = [
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '-1',
    '0',
    '1e99',
    'null',
    'true',
    '"5s"',
    '"*"',
    '"__proto__"',
    '"set"',
    '',
  ];
  let plans = 0;
  for (let round = 0; round < 2_000; round++) {
    let text = TEXTS[round % TEXTS.length]!;
    for (let edits = stream.below(4); edits >= 0; edits--) {
      const at = stream.below(text.length);
      text = text.slice(0, at) + pieces[stream.below(pieces.length)] + text.slice(at + stream.below(9));
    }
    try {
      readScenario('storm.json', text, () => '1\n2\n');
      plans++;
    } catch (error) {
      if (!(error instanceof ScenarioFileError)) throw new Error(`${text}: ${(error as Error).stack}`);
      expect(error.message).toMatch(/^storm\.json/);
    }
  }
  expect(plans).toBeGreaterThan(20);
});

it('reads comments, trailing commas and nothing at all', () => {
  const plan = readScenario('storm.json', '{ /* calm */ }', () => '');
  expect([plan.clients, plan.seconds, plan.seed, plan.game]).toEqual([8, 60, '1', undefined]);
  expect(plan.link).toEqual({});
  expect('down' in plan).toBe(false);
});

it('takes the queue away with the rate before which it stood', () => {
  const text =
    '{ "bottlenecks": { "b": { "rate": "1Mbit/s" } }, "link": { "preset": "lte", "up": { "rate": null }, "down": { "bottleneck": "b" } } }';
  const plan = readScenario('storm.json', text, () => '');
  expect(Object.keys(plan.link).sort()).toEqual(['jitterMicros', 'jitterShape', 'keepOrder', 'latencyMicros', 'loss']);
});

it('lays the command line over the file, and a preset in place of its link', () => {
  const text =
    '{ "clients": 3, "seed": 9, "link": { "latency": "50ms", "rate": "1Mbit/s", "queue": "80ms", "up": { "loss": 0.2 } } }';
  const changes = { latencyMicros: 7_000, rateBitsPerSecond: 2_000_000 };
  const plan = readScenario('storm.json', text, () => '', { clients: 5, seed: 'x', changes });
  expect([plan.clients, plan.seed]).toEqual([5, 'x']);
  const both = { latencyMicros: 7_000, rateBitsPerSecond: 2_000_000, queueBytes: 20_000 };
  expect(plan.link).toEqual({ ...both, loss: 0.2 });
  expect(plan.down).toEqual(both);
  const lte = readScenario('storm.json', text, () => '', { preset: 'lte', changes: { loss: 0 } });
  expect(lte.link).toMatchObject({ latencyMicros: 35_000, loss: 0, rateBitsPerSecond: 10_000_000 });
});

function problems(text: string): string[] {
  const read = (name: string): string => {
    throw new RangeError(`no file ${name}`);
  };
  try {
    readScenario('storm.json', text, read);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

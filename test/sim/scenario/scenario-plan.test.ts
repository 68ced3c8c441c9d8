// What a scenario file makes of a world: links, shared lines, cross traffic, and what its timeline changes when.

import { beforeEach, describe, expect, it } from 'vitest';
import type { LinkDirection } from '../../../sim/link/link.ts';
import { presetNamed } from '../../../sim/scenario/presets.ts';
import { runScenario, type Scenario, type ScenarioReport } from '../../../sim/scenario/scenario.ts';
import { readScenario, type ScenarioOverrides, type ScenarioPlan } from '../../../sim/scenario/scenario-plan.ts';
import type { World } from '../../../sim/world/world.ts';
import * as echoGame from '../echo-game.ts';
import { openWorld } from '../open-world.ts';

beforeEach(() => echoGame.begin());

describe('a scenario file that says what options say', () => {
  const options: Pick<Scenario, 'link' | 'down'>[] = [
    { link: { latencyMicros: 30_000, jitterMicros: 5_000, loss: 0.05 } },
    { link: { latencyMicros: 30_000, rateBitsPerSecond: 50_000, queueBytes: 625, duplicate: 0.1 } },
    { link: presetNamed('wifi-lossy')!.up, down: presetNamed('wifi-lossy')!.down },
  ];
  it.each([
    [0, '{ "link": { "latency": "30ms", "jitter": "5ms", "loss": "5%" } }'],
    [0, '{ "link": { "loss": 1 }, "links": { "*": { "latency": "30ms", "jitter": "5ms", "loss": 0.05 } } }'],
    [
      0,
      '{ "link": { "latency": "30ms", "up": { "jitter": "5ms", "loss": 0.05 }, "down": { "jitter": "5ms", "loss": 0.05 } } }',
    ],
    [1, '{ "link": { "latency": "30ms", "rate": "50kbit/s", "queue": "100ms", "duplicate": "10%" } }'],
    [1, '{ "link": { "latency": "30ms", "rate": "50kbit/s", "queue": "625B", "duplicate": 0.1 } }'],
    [2, '{ "link": "wifi-lossy" }'],
    [2, '{ "link": { "preset": "wifi-lossy" } }'],
  ])('gives the digest of the options: %d, %s', async (index, text) => {
    const plan = readScenario('x.json', text, () => '', { clients: 3, seconds: 4, seed: '7' });
    const { link, down, prepare } = plan;
    const { digest } = await echo({ link, ...(down === undefined ? {} : { down }), prepare });
    // The network as it is, not the numbers of its directions: those made early have others, and are in the digest.
    const early = (world: World) => {
      if (text.includes('links')) for (const way of directions(world)) way.configure(options[index]!.link);
    };
    expect(digest).toBe((await echo({ ...options[index]!, prepare: early })).digest);
  });
});

describe('the network of a file', () => {
  it('has links of single clients laid over the link of all, later ones over earlier ones', () => {
    const { world, latencies } = play(
      '{ "clients": 3, "link": { "latency": "10ms", "up": { "latency": "20ms" } }, "links": { "client-[1..2]": { "latency": "30ms" },' +
        ' "client-2": { "preset": "geo", "down": { "latency": "1ms", "jitter": 0 } } } }'.replace(
          ', "jitter": 0',
          ', "jitter": null',
        ),
    );
    expect(latencies()).toEqual([
      [20_000, 10_000],
      [30_000, 30_000],
      [300_000, 1_000],
    ]);
    expect(directions(world)).toHaveLength(6);
  });

  it('has lines that links share, and cross traffic on them', async () => {
    const { world } = play(
      '{ "clients": 2, "bottlenecks": { "uplink": { "rate": "1Mbit/s", "queue": "100ms" } },' +
        '"link": { "latency": "10ms", "up": { "bottleneck": "uplink" } },' +
        '"sources": { "call": { "type": "cbr", "over": "uplink", "rate": "400kbit/s", "packet": "472B", "start": "1s", "stop": "3s" },' +
        '"bulk": { "type": "aimd", "over": { "bottleneck": "uplink", "latency": "5ms" }, "rtt": "20ms", "start": "2s" },' +
        '"tv": { "type": "cbr", "over": "server>client-1", "rate": "1Mbit/s", "start": "0s" } } }',
    );
    const line = world.bottleneckNamed('uplink')!;
    expect(directions(world).map(({ bottleneck }) => bottleneck)).toEqual([line, null, line, null]);
    await world.run({ untilMicros: 1_500_000 });
    expect(line.stats.entered).toBe(53); // 400 kbit/s of 472 bytes, for half a second, from 1 s on
    await world.run({ untilMicros: 4_000_000 });
    expect(line.stats.departed).toBeGreaterThan(300);
    expect(directions(world)[3]!.stats.sent).toBe(417);
  });
});

describe('a timeline', () => {
  it('changes at its times what it names, and nothing else', async () => {
    const { world, latencies } = play(
      '{ "clients": 2, "link": { "latency": "10ms", "loss": 0.5 }, "timeline": [' +
        '{ "at": "1s", "set": { "latency": "20ms" }, "link": "client-0", "direction": "up" },' +
        '{ "at": "2s", "set": { "latency": "30ms" }, "link": "client-*" }, { "at": "2s", "set": { "latency": "40ms" }, "direction": "down" } ] }',
    );
    const seen: unknown[] = [];
    for (const until of [999_999, 1_000_000, 2_000_000]) {
      await world.run({ untilMicros: until });
      seen.push(latencies());
    }
    expect(seen).toEqual([
      [
        [10_000, 10_000],
        [10_000, 10_000],
      ],
      [
        [20_000, 10_000],
        [10_000, 10_000],
      ],
      [
        [30_000, 40_000],
        [30_000, 40_000],
      ],
    ]);
    const losses = Array.from({ length: 1_000 }, (_, i) => directions(world)[0]!.cross(i, 0) < 0).filter(Boolean);
    expect(losses.length).toBeGreaterThan(400); // the loss is still there
  });

  it('changes no fate by a setting that decides another one', () => {
    const link = '"link": { "preset": "4g-train", "rate": null }';
    const step = '{ "from": "500ms", "every": "500ms", "set": { "latency": "80ms" } }';
    const [plain, stepped] = ['[]', `[${step}]`].map((timeline) => {
      const { world } = play(`{ "clients": 1, "seconds": 30, ${link}, "timeline": ${timeline} }`);
      const up = directions(world)[0]!;
      const lost: number[] = [];
      const ask = (index: number): void => {
        const arrival = up.cross(index, world.now);
        if (arrival < 0) lost.push(index);
        if (index < 2_900) world.at(world.now + 10_000, () => ask(index + 1));
      };
      world.at(0, () => ask(0));
      return { world, lost };
    });
    return Promise.all([plain!, stepped!].map(({ world }) => world.run({ untilMicros: 30_000_000 }))).then(() => {
      expect(plain!.lost.length).toBeGreaterThan(20);
      expect(stepped!.lost).toEqual(plain!.lost);
    });
  });

  it('takes settings away by null, and puts one in place of those that exclude it', async () => {
    const { world } = play(
      '{ "clients": 1, "bottlenecks": { "b": { "rate": "5Mbit/s" } }, "link": { "rate": "1Mbit/s", "discipline": "codel" }, "timeline": [' +
        '{ "at": "1s", "set": { "rateTrace": "a.trace" } }, { "at": "2s", "set": { "bottleneck": "b", "discipline": null } },' +
        '{ "at": "3s", "set": { "bottleneck": null } } ] }',
      { files: { 'a.trace': '5\n' } },
    );
    const up = directions(world)[0]!;
    await world.run({ untilMicros: 1_000_000 });
    const own = up.bottleneck!;
    own.enter(0, 100, 1_000_000);
    expect(own.nextDeparture).toBe(1_005_000);
    own.leave();
    await world.run({ untilMicros: 2_000_000 });
    expect(up.bottleneck).toBe(world.bottleneckNamed('b'));
    await world.run({ untilMicros: 3_000_000 });
    expect(up.bottleneck).toBe(null);
  });

  it('repeats until it is told not to, or until the run ends', async () => {
    const text = (until: string) =>
      `{ "clients": 1, "seconds": 20, "timeline": [ { "from": "3s", "every": "4s", ${until} "rebind": "client-0" } ] }`;
    const events = await Promise.all(
      [text('"until": "11s",'), text('"until": "10999ms",'), text('')].map(async (one) => {
        const { world } = play(one);
        await world.run({ untilMicros: 30_000_000 });
        return world.events;
      }),
    );
    expect(events).toEqual([6, 4, 10]); // an act and a rebinding each: at 3, 7, 11, 15, 19 s
  });

  it('ramps numbers from what they are, in equal steps, to exactly what is given', async () => {
    const { world, latencies } = play(
      '{ "clients": 2, "link": { "latency": "10ms" }, "links": { "client-1": { "latency": "50ms" } }, "timeline": [' +
        '{ "at": "1s", "ramp": { "latency": "20ms" }, "over": "1s", "step": "300ms", "direction": "up" } ] }',
    );
    const seen: unknown[] = [];
    for (const until of [1.299_999, 1.3, 1.6, 1.9, 1.999_999, 2]) {
      await world.run({ untilMicros: until * 1_000_000 });
      seen.push(latencies().map(([up]) => up));
    }
    expect(seen).toEqual([
      [10_000, 50_000],
      [13_000, 41_000],
      [16_000, 32_000],
      [19_000, 23_000],
      [19_000, 23_000],
      [20_000, 20_000],
    ]);
    expect(latencies().map(([, down]) => down)).toEqual([10_000, 50_000]);
  });

  it('ramps the rate of a shared line, whose queue stays as long in time', async () => {
    const { world } = play(
      '{ "clients": 1, "bottlenecks": { "b": { "rate": "8Mbit/s", "queue": "100ms" } }, "link": { "bottleneck": "b" }, "timeline": [' +
        '{ "at": "1s", "ramp": { "rate": "80kbit/s" }, "over": "2s", "bottleneck": "b" } ] }',
    );
    await world.run({ untilMicros: 3_000_000 });
    const line = world.bottleneckNamed('b')!;
    const taken = Array.from({ length: 20 }, (_, i) => line.enter(i, 72, 3_000_000)).filter(Boolean);
    expect(taken).toHaveLength(11); // one on the line, and 1,000 bytes
    expect(line.nextDeparture).toBe(3_010_000);
  });

  it('changes the digest and the run, the same each time', async () => {
    const text =
      '{ "link": { "latency": "10ms" }, "timeline": [{ "at": "2s", "set": { "latency": "90ms" } }, { "at": "2s", "rebind": "*" }] }';
    const runs: ScenarioReport[] = [];
    for (const one of [text, text, text.replaceAll('"2s"', '"3s"'), '{ "link": { "latency": "10ms" } }']) {
      const { link, prepare } = readScenario('x.json', one, () => '', { clients: 3, seconds: 4 });
      runs.push(await echo({ link, prepare }));
    }
    expect(runs[1]).toEqual(runs[0]);
    expect(new Set(runs.map(({ digest }) => digest)).size).toBe(3);
    expect(runs[0]!.latencyMs.p99).toBe(90);
    expect(runs[0]!.dropped.unheard).toBeGreaterThan(0);
    expect(runs[3]!.latencyMs.p99).toBe(10);
  });
});

/** A world without a game, set up as a file says. */
function play(text: string, more: { files?: Record<string, string>; overrides?: ScenarioOverrides } = {}) {
  const plan: ScenarioPlan = readScenario('x.json', text, (name) => more.files![name]!, more.overrides);
  const world = openWorld({ link: plan.link });
  const server = world.host('server');
  for (let i = 0; i < plan.clients; i++) {
    const client = world.host(`client-${i}`);
    if (plan.down !== undefined) world.direction(server, client).configure(plan.down);
  }
  plan.prepare(world);
  const latencies = (): number[][] => {
    const all = directions(world).map((direction) => direction.latencyMicros);
    return Array.from({ length: all.length / 2 }, (_, i) => all.slice(2 * i, 2 * i + 2));
  };
  return { world, latencies };
}

/** Up and down of each client. */
function directions(world: World): LinkDirection[] {
  const made: LinkDirection[] = [];
  const server = world.hostNamed('server')!;
  for (let i = 0; world.hostNamed(`client-${i}`) !== null; i++) {
    const client = world.hostNamed(`client-${i}`)!;
    made.push(world.direction(client, server), world.direction(server, client));
  }
  return made;
}

function echo(options: Partial<Scenario>): Promise<ScenarioReport> {
  return runScenario({ name: 'echo', game: echoGame, clients: 3, link: {}, seconds: 4, seed: 7, ...options });
}

// Faults of a timeline: each does what it says to whom it says, and ends when it says.

import { describe, expect, it } from 'vitest';
import { reliableOrdered } from '../../../engine/channels.ts';
import * as arena from '../../../samples/arena/game.ts';
import { runScenario, type ScenarioReport, type SimulatedGame } from '../../../sim/scenario/scenario.ts';
import { readScenario } from '../../../sim/scenario/scenario-plan.ts';
import { ACTIONS } from '../../../sim/scenario/timeline-actions.ts';
import type { SimHost } from '../../../sim/world/host.ts';
import type { World } from '../../../sim/world/world.ts';
import * as echoGame from '../echo-game.ts';

/** Runs the timeline over the echo game; `at` is asked at each of `times`, in milliseconds. */
async function play<T>(
  timeline: readonly object[],
  more: { game?: SimulatedGame; clients?: number; seconds?: number; link?: object; times?: readonly number[] } = {},
  at: (world: World) => T = () => undefined as T,
): Promise<{ report: ScenarioReport; world: World; seen: T[] }> {
  const { game = echoGame, times = [], clients = 3, seconds = 6, link = { latency: '10ms' } } = more;
  const text = JSON.stringify({ clients, seconds, link, timeline });
  const plan = readScenario('x.json', text, () => '');
  let world!: World;
  const seen: T[] = [];
  const report = await runScenario({
    ...plan,
    name: 'faults',
    game,
    seed: 7,
    prepare: (made, restart) => {
      world = made;
      plan.prepare(made, restart);
      for (const time of times) made.at(time * 1_000, () => void seen.push(at(made)));
    },
  });
  return { report, world, seen };
}

const host = (world: World, name: string): SimHost => world.hostNamed(name)!;
/** Which ways are cut, or hold: `0>s` from client-0 to the server. */
function ways(world: World, is: 'isCut' | 'isHolding'): string {
  const names = ['server', 'client-0', 'client-1', 'client-2'];
  return names
    .flatMap((from) => names.map((to) => [from, to] as const))
    .filter(([from, to]) => from !== to && world.direction(host(world, from), host(world, to))[is])
    .map((pair) => pair.map((name) => name.at(name === 'server' ? 0 : -1)).join('>'))
    .join(' ');
}
const cutWays = (world: World): string => ways(world, 'isCut');

it('no action has a field that says when', () => {
  for (const { fields } of Object.values(ACTIONS)) {
    expect(Object.keys(fields).filter((name) => ['at', 'from', 'every', 'until'].includes(name))).toEqual([]);
  }
});

describe('cut and hold', () => {
  it('are of the ways that are meant, and end after their time', async () => {
    const timeline = [
      { at: '1s', cut: 'client-0', direction: 'up', for: '1s' },
      { at: '1s', cut: ['client-1', 'client-2'], direction: 'down' },
      { at: '3s', mend: 'client-1' },
    ];
    const { seen, report } = await play(timeline, { times: [999, 1_001, 1_999, 2_001, 3_001] }, cutWays);
    expect(seen).toEqual(['', 's>1 s>2 0>s', 's>1 s>2 0>s', 's>1 s>2', 's>2']);
    expect(report.dropped.cut).toBeGreaterThan(50);
    expect(report.packetsDropped).toBe(report.dropped.cut + report.dropped.unheard);
  });

  it('last as long as the longest of those that overlap, unless they are undone', async () => {
    const timeline = [
      { at: '1s', cut: 'client-0', direction: 'up', for: '2s' },
      { at: '2s', cut: 'client-*', direction: 'up', for: '500ms' },
      { at: '2s', partition: 'client-0', oneWay: true, for: '2s' },
      { at: '3s', cut: 'client-1', direction: 'up', for: '2s' },
      { at: '4s', mend: 'client-1' },
      { at: '4500ms', cut: 'client-1', direction: 'up' },
    ];
    const times = [1_500, 2_200, 2_600, 3_100, 4_200, 4_600, 5_500];
    const { seen } = await play(timeline, { times }, cutWays);
    expect(seen).toEqual(['0>s', '0>s 1>s 2>s', '0>s', '0>s 1>s', '', '1>s', '1>s']);
  });

  it('repeat', async () => {
    const timeline = [{ from: '1s', every: '2s', until: '3s', hold: 'client-1', direction: 'down', for: '1s' }];
    const times = [900, 1_500, 2_500, 3_500, 4_500, 5_500];
    const { seen } = await play(timeline, { times }, (world) => ways(world, 'isHolding'));
    expect(seen).toEqual(['', 's>1', '', 's>1', '', '']);
  });

  it('hold until a release, which lets all arrive that was held', async () => {
    const timeline = [
      { at: '2s', hold: 'client-0' },
      { at: '4s', release: 'client-0' },
    ];
    const { report, world } = await play(timeline);
    expect(report.packetsDropped).toBe(0);
    expect(world.latency.quantile(1)).toBeGreaterThan(1_900_000);
  });
});

describe('partition', () => {
  it('parts hosts from others, the server unless it is said, until they are healed', async () => {
    const timeline = [
      { at: '1s', partition: 'client-[0..1]' },
      { at: '2s', partition: 'client-2', others: ['client-0', 'server'], for: '1s' },
      { at: '4s', heal: 'client-0' },
      { at: '5s', heal: 'client-*' },
    ];
    const { seen } = await play(timeline, { times: [1_500, 2_500, 3_500, 4_500, 5_500] }, cutWays);
    expect(seen).toEqual(['s>0 s>1 0>s 1>s', 's>0 s>1 s>2 0>s 0>2 1>s 2>s 2>0', 's>0 s>1 0>s 1>s', 's>1 1>s', '']);
  });
});

describe('hosts', () => {
  const stat = (name: string) => (world: World) => host(world, name).faultStats;
  it.each([
    [{ pause: 'server', for: '120ms' }, (world: World) => stat('server')(world).pauses],
    [
      { cpu: { perPacket: '200us', perTurn: '10us', perByte: '5ns' }, host: 'server' },
      (world: World) => stat('server')(world).busyMicros,
    ],
    [{ failSends: 'ENOBUFS', for: '300ms', host: 'server' }, (world: World) => stat('server')(world).sendsBlocked],
    [{ failSends: 'EPERM', times: 3, host: 'client-1' }, (world: World) => stat('client-1')(world).sendsRefused - 2],
    [{ failReceives: 2, host: ['client-0', 'client-1'] }, (world: World) => stat('client-1')(world).receiveErrors - 1],
    [{ drift: '-150ppm', host: 'client-*' }, (world: World) => Number(host(world, 'client-2').clock.driftPpm === -150)],
    [
      { stepCalendar: '-1.5h', host: 'server' },
      (world: World) => Number(host(world, 'server').clock.unixSeconds() === 1_750_000_006 - 5_400),
    ],
    [
      { leap: '3s', host: 'client-0' },
      (world: World) => Number(host(world, 'client-0').now - host(world, 'client-0').clockOriginMicros === 9_000_000),
    ],
    [{ natTimeout: '10ms', host: 'client-2' }, (world: World) => host(world, 'client-2').nat!.forgotten],
    [
      { receiveBuffer: '2KiB', host: 'server' },
      (world: World) => Number(host(world, 'server').receiveBufferBytesMax === 2_048),
    ],
    [
      { rebind: ['client-0', 'client-2'] },
      (world: World) => Number(host(world, 'client-2').nat !== null && host(world, 'client-1').nat === null),
    ],
  ])('feel %j', async (entry, felt) => {
    const { world } = await play([{ at: '2s', ...entry }]);
    expect(felt(world)).toBeGreaterThan(0);
  });

  it('are free again by null', async () => {
    const timeline = [
      { at: '0s', cpu: { perTurn: '1ms' }, host: 'server' },
      { at: '0s', receiveBuffer: '2KiB', host: 'server' },
      { at: '2s', cpu: null, host: 'server' },
      { at: '2s', receiveBuffer: null, host: 'server' },
    ];
    const { world, seen } = await play(
      timeline,
      { times: [2_100] },
      (world) => host(world, 'server').faultStats.busyMicros,
    );
    expect(seen[0]).toBeGreaterThan(0);
    expect(host(world, 'server').faultStats.busyMicros).toBe(seen[0]);
    expect(host(world, 'server').receiveBufferBytesMax).toBe(2 ** 30);
  });

  it('do not notice what they are not named for: a file whose faults hit nobody else has the fates of one without', async () => {
    const link = { latency: '10ms', loss: '10%' };
    const lost = async (timeline: object[]) => {
      const { world } = await play(timeline, { link });
      return world.direction(host(world, 'client-1'), host(world, 'server')).stats;
    };
    expect(
      await lost([
        { at: '2s', cut: 'client-0', for: '1s' },
        { at: '3s', crash: 'client-2' },
      ]),
    ).toEqual(await lost([]));
  });
});

describe('a crash', () => {
  it('ends a host, which begins again after its time with the arguments of the first life', async () => {
    const lives: { name: string; at: number; args: object; token: Uint8Array | null }[] = [];
    let world: World | null = null;
    const note = async (name: string, args: object, token: Uint8Array | null) => {
      lives.push({ name, at: world?.now ?? 0, args, token });
    };
    const game: SimulatedGame = {
      server: (engine, args) => note(engine.name, args, null),
      client: async (engine, { token, ...args }) => note(engine.name, args, await token()),
    };
    const timeline = [
      { at: '1s', crash: ['server', 'client-1'], for: '2s' },
      { at: '4s', crash: 'client-2' },
      { at: '5s', restart: 'client-2' },
    ];
    await play(timeline, { game, times: [0] }, (made) => {
      world = made;
    });
    const first = new Map(lives.slice(0, 4).map((life) => [life.name, life]));
    const later = lives.slice(4);
    expect(later.map(({ name, at }) => [name, at])).toEqual([
      ['server', 3_000_000],
      ['client-1', 3_000_000],
      ['client-2', 5_000_000],
    ]);
    for (const { name, args, token } of later) {
      expect(args).toEqual(first.get(name)!.args);
      if (token !== null) expect(token).not.toEqual(first.get(name)!.token); // minted anew
    }
  });

  it('leaves messages behind that are not taken for those of the next life, though they have the same bytes', async () => {
    const channels = { word: reliableOrdered() };
    const game: SimulatedGame = {
      server: async (engine, { port, address, privateKey }) => {
        (await engine.listen({ port, host: address, privateKey, maxClients: 8, channels })).on('message', () => {});
      },
      client: async (engine, { token }) => {
        const client = await engine.connect({ token, channels });
        for (; client.state === 'connected'; await engine.sleep(50_000)) client.send('word', Uint8Array.of(1));
      },
    };
    const timeline = [
      { at: '2s', cut: 'client-0', direction: 'up', for: '1s' },
      { at: '3s', crash: 'client-0', for: '4s' },
    ];
    const { report } = await play(timeline, { game, clients: 1, seconds: 15 });
    const [words] = report.channels;
    expect(words!.queued - words!.arrived).toBeGreaterThan(15);
    expect(words!.arrived).toBeGreaterThan(150);
    expect(words!.latencyMs.p999).toBeLessThan(100);
  });

  it('is not undone twice: neither a restart by hand nor another crash is', async () => {
    const timeline = [
      { at: '1s', crash: 'client-0', for: '3s' },
      { at: '2s', restart: 'client-0' },
      { at: '3s', crash: 'client-0' },
      { at: '1s', crash: 'client-1', for: '3s' },
      { at: '2s', restart: 'client-1' },
    ];
    const { world } = await play(timeline);
    expect(['client-0', 'client-1'].map((name) => host(world, name).isDown)).toEqual([true, false]);
    expect(['client-0', 'client-1'].map((name) => host(world, name).faultStats.restarts)).toEqual([1, 1]);
  });

  it('of the server is survived by the bots of the arena: they come back with new tokens', async () => {
    const arrived = (report: ScenarioReport) =>
      report.channels.find(({ channel, from }) => channel === 'input' && from === 'clients')!;
    const game = arena as unknown as SimulatedGame;
    const gone = await play([{ at: '5s', crash: 'server' }], { game, seconds: 30 });
    const back = await play([{ at: '5s', crash: 'server', for: '2s' }], { game, seconds: 30 });
    expect(arrived(gone.report).arrived).toBeLessThan(3 * 5 * 60);
    expect(arrived(back.report).arrived).toBeGreaterThan(3 * 15 * 60);
    expect(back.report.clientsFailed).toBe(0);
  });

  it('of a client is survived by the arena, whether the server has noticed or not', async () => {
    for (const time of ['2s', '8s']) {
      const { report, world } = await play([{ at: '5s', crash: 'client-1', for: time }], {
        game: arena as unknown as SimulatedGame,
        seconds: 25,
      });
      expect(report.clientsFailed).toBe(0);
      const before = world.direction(host(world, 'server'), host(world, 'client-1')).stats.delivered;
      await world.run({ untilMicros: 26_000_000 });
      expect(world.direction(host(world, 'server'), host(world, 'client-1')).stats.delivered).toBeGreaterThan(
        before + 30,
      );
    }
  });

  it('is the same each time', async () => {
    const timeline = [
      { at: '1s', crash: 'server', for: '1s' },
      { from: '1s', every: '2s', crash: 'client-*', for: '500ms' },
      { at: '3s', hold: '*', for: '300ms' },
    ];
    const [a, b, without] = [await play(timeline), await play(timeline), await play([])];
    expect(b.report).toEqual(a.report);
    expect(without.report.digest).not.toBe(a.report.digest);
  });
});

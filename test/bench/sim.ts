// The simulator's speed: events through the bare queue, packets through a link, the arena's virtual seconds, and whole worlds.

import { existsSync } from 'node:fs';
import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import { LinkDirection, LOST } from '../../sim/link/link.ts';
import { runScenario, type SimulatedGame } from '../../sim/scenario/scenario.ts';
import { EventQueue } from '../../sim/world/event-queue.ts';
import { Stream, Streams } from '../../sim/world/streams.ts';
import { type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';
import { worldFigures } from './sim-worlds.ts';

/** Events waiting while others come and go: what a world of some hundred clients holds. */
const PENDING = 10_000;
const EVENTS = 2_000_000;
const PACKETS = 1_000_000;
/** A packet of 100 bytes each 100 us. */
const PACKET_MICROS = 100;
const LINK: DirectionOptions = { latencyMicros: 50_000, jitterMicros: 10_000, loss: 0.05 };
/** A line that is nearly as fast as they come, so that there is a queue. */
const EVERY_STAGE: DirectionOptions = {
  ...LINK,
  rateBitsPerSecond: 10_100_000,
  queueBytes: 50_000,
  loss: { model: 'gilbert-elliott', loss: 0.05, meanBurstPackets: 4 },
  duplicate: 0.01,
  duplicateDelayMicros: 10_000,
  reorder: 0.01,
};
const ARENA_SECONDS = 30;
const ARENA_CLIENTS = 8;
const ARENA_GAME = new URL('../../samples/arena/game.js', import.meta.url);

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const samples = { events: [] as number[], packets: [] as number[], stages: [] as number[], arena: [] as number[] };
  const game = existsSync(ARENA_GAME) ? ((await import(ARENA_GAME.href)) as SimulatedGame) : null;
  eventsPerSecond(); // compiles what is measured
  packetsPerSecond(LINK);
  packetsPerSecond(EVERY_STAGE);
  for (let i = 0; i < runs; i++) {
    samples.events.push(eventsPerSecond());
    samples.packets.push(packetsPerSecond(LINK));
    samples.stages.push(packetsPerSecond(EVERY_STAGE));
    if (game !== null) samples.arena.push(await arenaSpeed(game));
  }
  const figures = [
    figure('raw events a second, 10,000 pending', 'M/s', samples.events, { op: '>=', value: 2.5 }),
    figure('packets a second decided by one link (loss, jitter)', 'M/s', samples.packets),
    figure('packets a second through every stage of a link', 'M/s', samples.stages, { op: '>=', value: 1 }),
  ];
  if (game === null)
    return { bench: 'sim', machine: machine(), figures, notes: ['samples/arena is not in this build'] };
  figures.push(figure('virtual seconds a wall second, 8 arena clients', 'x', samples.arena, { op: '>=', value: 20 }));
  figures.push(...(await worldFigures(runs)));
  return { bench: 'sim', machine: machine(), figures };
}

/** Millions of events a second: each is scheduled, waits among 10,000 others, and is dispatched by its kind. */
function eventsPerSecond(): number {
  const queue = new EventQueue();
  const delays = new Uint32Array(4096);
  const stream = new Stream('bench');
  for (let i = 0; i < delays.length; i++) delays[i] = stream.below(100_000);
  for (let i = 0; i < PENDING; i++) queue.push(delays[i & 4095]!, i);
  const dispatched = new Int32Array(4);
  const start = process.hrtime.bigint();
  for (let i = 0; i < EVENTS; i++) {
    const now = queue.time;
    const payload = queue.pop();
    dispatched[payload & 3]!++;
    queue.push(now + delays[i & 4095]!, payload);
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  if (dispatched.reduce((sum, count) => sum + count) !== EVENTS) throw new Error('events were lost');
  return EVENTS / seconds / 1e6;
}

/** Millions of packets a second that one direction takes from stage to stage. */
function packetsPerSecond(options: DirectionOptions): number {
  const link = new LinkDirection('a>b', 0, new Streams(7), options);
  const start = process.hrtime.bigint();
  for (let i = 0; i < PACKETS; i++) {
    const now = i * PACKET_MICROS;
    const index = link.enter(100);
    const { bottleneck } = link;
    if (bottleneck === null) cross(link, index, now);
    else {
      while (bottleneck.nextDeparture <= now) {
        const left = bottleneck.nextDeparture;
        cross(link, bottleneck.leave(), left);
      }
      bottleneck.enter(index, 100, now);
    }
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return link.stats.sent / seconds / 1e6;
}

function cross(link: LinkDirection, index: number, now: number): void {
  if (link.cross(index, now) !== LOST) link.copyExtraMicros(index);
}

async function arenaSpeed(game: SimulatedGame): Promise<number> {
  const start = process.hrtime.bigint();
  const report = await runScenario({
    name: 'arena',
    game,
    clients: ARENA_CLIENTS,
    link: LINK,
    seconds: ARENA_SECONDS,
    seed: 7,
  });
  if (report.packetsSent < ARENA_SECONDS * ARENA_CLIENTS * 60) throw new Error('the arena did not play');
  return report.virtualSeconds / (Number(process.hrtime.bigint() - start) / 1e9);
}

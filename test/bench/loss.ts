/**
 * Latency under loss, transfers through bottlenecks and how a line is shared, in virtual time and through the whole engine
 * (`loss-world.ts`, `transfer-world.ts`): the table of transport/README.md. Seeds 1 to 20 for latencies, 1 to 3 for the rest; a run of
 * `--runs n` takes the first n.
 */

import { type LatencyResult, latencies, quantile } from './loss-world.ts';
import { type BenchOptions, type BenchReport, type Figure, figure, type Must, machine } from './report.ts';
import { emptyLinkMicros, type ShareOptions, shareOfTwo, shareWithTcp, transfer } from './transfer-world.ts';

const SEEDS = 20;
const SECONDS = 600;
const TRANSFER_SEEDS = 3;
const MIB = 1 << 20;
const TICK_RATE_HZ = 60;

const atMost = (value: number): Must => ({ op: '<=', value });
const atLeast = (value: number): Must => ({ op: '>=', value });

/** The results of the first `seeds` seeds, one after the other. */
async function ofSeeds<Result>(seeds: number, measure: (seed: number) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let seed = 1; seed <= seeds; seed++) results.push(await measure(seed));
  return results;
}

/** All seeds as one population: latencies of all of them sorted together. */
async function pooled(seeds: number, loss: number, burst: number, tickRateHz = 0): Promise<LatencyResult> {
  const results = await ofSeeds(seeds, (seed) => latencies({ seed, loss, burst, seconds: SECONDS, tickRateHz }));
  const all = new Float64Array(results.reduce((sum, r) => sum + r.latencies.length, 0));
  let at = 0;
  for (const { latencies: some } of results) {
    all.set(some, at);
    at += some.length;
  }
  return {
    latencies: all.sort(),
    messages: results.reduce((sum, r) => sum + r.messages, 0),
    wireBytes: results.reduce((sum, r) => sum + r.wireBytes, 0),
  };
}

async function latencyFigures(seeds: number): Promise<Figure[]> {
  const clean = await pooled(seeds, 0, 1);
  const five = await pooled(seeds, 0.05, 1);
  const twenty = await pooled(seeds, 0.2, 1);
  const bursts = await pooled(seeds, 0.05, 3);
  const ticksClean = await pooled(seeds, 0, 1, TICK_RATE_HZ);
  const ticks = await pooled(seeds, 0.05, 1, TICK_RATE_HZ);
  const millis = (result: LatencyResult, share: number) => [quantile(result.latencies, share) / 1000];
  const bytes = (result: LatencyResult) => [result.wireBytes / result.messages];
  return [
    figure('reliable ordered, 5 % lost: one-way p99', 'ms', millis(five, 0.99), atMost(45)),
    figure('reliable ordered, 5 % lost: one-way p99.9', 'ms', millis(five, 0.999)),
    figure('reliable ordered, 20 % lost: one-way p99', 'ms', millis(twenty, 0.99), atMost(80)),
    figure('reliable ordered, bursts of 3, 5 % lost: one-way p98', 'ms', millis(bursts, 0.98), atMost(80)),
    figure('reliable ordered, bursts of 3, 5 % lost: one-way p99', 'ms', millis(bursts, 0.99), atMost(110)),
    figure('UDP payload bytes a delivered message, nothing lost', 'bytes', bytes(clean), atMost(75)),
    figure('UDP payload bytes a delivered message, 5 % lost', 'bytes', bytes(five), atMost(140)),
    figure('both sides at 60 ticks a second, nothing lost: one-way p50', 'ms', millis(ticksClean, 0.5)),
    figure('both sides at 60 ticks a second, nothing lost: one-way p99', 'ms', millis(ticksClean, 0.99)),
    figure('both sides at 60 ticks a second, 5 % lost: one-way p99', 'ms', millis(ticks, 0.99)),
  ];
}

async function fastTransferFigures(seeds: number): Promise<Figure[]> {
  const list: Figure[] = [];
  for (const [loss, goodput, wire] of [
    [0.01, 38, 1.08],
    [0.05, 30, 1.15],
  ] as const) {
    const fast = { megabits: 400, bufferMicros: 50_000, backlogBytesMax: 16 * MIB, fromSecond: 5, toSecond: 30 };
    const results = await ofSeeds(seeds, (seed) => transfer({ ...fast, seed, loss, realTime: false }));
    const name = `transfer, 400 Mbit/s, ${loss * 100} % lost`;
    const rates = results.map((r) => r.megabytesPerSecond);
    const perByte = results.map((r) => r.wirePerByte);
    list.push(figure(`${name}: goodput`, 'MB/s', rates, atLeast(goodput)));
    list.push(figure(`${name}: wire bytes a byte`, '', perByte, atMost(wire)));
  }
  return list;
}

async function slowTransferFigures(seeds: number): Promise<Figure[]> {
  const slow = { megabits: 10, bufferMicros: 250_000, backlogBytesMax: MIB / 4, loss: 0, fromSecond: 3, toSecond: 60 };
  const empty = await emptyLinkMicros({ ...slow, seed: 1, realTime: true });
  const results = await ofSeeds(seeds, (seed) => transfer({ ...slow, seed, realTime: true }));
  const name = 'transfer, 10 Mbit/s, 250 ms of buffer';
  const use = results.map((r) => 100 * r.use);
  const added = results.map((r) => (quantile(r.delays, 0.99) - empty) / 1000);
  const startUp = results.map((r) => (r.startUpMicros - empty) / 1000);
  return [
    figure(`${name}: link use`, '%', use, atLeast(92)),
    figure(`${name}: real-time channel beside it, added p99`, 'ms', added, atMost(10)),
    figure(`${name}: most added in the first 3 s`, 'ms', startUp, atMost(50)),
  ];
}

async function shareFigures(seeds: number): Promise<Figure[]> {
  const list: Figure[] = [];
  for (const megabits of [10, 50]) {
    const own: Omit<ShareOptions, 'seed'> = { megabits, bufferMicros: 250_000, fromSecond: 20, toSecond: 60 };
    const two = await ofSeeds(seeds, (seed) => shareOfTwo({ ...own, seed }));
    list.push(figure(`two transfers of ours, ${megabits} Mbit/s: Jain`, '', two, atLeast(0.8)));
    for (const first of ['we', 'they'] as const) {
      const tcp: Omit<ShareOptions, 'seed'> = { megabits, bufferMicros: 50_000, fromSecond: 0, toSecond: 60 };
      const both = await ofSeeds(seeds, (seed) => shareWithTcp({ ...tcp, seed }, first));
      list.push(figure(`beside TCP, ${megabits} Mbit/s, ${first} begin: Jain`, '', both, atLeast(0.8)));
    }
  }
  return list;
}

export async function run(options: BenchOptions): Promise<BenchReport> {
  const seeds = Math.min(SEEDS, options.runs ?? SEEDS);
  const few = Math.min(TRANSFER_SEEDS, seeds);
  return {
    bench: 'loss',
    machine: machine(),
    figures: [
      ...(await latencyFigures(seeds)),
      ...(await fastTransferFigures(few)),
      ...(await slowTransferFigures(few)),
      ...(await shareFigures(few)),
    ],
    notes: [`virtual time: seeds 1 to ${seeds}, ${SECONDS} s each, pooled; transfers and shares: seeds 1 to ${few}`],
  };
}

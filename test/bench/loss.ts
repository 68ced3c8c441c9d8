/**
 * Latency under loss and transfers through bottlenecks, in virtual time (`transport-model.ts`): the table of transport/README.md. Seeds 1
 * to 20 for latencies, 1 to 3 for transfers; a run of `--runs n` takes the first n.
 */

import { type BenchOptions, type BenchReport, type Figure, figure, type Must, machine } from './report.ts';
import { type LatencyResult, latencies, quantile, transfer } from './transport-model.ts';

const SEEDS = 20;
const SECONDS = 600;
const TRANSFER_SEEDS = 3;
const MIB = 1 << 20;

const atMost = (value: number): Must => ({ op: '<=', value });
const atLeast = (value: number): Must => ({ op: '>=', value });

/** All seeds as one population: latencies of all of them sorted together. */
function pooled(seeds: number, loss: number, burst: number): LatencyResult {
  const results = Array.from({ length: seeds }, (_, i) => latencies(i + 1, loss, burst, SECONDS));
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

function latencyFigures(seeds: number): Figure[] {
  const clean = pooled(seeds, 0, 1);
  const five = pooled(seeds, 0.05, 1);
  const twenty = pooled(seeds, 0.2, 1);
  const bursts = pooled(seeds, 0.05, 3);
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
  ];
}

function transferFigures(seeds: number): Figure[] {
  const list: Figure[] = [];
  const runs = Array.from({ length: seeds }, (_, i) => i + 1);
  for (const [loss, goodput, wire] of [
    [0.01, 38, 1.08],
    [0.05, 30, 1.15],
  ] as const) {
    const fat = {
      megabits: 400,
      bufferMicros: 50_000,
      backlogBytes: 16 * MIB,
      fromSecond: 5,
      toSecond: 30,
      realTime: false,
    };
    const results = runs.map((seed) => transfer({ ...fat, seed, loss }));
    const name = `transfer, 400 Mbit/s, ${loss * 100} % lost`;
    list.push(
      figure(
        `${name}: goodput`,
        'MB/s',
        results.map((r) => r.megabytesPerSecond),
        atLeast(goodput),
      ),
    );
    list.push(
      figure(
        `${name}: wire bytes a byte`,
        '',
        results.map((r) => r.wirePerByte),
        atMost(wire),
      ),
    );
  }
  const slow = {
    megabits: 10,
    bufferMicros: 250_000,
    backlogBytes: MIB / 4,
    loss: 0,
    fromSecond: 3,
    toSecond: 60,
    realTime: true,
  };
  const results = runs.map((seed) => transfer({ ...slow, seed }));
  const name = 'transfer, 10 Mbit/s, 250 ms of buffer';
  list.push(
    figure(
      `${name}: link use`,
      '%',
      results.map((r) => 100 * r.use),
      atLeast(92),
    ),
  );
  const p99 = results.map((r) => quantile(r.queueing, 0.99) / 1000);
  list.push(figure(`${name}: real-time channel beside it, added p99`, 'ms', p99, atMost(10)));
  list.push(
    figure(
      `${name}: most added in the first 3 s`,
      'ms',
      results.map((r) => r.startUpMicros / 1000),
      atMost(50),
    ),
  );
  return list;
}

export async function run(options: BenchOptions): Promise<BenchReport> {
  const seeds = Math.min(SEEDS, options.runs ?? SEEDS);
  return {
    bench: 'loss',
    machine: machine(),
    figures: [...latencyFigures(seeds), ...transferFigures(Math.min(TRANSFER_SEEDS, seeds))],
    notes: [
      `virtual time: seeds 1 to ${seeds}, ${SECONDS} s each, pooled; transfers: seeds 1 to ${Math.min(TRANSFER_SEEDS, seeds)}`,
    ],
  };
}

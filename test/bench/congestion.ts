/**
 * Congestion control in the bottleneck model: the figures of transport/congestion/README.md. A run is a seed, so these do not
 * depend on the machine.
 */

import type { Path } from '../transport/congestion/bottleneck.ts';
import {
  against,
  alone,
  budgetGame,
  bufferOf,
  changing,
  fairness,
  fatPipe,
  MBIT,
} from '../transport/congestion/scenarios.ts';
import {
  type BenchOptions,
  type BenchReport,
  type Figure,
  figure,
  type Must,
  machine,
  RUNS_DEFAULT,
} from './report.ts';

const RATE = 10 * MBIT;

/** `measure(seed)` once for each seed, and a figure for each of its columns. */
function figures<Result>(
  seeds: number,
  measure: (seed: number) => Result,
  columns: readonly (readonly [name: string, unit: string, pick: (result: Result) => number, must?: Must])[],
): Figure[] {
  const results = Array.from({ length: seeds }, (_, i) => measure(i + 1));
  return columns.map(([name, unit, pick, must]) => figure(name, unit, results.map(pick), must));
}

const atLeast = (value: number): Must => ({ op: '>=', value });
const atMost = (value: number): Must => ({ op: '<=', value });

export async function run(options: BenchOptions): Promise<BenchReport> {
  const seeds = options.runs ?? RUNS_DEFAULT;
  const list: Figure[] = [];
  for (const [loss, least] of [
    [0.01, 42],
    [0.05, 36],
  ] as const) {
    list.push(
      ...figures(1, () => fatPipe(loss, 5, 30), [
        [`400 Mbit/s, ${loss * 100} % loss: goodput`, 'MB/s', (r) => r.megabytes, atLeast(least)],
      ]),
    );
  }
  list.push(
    ...figures(1, () => alone({}, 60), [
      ['10 Mbit/s alone: use', '%', (r) => 100 * r.use, atLeast(94)],
      ['10 Mbit/s alone: queue p50', 'ms', (r) => r.p50],
      ['10 Mbit/s alone: queue p99', 'ms', (r) => r.p99, atMost(8)],
      ['10 Mbit/s alone: start-up queue', 'ms', (r) => r.startMax, atMost(50)],
    ]),
  );
  const untidy: readonly (readonly [string, Partial<Path>])[] = [
    ['jitter 5 ms', { jitterMicros: 5000 }],
    ['jitter 20 ms', { jitterMicros: 20_000 }],
    ['heaps of 2 ms', { heapMicros: 2000 }],
    ['ack heaps 5 ms, 20 % ack loss', { ackHeapMicros: 5000, ackLoss: 0.2 }],
    ['10 % loss', { loss: 0.1 }],
    ['10 % loss, jitter 5 ms', { loss: 0.1, jitterMicros: 5000 }],
    ['buffer of 5 ms', { bufferBytes: bufferOf(RATE, 5) }],
  ];
  for (const [name, path] of untidy) {
    list.push(
      ...figures(seeds, (seed) => alone(path, 20, { seed }), [
        [`${name}: use`, '%', (r) => 100 * r.use, atLeast(80)],
        [`${name}: queue p99`, 'ms', (r) => r.p99],
      ]),
    );
  }
  for (const [megabits, rtts] of [
    [10, [50, 50]],
    [10, [50, 50, 50, 50]],
    [50, [50, 50]],
    [50, [50, 50, 50, 50]],
    [10, [30, 90]],
    [50, [30, 90]],
  ] as const) {
    const equal = rtts.every((rtt) => rtt === rtts[0]);
    list.push(
      ...figures(Math.min(3, seeds), (seed) => fairness(megabits, rtts, seed), [
        [`${megabits} Mbit/s, ${rtts.join('/')} ms: Jain`, '', (r) => r.jain, equal ? atLeast(0.9) : undefined],
      ] as [string, string, (r: { jain: number }) => number, Must?][]),
    );
  }
  for (const [megabits, buffer, order] of [
    [10, 50, 'first'],
    [10, 50, 'second'],
    [10, 50, 'together'],
    [50, 50, 'first'],
    [10, 250, 'first'],
  ] as const) {
    const name = `NewReno, ${megabits} Mbit/s, ${buffer} ms, we start ${order}`;
    list.push(
      ...figures(seeds, (seed) => against(megabits, buffer, order, seed), [
        [`${name}: Jain`, '', (r) => r.jain, buffer === 50 ? atLeast(0.85) : undefined],
        [`${name}: back after`, 's', (r) => r.backAfter],
      ] as [string, string, (r: { jain: number; backAfter: number }) => number, Must?][]),
    );
  }
  list.push(...changes(), ...games(seeds));
  return { bench: 'congestion', machine: machine(), figures: list };
}

function changes(): Figure[] {
  const quarter: Path = {
    bytesPerSecond: RATE,
    bufferBytes: bufferOf(RATE, 250),
    rateChanges: [
      [20_000_000, RATE / 4],
      [40_000_000, RATE],
    ],
  };
  const longer: Path = { bytesPerSecond: RATE, bufferBytes: bufferOf(RATE, 250) };
  return [
    ...figures(
      1,
      () =>
        changing(
          quarter,
          [],
          [
            [22, 40, RATE / 4],
            [40, 45, RATE],
          ],
        ),
      [
        ['rate to a quarter, from 2 s after: use', '%', (r) => 100 * r[0]!.use, atLeast(80)],
        ['rate to a quarter, from 2 s after: queue p99', 'ms', (r) => r[0]!.p99],
        ['rate back, the 5 s after: use', '%', (r) => 100 * r[1]!.use, atLeast(80)],
      ],
    ),
    ...figures(
      1,
      () =>
        changing(
          longer,
          [[20, 110_000]],
          [
            [20, 25, RATE],
            [25, 40, RATE],
          ],
        ),
      [
        ['path 60 ms longer, the 5 s after: use', '%', (r) => 100 * r[0]!.use],
        ['path 60 ms longer, then: use', '%', (r) => 100 * r[1]!.use, atLeast(80)],
        ['path 60 ms longer, then: queue p99', 'ms', (r) => r[1]!.p99],
      ],
    ),
  ];
}

function games(seeds: number): Figure[] {
  const list: Figure[] = [];
  for (const [name, runs, path] of [
    ['budget, 1 Mbit/s', 1, {}],
    ['budget, 1 Mbit/s, 5 % loss', seeds, { loss: 0.05 }],
    ['budget, 1 Mbit/s, jitter 5 ms', seeds, { jitterMicros: 5000 }],
  ] as const) {
    list.push(
      ...figures(runs, (seed) => budgetGame({ seed, path }), [
        [`${name}: use`, '%', (r) => 100 * r.use, atLeast(80)],
        [`${name}: queue p99`, 'ms', (r) => r.p99, atMost(25)],
        [`${name}: under 60 ms after halving`, 's', (r) => r.underAfter, atMost(1.5)],
      ]),
    );
  }
  return list;
}

// Medians, bootstrap intervals, pooled distributions: on data whose truth is known.

import { describe, expect, it } from 'vitest';
import { poolQuantiles } from '../../../sim/report/pooled.ts';
import { differenceOf, median } from '../../../sim/report/statistics.ts';
import { LATENCY_SHARES } from '../../../sim/scenario/message-latencies.ts';
import { Streams } from '../../../sim/world/streams.ts';

const streams = new Streams('statistics');

describe('the median', () => {
  it('is the middle value, the mean of two in the middle, and null of none', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 6])).toBe(5.5);
    expect(median([])).toBeNull();
  });
});

describe('the bootstrap interval', () => {
  it('holds the true mean about 95 times in 100, of few and of many seeds, also of lopsided values', () => {
    for (const [pairs, least] of [
      [8, 0.88],
      [20, 0.91],
      [50, 0.92],
    ] as const) {
      const [symmetric, lopsided] = [coverage(pairs, false), coverage(pairs, true)];
      expect(symmetric).toBeGreaterThan(least);
      expect(symmetric).toBeLessThan(0.985);
      expect(lopsided).toBeGreaterThan(least - 0.05);
    }
  });

  it('is the same for the same stream, around the mean, and narrower with more values', () => {
    const values = [1, 4, 2, 8, 5, 7];
    const interval = () => differenceOf(values, streams.stream('same'))!;
    expect(interval()).toEqual(interval());
    const { mean, low, high } = interval();
    expect(mean).toBe(4.5);
    expect(low!).toBeLessThan(mean);
    expect(high!).toBeGreaterThan(mean);
    const many = differenceOf([...values, ...values, ...values, ...values], streams.stream('many'))!;
    expect(many.high! - many.low!).toBeLessThan(0.7 * (high! - low!));
  });

  it('is a point where all differences are equal, and nothing where there are too few', () => {
    expect(differenceOf([3, 3, 3], streams.stream('equal'))).toEqual({ pairs: 3, mean: 3, low: 3, high: 3 });
    expect(differenceOf([3, 4], streams.stream('few'))).toEqual({ pairs: 2, mean: 3.5, low: null, high: null });
    expect(differenceOf([], streams.stream('none'))).toBeNull();
  });
});

describe('pooled quantiles', () => {
  it('of equal runs are those of one', () => {
    const quantiles = LATENCY_SHARES.map((share) => 50 + 100 * share);
    expect(
      poolQuantiles([
        { count: 10, quantiles },
        { count: 990, quantiles },
      ]),
    ).toEqual(quantiles);
  });

  it('count each run by its messages', () => {
    const flat = (value: number): number[] => LATENCY_SHARES.map(() => value);
    const pooled = poolQuantiles([
      { count: 100, quantiles: flat(200) },
      { count: 9_900, quantiles: flat(50) },
    ])!;
    const at = (share: number): number => pooled[LATENCY_SHARES.findIndex((one) => Math.abs(one - share) < 1e-9)]!;
    expect([at(0), at(0.5), at(0.98), at(0.991), at(1)]).toEqual([50, 50, 50, 200, 200]);
  });

  it('are nothing where nothing was timed, and leave out what has other shares', () => {
    expect(poolQuantiles([])).toBeNull();
    expect(poolQuantiles([{ count: 3, quantiles: [1, 2] }])).toBeNull();
  });
});

/** How often the interval of a sample holds the mean that it was drawn around. */
function coverage(pairs: number, lopsided: boolean): number {
  const samples = 400;
  const stream = streams.stream(`sample/${pairs}/${lopsided}`);
  let held = 0;
  for (let i = 0; i < samples; i++) {
    const values = Array.from({ length: pairs }, () => {
      // Mean 7: uniform around it, or the square of a uniform value (mean 1/3) above 6 2/3.
      const u = stream.double();
      return lopsided ? 7 - 1 / 3 + u * u : 7 + u - 0.5;
    });
    const { low, high } = differenceOf(values, stream)!;
    if (low! <= 7 && high! >= 7) held++;
  }
  return held / samples;
}

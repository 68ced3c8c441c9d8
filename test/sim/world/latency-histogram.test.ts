// Quantiles of durations: exact where they are short, within 1/16,384 where they are long.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../sim/world/latency-histogram.ts';

describe('LatencyHistogram', () => {
  it('answers the quantile of a sorted list, or very little below it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 0x7fff_ffff }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0, 0.01, 0.5, 0.9, 0.99, 1),
        (samples, quantile) => {
          const histogram = new LatencyHistogram();
          for (const sample of samples) histogram.add(sample);
          const exact = [...samples].sort((a, b) => a - b)[Math.max(0, Math.ceil(quantile * samples.length) - 1)]!;
          const answer = histogram.quantile(quantile)!;
          expect(answer).toBeLessThanOrEqual(exact);
          expect(exact - answer).toBeLessThanOrEqual(exact < 32_768 ? 0 : exact / 16_384);
        },
      ),
      { seed: 3, numRuns: 500 },
    );
  });

  it('answers many shares at once as one by one, and counts the samples up to a duration', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 200 }), (samples) => {
        const histogram = new LatencyHistogram();
        for (const sample of samples) histogram.add(sample);
        const shares = [0, 0.01, 0.5, 0.5, 0.9, 0.99, 1];
        expect(histogram.quantiles(shares)).toEqual(shares.map((share) => histogram.quantile(share)));
        for (const limit of [0, 1_000, 30_000]) {
          expect(histogram.countUpTo(limit)).toBe(samples.filter((sample) => sample <= limit).length);
        }
        expect(histogram.countUpTo(2 ** 40)).toBe(samples.length);
      }),
      { seed: 3, numRuns: 200 },
    );
    expect(new LatencyHistogram().quantiles([0.5])).toBeNull();
  });

  it('has no answer without samples, and counts what is too long as the longest', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.quantile(0.5)).toBeNull();
    histogram.add(2 ** 40);
    expect(histogram.quantile(1)).toBeGreaterThan(2_140_000_000);
    expect(histogram.count).toBe(1);
  });
});

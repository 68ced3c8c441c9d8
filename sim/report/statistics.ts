/**
 * What can be said of numbers that come once a seed: medians, and whether one setting differs from another.
 *
 * Two settings under the same seed meet the same fates, so their difference is taken seed by seed: luck that both had
 * is not in it. The interval of the mean difference is a bootstrap percentile interval, widened by sqrt(n / (n - 1)) since
 * resamples of n values vary less than samples do.
 */

import type { Stream } from '../world/streams.ts';
import type { Difference } from './report-data.ts';

/** Resamples of a bootstrap: the ends of a 95 % interval are then the 50th from each end, and settle within some percent. */
export const RESAMPLES = 2_000;
/** The interval holds this share of the resampled means. */
export const CONFIDENCE = 0.95;
/** Of fewer values resamples are too few different ones. */
const PAIRS_MIN = 3;

/** The middle value, or the mean of the two in the middle; null of none. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The mean difference and its interval; the stream decides the resamples. Null of none. */
export function differenceOf(differences: readonly number[], stream: Stream): Difference | null {
  const pairs = differences.length;
  if (pairs === 0) return null;
  const mean = meanOf(differences);
  if (pairs < PAIRS_MIN) return { pairs, mean, low: null, high: null };
  const means = new Float64Array(RESAMPLES);
  for (let i = 0; i < RESAMPLES; i++) {
    let sum = 0;
    for (let k = 0; k < pairs; k++) sum += differences[stream.below(pairs)]!;
    means[i] = sum / pairs;
  }
  means.sort();
  const tail = Math.floor(((1 - CONFIDENCE) / 2) * RESAMPLES);
  const widening = Math.sqrt(pairs / (pairs - 1));
  return {
    pairs,
    mean,
    low: mean + (means[tail]! - mean) * widening,
    high: mean + (means[RESAMPLES - 1 - tail]! - mean) * widening,
  };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

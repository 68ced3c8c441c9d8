/**
 * How long things took, counted in buckets: exact below 32 ms, within 1/16,384 above, in 1.2 MB for any number of samples.
 */

import type { Micros } from '../sys/api.ts';

/** Sub-buckets of each doubling: with 2^14 a link of 50 ms is reported as 50 ms, not as the lower end of a bucket. */
const SUB_BITS = 14;
const SUB_BUCKETS = 1 << SUB_BITS;
/** Samples are 0 .. 2^31 - 1 us (36 minutes); longer ones count as that. */
const SAMPLE_MAX = 0x7fff_ffff;

/** Counts durations and answers quantiles. */
export class LatencyHistogram {
  count = 0;
  readonly #counts: Uint32Array = new Uint32Array((32 - SUB_BITS) * SUB_BUCKETS);

  /** Counts one duration (integer microseconds). */
  add(micros: Micros): void {
    const value = micros > SAMPLE_MAX ? SAMPLE_MAX : micros | 0;
    this.#counts[bucketOf(value)]!++;
    this.count++;
  }

  /** The duration that a share `quantile` (0 .. 1) of all samples does not exceed; null while there are none. */
  quantile(quantile: number): Micros | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil(quantile * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return lowestOf(bucket);
    }
    throw new RangeError(`a quantile is a share, 0 .. 1, not ${quantile}`);
  }
}

/** Values below 2 * SUB_BUCKETS have a bucket each; above, each doubling has SUB_BUCKETS of equal width. */
function bucketOf(value: number): number {
  const shift = 31 - Math.clz32(value | SUB_BUCKETS) - SUB_BITS;
  return (shift << SUB_BITS) + (value >>> shift);
}

function lowestOf(bucket: number): number {
  if (bucket < 2 * SUB_BUCKETS) return bucket;
  const shift = (bucket >>> SUB_BITS) - 1;
  return (SUB_BUCKETS + (bucket & (SUB_BUCKETS - 1))) * 2 ** shift;
}

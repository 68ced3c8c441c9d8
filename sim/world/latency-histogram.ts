/**
 * How long things took, counted in buckets: by default exact below 32 ms and within 1/16,384 above, in at most 1.2 MB for
 * any number of samples.
 */

import type { Micros } from '../../sys/api.ts';

/** Sub-buckets of each doubling: with 2^14 a link of 50 ms is reported as 50 ms, not as the lower end of a bucket. */
const SUB_BITS = 14;
/** Samples are 0 .. 2^31 - 1 us (36 minutes); longer ones count as that. */
const SAMPLE_MAX = 0x7fff_ffff;

/** Counts durations and answers quantiles. */
export class LatencyHistogram {
  count = 0;
  /** Of all samples, each at most 2^31 - 1. */
  sumMicros = 0;
  readonly #subBits: number;
  /** Grows to the longest sample. */
  #counts: Uint32Array;

  /** Durations below 2^(subBits + 1) us are exact, longer ones right within 1 / 2^subBits. */
  constructor(subBits: number = SUB_BITS) {
    this.#subBits = subBits;
    this.#counts = new Uint32Array(2 << subBits);
  }

  /** Counts one duration (integer microseconds). */
  add(micros: Micros): void {
    const value = micros > SAMPLE_MAX ? SAMPLE_MAX : micros | 0;
    const bucket = this.#bucketOf(value);
    if (bucket >= this.#counts.length) this.#grow(bucket);
    this.#counts[bucket]!++;
    this.count++;
    this.sumMicros += value;
  }

  /** The mean of all samples; null while there are none. */
  get meanMicros(): Micros | null {
    return this.count === 0 ? null : this.sumMicros / this.count;
  }

  /** The duration that a share `quantile` (0 .. 1) of all samples does not exceed; null while there are none. */
  quantile(quantile: number): Micros | null {
    if (this.count === 0) return null;
    const rank = Math.max(1, Math.ceil(quantile * this.count));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return this.#lowestOf(bucket);
    }
    throw new RangeError(`a quantile is a share, 0 .. 1, not ${quantile}`);
  }

  /** The same for many shares, which ascend; in one pass. */
  quantiles(shares: readonly number[]): Micros[] | null {
    if (this.count === 0) return null;
    const found: Micros[] = [];
    let [seen, bucket] = [this.#counts[0]!, 0];
    for (const share of shares) {
      const rank = Math.max(1, Math.ceil(share * this.count));
      while (seen < rank) seen += this.#counts[++bucket]!;
      found.push(this.#lowestOf(bucket));
    }
    return found;
  }

  /** Samples up to and including `micros`, to within the width of a bucket. */
  countUpTo(micros: Micros): number {
    const last = this.#bucketOf(micros > SAMPLE_MAX ? SAMPLE_MAX : micros | 0);
    let seen = 0;
    for (let bucket = 0; bucket <= last && bucket < this.#counts.length; bucket++) seen += this.#counts[bucket]!;
    return seen;
  }

  /** Values below 2^(subBits + 1) have a bucket each; above, each doubling has 2^subBits of equal width. */
  #bucketOf(value: number): number {
    const shift = 31 - Math.clz32(value | (1 << this.#subBits)) - this.#subBits;
    return (shift << this.#subBits) + (value >>> shift);
  }

  #lowestOf(bucket: number): number {
    const subBuckets = 1 << this.#subBits;
    if (bucket < 2 * subBuckets) return bucket;
    const shift = (bucket >>> this.#subBits) - 1;
    return (subBuckets + (bucket & (subBuckets - 1))) * 2 ** shift;
  }

  #grow(bucket: number): void {
    const doublings = (bucket >>> this.#subBits) + 1;
    const counts = new Uint32Array(doublings << this.#subBits);
    counts.set(this.#counts);
    this.#counts = counts;
  }
}

/** Milliseconds to the microsecond, for reports; null stays null. */
export function millisOf(micros: Micros | null): number | null {
  return micros === null ? null : Math.round(micros) / 1000;
}

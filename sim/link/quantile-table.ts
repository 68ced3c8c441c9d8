/**
 * Distributions as tables of integers: 32 bits of chance in, a value of that distribution out.
 *
 * A table at equal steps of probability is coarse where a tail is, and the tails are what a game suffers from. Here each
 * half of the distribution is cut into octaves of its tail's probability (1/2, 1/4, .. 2^-32) and each octave into 32
 * steps, between which values lie on a straight line: the one packet in a million is as right as the median.
 * Values are standard deviations times 2^16, made once with + - * / and sqrt only (`elementary.ts`).
 */

import { exponential, naturalLog } from './elementary.ts';

/** One standard deviation in a table. */
export const UNIT: number = 1 << 16;
const STEP_BITS = 5;
const STEPS = 1 << STEP_BITS;
/** Bits of chance between two steps: 32, less the leading one and those of the step. */
const REST_BITS = 31 - STEP_BITS;
/** 32 octaves, of which the last is only the median itself; and one more that is multiplied with zero. */
const POINTS = 31 * STEPS + 2;
/** Halvings of an interval in search of a quantile: 60 are as many as a double tells apart there. */
const BISECTIONS = 60;
/** No quantile at 2^-32 of what is searched lies further out, in units of its density. */
const SEARCH_MAX = 64;

/** A distribution: its quantiles by the probability of the tail below, and of the tail above, both at most 1/2. */
interface Distribution {
  readonly below: (probability: number) => number;
  readonly above: (probability: number) => number;
}

/** Quantiles of one distribution. */
export class QuantileTable {
  readonly #below: Int32Array;
  readonly #above: Int32Array;

  constructor({ below, above }: Distribution) {
    this.#below = tailOf(below);
    this.#above = tailOf(above);
  }

  /** The value at 32 bits of chance, in `UNIT`: an integer beyond neither end of the table. */
  at(word: number): number {
    const tail = word < 0 ? this.#above : this.#below;
    const probability = ((word & 0x7fff_ffff) + 1) >>> 0; // 1 .. 2^31, of 2^32
    const octave = Math.clz32(probability);
    const scaled = probability << octave; // the leading one has become the sign
    const point = (31 - octave) * STEPS + ((scaled >>> REST_BITS) & (STEPS - 1));
    const rest = scaled & ((1 << REST_BITS) - 1);
    const value = tail[point]!;
    return value + Math.round(((tail[point + 1]! - value) * rest) / (1 << REST_BITS));
  }
}

function tailOf(quantile: (probability: number) => number): Int32Array {
  const points = new Int32Array(POINTS);
  let probability = 1 / 0x1_0000_0000;
  for (let point = 0; point <= 31 * STEPS; point++) {
    const step = point % STEPS;
    if (step === 0 && point > 0) probability *= 2;
    points[point] = Math.round(quantile(probability * (1 + step / STEPS)) * UNIT);
  }
  points[POINTS - 1] = points[POINTS - 2]!;
  return points;
}

/** Mean 1 (which is its standard deviation), from 0. */
export const exponentialTable: () => QuantileTable = once(() => ({
  below: (p) => -naturalLog(1 - p),
  above: (p) => -naturalLog(p),
}));

/** Mean 0. */
export const normalTable: () => QuantileTable = once(() => ({
  below: (p) => -normalAbove(p),
  above: normalAbove,
}));

/** The exponential of a standard normal (sigma 1), from 0; its mean is 0.763 of its standard deviation. */
export const lognormalTable: () => QuantileTable = once(() => {
  const deviation = Math.sqrt((Math.E - 1) * Math.E);
  return {
    below: (p) => exponential(-normalAbove(p)) / deviation,
    above: (p) => exponential(normalAbove(p)) / deviation,
  };
});

/** Gamma of shape 2, the sum of two equal exponentials, from 0; its mean is sqrt 2 of its standard deviation. */
export const gammaTable: () => QuantileTable = once(() => ({
  below: (p) => search((x) => 1 - (1 + x) * exponential(-x) > p) / Math.SQRT2,
  above: (p) => search((x) => (1 + x) * exponential(-x) < p) / Math.SQRT2,
}));

/** Pareto of index 3 (as netem's), moved to begin at 0; its mean is 0.577 of its standard deviation. */
export const paretoTable: () => QuantileTable = once(() => {
  const deviation = Math.sqrt(3) / 2;
  const above = (p: number) => (exponential(-naturalLog(p) / 3) - 1) / deviation;
  return { below: (p) => above(1 - p), above };
});

/** The x above which a standard normal lies with probability `p`, at most 1/2. */
function normalAbove(p: number): number {
  return search((x) => {
    // 1/2 - density * (x + x^3 / 3 + x^5 / 15 + ..): all terms are positive, so that nothing is lost before the end.
    let term = x;
    let sum = x;
    for (let n = 3; term > sum * 1e-17; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    return 0.5 - sum * exponential((-x * x) / 2) * INVERSE_SQRT_TWO_PI < p;
  }, 8);
}

const INVERSE_SQRT_TWO_PI = 1 / Math.sqrt(2 * Math.PI);

/** The least x from 0 on that `isBeyond` holds for. */
function search(isBeyond: (x: number) => boolean, most: number = SEARCH_MAX): number {
  let low = 0;
  let high = most;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (isBeyond(middle)) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

/** Tables are made when the first link asks for them: most worlds need none. */
function once(distribution: () => Distribution): () => QuantileTable {
  let made: QuantileTable | null = null;
  return () => {
    made ??= new QuantileTable(distribution());
    return made;
  };
}

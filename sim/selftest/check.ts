/**
 * One closed form against the simulator: what mathematics expects, what came out, and how many standard errors lie between.
 *
 * Each way of comparing has its own function. A mean of independent values with a known variance, a share of independent
 * trials and an exact number need no more; values that hang together (waits in a queue) are compared by means of batches,
 * whose scatter gives the error. Student's t is told as the normal deviate of the same tail, so that one bound fits all.
 */

/** What one comparison came to. */
export interface Check {
  /** The form and its parameters. */
  readonly name: string;
  readonly expected: number;
  readonly simulated: number;
  /** Standard errors between the two; beyond 4 the simulator (or the formula) is wrong. */
  readonly z: number;
}

/** |z| beyond which a check fails: by chance one in 16,000. */
export const Z_MAX = 4;
/** The z of an exact number that is not met. */
export const Z_WRONG = 1e9;
/** Batches of a mean whose values hang together: enough for a scatter within a tenth. */
const BATCHES = 100;

/** A number that must be met exactly. */
export function exact(name: string, expected: number, simulated: number): Check {
  return { name, expected, simulated, z: expected === simulated ? 0 : Z_WRONG };
}

/** `hits` of `trials` independent ones, each of probability `expected`. */
export function share(name: string, expected: number, hits: number, trials: number): Check {
  const error = Math.sqrt((expected * (1 - expected)) / trials);
  const difference = hits / trials - expected;
  return {
    name,
    expected,
    simulated: hits / trials,
    z: error === 0 ? (difference === 0 ? 0 : Z_WRONG) : difference / error,
  };
}

/** The mean of `count` independent values that add up to `sum`, each of variance `variance`. */
export function mean(name: string, expected: number, variance: number, sum: number, count: number): Check {
  return { name, expected, simulated: sum / count, z: (sum / count - expected) / Math.sqrt(variance / count) };
}

/** A number that a formula gives only nearly: at `tolerance` (a share of it) z is at its bound. */
export function near(name: string, expected: number, simulated: number, tolerance: number): Check {
  return { name, expected, simulated, z: (Z_MAX * (simulated / expected - 1)) / tolerance };
}

/** The mean of values that hang together, by batches of so many in a row. */
export class BatchMeans {
  readonly #batchLength: number;
  readonly #sums: number[] = [];
  #sum = 0;
  #count = 0;

  /** @param values how many will come; those that fill no batch at the end do not count */
  constructor(values: number, batches: number = BATCHES) {
    this.#batchLength = Math.max(1, Math.floor(values / batches));
  }

  add(value: number): void {
    this.#sum += value;
    if (++this.#count < this.#batchLength) return;
    this.#sums.push(this.#sum);
    this.#sum = 0;
    this.#count = 0;
  }

  check(name: string, expected: number): Check {
    const means = this.#sums.map((sum) => sum / this.#batchLength);
    const simulated = means.reduce((sum, one) => sum + one, 0) / means.length;
    const squares = means.reduce((sum, one) => sum + (one - simulated) ** 2, 0);
    const error = Math.sqrt(squares / (means.length - 1) / means.length);
    if (error === 0) return { name, expected, simulated, z: simulated === expected ? 0 : Z_WRONG };
    return { name, expected, simulated, z: normalOf((simulated - expected) / error, means.length - 1) };
  }
}

/** Whether `counts` are equally likely cells of independent trials: Pearson's sum, made normal by Wilson and Hilferty. */
export function uniformCells(name: string, counts: readonly number[]): Check {
  const trials = counts.reduce((sum, count) => sum + count, 0);
  const each = trials / counts.length;
  const simulated = counts.reduce((sum, count) => sum + (count - each) ** 2 / each, 0);
  const degrees = counts.length - 1;
  const ninth = 2 / (9 * degrees);
  return { name, expected: degrees, simulated, z: (Math.cbrt(simulated / degrees) - (1 - ninth)) / Math.sqrt(ninth) };
}

/** The normal deviate whose tail is that of Student's `t` (Wallace 1959, near enough from 10 degrees of freedom on). */
function normalOf(t: number, degrees: number): number {
  const size = Math.sqrt(degrees * Math.log1p((t * t) / degrees)) * (1 - 1 / (4 * degrees));
  return t < 0 ? -size : size;
}

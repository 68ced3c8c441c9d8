/**
 * Logarithm and exponential by + - * / alone, for tables that are made once.
 *
 * The engine's own differ in their last bit between builds, and a table made of them would give another digest there.
 * These are correct to about 13 digits, the same 13 everywhere, which is all that a table of integers needs.
 */

/** Natural logarithm of `x` > 0: powers of two are taken out, and the rest is the series of the area tangent. */
export function naturalLog(x: number): number {
  let rest = x;
  let twos = 0;
  for (; rest > 1.5; twos++) rest /= 2;
  for (; rest < 0.75; twos--) rest *= 2;
  const ratio = (rest - 1) / (rest + 1); // at most a fifth
  let power = ratio;
  let sum = 0;
  for (let n = 1; n < 40; n += 2) {
    sum += power / n;
    power *= ratio * ratio;
  }
  return 2 * sum + twos * Math.LN2;
}

/** e to the power of `x`, -500 .. 500: the series at a small part of x, squared up again. */
export function exponential(x: number): number {
  let part = x;
  let squarings = 0;
  for (; part > 0.25 || part < -0.25; squarings++) part /= 2;
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 16; n++) {
    term *= part / n;
    sum += term;
  }
  for (; squarings > 0; squarings--) sum *= sum;
  return sum;
}

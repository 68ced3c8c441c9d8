/**
 * What options have in common: ranges, and a RangeError that names whose they are, the field and what to give.
 */

/** A minute: longer delays are a mistake in the unit. */
export const DELAY_MICROS_MAX = 60_000_000;

/** Throws unless `value` is an integer in min .. max. `whose`: `link a>b`. */
export function checkInteger(whose: string, field: string, value: number, max: number, min = 0): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${whose}: ${field} is an integer in ${min} .. ${max}, not ${value}`);
  }
}

/** Throws unless `value` is a number in 0 .. 1. */
export function checkProbability(whose: string, field: string, value: number): void {
  if (!(typeof value === 'number' && value >= 0 && value <= 1)) {
    throw new RangeError(`${whose}: ${field} is a probability, 0 .. 1, not ${value}`);
  }
}

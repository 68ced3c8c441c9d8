/**
 * What the options of links have in common: ranges, and a RangeError that names the link, the field and what to give.
 */

/** Throws unless `value` is an integer in min .. max. */
export function checkInteger(link: string, field: string, value: number, max: number, min = 0): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`link ${link}: ${field} is an integer in ${min} .. ${max}, not ${value}`);
  }
}

/** Throws unless `value` is a number in 0 .. 1. */
export function checkProbability(link: string, field: string, value: number): void {
  if (!(typeof value === 'number' && value >= 0 && value <= 1)) {
    throw new RangeError(`link ${link}: ${field} is a probability, 0 .. 1, not ${value}`);
  }
}

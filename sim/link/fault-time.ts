/** Times in scripts of faults: `40ms`, `1.5s`, `250us`. */

import type { Micros } from '../../sys/api.ts';

const TIME = /^(-?\d+(?:\.\d+)?) ?(us|ms|s)$/;
const UNIT_MICROS: { readonly [unit: string]: number } = { us: 1, ms: 1_000, s: 1_000_000 };

/** Microseconds as text that is read back exactly: `40ms`, `0.25ms`. */
export function timeText(micros: Micros): string {
  return `${micros / 1_000}ms`;
}

/** Reads `40ms`, `1.5s`, `250us`; NaN when it is none. */
export function timeOf(text: string): Micros {
  const [, value, unit] = TIME.exec(text) ?? [];
  return value === undefined ? Number.NaN : Math.round(Number(value) * UNIT_MICROS[unit!]!);
}

/** Figures of a run. */

import type { Bottleneck } from './bottleneck.ts';

/** The value below which `share` of the waits lie, in milliseconds; -1 when there is none. */
export function waitMillis(world: Bottleneck, from: number, to: number, share: number, realTimeOnly: boolean): number {
  const waits = world.waits
    .filter((w) => w.at >= from && w.at < to && (w.realTime || !realTimeOnly))
    .map((w) => w.wait)
    .sort((a, b) => a - b);
  if (waits.length === 0) return -1;
  return waits[Math.min(waits.length - 1, Math.floor(waits.length * share))]! / 1000;
}

/** Jain's index of fairness: 1 when all are equal, 1/n when one has all. */
export function jain(rates: readonly number[]): number {
  const sum = rates.reduce((a, b) => a + b, 0);
  const squares = rates.reduce((a, b) => a + b * b, 0);
  return (sum * sum) / (rates.length * squares);
}

/** Times between random arrivals, without logarithms. */

import type { Stream } from '../world/streams.ts';

/** An exponential time of mean 1: exact, by comparing uniform numbers only (von Neumann 1951). */
export function exponential(stream: Stream): number {
  for (let whole = 0; ; whole++) {
    const first = stream.double();
    let last = first;
    let runs = 1;
    for (; ; runs++) {
      const next = stream.double();
      if (next >= last) break;
      last = next;
    }
    if (runs % 2 === 1) return whole + first;
  }
}

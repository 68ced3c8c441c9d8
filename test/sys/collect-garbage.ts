/** What tests of memory need from V8: a collection on demand, and the bytes that a piece of work leaves behind. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Runs a full collection. */
export const collectGarbage: () => void = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

/** Bytes that `work` adds to the heap, garbage included, as long as it is less than a young generation (16 MiB). */
export function heapBytesOf(work: () => void): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  work();
  return process.memoryUsage().heapUsed - before;
}

/**
 * Bytes that `slices` calls of `work` allocate, for more of them than a young generation holds: read after each call, so
 * that a collection hides at most what one call left.
 */
export function heapBytesOfSlices(slices: number, work: () => void): number {
  collectGarbage();
  let grown = 0;
  let before = process.memoryUsage().heapUsed;
  for (let slice = 0; slice < slices; slice++) {
    work();
    const after = process.memoryUsage().heapUsed;
    grown += Math.max(0, after - before);
    before = after;
  }
  return grown;
}

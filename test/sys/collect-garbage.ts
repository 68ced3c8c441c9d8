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

/**
 * The sum of `checksum.ts` over long ranges of an arena, four bytes a load: several times faster than byte by byte.
 *
 * The sum of 16-bit words is the same in either byte order, but for the order of its own two bytes (RFC 1071 2 B). So the
 * words of a little-endian machine are added as they lie, and the folded sum is swapped once.
 */

import { fold, sumOf } from './checksum.ts';

/** Below this many bytes it does not pay. */
const BYTES_MIN = 32;
/** Loads between two folds: each adds less than 2^17, and numbers must stay below 2^31. */
const LOADS_UNFOLDED = 1 << 13;

/**
 * `sumOf(bytes, from, to, sum)`, with the same bytes as words.
 *
 * @param words over the same memory as `bytes`, from its first byte, which lies at a multiple of 4
 * @param from any; at a multiple of 2 it is fast
 */
export function alignedSumOf(words: Int32Array, bytes: Uint8Array, from: number, to: number, sum = 0): number {
  if (to - from < BYTES_MIN || (from & 1) !== 0) return sumOf(bytes, from, to, sum);
  const first = (from + 3) >>> 2;
  const last = to >>> 2;
  let swapped = 0;
  for (let i = first; i < last; ) {
    const stop = Math.min(last, i + LOADS_UNFOLDED);
    for (; i + 1 < stop; i += 2) {
      const a = words[i]!;
      const b = words[i + 1]!;
      swapped += (a & 0xffff) + (a >>> 16) + (b & 0xffff) + (b >>> 16);
    }
    if (i < stop) {
      const a = words[i++]!;
      swapped += (a & 0xffff) + (a >>> 16);
    }
    swapped = fold(swapped);
  }
  const middle = ((swapped & 0xff) << 8) | (swapped >>> 8);
  return sumOf(bytes, last << 2, to, sumOf(bytes, from, first << 2, fold(sum + middle)));
}

/**
 * The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.
 *
 * A *sum* here is such a sum folded to 16 bits and not yet complemented. Sums add up: the sum of a pseudo-header is the
 * `sum` that the sum of the segment starts from. `finish` makes a checksum of a sum.
 */

import { u16 } from './header.ts';

/** Words summed between two folds: 2^14 words of at most 2^16 stay below 2^31, where numbers are not boxed. */
const WORDS_UNFOLDED = 1 << 14;

/**
 * The sum of `bytes[from .. to)`, added to `sum`. An odd last byte counts as the high half of a word.
 *
 * Where ranges are summed one after another, all but the last must have an even length.
 */
export function sumOf(bytes: Uint8Array, from: number, to: number, sum = 0): number {
  let total = sum;
  let at = from;
  while (at < to) {
    const stop = Math.min(to, at + 2 * WORDS_UNFOLDED);
    // Two words a step: half the bounds of the loop, and no dependence between the loads.
    for (; at + 3 < stop; at += 4) {
      total += ((bytes[at]! + bytes[at + 2]!) << 8) + bytes[at + 1]! + bytes[at + 3]!;
    }
    for (; at + 1 < stop; at += 2) total += (bytes[at]! << 8) | bytes[at + 1]!;
    if (at < stop) total += bytes[at++]! << 8;
    total = fold(total);
  }
  return total;
}

/** Folds a sum below 2^31 to 16 bits. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The checksum of a folded sum. */
export function finish(sum: number): number {
  return ~sum & 0xffff;
}

/** The checksum of `bytes[from .. to)` after `sum`. A range that contains its own right checksum gives 0. */
export function checksumOf(bytes: Uint8Array, from: number, to: number, sum = 0): number {
  return finish(sumOf(bytes, from, to, sum));
}

/**
 * The sum of the pseudo-header of IPv4 (RFC 768, RFC 9293 3.1).
 *
 * @param sourceAt where the four bytes of the source lie
 * @param length bytes of the segment with its own header
 */
export function pseudoSumIPv4(
  bytes: Uint8Array,
  sourceAt: number,
  destinationAt: number,
  protocol: number,
  length: number,
): number {
  return fold(
    u16(bytes, sourceAt) +
      u16(bytes, sourceAt + 2) +
      u16(bytes, destinationAt) +
      u16(bytes, destinationAt + 2) +
      protocol +
      length,
  );
}

/**
 * The sum of the pseudo-header of IPv6 (RFC 8200 8.1).
 *
 * @param length bytes of the segment, below 2^16 (no jumbograms)
 */
export function pseudoSumIPv6(
  bytes: Uint8Array,
  sourceAt: number,
  destinationAt: number,
  protocol: number,
  length: number,
): number {
  return sumOf(
    bytes,
    destinationAt,
    destinationAt + 16,
    sumOf(bytes, sourceAt, sourceAt + 16, fold(protocol + length)),
  );
}

/**
 * The checksum after one 16-bit word under it has changed from `before` to `after`, without the other words.
 *
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). (Equation 4, and RFC 1141, make 0xffff of what should be 0.)
 * A UDP checksum of 0 means "none": leave it 0, and write a result of 0 as 0xffff.
 */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + (after & 0xffff)) & 0xffff;
}

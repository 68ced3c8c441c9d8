/**
 * Internet checksums (RFC 1071) of frames, in the machine's own order of bytes: the sum does not care which order it is
 * computed in, as long as it is also compared and written in that order. So whole words are loaded and nothing is swapped.
 *
 * `sys/wire/checksum.ts` computes the same for any buffer, in network order; here a sum costs a third of that.
 */

/** UDP's number as the half word of a pseudo-header, loaded by a little-endian machine. */
const PROTOCOL_UDP = 0x1100;

/** Folds a sum below 2^31 to 16 bits. */
export function folded(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The sum of a pseudo-header: `bytes` of addresses (8 or 32) at `at`, UDP, and its length. */
export function pseudoSum(view: DataView, at: number, bytes: number, udpBytes: number): number {
  let sum = PROTOCOL_UDP + swapped(udpBytes);
  for (let i = 0; i < bytes; i += 4) {
    const word = view.getInt32(at + i, true);
    sum += (word & 0xffff) + (word >>> 16);
  }
  return folded(sum);
}

/** Whether the sum of `bytes` bytes at `at`, which contain their checksum, and of `pseudo` is all ones, as it must be. */
export function sumIsWhole(view: DataView, at: number, bytes: number, pseudo: number): boolean {
  let low = pseudo;
  let high = 0;
  let i = 0;
  // Two sums, so that no addition waits for the one before; 16,384 words of 16 bits stay below 2^30.
  for (; i + 4 <= bytes; i += 4) {
    const word = view.getInt32(at + i, true);
    low = (low + (word & 0xffff)) | 0;
    high = (high + (word >>> 16)) | 0;
  }
  return folded(folded(low + tailSum(view, at + i, bytes - i)) + folded(high)) === 0xffff;
}

/** The sum of the last 0 to 3 bytes. */
export function tailSum(view: DataView, at: number, bytes: number): number {
  let sum = 0;
  if (bytes >= 2) sum = view.getUint16(at, true);
  if ((bytes & 1) === 1) sum += view.getUint8(at + bytes - 1);
  return sum;
}

/** A 16-bit number in the other order of bytes. */
export function swapped(half: number): number {
  return ((half & 0xff) << 8) | (half >>> 8);
}

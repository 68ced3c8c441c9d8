import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alignedSumOf } from '../../../sys/wire/aligned-sum.ts';
import { checksumOf, finish, fold, pseudoSumIPv4, sumOf, updateChecksum } from '../../../sys/wire/checksum.ts';
import { guarded, hex } from './guarded.ts';

/** RFC 1071, said as plainly as can be: add words with end-around carry. */
function plainSum(bytes: Uint8Array): number {
  let sum = 0n;
  for (let i = 0; i < bytes.length; i += 2) sum += BigInt(((bytes[i]! << 8) | (bytes[i + 1] ?? 0)) >>> 0);
  while (sum > 0xffffn) sum = (sum & 0xffffn) + (sum >> 16n);
  return Number(sum);
}

describe('the checksum', () => {
  it('of the example of RFC 1071 is that of the RFC', () => {
    const bytes = hex('00 01 f2 03 f4 f5 f6 f7');
    expect(sumOf(bytes, 0, 8)).toBe(0xddf2);
    expect(checksumOf(bytes, 0, 8)).toBe(0x220d);
  });

  it('is the ones complement sum for any range and any start, and reads nothing beside the range', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(20),
        fc.integer({ min: 0, max: 0xffff }),
        (bytes, skip, start) => {
          const from = Math.min(skip, bytes.length);
          const expected = plainSum(Uint8Array.of(start >>> 8, start & 0xff, ...bytes.subarray(from)));
          expect(sumOf(guarded(bytes, from, bytes.length), from, bytes.length, start)).toBe(expected);
        },
      ),
    );
  });

  it('does not overflow over the longest datagram, or over more', () => {
    for (const size of [65_507, 65_535, 65_536, 200_001]) {
      const bytes = new Uint8Array(size).fill(0xff);
      expect(sumOf(bytes, 0, size, 0xffff), `${size} bytes`).toBe(plainSum(bytes) || 0xffff);
    }
  });

  it('is the same by words as by bytes, at every alignment', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 400 }),
        fc.nat(8),
        fc.nat(8),
        fc.nat(0xffff),
        (random, from, cut, start) => {
          const bytes = new Uint8Array((random.length + 3) & ~3);
          bytes.set(random);
          const words = new Int32Array(bytes.buffer);
          const to = Math.max(from, random.length - cut);
          const fenced = guarded(bytes, from, to);
          expect(alignedSumOf(words, fenced, from, to, start)).toBe(sumOf(bytes, from, to, start));
        },
      ),
    );
    const long = new Uint8Array(200_000).fill(0xff);
    expect(alignedSumOf(new Int32Array(long.buffer), long, 2, 199_999, 0xffff)).toBe(sumOf(long, 2, 199_999, 0xffff));
  });

  it('of a range that contains its own is 0', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 64 }), (bytes) => {
        bytes[0] = bytes[1] = 0;
        const checksum = checksumOf(bytes, 0, bytes.length);
        bytes[0] = checksum >>> 8;
        bytes[1] = checksum;
        expect(checksumOf(bytes, 0, bytes.length)).toBe(0);
      }),
    );
  });

  it('updated for one word is that of the whole again', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 40 }), fc.nat(0xffff), fc.nat(18), (bytes, word, index) => {
        const at = 2 * (index % (bytes.length >>> 1));
        // A header is never all zero, which is the one sum that has two forms.
        bytes[(at + 2) % (bytes.length & ~1)] = 0x45;
        const before = checksumOf(bytes, 0, bytes.length);
        const old = (bytes[at]! << 8) | bytes[at + 1]!;
        bytes[at] = word >>> 8;
        bytes[at + 1] = word;
        expect(updateChecksum(before, old, word)).toBe(checksumOf(bytes, 0, bytes.length));
      }),
    );
  });

  it('updated as in the example of RFC 1624 is 0, not 0xffff', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it('starts from the sum of a pseudo-header as if that were bytes before it', () => {
    const addresses = hex('0a 00 00 01 c0 a8 ff fe');
    const pseudo = hex('0a 00 00 01 c0 a8 ff fe 00 11 ff e3');
    expect(pseudoSumIPv4(addresses, 0, 4, 17, 0xffe3)).toBe(plainSum(pseudo));
    expect(finish(fold(0x1_0000))).toBe(0xfffe);
  });
});

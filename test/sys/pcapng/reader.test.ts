import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  enhancedPacket,
  interfaceDescription,
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  NANOSECONDS,
  sectionHeader,
} from '../../../sys/pcapng/blocks.ts';
import { PcapngError, PcapngReader } from '../../../sys/pcapng/reader.ts';
import { NanosecondWords } from '../../../sys/pcapng/time.ts';

const TIME = { seconds: 1_795_537_720, nanoseconds: 844_992_058 };

interface Seen {
  readonly bytes: number[];
  readonly wireBytes: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly linkType: number;
  readonly interfaceNumber: number;
}

/** All packets of a file, read in pieces of `piece` bytes. */
function readAll(file: Uint8Array, piece = Number.POSITIVE_INFINITY): Seen[] {
  let at = 0;
  const reader = new PcapngReader((into) => {
    const size = Math.min(into.length, piece, file.length - at);
    into.set(file.subarray(at, at + size));
    at += size;
    return size;
  });
  const seen: Seen[] = [];
  while (reader.next()) {
    const { wireBytes, seconds, nanoseconds, linkType, interfaceNumber } = reader;
    const bytes = Array.from(reader.bytes.subarray(reader.offset, reader.end));
    seen.push({ bytes, wireBytes, seconds, nanoseconds, linkType, interfaceNumber });
  }
  return seen;
}

function words(seconds: number, nanoseconds: number): readonly [number, number] {
  const time = new NanosecondWords();
  time.set(seconds, nanoseconds);
  return [time.high >>> 0, time.low >>> 0];
}

function packet(number: number, bytes: readonly number[], at = TIME): Uint8Array {
  return enhancedPacket(number, ...words(at.seconds, at.nanoseconds), Uint8Array.from(bytes), 0, ['a comment']);
}

/** A block of words in either byte order; its lengths are put in. */
function block(little: boolean, type: number, ...body: number[]): Uint8Array {
  const bytes = new Uint8Array(12 + 4 * body.length);
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [type, bytes.length, ...body, bytes.length].entries()) view.setUint32(4 * i, word, little);
  return bytes;
}

const ethernet = interfaceDescription(LINKTYPE_ETHERNET, 'eth', 'one', NANOSECONDS);
const file = (...blocks: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(blocks));

describe('a pcapng file', () => {
  it('is read as it was written, times to the nanosecond, whatever pieces it comes in', () => {
    const sizes = [0, 1, 2, 3, 4, 5, 1500];
    const whole = file(sectionHeader('test'), ethernet, ...sizes.map((n) => packet(0, Array(n).fill(n & 255))));
    const expected = sizes.map((n) => ({
      bytes: Array(n).fill(n & 255),
      wireBytes: n,
      ...TIME,
      linkType: LINKTYPE_ETHERNET,
      interfaceNumber: 0,
    }));
    for (const piece of [1, 7, 4096, Number.POSITIVE_INFINITY]) expect(readAll(whole, piece)).toEqual(expected);
  });

  it('may have several interfaces and several sections, each with interfaces of its own', () => {
    const raw = interfaceDescription(LINKTYPE_RAW, 'tun', 'two');
    const micros = enhancedPacket(1, 0, 1_500_000, Uint8Array.of(9), 0, [], 77);
    const seen = readAll(file(sectionHeader('a'), ethernet, raw, micros, packet(0, [1]), sectionHeader('b'), raw));
    expect(seen.map(({ linkType, interfaceNumber }) => [linkType, interfaceNumber])).toEqual([
      [LINKTYPE_RAW, 1],
      [LINKTYPE_ETHERNET, 0],
    ]);
    expect(seen[0]).toMatchObject({ wireBytes: 77, seconds: 1, nanoseconds: 500_000_000 });
    expect(() => readAll(file(sectionHeader('a'), ethernet, raw, sectionHeader('b'), micros))).toThrow(
      'a packet of interface 1, which is not described',
    );
  });

  it.each([true, false])(
    'may be in either byte order (little: %s), with simple packets and unknown blocks',
    (little) => {
      const seen = readAll(
        file(
          block(little, 0x0a0d0d0a, 0x1a2b3c4d, little ? 1 : 0x10000, 0xffffffff, 0xffffffff),
          block(little, 1, little ? 1 : 0x10000, 4),
          block(little, 0x0bad, 1, 2, 3),
          block(little, 6, 0, 0, 2_000_001, 3, 5, little ? 0x030201 : 0x01020300),
          block(little, 3, 9, little ? 0x04030201 : 0x01020304),
        ),
      );
      expect(seen).toEqual([
        { bytes: [1, 2, 3], wireBytes: 5, seconds: 2, nanoseconds: 1000, linkType: 1, interfaceNumber: 0 },
        { bytes: [1, 2, 3, 4], wireBytes: 9, seconds: 2, nanoseconds: 1000, linkType: 1, interfaceNumber: 0 },
      ]);
    },
  );

  it('that is broken is an error with the offset of the block', () => {
    const head = file(sectionHeader('t'), ethernet);
    const good = packet(0, [1, 2, 3]);
    const changed = (at: number, word: number): Uint8Array => {
      const bytes = good.slice();
      new DataView(bytes.buffer).setUint32(at, word, true);
      return bytes;
    };
    const cases: [Uint8Array, number, RegExp][] = [
      [file(head, good.subarray(0, -1)), head.length, /ends within a block/],
      [file(head, Uint8Array.of(6, 0)), head.length, /ends within a block/],
      [file(head, good, changed(4, 13)), head.length + good.length, /a block of 13 bytes/],
      [file(head, changed(4, 8)), head.length, /a block of 8 bytes/],
      [file(head, changed(4, 0x7fff_fff0)), head.length, /a block of 2147483632 bytes/],
      [file(head, changed(good.length - 4, 12)), head.length, /at its begin and 12 at its end/],
      [file(head, changed(20, 1000)), head.length, /a packet of 1000 bytes in a block/],
      [file(head, changed(8, 1)), head.length, /interface 1, which is not described/],
      [file(head, block(true, 3, 100, 0)), head.length, /a packet of 100 bytes in a block/],
      [
        file(sectionHeader('t'), block(true, 1, 1, 0, 0x00ff_0009)),
        sectionHeader('t').length,
        /an option that is longer/,
      ],
      [Uint8Array.from({ length: 24 }, (_, i) => [0xd4, 0xc3, 0xb2, 0xa1][i] ?? 0), 0, /classic pcap/],
      [new Uint8Array(0), 0, /too short/],
      [Uint8Array.from(Buffer.from('{"this is": "no capture"}')), 0, /no pcapng file/],
    ];
    for (const [bytes, offset, text] of cases) {
      let error: unknown;
      try {
        readAll(bytes);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(PcapngError);
      expect((error as PcapngError).message).toMatch(text);
      expect((error as PcapngError).offset).toBe(offset);
    }
  });

  it('with any bytes changed or cut off is read or refused, and nothing is read beside it', () => {
    const whole = file(sectionHeader('t'), ethernet, packet(0, [1, 2, 3]), block(true, 3, 4, 7), packet(0, [4]));
    const change = fc.record({ at: fc.nat(whole.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(whole.length), (changes, length) => {
        const bytes = whole.slice();
        for (const { at, byte } of changes) bytes[at] = byte;
        try {
          for (const { bytes: kept } of readAll(bytes.subarray(0, length), 50))
            for (const byte of kept) expect(byte).toBeTypeOf('number');
        } catch (error) {
          expect(error).toBeInstanceOf(PcapngError);
        }
      }),
      { numRuns: 2000, seed: 5 },
    );
  });
});

it('nanoseconds in two words are those of a BigInt', () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), fc.nat(999_999_999), (seconds, nanoseconds) => {
      const [high, low] = words(seconds | 0, nanoseconds);
      expect((BigInt(high) << 32n) | BigInt(low)).toBe(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds));
    }),
  );
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MESSAGE_HEADER_BYTES, readFrames, writeMessageHeader } from '../../../transport/wire/frames.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

function framesOf(bytes: Uint8Array, offset = 0, length = bytes.length - offset): { ok: boolean; frames: string[] } {
  const frames: string[] = [];
  const sink = {
    messageFrame: (connection: number, channel: number, b: Uint8Array, o: number, l: number) =>
      void frames.push(`${connection}/${channel}: ${Buffer.from(b.subarray(o, o + l)).toString('hex')}`),
  };
  const ok = readFrames(sink, 5, bytes, offset, length);
  return { ok, frames };
}

describe('frames', () => {
  it('stand back to back in a payload', () => {
    expect(framesOf(hex('01 02 0300 aabbcc  01 00 0000  01 ff 0100 dd'))).toEqual({
      ok: true,
      frames: ['5/2: aabbcc', '5/0: ', '5/255: dd'],
    });
  });

  it('have the header that PROTOCOL.md draws', () => {
    const bytes = new Uint8Array(MESSAGE_HEADER_BYTES);
    writeMessageHeader(bytes, 0, 7, 0x0123);
    expect([...bytes]).toEqual([1, 7, 0x23, 0x01]);
  });

  it.each([
    ['an unknown type', '01 00 0100 aa 02 00 0000', ['5/0: aa']],
    ['a header cut off', '01 00 0100 aa 01 00 00', ['5/0: aa']],
    ['a length past the end', '01 00 0100 aa 01 00 0200 aa', ['5/0: aa']],
    ['a lone byte', '01', []],
  ])('after %s are dropped, those before it are delivered', (_, text, frames) => {
    expect(framesOf(hex(text))).toEqual({ ok: false, frames });
  });

  it('never make the reader throw or look outside the payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(63), (bytes, start) => {
        const offset = Math.min(start, bytes.length);
        let covered = 0;
        const sink = {
          messageFrame: (_c: number, _n: number, _b: Uint8Array, o: number, l: number) => {
            expect(o).toBeGreaterThanOrEqual(offset + MESSAGE_HEADER_BYTES);
            expect(o + l).toBeLessThanOrEqual(bytes.length);
            covered += MESSAGE_HEADER_BYTES + l;
          },
        };
        const ok = readFrames(sink, 0, bytes, offset, bytes.length - offset);
        expect(ok).toBe(covered === bytes.length - offset);
      }),
    );
  });
});

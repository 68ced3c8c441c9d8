import { describe, expect, it } from 'vitest';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import { expandId } from '../../../transport/wire/frame-types.ts';
import { VARINT_MAX, varintBytes, writeVarint } from '../../../transport/wire/varint.ts';

describe('varints', () => {
  it.each([0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, VARINT_MAX])(
    '%d comes back, in its shortest form',
    (value) => {
      const bytes = new Uint8Array(8).fill(0xee);
      const end = writeVarint(bytes, 2, value);
      expect(end - 2).toBe(varintBytes(value));
      const cursor = new FrameCursor().wrap(bytes, 2, 6);
      expect(cursor.varint()).toBe(value);
      expect(cursor.at).toBe(end);
      expect(cursor.ok).toBe(true);
    },
  );

  it('reads a longer form of a number, and refuses five bytes', () => {
    expect(new FrameCursor().wrap(Uint8Array.of(0x85, 0x80, 0x00), 0, 3).varint()).toBe(5);
    const cursor = new FrameCursor().wrap(Uint8Array.of(0x85, 0x80, 0x80, 0x80, 0x00), 0, 5);
    cursor.varint();
    expect(cursor.ok).toBe(false);
  });
});

describe('FrameCursor', () => {
  it('reads little-endian numbers in order', () => {
    const cursor = new FrameCursor().wrap(Uint8Array.of(9, 1, 2, 3, 4, 5, 6, 0xff), 1, 7);
    expect([cursor.u8(), cursor.u16(), cursor.u32(), cursor.remaining]).toEqual([1, 0x0302, 0xff060504, 0]);
  });

  it('reads zeros past the end and stays not ok', () => {
    const cursor = new FrameCursor().wrap(Uint8Array.of(1, 2, 3), 0, 3);
    expect(cursor.u32()).toBe(0);
    expect(cursor.ok).toBe(false);
    expect(cursor.u8()).toBe(0);
    expect(cursor.skip(0)).toBe(3);
    expect(cursor.ok).toBe(false);
  });
});

describe('expandId', () => {
  it.each([
    [5, 0, 5],
    [65_535, 0, -1],
    [0, 65_535, 65_536],
    [65_535, 65_536, 65_535],
    [100, 2 ** 31 + 65_536, 2 ** 31 + 65_536 + 100],
    [0x7fff, 0, 32_767],
    [0x8000, 0, -32_768],
  ])('%d near %d is %d', (low, expected, full) => {
    expect(expandId(low, expected)).toBe(full);
  });
});

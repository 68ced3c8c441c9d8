import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader } from '../../../transport/wire/byte-reader.ts';
import { ByteWriter } from '../../../transport/wire/byte-writer.ts';

describe('ByteWriter and ByteReader', () => {
  it('give back every number and text that was written', () => {
    fc.assert(
      fc.property(
        fc.record({
          u8: fc.integer({ min: 0, max: 0xff }),
          u16: fc.integer({ min: 0, max: 0xffff }),
          i16: fc.integer({ min: -0x8000, max: 0x7fff }),
          u32: fc.integer({ min: 0, max: 0xffff_ffff }),
          i32: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
          f32: fc.float({ noNaN: true }),
          f64: fc.double({ noNaN: true }),
          text: fc.string({ unit: 'grapheme', maxLength: 40 }),
          bytes: fc.uint8Array({ maxLength: 40 }),
        }),
        (v) => {
          const writer = new ByteWriter(1024);
          writer.u8(v.u8).u16(v.u16).i16(v.i16).u32(v.u32).i32(v.i32).f32(v.f32).f64(v.f64).text(v.text).bytes(v.bytes);
          expect(writer.ok).toBe(true);
          const reader = new ByteReader().wrap(writer.written, 0, writer.length);
          expect([
            reader.u8(),
            reader.u16(),
            reader.i16(),
            reader.u32(),
            reader.i32(),
            reader.f32(),
            reader.f64(),
          ]).toEqual([v.u8, v.u16, v.i16, v.u32, v.i32, v.f32, v.f64]);
          expect(reader.text()).toBe(v.text);
          expect(reader.bytes(v.bytes.length)).toEqual(v.bytes);
          expect(reader.ok).toBe(true);
          expect(reader.remaining).toBe(0);
        },
      ),
    );
  });

  it('never read or write outside their piece, and say so once asked', () => {
    const arena = new Uint8Array(8).fill(7);
    const writer = new ByteWriter().wrap(arena, 2, 5);
    writer.u16(0x0102).u16(0x0304).u8(9); // the second u16 does not fit, and nothing after it is written either
    expect(writer.ok).toBe(false);
    expect([...arena]).toEqual([7, 7, 2, 1, 7, 7, 7, 7]);
    const reader = new ByteReader().wrap(arena, 2, 3);
    expect([reader.u16(), reader.u32(), reader.u8()]).toEqual([0x0102, 0, 0]);
    expect(reader.ok).toBe(false);
  });

  it('refuses text that is not UTF-8 without throwing', () => {
    const reader = new ByteReader().wrap(new Uint8Array([2, 0, 0xc3, 0x28]), 0, 4);
    expect(reader.text()).toBe('');
    expect(reader.ok).toBe(false);
  });

  it('throws on every use of a message that was kept after its callback', () => {
    const reader = new ByteReader().wrap(new Uint8Array(4), 0, 4);
    reader.release();
    for (const use of [
      () => reader.u8(),
      () => reader.f64(),
      () => reader.text(),
      () => reader.bytes(1),
      () => reader.copy(),
    ]) {
      expect(use).toThrow(/only inside its callback/);
    }
  });

  it('hands out the same view for messages of the same size', () => {
    const writer = new ByteWriter(16);
    const first = writer.u32(1).written;
    expect(writer.reset().u32(2).written).toBe(first);
    expect(writer.reset().u16(2).written).not.toBe(first);
  });

  it('grow up to their limit when they may, and keep what is written', () => {
    const writer = new ByteWriter(4, 100);
    for (let n = 0; n < 25; n++) writer.u32(n);
    expect([writer.ok, writer.length]).toEqual([true, 100]);
    const reader = new ByteReader().wrap(writer.written, 0, 100);
    for (let n = 0; n < 25; n++) expect(reader.u32()).toBe(n);
    expect(writer.memory.getUint32(writer.memoryOffset + 96, true)).toBe(24);
    expect(writer.u8(1).ok).toBe(false);
    expect(writer.limit(102).bytes(new Uint8Array(102)).ok).toBe(true);
    expect(writer.limit(3).u16(1).u16(1).ok).toBe(false);
    const borrowed = new Uint8Array(8);
    expect(writer.wrap(borrowed, 0, 4).bytes(new Uint8Array(5)).ok).toBe(false);
  });

  it('carry text without its length to the end of a message, however long', () => {
    const text = 'ünd \u{1f3ae} '.repeat(20_000);
    const writer = new ByteWriter(16, 1 << 20).u8(7).utf8(text);
    expect(writer.ok).toBe(true);
    const reader = new ByteReader().wrap(writer.written, 0, writer.length);
    expect([reader.u8(), reader.utf8() === text, reader.ok, reader.remaining]).toEqual([7, true, true, 0]);
    const short = new ByteWriter(16, 1000).utf8('x'.repeat(990)); // worst case of UTF-8 would not fit, this does
    expect([short.ok, short.length]).toEqual([true, 990]);
    expect(new ByteWriter(16, 1000).utf8('x'.repeat(1001)).ok).toBe(false);
    expect(new ByteWriter(16, 1 << 20).text('x'.repeat(65_536)).ok).toBe(false);
    expect(new ByteReader().wrap(Uint8Array.of(0xc3, 0x28), 0, 2).utf8()).toBe('');
  });
});

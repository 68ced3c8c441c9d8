/**
 * C structs declared once: a declaration that looks like the header's becomes the offset of each field.
 *
 * A field is its offset in bytes, branded with its C type; `StructArray` reads and writes it. Hot code takes the offsets
 * and indexes words itself: `words[(base + i * Mmsghdr.SIZE + Mmsghdr.received) >> 2]`.
 */

import type { NativeArena } from './arena.ts';

/** Scalars of the C structs in use, and `ptr`, a 64-bit pointer. Blocks of bytes are `b4`, `b8`, `b16`. */
export type FieldType = keyof typeof FIELD_BYTES;

const FIELD_BYTES = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, ptr: 8, b4: 4, b8: 8, b16: 16 } as const;
const FIELD_ALIGN = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, ptr: 8, b4: 1, b8: 1, b16: 1 } as const;

/** Offset of a field in bytes, which remembers the field's C type. */
export type Field<T extends FieldType> = number & { readonly ctype?: T };

/** A struct's layout: its size, and the offset of each field under the field's name. */
export type Struct<F extends Readonly<Record<string, FieldType>>> = {
  readonly SIZE: number;
  readonly FIELDS: readonly string[];
} & { readonly [K in keyof F]: Field<F[K]> };

/**
 * Lays out `fields` as a 64-bit C compiler would: each aligned to its size, the whole to its widest field.
 *
 * @param packed `__attribute__((packed))`: no gaps, no tail
 */
export function struct<const F extends Readonly<Record<string, FieldType>>>(fields: F, packed = false): Struct<F> {
  const offsets: Record<string, number> = {};
  let end = 0;
  let widest = 1;
  for (const [name, type] of Object.entries(fields)) {
    const align = packed ? 1 : FIELD_ALIGN[type];
    widest = Math.max(widest, align);
    end = Math.ceil(end / align) * align;
    offsets[name] = end;
    end += FIELD_BYTES[type];
  }
  const size = Math.ceil(end / widest) * widest;
  return Object.freeze({ SIZE: size, FIELDS: Object.keys(fields), ...offsets }) as unknown as Struct<F>;
}

/** Consecutive structs of one layout in an arena. */
export class StructArray {
  readonly arena: NativeArena;
  readonly base: number;
  readonly size: number;
  readonly count: number;

  /** @param base byte offset of the first struct, a multiple of 8 */
  constructor(arena: NativeArena, layout: { readonly SIZE: number }, base: number, count: number) {
    if (base % 8 !== 0 || base + layout.SIZE * count > arena.bytes.length) {
      throw new RangeError(`${count} structs of ${layout.SIZE} bytes do not fit at ${base}`);
    }
    this.arena = arena;
    this.base = base;
    this.size = layout.SIZE;
    this.count = count;
  }

  /** Byte offset of struct `index` in the arena. */
  offset(index: number): number {
    return this.base + index * this.size;
  }
  /** Address of struct `index`. */
  address(index: number): number {
    return this.arena.address + this.offset(index);
  }
  u16(index: number, field: Field<'u16'>): number {
    return this.arena.view.getUint16(this.offset(index) + field, true);
  }
  setU16(index: number, field: Field<'u16'>, value: number): void {
    this.arena.view.setUint16(this.offset(index) + field, value, true);
  }
  u32(index: number, field: Field<'u32'>): number {
    return this.arena.view.getUint32(this.offset(index) + field, true);
  }
  setU32(index: number, field: Field<'u32'>, value: number): void {
    this.arena.view.setUint32(this.offset(index) + field, value, true);
  }
  /** A 64-bit field, for values below 2^53. */
  setU64(index: number, field: Field<'u64'>, value: number): void {
    const at = this.offset(index) + field;
    this.arena.view.setUint32(at, value % 2 ** 32, true);
    this.arena.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }
  /** Points a field at byte `offset` of `target`. */
  setPointer(index: number, field: Field<'ptr'>, target: NativeArena, offset: number): void {
    this.arena.setPointer(this.offset(index) + field, target, offset);
  }
}

/** An array of `struct kevent` in native memory: changes on their way in, events on their way out. */

import type { NativeArena } from '../ffi/arena.ts';
import { type Field, StructArray } from '../ffi/struct.ts';
import type { Kevent } from './abi.ts';

/** Consecutive kevents of one system's layout. `udata` carries two numbers: the key, and the interest it was added with. */
export class KeventList {
  readonly structs: StructArray;
  private readonly layout: typeof Kevent;
  private readonly keyField: Field<'u32'>;
  private readonly interestField: Field<'u32'>;
  private readonly identField: Field<'u32'>;
  private readonly dataField: Field<'u32'>;

  /** @param base byte offset in `arena`, a multiple of 8 */
  constructor(arena: NativeArena, layout: typeof Kevent, base: number, count: number) {
    this.structs = new StructArray(arena, layout, base, count);
    this.layout = layout;
    this.keyField = lowWord(layout.udata);
    this.interestField = (lowWord(layout.udata) + 4) as Field<'u32'>;
    this.identField = lowWord(layout.ident);
    this.dataField = lowWord(layout.data);
  }

  /** Writes kevent `i`. What a layout has beyond these fields stays 0. */
  set(
    i: number,
    ident: number,
    filter: number,
    flags: number,
    fflags: number,
    data: number,
    key: number,
    interest: number,
  ): void {
    const { structs, layout } = this;
    structs.setU64(i, layout.ident, ident);
    structs.setU16(i, layout.filter, filter);
    structs.setU16(i, layout.flags, flags);
    structs.setU32(i, layout.fflags, fflags);
    structs.setU64(i, layout.data, data);
    structs.setU32(i, this.keyField, key);
    structs.setU32(i, this.interestField, interest);
  }

  address(i: number): number {
    return this.structs.address(i);
  }
  ident(i: number): number {
    return this.structs.u32(i, this.identField);
  }
  filter(i: number): number {
    return this.structs.u16(i, this.layout.filter);
  }
  flags(i: number): number {
    return this.structs.u16(i, this.layout.flags);
  }
  /** Low word: an errno where EV_ERROR is set. */
  data(i: number): number {
    return this.structs.u32(i, this.dataField);
  }
  key(i: number): number {
    return this.structs.u32(i, this.keyField);
  }
  interest(i: number): number {
    return this.structs.u32(i, this.interestField);
  }
}

/** The low half of a 64-bit field of a little-endian machine. */
function lowWord(field: Field<'u64'> | Field<'ptr'>): Field<'u32'> {
  return field as number as Field<'u32'>;
}

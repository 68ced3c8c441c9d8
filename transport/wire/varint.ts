/** Numbers of 1 to 4 bytes (PROTOCOL.md, section 2): 7 bits a byte, low first, the top bit says that more follow. */

/** Largest number of a varint: 28 bits. */
export const VARINT_MAX = 0xfff_ffff;

/** Bytes of the shortest form of `value`, 0 .. VARINT_MAX. */
export function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4;
}

/** Writes the shortest form at `bytes[at ..]`; returns where it ends. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let cursor = at;
  while (rest >= 0x80) {
    bytes[cursor++] = rest | 0x80;
    rest >>>= 7;
  }
  bytes[cursor++] = rest;
  return cursor;
}

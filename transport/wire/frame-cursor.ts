/**
 * Reads the numbers of frames one after the other. Past the end, or at a varint of more than 4 bytes, it reads 0 and `ok` is
 * false from then on: read every field, then ask once.
 */

export class FrameCursor {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the next byte is read. */
  at = 0;
  end = 0;
  ok = true;

  /** Puts the cursor on `bytes[at .. at + length)`, which stay the caller's. */
  wrap(bytes: Uint8Array, at: number, length: number): this {
    this.bytes = bytes;
    this.at = at;
    this.end = at + length;
    this.ok = true;
    return this;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.end - this.at;
  }

  u8(): number {
    const at = this.skip(1);
    return at < 0 ? 0 : this.bytes[at]!;
  }

  u16(): number {
    const at = this.skip(2);
    return at < 0 ? 0 : this.bytes[at]! | (this.bytes[at + 1]! << 8);
  }

  /** A number in 0 .. 2^32 - 1. */
  u32(): number {
    const at = this.skip(4);
    if (at < 0) return 0;
    const { bytes } = this;
    return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.ok = false;
    return 0;
  }

  /** Moves past `length` bytes; returns where they start, or -1 and `ok = false` when there are fewer. */
  skip(length: number): number {
    const at = this.at;
    if (at + length <= this.end) {
      this.at = at + length;
      return at;
    }
    this.ok = false;
    this.at = this.end;
    return -1;
  }
}

/**
 * Writes numbers and bytes one after the other into a piece of an arena. All numbers are little-endian.
 *
 * A write past the end writes nothing and makes `ok` false: write every field, then ask once. A writer may be kept and
 * `reset()` for each message, so that encoding allocates nothing.
 */

const encoder = new TextEncoder();
/** Where floating-point numbers become bytes: a DataView on each target would be an object for each message. */
const scratch = new DataView(new ArrayBuffer(8));
/** Longest text in bytes: its length is a u16. */
const TEXT_BYTES_MAX = 0xffff;

export class ByteWriter {
  /** False once something did not fit. */
  ok = true;
  #bytes: Uint8Array;
  #start = 0;
  #cursor = 0;
  #end = 0;
  #written: Uint8Array = new Uint8Array(0);

  /** A writer with `capacityBytes` of its own. */
  constructor(capacityBytes = 0) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#end = capacityBytes;
  }

  /** Puts the writer on `bytes[offset .. end)`, which stay the caller's. */
  wrap(bytes: Uint8Array, offset: number, end: number): this {
    this.#bytes = bytes;
    this.#start = offset;
    this.#end = end;
    return this.reset();
  }

  /** Starts again at the beginning. */
  reset(): this {
    this.#cursor = this.#start;
    this.ok = true;
    return this;
  }

  /** Bytes written. */
  get length(): number {
    return this.#cursor - this.#start;
  }

  /**
   * What is written so far: a view borrowed until the next `reset()`. Asked again for the same bytes it is the same
   * object, so messages of constant size cost no view each.
   */
  get written(): Uint8Array {
    const view = this.#written;
    const start = this.#bytes.byteOffset + this.#start;
    if (view.buffer === this.#bytes.buffer && view.byteOffset === start && view.length === this.length) return view;
    this.#written = this.#bytes.subarray(this.#start, this.#cursor);
    return this.#written;
  }

  u8(value: number): this {
    const at = this.#take(1);
    if (at >= 0) this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#take(2);
    if (at >= 0) {
      this.#bytes[at] = value;
      this.#bytes[at + 1] = value >> 8;
    }
    return this;
  }

  i16(value: number): this {
    return this.u16(value);
  }

  u32(value: number): this {
    const at = this.#take(4);
    if (at >= 0) this.#putU32(at, value);
    return this;
  }

  i32(value: number): this {
    return this.u32(value);
  }

  f32(value: number): this {
    const at = this.#take(4);
    if (at >= 0) {
      scratch.setFloat32(0, value);
      this.#putU32(at, scratch.getInt32(0));
    }
    return this;
  }

  f64(value: number): this {
    const at = this.#take(8);
    if (at >= 0) {
      scratch.setFloat64(0, value);
      this.#putU32(at, scratch.getInt32(4));
      this.#putU32(at + 4, scratch.getInt32(0));
    }
    return this;
  }

  /** UTF-8 text after its length (u16). */
  text(value: string): this {
    const lengthAt = this.#take(2);
    if (lengthAt < 0) return this;
    const room = Math.min(this.#end - this.#cursor, TEXT_BYTES_MAX);
    const { read, written } = encoder.encodeInto(value, this.#bytes.subarray(this.#cursor, this.#cursor + room));
    if (read < value.length) {
      this.ok = false;
      return this;
    }
    this.#bytes[lengthAt] = written;
    this.#bytes[lengthAt + 1] = written >> 8;
    this.#cursor += written;
    return this;
  }

  /** Copies `value`. */
  bytes(value: Uint8Array): this {
    const at = this.#take(value.length);
    if (at >= 0) this.#bytes.set(value, at);
    return this;
  }

  #putU32(at: number, value: number): void {
    const bytes = this.#bytes;
    bytes[at] = value;
    bytes[at + 1] = value >> 8;
    bytes[at + 2] = value >> 16;
    bytes[at + 3] = value >> 24;
  }

  #take(length: number): number {
    const at = this.#cursor;
    if (at + length > this.#end || !this.ok) {
      this.ok = false;
      return -1;
    }
    this.#cursor = at + length;
    return at;
  }
}

/**
 * Writes numbers and bytes one after the other into a piece of an arena. All numbers are little-endian.
 *
 * A write past the end writes nothing and makes `ok` false: write every field, then ask once. A writer may be kept and
 * `reset()` for each message, so that encoding allocates nothing. One with memory of its own may grow, up to a limit.
 */

const encoder = new TextEncoder();
/** Where floating-point numbers become bytes: a DataView on each target would be an object for each message. */
const scratch = new DataView(new ArrayBuffer(8));
/** Longest text in bytes: its length is a u16. */
const TEXT_BYTES_MAX = 0xffff;
/** Most bytes of UTF-8 for one unit of a JavaScript string. */
const UTF8_BYTES_MAX = 3;

export class ByteWriter {
  /** False once something did not fit. */
  ok = true;
  #bytes: Uint8Array;
  #start = 0;
  #cursor = 0;
  #end = 0;
  /** Where it may grow to. */
  #growEnd: number;
  #written: Uint8Array = new Uint8Array(0);
  #view: DataView | null = null;

  /** A writer with `capacityBytes` of its own, which grow up to `bytesMax`. */
  constructor(capacityBytes = 0, bytesMax: number = capacityBytes) {
    this.#bytes = new Uint8Array(capacityBytes);
    this.#end = capacityBytes;
    this.#growEnd = bytesMax;
  }

  /** Puts the writer on `bytes[offset .. end)`, which stay the caller's. */
  wrap(bytes: Uint8Array, offset: number, end: number): this {
    this.#bytes = bytes;
    this.#view = null;
    this.#start = offset;
    this.#end = end;
    this.#growEnd = end;
    return this.reset();
  }

  /** Starts again, in its own memory, with another limit. */
  limit(bytesMax: number): this {
    this.#end = Math.min(this.#bytes.length, bytesMax);
    this.#growEnd = bytesMax;
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

  /** A view over the memory that it writes to, which it starts at `memoryOffset` of; another one when it has grown. */
  get memory(): DataView {
    this.#view ??= new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#view;
  }

  get memoryOffset(): number {
    return this.#start;
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
    const start = this.#cursor;
    if (!this.#putText(value, TEXT_BYTES_MAX)) return this;
    const written = this.#cursor - start;
    this.#bytes[lengthAt] = written;
    this.#bytes[lengthAt + 1] = written >> 8;
    return this;
  }

  /** UTF-8 text without its length: for the end of a message. */
  utf8(value: string): this {
    this.#putText(value, Number.POSITIVE_INFINITY);
    return this;
  }

  /** Copies `value`. */
  bytes(value: Uint8Array): this {
    const at = this.#take(value.length);
    if (at >= 0) this.#bytes.set(value, at);
    return this;
  }

  #putText(value: string, bytesMax: number): boolean {
    if (!this.ok) return false;
    const most = Math.min(value.length * UTF8_BYTES_MAX, bytesMax);
    if (this.#cursor + most > this.#end) this.#grow(this.#cursor + most);
    const room = Math.min(this.#end - this.#cursor, bytesMax);
    const { read, written } = encoder.encodeInto(value, this.#bytes.subarray(this.#cursor, this.#cursor + room));
    if (read < value.length) this.ok = false;
    else this.#cursor += written;
    return this.ok;
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
    if (at + length > this.#end) this.#grow(at + length);
    if (at + length > this.#end || !this.ok) {
      this.ok = false;
      return -1;
    }
    this.#cursor = at + length;
    return at;
  }

  /** Makes room up to `end`, or up to where it may grow. Doubles, so that a long message is copied once on the average. */
  #grow(end: number): void {
    const bytes = Math.min(this.#growEnd, Math.max(end, this.#bytes.length * 2));
    if (bytes <= this.#end) return;
    if (bytes > this.#bytes.length) {
      const grown = new Uint8Array(bytes);
      grown.set(this.#bytes.subarray(0, this.#cursor));
      this.#bytes = grown;
      this.#view = null;
    }
    this.#end = bytes;
  }
}

/**
 * Reads numbers and bytes from a borrowed piece of an arena, without ever throwing on short input.
 *
 * Read every field, then ask once: a read past the end returns 0 and makes `ok` false for good. One reader is wrapped
 * around message after message, so nothing is allocated. All numbers are little-endian.
 */

const NOTHING = new Uint8Array(0);
const NO_VIEW = new DataView(NOTHING.buffer);
const decoder = new TextDecoder('utf-8', { fatal: true });

export class ByteReader {
  /** False once a read went past the end, or text was not UTF-8. */
  ok = true;
  #bytes: Uint8Array = NOTHING;
  #view: DataView = NO_VIEW;
  #start = 0;
  #cursor = 0;
  #end = 0;
  #released = false;

  /**
   * Puts the reader on `bytes[offset .. offset + length)`. The bytes stay the caller's.
   * Keeps the DataView of the last arena, so wrapping pieces of one arena allocates nothing.
   */
  wrap(bytes: Uint8Array, offset: number, length: number): this {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#start = offset;
    this.#cursor = offset;
    this.#end = offset + length;
    this.#released = false;
    this.ok = true;
    return this;
  }

  /** Ends the loan: from now on every read throws, since the bytes belong to another message. */
  release(): void {
    this.#start = 0;
    this.#cursor = 0;
    this.#end = 0;
    this.#released = true;
  }

  /** Bytes of the whole message. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#end - this.#cursor;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.#bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#view.getUint16(at, true);
  }

  i16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : this.#view.getInt16(at, true);
  }

  u32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getUint32(at, true);
  }

  i32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getInt32(at, true);
  }

  f32(): number {
    const at = this.#take(4);
    return at < 0 ? 0 : this.#view.getFloat32(at, true);
  }

  f64(): number {
    const at = this.#take(8);
    return at < 0 ? 0 : this.#view.getFloat64(at, true);
  }

  /** UTF-8 text after its length (u16). Bytes that are not UTF-8 make `ok` false. Allocates a string. */
  text(): string {
    return this.#text(this.u16());
  }

  /** All that is left, as UTF-8 text; else as `text`. */
  utf8(): string {
    return this.#text(this.#end - this.#cursor);
  }

  #text(length: number): string {
    const at = this.#take(length);
    if (at < 0) return '';
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      this.ok = false; // not UTF-8: the wire is wrong, so it is a value, not an exception
      return '';
    }
  }

  /** A view of the next `length` bytes, borrowed: gone when the callback returns. Allocates the view. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? NOTHING : this.#bytes.subarray(at, at + length);
  }

  /** A copy of the whole message, the caller's to keep. */
  copy(): Uint8Array {
    if (this.#released) this.#fail();
    return this.#bytes.slice(this.#start, this.#end);
  }

  /** Moves past `length` bytes; returns where they start, or -1 and `ok = false` when there are fewer. */
  #take(length: number): number {
    const at = this.#cursor;
    if (at + length <= this.#end) {
      this.#cursor = at + length;
      return at;
    }
    if (this.#released) this.#fail();
    this.ok = false;
    this.#cursor = this.#end;
    return -1;
  }

  #fail(): never {
    throw new Error('a message may be read only inside its callback: keep `message.copy()` instead of the message');
  }
}

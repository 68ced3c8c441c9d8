/**
 * Netlink messages: read with bounds, and built.
 *
 * A message is a header, a fixed part and attributes (type, length, value). The reader believes no length: what does not
 * fit in what was received ends the walk, as if the message had stopped there.
 */

import { MAPPED_WORD } from '../../posix/sockaddr.ts';
import { NLA_TYPE_MASK, NLM_F_REQUEST, Nlmsghdr, Rtattr } from './abi.ts';

/** Steps through the messages of one received buffer, and through the attributes of the message it is at. */
export class MessageReader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Of the message that `next()` found. */
  type = 0;
  sequence = 0;
  /** Its fixed part: bytes `body .. end - 1`, attributes included. */
  body = 0;
  end = 0;
  /** Of the attribute that `nextAttribute()` found: its payload is bytes `valueAt .. valueAt + valueBytes - 1`. */
  attribute = 0;
  valueAt = 0;
  valueBytes = 0;
  private cursor = 0;
  private limit = 0;
  private attributeCursor = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Starts over with what was received: the first `received` bytes of the buffer. */
  start(received: number): void {
    this.cursor = 0;
    this.limit = Math.min(received, this.bytes.length);
  }

  /** Steps to the next whole message; false when there is none. */
  next(): boolean {
    const at = this.cursor;
    if (at + Nlmsghdr.SIZE > this.limit) return false;
    const size = this.view.getUint32(at + Nlmsghdr.bytes, true);
    if (size < Nlmsghdr.SIZE || size > this.limit - at) return false;
    this.type = this.view.getUint16(at + Nlmsghdr.type, true);
    this.sequence = this.view.getUint32(at + Nlmsghdr.sequence, true);
    this.body = at + Nlmsghdr.SIZE;
    this.end = at + size;
    this.attributeCursor = this.end; // until somebody says how long the fixed part is
    this.cursor = at + aligned(size);
    return true;
  }

  /** Whether the fixed part has `fixedBytes`; then the walk over the attributes behind it starts. */
  enter(fixedBytes: number): boolean {
    if (this.body + fixedBytes > this.end) return false;
    this.attributeCursor = this.body + aligned(fixedBytes);
    return true;
  }

  /** Steps to the next whole attribute; false when there is none. */
  nextAttribute(): boolean {
    const at = this.attributeCursor;
    if (at + Rtattr.SIZE > this.end) return false;
    const size = this.view.getUint16(at + Rtattr.bytes, true);
    if (size < Rtattr.SIZE || size > this.end - at) return false;
    this.attribute = this.view.getUint16(at + Rtattr.type, true) & NLA_TYPE_MASK;
    this.valueAt = at + Rtattr.SIZE;
    this.valueBytes = size - Rtattr.SIZE;
    this.attributeCursor = at + aligned(size);
    return true;
  }

  /** The attribute's value as a 32-bit number of the machine; 0 where it is no such thing. */
  value32(): number {
    return this.valueBytes >= 4 ? this.view.getInt32(this.valueAt, true) : 0;
  }

  /** Copies an address of the attribute into four canonical words; false where it has not the length of one. */
  valueAddress(words: Int32Array, at: number, skipped = 0): boolean {
    return readAddress(this.view, this.valueAt + skipped, this.valueBytes - skipped, words, at);
  }
}

/** Builds one request in a buffer. */
export class MessageWriter {
  readonly bytes: Uint8Array;
  /** Bytes of the request so far. */
  length = 0;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Starts a request with a zeroed fixed part of `fixedBytes`; returns where that part lies. */
  start(type: number, sequence: number, fixedBytes: number): number {
    this.length = Nlmsghdr.SIZE + fixedBytes;
    this.bytes.fill(0, 0, this.length);
    this.view.setUint16(Nlmsghdr.type, type, true);
    this.view.setUint16(Nlmsghdr.flags, NLM_F_REQUEST, true);
    this.view.setUint32(Nlmsghdr.sequence, sequence, true);
    this.seal();
    return Nlmsghdr.SIZE;
  }

  setU8(at: number, value: number): void {
    this.view.setUint8(at, value);
  }

  setI32(at: number, value: number): void {
    this.view.setInt32(at, value, true);
  }

  /** Appends an attribute that is a 32-bit number of the machine. */
  attribute32(type: number, value: number): void {
    this.view.setInt32(this.attributeOf(type, 4), value, true);
  }

  /** Appends an attribute that is one byte. */
  attribute8(type: number, value: number): void {
    this.view.setUint8(this.attributeOf(type, 1), value);
  }

  /** Appends an attribute that is a text with its zero. */
  attributeText(type: number, text: string): void {
    const at = this.attributeOf(type, text.length + 1);
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
  }

  /** Appends the canonical address at word `at`: four bytes of it if it is an IPv4 one. */
  attributeAddress(type: number, words: Int32Array, at: number, ipv4: boolean): void {
    const value = this.attributeOf(type, ipv4 ? 4 : 16);
    if (ipv4) this.view.setInt32(value, words[at + 3]!, true);
    else for (let i = 0; i < 4; i++) this.view.setInt32(value + i * 4, words[at + i]!, true);
  }

  private attributeOf(type: number, bytes: number): number {
    const at = this.length;
    this.bytes.fill(0, at, at + aligned(Rtattr.SIZE + bytes));
    this.view.setUint16(at + Rtattr.bytes, Rtattr.SIZE + bytes, true);
    this.view.setUint16(at + Rtattr.type, type, true);
    this.length += aligned(Rtattr.SIZE + bytes);
    this.seal();
    return at + Rtattr.SIZE;
  }

  private seal(): void {
    this.view.setUint32(Nlmsghdr.bytes, this.length, true);
  }
}

function readAddress(view: DataView, from: number, bytes: number, words: Int32Array, at: number): boolean {
  if (bytes === 4) {
    words[at] = 0;
    words[at + 1] = 0;
    words[at + 2] = MAPPED_WORD;
    words[at + 3] = view.getInt32(from, true);
    return true;
  }
  if (bytes !== 16) return false;
  for (let i = 0; i < 4; i++) words[at + i] = view.getInt32(from + i * 4, true);
  return true;
}

/** Messages and attributes start at multiples of 4 (NLMSG_ALIGN, RTA_ALIGN). */
function aligned(bytes: number): number {
  return (bytes + 3) & ~3;
}

/**
 * The TCP header (RFC 9293 3.1). Options are read with `OptionCursor`.
 *
 * The engine speaks no TCP; sniffers and filters see it.
 */

import { finish, sumOf } from './checksum.ts';
import { type Header, i32, NOTHING, SHORT, setI32, setU16, u16, WHOLE, WRONG } from './header.ts';

// Offsets.
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
const LENGTH = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT = 18;
/** Bytes of the header without options. */
export const TCP_BYTES = 20;
/** Bytes of the longest header: the field counts up to 15 words. */
export const TCP_BYTES_MAX = 60;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;

/** Kinds of options (RFC 9293, 7323, 2018). */
export const TCP_OPTION_MSS = 2;
export const TCP_OPTION_WINDOW_SCALE = 3;
export const TCP_OPTION_SACK_PERMITTED = 4;
export const TCP_OPTION_SACK = 5;
export const TCP_OPTION_TIMESTAMPS = 8;

/** TCP as plain values; sequence numbers unsigned, as people write them. */
export interface PlainTcp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly headerBytes: number;
  readonly flags: number;
  readonly window: number;
  readonly checksum: number;
  readonly urgent: number;
}

export class TcpHeader implements Header {
  bytes: Uint8Array = NOTHING;
  offset = 0;
  end = 0;

  wrap(bytes: Uint8Array, offset: number, end: number): this {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    return this;
  }

  // Check.

  /** Never `CUT`: TCP does not say how long its payload is. */
  check(): number {
    const room = this.end - this.offset;
    if (room < TCP_BYTES) return SHORT;
    const headerBytes = this.headerBytes;
    if (headerBytes < TCP_BYTES) return WRONG;
    return headerBytes > room ? SHORT : WHOLE;
  }

  /**
   * Whether the checksum is right; `end` must be that of the IP payload.
   *
   * @param pseudoSum `pseudoSum(PROTOCOL_TCP, end - offset)` of the IP header
   */
  checksumHolds(pseudoSum: number): boolean {
    return finish(sumOf(this.bytes, this.offset, this.end, pseudoSum)) === 0;
  }

  // Getters.

  get sourcePort(): number {
    return u16(this.bytes, this.offset + SOURCE_PORT);
  }
  get destinationPort(): number {
    return u16(this.bytes, this.offset + DESTINATION_PORT);
  }
  /** Signed, as all fields of 32 bits. */
  get sequence(): number {
    return i32(this.bytes, this.offset + SEQUENCE);
  }
  get acknowledgement(): number {
    return i32(this.bytes, this.offset + ACKNOWLEDGEMENT);
  }
  /** Bytes of the header with its options, 20 to 60. */
  get headerBytes(): number {
    return (this.bytes[this.offset + LENGTH]! >>> 4) << 2;
  }
  /** Bits `TCP_FIN` to `TCP_CWR`. */
  get flags(): number {
    return this.bytes[this.offset + FLAGS]!;
  }
  get window(): number {
    return u16(this.bytes, this.offset + WINDOW);
  }
  get checksum(): number {
    return u16(this.bytes, this.offset + CHECKSUM);
  }
  get urgent(): number {
    return u16(this.bytes, this.offset + URGENT);
  }
  /** Options lie in `optionsAt .. payloadOffset`. */
  get optionsAt(): number {
    return this.offset + TCP_BYTES;
  }
  get payloadOffset(): number {
    return this.offset + this.headerBytes;
  }

  // Setters.

  /** Writes a header of 20 bytes, and zeros everywhere else. */
  clear(): this {
    this.bytes.fill(0, this.offset, this.offset + TCP_BYTES);
    this.headerBytes = TCP_BYTES;
    return this;
  }
  set sourcePort(value: number) {
    setU16(this.bytes, this.offset + SOURCE_PORT, value);
  }
  set destinationPort(value: number) {
    setU16(this.bytes, this.offset + DESTINATION_PORT, value);
  }
  set sequence(value: number) {
    setI32(this.bytes, this.offset + SEQUENCE, value);
  }
  set acknowledgement(value: number) {
    setI32(this.bytes, this.offset + ACKNOWLEDGEMENT, value);
  }
  /** A multiple of 4. The four reserved bits beside it stay. */
  set headerBytes(value: number) {
    this.bytes[this.offset + LENGTH] = (value << 2) | (this.bytes[this.offset + LENGTH]! & 0xf);
  }
  set flags(value: number) {
    this.bytes[this.offset + FLAGS] = value;
  }
  set window(value: number) {
    setU16(this.bytes, this.offset + WINDOW, value);
  }
  set checksum(value: number) {
    setU16(this.bytes, this.offset + CHECKSUM, value);
  }
  set urgent(value: number) {
    setU16(this.bytes, this.offset + URGENT, value);
  }
  /** Computes the checksum over header and payload, which must be complete; `end` must be that of the payload. */
  fillChecksum(pseudoSum: number): void {
    this.checksum = 0;
    this.checksum = finish(sumOf(this.bytes, this.offset, this.end, pseudoSum));
  }

  // Plain values.

  toPlain(): PlainTcp {
    return {
      sourcePort: this.sourcePort,
      destinationPort: this.destinationPort,
      sequence: this.sequence >>> 0,
      acknowledgement: this.acknowledgement >>> 0,
      headerBytes: this.headerBytes,
      flags: this.flags,
      window: this.window,
      checksum: this.checksum,
      urgent: this.urgent,
    };
  }
}

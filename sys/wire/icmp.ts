/**
 * The ICMP header (RFC 792): echoes, and errors with the quote of the packet they are about.
 *
 * Four bytes are common to all messages; the four after them belong to the type, and are read by whoever knows it.
 */

import { checksumOf } from './checksum.ts';
import { type Header, i32, NOTHING, SHORT, setU16, u16, WHOLE } from './header.ts';

// Offsets.
const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
// In echoes.
const IDENTIFIER = 4;
const SEQUENCE = 6;
// In "fragmentation needed" (RFC 1191 4).
const NEXT_HOP_MTU = 6;
export const ICMP_BYTES = 8;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;
/** Codes of `ICMP_UNREACHABLE`. */
export const ICMP_PORT_UNREACHABLE = 3;
export const ICMP_FRAGMENTATION_NEEDED = 4;

/** ICMP as plain values; `identifier` and `sequence` mean something in echoes only. */
export interface PlainIcmp {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  readonly identifier: number;
  readonly sequence: number;
}

export class IcmpHeader implements Header {
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

  /** Never `CUT`: ICMP does not say how long its payload is. */
  check(): number {
    return this.end - this.offset < ICMP_BYTES ? SHORT : WHOLE;
  }

  /** Whether the checksum is right; `end` must be that of the IP payload. */
  get checksumHolds(): boolean {
    return checksumOf(this.bytes, this.offset, this.end) === 0;
  }

  // Getters.

  get type(): number {
    return this.bytes[this.offset + TYPE]!;
  }
  get code(): number {
    return this.bytes[this.offset + CODE]!;
  }
  get checksum(): number {
    return u16(this.bytes, this.offset + CHECKSUM);
  }
  /** The four bytes whose meaning depends on the type, signed. */
  get rest(): number {
    return i32(this.bytes, this.offset + REST);
  }
  /** Of an echo: tells whose it is. */
  get identifier(): number {
    return u16(this.bytes, this.offset + IDENTIFIER);
  }
  get sequence(): number {
    return u16(this.bytes, this.offset + SEQUENCE);
  }
  /** Of "fragmentation needed": the MTU of the next hop in bytes; 0 from routers older than RFC 1191. */
  get nextHopMtuBytes(): number {
    return u16(this.bytes, this.offset + NEXT_HOP_MTU);
  }
  /** Whether it reports an error, and so quotes an IPv4 header and at least 8 bytes of its payload at `payloadOffset`. */
  get isError(): boolean {
    const type = this.type;
    return (
      type === ICMP_UNREACHABLE ||
      type === ICMP_TIME_EXCEEDED ||
      type === ICMP_PARAMETER_PROBLEM ||
      type === ICMP_REDIRECT
    );
  }
  /** Where an echo's data or an error's quote starts. */
  get payloadOffset(): number {
    return this.offset + ICMP_BYTES;
  }

  // Setters.

  /** Writes zeros. */
  clear(): this {
    this.bytes.fill(0, this.offset, this.offset + ICMP_BYTES);
    return this;
  }
  set type(value: number) {
    this.bytes[this.offset + TYPE] = value;
  }
  set code(value: number) {
    this.bytes[this.offset + CODE] = value;
  }
  set checksum(value: number) {
    setU16(this.bytes, this.offset + CHECKSUM, value);
  }
  set identifier(value: number) {
    setU16(this.bytes, this.offset + IDENTIFIER, value);
  }
  set sequence(value: number) {
    setU16(this.bytes, this.offset + SEQUENCE, value);
  }
  set nextHopMtuBytes(value: number) {
    setU16(this.bytes, this.offset + NEXT_HOP_MTU, value);
  }
  /** Computes the checksum over header and payload, which must be complete; `end` must be that of the payload. */
  fillChecksum(): void {
    this.checksum = 0;
    this.checksum = checksumOf(this.bytes, this.offset, this.end);
  }

  // Plain values.

  toPlain(): PlainIcmp {
    return {
      type: this.type,
      code: this.code,
      checksum: this.checksum,
      identifier: this.identifier,
      sequence: this.sequence,
    };
  }
}

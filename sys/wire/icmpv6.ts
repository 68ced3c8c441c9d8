/**
 * The ICMPv6 header (RFC 4443): echoes, errors with the quote of the packet they are about, and the neighbour messages
 * that IPv6 has in place of ARP (RFC 4861).
 */

import { checksumOf } from './checksum.ts';
import { type Header, i32, NOTHING, SHORT, setI32, setU16, u16, WHOLE, WRONG } from './header.ts';

// Offsets.
const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;
// In echoes.
const IDENTIFIER = 4;
const SEQUENCE = 6;
// In neighbour messages: the address that is asked for or told of, then options.
const TARGET = 8;
const NEIGHBOUR_OPTIONS = 24;
// In an option of a neighbour message: type, length in units of 8 bytes, data.
const OPTION_LENGTH = 1;
const OPTION_DATA = 2;
export const ICMPV6_BYTES = 8;
/** Bytes of a neighbour message without options. */
export const NEIGHBOUR_BYTES = 24;

export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_PARAMETER_PROBLEM = 4;
/** Types below this report errors (RFC 4443 2.1). */
const FIRST_INFORMATION = 128;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
export const ICMPV6_NEIGHBOUR_SOLICITATION = 135;
export const ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136;
/** Types of neighbour options: the link address of who sends, and of who is told of. */
export const OPTION_SOURCE_LINK = 1;
export const OPTION_TARGET_LINK = 2;

/** ICMPv6 as plain values; `identifier` and `sequence` mean something in echoes only. */
export interface PlainIcmpv6 {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  readonly identifier: number;
  readonly sequence: number;
}

export class Icmpv6Header implements Header {
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

  /** Never `CUT`: ICMPv6 does not say how long its payload is. */
  check(): number {
    const room = this.end - this.offset;
    if (room < ICMPV6_BYTES) return SHORT;
    if (!this.isNeighbour) return WHOLE;
    if (room < NEIGHBOUR_BYTES) return SHORT;
    return this.code === 0 ? WHOLE : WRONG; // RFC 4861 7.1
  }

  /**
   * Whether the checksum is right; `end` must be that of the IP payload.
   *
   * @param pseudoSum `pseudoSum(PROTOCOL_ICMPV6, end - offset)` of the IPv6 header
   */
  checksumHolds(pseudoSum: number): boolean {
    return checksumOf(this.bytes, this.offset, this.end, pseudoSum) === 0;
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
  /** The four bytes whose meaning depends on the type, signed: the MTU of "packet too big", flags of an advertisement. */
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
  /** Whether it reports an error, and so quotes the packet at `payloadOffset`. */
  get isError(): boolean {
    return this.type < FIRST_INFORMATION;
  }
  /** Whether it is a neighbour solicitation or advertisement, which have a target and options. */
  get isNeighbour(): boolean {
    const type = this.type;
    return type === ICMPV6_NEIGHBOUR_SOLICITATION || type === ICMPV6_NEIGHBOUR_ADVERTISEMENT;
  }
  /** Of a neighbour message: where the sixteen bytes of its target lie. */
  get targetAt(): number {
    return this.offset + TARGET;
  }
  /** Where an echo's data or an error's quote starts. */
  get payloadOffset(): number {
    return this.offset + ICMPV6_BYTES;
  }

  /**
   * Of a neighbour message: where the link address lies that an option of `type` tells; -1 when there is none, or an
   * option before it is malformed.
   */
  linkAddressAt(type: number): number {
    let at = this.offset + NEIGHBOUR_OPTIONS;
    while (at + 8 <= this.end) {
      const size = this.bytes[at + OPTION_LENGTH]! << 3;
      if (size === 0 || at + size > this.end) return -1; // RFC 4861 4.6: a length of 0 discards the packet
      if (this.bytes[at] === type) return at + OPTION_DATA;
      at += size;
    }
    return -1;
  }

  // Setters.

  /** Writes zeros. */
  clear(): this {
    this.bytes.fill(0, this.offset, this.offset + ICMPV6_BYTES);
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
  set rest(value: number) {
    setI32(this.bytes, this.offset + REST, value);
  }
  set identifier(value: number) {
    setU16(this.bytes, this.offset + IDENTIFIER, value);
  }
  set sequence(value: number) {
    setU16(this.bytes, this.offset + SEQUENCE, value);
  }
  /** Computes the checksum over header and payload, which must be complete; `end` must be that of the payload. */
  fillChecksum(pseudoSum: number): void {
    this.checksum = 0;
    this.checksum = checksumOf(this.bytes, this.offset, this.end, pseudoSum);
  }

  // Plain values.

  toPlain(): PlainIcmpv6 {
    return {
      type: this.type,
      code: this.code,
      checksum: this.checksum,
      identifier: this.identifier,
      sequence: this.sequence,
    };
  }
}

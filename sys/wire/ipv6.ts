/**
 * The IPv6 header, with the extension headers behind it walked over (RFC 8200).
 *
 * `check()` finds `protocol` and `payloadOffset`: those of the first header that is not an extension, or of the data of
 * a fragment other than the first. Encrypted payloads (ESP) end the walk.
 */

import { formatHost } from '../address.ts';
import { canonicalOf, isMappedAt, readIPv6Address, writeIPv6Address } from './canonical.ts';
import { pseudoSumIPv6 } from './checksum.ts';
import { CUT, type Header, i32, NOTHING, SHORT, setI32, setU16, u16, WHOLE, WRONG } from './header.ts';
import {
  PROTOCOL_AH,
  PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_FRAGMENT,
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_MOBILITY,
  PROTOCOL_ROUTING,
} from './numbers.ts';

// Offsets.
const VERSION_CLASS_FLOW = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;
/** Bytes of the header without extensions. */
export const IPV6_BYTES = 40;
// In an extension header: the next header's number, and its own length (in units of 8 bytes, without the first 8).
const EXTENSION_LENGTH = 1;
const EXTENSION_BYTES_MIN = 8;
// In a fragment header (RFC 8200 4.5).
const FRAGMENT_OFFSET = 2;
const FRAGMENT_IDENTIFICATION = 4;
const FRAGMENT_MASK = 0xfff8;
const MORE_FRAGMENTS = 1;

/**
 * Extension headers that are walked over. Each kind may occur once (destination options twice), which makes 7; a packet
 * that is a chain of nothing else must cost little.
 */
export const EXTENSION_HEADERS_MAX = 8;

/** IPv6 as plain values. */
export interface PlainIPv6 {
  readonly dscp: number;
  readonly ecn: number;
  readonly flowLabel: number;
  readonly payloadBytes: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: string;
  readonly destination: string;
  /** Behind the extension headers. */
  readonly protocol: number;
  readonly extensionBytes: number;
  readonly fragmentBytes: number;
  readonly moreFragments: boolean;
}

export class IPv6Header implements Header {
  bytes: Uint8Array = NOTHING;
  offset = 0;
  end = 0;
  /** What `check()` found behind the extension headers. */
  protocol = 0;
  payloadOffset = 0;
  /** Where the fragment header lies; -1 where there is none. */
  fragmentAt = -1;

  wrap(bytes: Uint8Array, offset: number, end: number): this {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    return this;
  }

  // Check.

  /**
   * `SHORT` where the bytes end within an extension header, `WRONG` where the packet's own length does.
   *
   * Mapped addresses (`::ffff:a.b.c.d`) are `WRONG` on the wire: their canonical bytes are those of an IPv4 peer, whom
   * anyone could then speak for. Linux drops them for the same reason.
   */
  check(): number {
    const room = this.end - this.offset;
    if (room < 1) return SHORT;
    if (this.bytes[this.offset]! >>> 4 !== 6) return WRONG;
    if (room < IPV6_BYTES) return SHORT;
    if (isMappedAt(this.bytes, this.offset + SOURCE) || isMappedAt(this.bytes, this.offset + DESTINATION)) return WRONG;
    this.fragmentAt = -1;
    const stop = this.offset + IPV6_BYTES + this.payloadBytes;
    let next = this.nextHeader;
    let at = this.offset + IPV6_BYTES;
    for (let walked = 0; isExtension(next); walked++) {
      if (walked === EXTENSION_HEADERS_MAX || at + EXTENSION_BYTES_MIN > stop) return WRONG;
      if (at + EXTENSION_BYTES_MIN > this.end) return SHORT;
      const size = extensionBytes(next, this.bytes[at + EXTENSION_LENGTH]!);
      if (at + size > stop) return WRONG;
      if (at + size > this.end) return SHORT;
      const kind = next;
      next = this.bytes[at]!;
      if (kind === PROTOCOL_FRAGMENT) this.fragmentAt = at;
      at += size;
      if (kind === PROTOCOL_FRAGMENT && this.fragmentBytes > 0) break; // the rest of the chain is in the first fragment
    }
    this.protocol = next;
    this.payloadOffset = at;
    return stop > this.end ? CUT : WHOLE;
  }

  // Getters.

  get version(): number {
    return this.bytes[this.offset + VERSION_CLASS_FLOW]! >>> 4;
  }
  get dscp(): number {
    return (u16(this.bytes, this.offset) >>> 6) & 0x3f;
  }
  get ecn(): number {
    return (this.bytes[this.offset + 1]! >>> 4) & 3;
  }
  get flowLabel(): number {
    return i32(this.bytes, this.offset) & 0xf_ffff;
  }
  /** Bytes behind the header of 40, extension headers included, as the header says. */
  get payloadBytes(): number {
    return u16(this.bytes, this.offset + PAYLOAD_LENGTH);
  }
  get nextHeader(): number {
    return this.bytes[this.offset + NEXT_HEADER]!;
  }
  get hopLimit(): number {
    return this.bytes[this.offset + HOP_LIMIT]!;
  }
  get sourceAt(): number {
    return this.offset + SOURCE;
  }
  get destinationAt(): number {
    return this.offset + DESTINATION;
  }
  /** Where the payload ends: by the header's length, or earlier where it was cut. What follows is padding. */
  get payloadEnd(): number {
    return Math.min(this.offset + IPV6_BYTES + this.payloadBytes, this.end);
  }
  get moreFragments(): boolean {
    return this.fragmentAt >= 0 && (this.bytes[this.fragmentAt + FRAGMENT_OFFSET + 1]! & MORE_FRAGMENTS) !== 0;
  }
  /** Where this fragment's data belongs in the whole packet, in bytes; 0 where it is none. */
  get fragmentBytes(): number {
    return this.fragmentAt < 0 ? 0 : u16(this.bytes, this.fragmentAt + FRAGMENT_OFFSET) & FRAGMENT_MASK;
  }
  /** Identification of the fragmented packet, signed; 0 where it is none. */
  get fragmentIdentification(): number {
    return this.fragmentAt < 0 ? 0 : i32(this.bytes, this.fragmentAt + FRAGMENT_IDENTIFICATION);
  }
  /** Whether it is a part of a packet. A fragment header alone makes none (RFC 6946: atomic fragments). */
  get isFragment(): boolean {
    return this.moreFragments || this.fragmentBytes > 0;
  }
  /**
   * Fills the canonical address at `canonical[to]` with the source and `port`.
   *
   * @param scope number of the interface, for link-local addresses
   */
  readSource(port: number, scope: number, canonical: Uint8Array, to: number): void {
    readIPv6Address(this.bytes, this.offset + SOURCE, port, scope, canonical, to);
  }
  readDestination(port: number, scope: number, canonical: Uint8Array, to: number): void {
    readIPv6Address(this.bytes, this.offset + DESTINATION, port, scope, canonical, to);
  }
  /** Sum of the pseudo-header, from which the checksum of a segment of `length` bytes starts. */
  pseudoSum(protocol: number, length: number): number {
    return pseudoSumIPv6(this.bytes, this.offset + SOURCE, this.offset + DESTINATION, protocol, length);
  }

  // Setters.

  /** Writes version 6, and zeros everywhere else. */
  clear(): this {
    this.bytes.fill(0, this.offset, this.offset + IPV6_BYTES);
    this.bytes[this.offset + VERSION_CLASS_FLOW] = 0x60;
    return this;
  }
  set dscp(value: number) {
    const word = u16(this.bytes, this.offset);
    setU16(this.bytes, this.offset, (word & ~0x0fc0) | ((value & 0x3f) << 6));
  }
  set ecn(value: number) {
    this.bytes[this.offset + 1] = (this.bytes[this.offset + 1]! & ~0x30) | ((value & 3) << 4);
  }
  set flowLabel(value: number) {
    setI32(this.bytes, this.offset, (i32(this.bytes, this.offset) & ~0xf_ffff) | (value & 0xf_ffff));
  }
  set payloadBytes(value: number) {
    setU16(this.bytes, this.offset + PAYLOAD_LENGTH, value);
  }
  set nextHeader(value: number) {
    this.bytes[this.offset + NEXT_HEADER] = value;
  }
  set hopLimit(value: number) {
    this.bytes[this.offset + HOP_LIMIT] = value;
  }
  /** Copies the canonical address at `canonical[from]`. */
  writeSource(canonical: Uint8Array, from = 0): void {
    writeIPv6Address(canonical, from, this.bytes, this.offset + SOURCE);
  }
  writeDestination(canonical: Uint8Array, from = 0): void {
    writeIPv6Address(canonical, from, this.bytes, this.offset + DESTINATION);
  }

  // Plain values.

  toPlain(): PlainIPv6 {
    return {
      dscp: this.dscp,
      ecn: this.ecn,
      flowLabel: this.flowLabel,
      payloadBytes: this.payloadBytes,
      nextHeader: this.nextHeader,
      hopLimit: this.hopLimit,
      source: formatHost(canonicalOf(this.bytes, this.sourceAt, 16)),
      destination: formatHost(canonicalOf(this.bytes, this.destinationAt, 16)),
      protocol: this.protocol,
      extensionBytes: this.payloadOffset - this.offset - IPV6_BYTES,
      fragmentBytes: this.fragmentBytes,
      moreFragments: this.moreFragments,
    };
  }
}

/** Whether a next-header number is that of an extension header whose length is written in it. */
function isExtension(next: number): boolean {
  return (
    next === PROTOCOL_HOP_BY_HOP ||
    next === PROTOCOL_ROUTING ||
    next === PROTOCOL_FRAGMENT ||
    next === PROTOCOL_DESTINATION_OPTIONS ||
    next === PROTOCOL_AH ||
    next === PROTOCOL_MOBILITY
  );
}

/** Bytes of the extension header `kind` whose length field is `length`. */
function extensionBytes(kind: number, length: number): number {
  if (kind === PROTOCOL_FRAGMENT) return EXTENSION_BYTES_MIN; // the field is reserved
  if (kind === PROTOCOL_AH) return (length + 2) << 2; // RFC 4302 2.2: counts words, less two
  return (length + 1) << 3;
}

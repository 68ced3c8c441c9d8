/** The IPv4 header (RFC 791; DSCP of RFC 2474, ECN of RFC 3168). Options are read with `OptionCursor`. */

import { formatHost } from '../address.ts';
import { canonicalOf, readIPv4Address, writeIPv4Address } from './canonical.ts';
import { checksumOf, pseudoSumIPv4 } from './checksum.ts';
import { CUT, type Header, NOTHING, SHORT, setU16, u16, WHOLE, WRONG } from './header.ts';

// Offsets.
const VERSION_LENGTH = 0;
const TRAFFIC = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FLAGS_FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;
/** Bytes of the header without options. */
export const IPV4_BYTES = 20;
/** Bytes of the longest header: the field counts up to 15 words. */
export const IPV4_BYTES_MAX = 60;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
/** In units of 8 bytes. */
const FRAGMENT_MASK = 0x1fff;

/** IPv4 as plain values. */
export interface PlainIPv4 {
  readonly headerBytes: number;
  readonly dscp: number;
  readonly ecn: number;
  readonly totalBytes: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  readonly fragmentBytes: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly checksum: number;
  readonly source: string;
  readonly destination: string;
}

export class IPv4Header implements Header {
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

  /** Not of the checksum: network cards have verified it, and frames sent on the same host may not have one. */
  check(): number {
    const room = this.end - this.offset;
    if (room < 1) return SHORT;
    const first = this.bytes[this.offset]!;
    if (first >>> 4 !== 4 || (first & 0xf) < IPV4_BYTES / 4) return WRONG;
    const headerBytes = (first & 0xf) << 2;
    if (room < headerBytes) return SHORT;
    const total = u16(this.bytes, this.offset + TOTAL_LENGTH);
    if (total < headerBytes) return WRONG;
    return total > room ? CUT : WHOLE;
  }

  /** Whether the header's checksum is right. */
  get checksumHolds(): boolean {
    return checksumOf(this.bytes, this.offset, this.offset + this.headerBytes) === 0;
  }

  // Getters.

  get version(): number {
    return this.bytes[this.offset + VERSION_LENGTH]! >>> 4;
  }
  /** Bytes of the header with its options, 20 to 60. */
  get headerBytes(): number {
    return (this.bytes[this.offset + VERSION_LENGTH]! & 0xf) << 2;
  }
  get dscp(): number {
    return this.bytes[this.offset + TRAFFIC]! >>> 2;
  }
  get ecn(): number {
    return this.bytes[this.offset + TRAFFIC]! & 3;
  }
  /** Bytes of header and payload, as the header says. */
  get totalBytes(): number {
    return u16(this.bytes, this.offset + TOTAL_LENGTH);
  }
  get identification(): number {
    return u16(this.bytes, this.offset + IDENTIFICATION);
  }
  get dontFragment(): boolean {
    return (u16(this.bytes, this.offset + FLAGS_FRAGMENT) & DONT_FRAGMENT) !== 0;
  }
  get moreFragments(): boolean {
    return (u16(this.bytes, this.offset + FLAGS_FRAGMENT) & MORE_FRAGMENTS) !== 0;
  }
  /** Where this fragment's payload belongs in the whole packet's, in bytes. */
  get fragmentBytes(): number {
    return (u16(this.bytes, this.offset + FLAGS_FRAGMENT) & FRAGMENT_MASK) << 3;
  }
  /** Whether it is a part of a packet: the payload of any but the first has no header. */
  get isFragment(): boolean {
    return (u16(this.bytes, this.offset + FLAGS_FRAGMENT) & (FRAGMENT_MASK | MORE_FRAGMENTS)) !== 0;
  }
  get ttl(): number {
    return this.bytes[this.offset + TTL]!;
  }
  get protocol(): number {
    return this.bytes[this.offset + PROTOCOL]!;
  }
  get checksum(): number {
    return u16(this.bytes, this.offset + CHECKSUM);
  }
  get sourceAt(): number {
    return this.offset + SOURCE;
  }
  get destinationAt(): number {
    return this.offset + DESTINATION;
  }
  /** Options lie in `optionsAt .. payloadOffset`. */
  get optionsAt(): number {
    return this.offset + IPV4_BYTES;
  }
  get payloadOffset(): number {
    return this.offset + this.headerBytes;
  }
  /** Where the payload ends: by the header's length, or earlier where it was cut. What follows is padding. */
  get payloadEnd(): number {
    return Math.min(this.offset + this.totalBytes, this.end);
  }
  /** Fills the canonical address at `canonical[to]` with the source and `port`. */
  readSource(port: number, canonical: Uint8Array, to: number): void {
    readIPv4Address(this.bytes, this.offset + SOURCE, port, canonical, to);
  }
  readDestination(port: number, canonical: Uint8Array, to: number): void {
    readIPv4Address(this.bytes, this.offset + DESTINATION, port, canonical, to);
  }
  /** Sum of the pseudo-header, from which the checksum of a segment of `length` bytes starts. */
  pseudoSum(protocol: number, length: number): number {
    return pseudoSumIPv4(this.bytes, this.offset + SOURCE, this.offset + DESTINATION, protocol, length);
  }

  // Setters.

  /** Writes version 4, a header of 20 bytes, and zeros everywhere else. */
  clear(): this {
    this.bytes.fill(0, this.offset, this.offset + IPV4_BYTES);
    this.bytes[this.offset + VERSION_LENGTH] = 0x45;
    return this;
  }
  /** Sets the version too, which is always 4. */
  set headerBytes(value: number) {
    this.bytes[this.offset + VERSION_LENGTH] = 0x40 | (value >>> 2);
  }
  set dscp(value: number) {
    this.bytes[this.offset + TRAFFIC] = (value << 2) | this.ecn;
  }
  set ecn(value: number) {
    this.bytes[this.offset + TRAFFIC] = (this.dscp << 2) | (value & 3);
  }
  set totalBytes(value: number) {
    setU16(this.bytes, this.offset + TOTAL_LENGTH, value);
  }
  set identification(value: number) {
    setU16(this.bytes, this.offset + IDENTIFICATION, value);
  }
  set dontFragment(value: boolean) {
    this.setFragmentBits(DONT_FRAGMENT, value ? DONT_FRAGMENT : 0);
  }
  set moreFragments(value: boolean) {
    this.setFragmentBits(MORE_FRAGMENTS, value ? MORE_FRAGMENTS : 0);
  }
  /** A multiple of 8. */
  set fragmentBytes(value: number) {
    this.setFragmentBits(FRAGMENT_MASK, value >>> 3);
  }
  set ttl(value: number) {
    this.bytes[this.offset + TTL] = value;
  }
  set protocol(value: number) {
    this.bytes[this.offset + PROTOCOL] = value;
  }
  set checksum(value: number) {
    setU16(this.bytes, this.offset + CHECKSUM, value);
  }
  /** Copies the canonical address at `canonical[from]`, which must be an IPv4 one. */
  writeSource(canonical: Uint8Array, from = 0): void {
    writeIPv4Address(canonical, from, this.bytes, this.offset + SOURCE);
  }
  writeDestination(canonical: Uint8Array, from = 0): void {
    writeIPv4Address(canonical, from, this.bytes, this.offset + DESTINATION);
  }
  /** Computes the header's checksum; the last thing to do. */
  fillChecksum(): void {
    this.checksum = 0;
    this.checksum = checksumOf(this.bytes, this.offset, this.offset + this.headerBytes);
  }

  // Plain values.

  toPlain(): PlainIPv4 {
    return {
      headerBytes: this.headerBytes,
      dscp: this.dscp,
      ecn: this.ecn,
      totalBytes: this.totalBytes,
      identification: this.identification,
      dontFragment: this.dontFragment,
      moreFragments: this.moreFragments,
      fragmentBytes: this.fragmentBytes,
      ttl: this.ttl,
      protocol: this.protocol,
      checksum: this.checksum,
      source: formatHost(canonicalOf(this.bytes, this.sourceAt, 4)),
      destination: formatHost(canonicalOf(this.bytes, this.destinationAt, 4)),
    };
  }

  private setFragmentBits(mask: number, value: number): void {
    const at = this.offset + FLAGS_FRAGMENT;
    setU16(this.bytes, at, (u16(this.bytes, at) & ~mask) | (value & mask));
  }
}

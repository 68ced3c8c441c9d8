/** The UDP header (RFC 768; over IPv6 RFC 8200 8.1). */

import { finish, sumOf } from './checksum.ts';
import { CUT, type Header, NOTHING, SHORT, setU16, u16, WHOLE, WRONG } from './header.ts';

// Offsets.
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;
export const UDP_BYTES = 8;

/** UDP as plain values. */
export interface PlainUdp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly totalBytes: number;
  readonly checksum: number;
}

export class UdpHeader implements Header {
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

  /** Not of the checksum, which needs the addresses. A length of 0 (jumbograms, RFC 2675) is `WRONG`. */
  check(): number {
    const room = this.end - this.offset;
    if (room < UDP_BYTES) return SHORT;
    const total = u16(this.bytes, this.offset + LENGTH);
    if (total < UDP_BYTES) return WRONG;
    return total > room ? CUT : WHOLE;
  }

  /** Whether the sender computed a checksum. Over IPv4 it need not; over IPv6 a datagram without one is dropped. */
  get hasChecksum(): boolean {
    return this.checksum !== 0;
  }
  /**
   * Whether the checksum is right; false where there is none.
   *
   * @param pseudoSum `pseudoSum(PROTOCOL_UDP, udp.totalBytes)` of the IP header
   */
  checksumHolds(pseudoSum: number): boolean {
    return this.hasChecksum && finish(sumOf(this.bytes, this.offset, this.payloadEnd, pseudoSum)) === 0;
  }

  // Getters.

  get sourcePort(): number {
    return u16(this.bytes, this.offset + SOURCE_PORT);
  }
  get destinationPort(): number {
    return u16(this.bytes, this.offset + DESTINATION_PORT);
  }
  /** Bytes of header and payload. */
  get totalBytes(): number {
    return u16(this.bytes, this.offset + LENGTH);
  }
  get checksum(): number {
    return u16(this.bytes, this.offset + CHECKSUM);
  }
  get payloadOffset(): number {
    return this.offset + UDP_BYTES;
  }
  /** Where the payload ends: by the header's length, or earlier where it was cut. */
  get payloadEnd(): number {
    return Math.min(this.offset + this.totalBytes, this.end);
  }

  // Setters.

  set sourcePort(value: number) {
    setU16(this.bytes, this.offset + SOURCE_PORT, value);
  }
  set destinationPort(value: number) {
    setU16(this.bytes, this.offset + DESTINATION_PORT, value);
  }
  set totalBytes(value: number) {
    setU16(this.bytes, this.offset + LENGTH, value);
  }
  set checksum(value: number) {
    setU16(this.bytes, this.offset + CHECKSUM, value);
  }
  /** Computes the checksum over header and payload, which must be complete. A checksum of 0 is written as 0xffff. */
  fillChecksum(pseudoSum: number): void {
    this.checksum = 0;
    const checksum = finish(sumOf(this.bytes, this.offset, this.payloadEnd, pseudoSum));
    this.checksum = checksum === 0 ? 0xffff : checksum;
  }

  // Plain values.

  toPlain(): PlainUdp {
    return {
      sourcePort: this.sourcePort,
      destinationPort: this.destinationPort,
      totalBytes: this.totalBytes,
      checksum: this.checksum,
    };
  }
}

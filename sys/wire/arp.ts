/** An ARP packet of Ethernet and IPv4 (RFC 826). Other kinds of ARP are `WRONG`: there are none any more. */

import { formatHost } from '../address.ts';
import { canonicalOf, readIPv4Address, writeIPv4Address } from './canonical.ts';
import { formatMac, MAC_BYTES } from './ethernet.ts';
import { type Header, NOTHING, SHORT, setU16, u16, WHOLE, WRONG } from './header.ts';
import { ETHERTYPE_IPV4 } from './numbers.ts';

// Offsets.
const HARDWARE = 0;
const PROTOCOL = 2;
const HARDWARE_BYTES = 4;
const PROTOCOL_BYTES = 5;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;
export const ARP_BYTES = 28;

const HARDWARE_ETHERNET = 1;
const IPV4_ADDRESS_BYTES = 4;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

/** ARP as plain values. */
export interface PlainArp {
  readonly operation: number;
  readonly senderMac: string;
  readonly sender: string;
  readonly targetMac: string;
  readonly target: string;
}

export class ArpPacket implements Header {
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

  check(): number {
    if (this.end - this.offset < ARP_BYTES) return SHORT;
    return u16(this.bytes, this.offset + HARDWARE) === HARDWARE_ETHERNET &&
      u16(this.bytes, this.offset + PROTOCOL) === ETHERTYPE_IPV4 &&
      this.bytes[this.offset + HARDWARE_BYTES] === MAC_BYTES &&
      this.bytes[this.offset + PROTOCOL_BYTES] === IPV4_ADDRESS_BYTES
      ? WHOLE
      : WRONG;
  }

  // Getters.

  /** `ARP_REQUEST`, `ARP_REPLY`, or one of the others, which nobody needs. */
  get operation(): number {
    return u16(this.bytes, this.offset + OPERATION);
  }
  get senderMacAt(): number {
    return this.offset + SENDER_MAC;
  }
  get senderAt(): number {
    return this.offset + SENDER_IP;
  }
  get targetMacAt(): number {
    return this.offset + TARGET_MAC;
  }
  get targetAt(): number {
    return this.offset + TARGET_IP;
  }
  /** Fills the canonical address at `canonical[to]` with the sender's, port 0. */
  readSender(canonical: Uint8Array, to: number): void {
    readIPv4Address(this.bytes, this.offset + SENDER_IP, 0, canonical, to);
  }
  readTarget(canonical: Uint8Array, to: number): void {
    readIPv4Address(this.bytes, this.offset + TARGET_IP, 0, canonical, to);
  }

  // Setters.

  /** Writes what is the same in every ARP packet, and zeros everywhere else. */
  clear(): this {
    this.bytes.fill(0, this.offset, this.offset + ARP_BYTES);
    setU16(this.bytes, this.offset + HARDWARE, HARDWARE_ETHERNET);
    setU16(this.bytes, this.offset + PROTOCOL, ETHERTYPE_IPV4);
    this.bytes[this.offset + HARDWARE_BYTES] = MAC_BYTES;
    this.bytes[this.offset + PROTOCOL_BYTES] = IPV4_ADDRESS_BYTES;
    return this;
  }
  set operation(value: number) {
    setU16(this.bytes, this.offset + OPERATION, value);
  }
  /** Copies the six bytes at `mac[at]`. */
  writeSenderMac(mac: Uint8Array, at = 0): void {
    for (let i = 0; i < MAC_BYTES; i++) this.bytes[this.offset + SENDER_MAC + i] = mac[at + i]!;
  }
  writeTargetMac(mac: Uint8Array, at = 0): void {
    for (let i = 0; i < MAC_BYTES; i++) this.bytes[this.offset + TARGET_MAC + i] = mac[at + i]!;
  }
  /** Copies the canonical address at `canonical[from]`, which must be an IPv4 one. */
  writeSender(canonical: Uint8Array, from = 0): void {
    writeIPv4Address(canonical, from, this.bytes, this.offset + SENDER_IP);
  }
  writeTarget(canonical: Uint8Array, from = 0): void {
    writeIPv4Address(canonical, from, this.bytes, this.offset + TARGET_IP);
  }

  // Plain values.

  toPlain(): PlainArp {
    return {
      operation: this.operation,
      senderMac: formatMac(this.bytes, this.senderMacAt),
      sender: formatHost(canonicalOf(this.bytes, this.senderAt, 4)),
      targetMac: formatMac(this.bytes, this.targetMacAt),
      target: formatHost(canonicalOf(this.bytes, this.targetAt, 4)),
    };
  }
}

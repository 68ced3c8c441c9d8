/**
 * The Ethernet II header, with the VLAN tags behind it walked over (IEEE 802.3, 802.1Q, 802.1ad).
 *
 * `check()` finds `payloadType` and `payloadOffset`: those of what lies behind the last tag. `vlan.ts` reads the tags.
 */

import { CUT, type Header, NOTHING, SHORT, setU16, u16, WHOLE } from './header.ts';
import { ETHERTYPE_VLAN, ETHERTYPE_VLAN_OLD, ETHERTYPE_VLAN_OUTER } from './numbers.ts';

// Offsets.
const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;
/** Bytes of the header without tags. */
export const ETHERNET_BYTES = 14;
export const MAC_BYTES = 6;
/** Bytes of one VLAN tag. */
export const VLAN_TAG_BYTES = 4;
/** Tags that are walked over. Two are usual (a provider's and a customer's); a frame of nothing but tags must cost little. */
export const VLAN_TAGS_MAX = 4;

/** Ethernet as plain values. */
export interface PlainEthernet {
  readonly destination: string;
  readonly source: string;
  /** As in the header: that of the first tag where there are tags. */
  readonly type: number;
  readonly tagCount: number;
  /** Behind the tags. */
  readonly payloadType: number;
}

export class EthernetHeader implements Header {
  bytes: Uint8Array = NOTHING;
  offset = 0;
  end = 0;
  /** What `check()` found: type and offset behind the tags, and how many tags there are. */
  payloadType = 0;
  payloadOffset = 0;
  tagCount = 0;

  wrap(bytes: Uint8Array, offset: number, end: number): this {
    this.bytes = bytes;
    this.offset = offset;
    this.end = end;
    return this;
  }

  // Check.

  /**
   * `CUT` where the bytes end within a tag, or there are more than `VLAN_TAGS_MAX`: `payloadType` is then a tag's, which
   * nobody takes for a protocol. The payload's length is not told by Ethernet; short frames are padded to 60 bytes.
   */
  check(): number {
    if (this.end - this.offset < ETHERNET_BYTES) return SHORT;
    let type = u16(this.bytes, this.offset + TYPE);
    let at = this.offset + ETHERNET_BYTES;
    let tags = 0;
    while (isVlanType(type) && tags < VLAN_TAGS_MAX && at + VLAN_TAG_BYTES <= this.end) {
      type = u16(this.bytes, at + 2);
      at += VLAN_TAG_BYTES;
      tags++;
    }
    this.payloadType = type;
    this.payloadOffset = at;
    this.tagCount = tags;
    return isVlanType(type) ? CUT : WHOLE;
  }

  // Getters.

  get destinationAt(): number {
    return this.offset + DESTINATION;
  }
  get sourceAt(): number {
    return this.offset + SOURCE;
  }
  /** The type in the header itself; `payloadType` is what most readers want. */
  get type(): number {
    return u16(this.bytes, this.offset + TYPE);
  }
  /** Whether the frame is for many: broadcast or multicast. */
  get isGroup(): boolean {
    return (this.bytes[this.offset + DESTINATION]! & 1) !== 0;
  }
  /** Where tag number `index` (from 0) lies, for `VlanTag.wrap`. */
  tagAt(index: number): number {
    return this.offset + ETHERNET_BYTES + index * VLAN_TAG_BYTES;
  }

  // Setters.

  set type(value: number) {
    setU16(this.bytes, this.offset + TYPE, value);
  }
  /** Copies the six bytes at `mac[at]`. */
  writeDestination(mac: Uint8Array, at = 0): void {
    for (let i = 0; i < MAC_BYTES; i++) this.bytes[this.offset + DESTINATION + i] = mac[at + i]!;
  }
  writeSource(mac: Uint8Array, at = 0): void {
    for (let i = 0; i < MAC_BYTES; i++) this.bytes[this.offset + SOURCE + i] = mac[at + i]!;
  }

  // Plain values.

  toPlain(): PlainEthernet {
    return {
      destination: formatMac(this.bytes, this.destinationAt),
      source: formatMac(this.bytes, this.sourceAt),
      type: this.type,
      tagCount: this.tagCount,
      payloadType: this.payloadType,
    };
  }
}

/** Whether an EtherType announces a VLAN tag. */
export function isVlanType(type: number): boolean {
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_VLAN_OUTER || type === ETHERTYPE_VLAN_OLD;
}

/** `aa:bb:cc:dd:ee:ff`. */
export function formatMac(bytes: Uint8Array, at = 0): string {
  return Array.from(bytes.subarray(at, at + MAC_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The six bytes of `aa:bb:cc:dd:ee:ff` (or with dashes); null when the text is something else. */
export function parseMac(text: string): Uint8Array | null {
  if (!/^[0-9a-f]{1,2}([:-][0-9a-f]{1,2}){5}$/i.test(text)) return null;
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

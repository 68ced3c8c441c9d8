/** A VLAN tag (IEEE 802.1Q): the four bytes behind an EtherType of a tag. `EthernetHeader.tagAt` says where one lies. */

import { VLAN_TAG_BYTES } from './ethernet.ts';
import { type Header, NOTHING, SHORT, setU16, u16, WHOLE } from './header.ts';

// Offsets.
const CONTROL = 0;
const TYPE = 2;

const PRIORITY_SHIFT = 13;
const DROP_ELIGIBLE = 0x1000;
const ID_MASK = 0x0fff;

/** A tag as plain values. */
export interface PlainVlan {
  readonly priority: number;
  readonly dropEligible: boolean;
  readonly id: number;
  readonly type: number;
}

export class VlanTag implements Header {
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
    return this.end - this.offset < VLAN_TAG_BYTES ? SHORT : WHOLE;
  }

  // Getters.

  /** Class of traffic, 0 to 7. */
  get priority(): number {
    return u16(this.bytes, this.offset + CONTROL) >>> PRIORITY_SHIFT;
  }
  /** Whether it is to be dropped before others under congestion. */
  get dropEligible(): boolean {
    return (u16(this.bytes, this.offset + CONTROL) & DROP_ELIGIBLE) !== 0;
  }
  /** Number of the VLAN, 0 to 4,095; 0 means that the tag is for its priority only. */
  get id(): number {
    return u16(this.bytes, this.offset + CONTROL) & ID_MASK;
  }
  /** Type of what follows: another tag's, or the payload's. */
  get type(): number {
    return u16(this.bytes, this.offset + TYPE);
  }

  // Setters.

  set priority(value: number) {
    this.setControl(7 << PRIORITY_SHIFT, value << PRIORITY_SHIFT);
  }
  set dropEligible(value: boolean) {
    this.setControl(DROP_ELIGIBLE, value ? DROP_ELIGIBLE : 0);
  }
  set id(value: number) {
    this.setControl(ID_MASK, value);
  }
  set type(value: number) {
    setU16(this.bytes, this.offset + TYPE, value);
  }

  // Plain values.

  toPlain(): PlainVlan {
    return { priority: this.priority, dropEligible: this.dropEligible, id: this.id, type: this.type };
  }

  private setControl(mask: number, value: number): void {
    const at = this.offset + CONTROL;
    setU16(this.bytes, at, (u16(this.bytes, at) & ~mask) | (value & mask));
  }
}

/**
 * Datagrams that Node has read and nobody has asked for yet: the receive buffer that a kernel would keep.
 *
 * One byte array that starts small and grows up to its bound. Records lie one behind the other:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | payload bytes |
 * | 4 | 24 | sender, canonical |
 * | 28 | n | payload, then up to 3 spare bytes |
 */

import { ADDRESS_BYTES } from '../address.ts';
import type { DatagramBatch } from '../api.ts';

const HEADER_BYTES: number = 4 + ADDRESS_BYTES;
const FIRST_BYTES = 8192;

/** A bounded queue of datagrams: full means dropped, as in a kernel. */
export class InboundQueue {
  /** Datagrams held. */
  count = 0;
  private bytes = new Uint8Array(FIRST_BYTES);
  private view = new DataView(this.bytes.buffer);
  private head = 0;
  private tail = 0;
  private readonly boundBytes: number;

  /** @param boundBytes most bytes held, headers counted; one datagram always fits into an empty queue */
  constructor(boundBytes: number) {
    this.boundBytes = boundBytes;
  }

  /**
   * Takes a copy of a datagram; false when there is no room for it.
   *
   * @param sender the sender's canonical bytes
   */
  push(payload: Uint8Array, sender: Uint8Array): boolean {
    const need = (HEADER_BYTES + payload.length + 3) & ~3;
    if (this.count > 0 && this.tail - this.head + need > this.boundBytes) return false;
    if (this.tail + need > this.bytes.length) this.makeRoom(need);
    this.view.setUint32(this.tail, payload.length, true);
    this.bytes.set(sender, this.tail + 4);
    this.bytes.set(payload, this.tail + HEADER_BYTES);
    this.tail += need;
    this.count++;
    return true;
  }

  /** Moves the first datagram to `slot` of `batch`, whose slots are as large as any datagram pushed; false when empty. */
  shiftInto(batch: DatagramBatch, slot: number): boolean {
    if (this.count === 0) return false;
    const { bytes, head } = this;
    const length = this.view.getUint32(head, true);
    const start = head + HEADER_BYTES;
    const home = batch.home(slot);
    batch.offset[slot] = home;
    batch.length[slot] = length;
    batch.address.set(bytes.subarray(head + 4, start), slot * ADDRESS_BYTES);
    batch.arena.set(bytes.subarray(start, start + length), home);
    this.head = head + ((HEADER_BYTES + length + 3) & ~3);
    this.count--;
    if (this.count === 0) this.clear();
    return true;
  }

  /** Forgets everything. */
  clear(): void {
    this.count = 0;
    this.head = 0;
    this.tail = 0;
  }

  /** Moves what is held to the front, into a larger array where it must be. */
  private makeRoom(need: number): void {
    const held = this.tail - this.head;
    let size = this.bytes.length;
    while (size < held + need) size *= 2;
    if (size === this.bytes.length) {
      this.bytes.copyWithin(0, this.head, this.tail);
    } else {
      const larger = new Uint8Array(size);
      larger.set(this.bytes.subarray(this.head, this.tail));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.head = 0;
    this.tail = held;
  }
}

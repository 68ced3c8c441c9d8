/**
 * What was sent and what became of it: for each connection a ring of packets by number, side by side in shared columns.
 *
 * Number n of a connection lies in slot `base + (n & (size - 1))` while n >= next - size. A ring holds at least every number
 * from the oldest packet in flight on; it doubles when that is not enough, and is 8 slots again when nothing is in flight.
 * **Slots move when a ring grows**: one is good until the connection's next `record` or `skip`. **Columns are replaced when
 * they grow**: read them from here each time.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { Regions } from '../regions.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';

/** States of a number. Never sent as a payload packet (a keep-alive's): no ack may cover it. */
export const PACKET_NONE = 0;
export const PACKET_IN_FLIGHT = 1;
export const PACKET_ACKED = 2;
export const PACKET_LOST = 3;
/** Left out on purpose: no ack may cover it. */
export const PACKET_SKIPPED = 4;
/** Sent, but not ack-eliciting: not in flight and never lost, though an ack of it may come. */
export const PACKET_SILENT = 5;
/** Declared lost, then acked all the same. */
export const PACKET_SPURIOUS = 6;
/** The ring was too small to hold what it was. */
export const PACKET_FORGOTTEN = 7;

/** Numbers that may lie beyond the newest acked one (PROTOCOL.md, section 2, ack): 16 bits stay unambiguous. */
export const UNACKED_MAX = 32_768;
/** Rings of 8 slots: what an idle connection costs is half a KiB. */
const RING_LOG2_MIN = 3;
/** Twice UNACKED_MAX: below the newest acked number some may still be undecided, and keep-alives use numbers without asking. */
const RING_LOG2_MAX = 16;

/** Takes back the frames of packets that will have no fate, because their connection ends. */
export interface FramesSink {
  framesDropped(c: number, frames: number): void;
}

export class SentPackets {
  /** Columns by slot. The packet's number, -1 for one that was not recorded. */
  number: Float64Array = new Float64Array(0);
  sentAt: Float64Array = new Float64Array(0);
  bytes: Uint16Array = new Uint16Array(0);
  state: Uint8Array = new Uint8Array(0);
  eliciting: Uint8Array = new Uint8Array(0);
  /** Head of the list of what the packet carried, which the caller owns; -1: nothing. */
  frames: Int32Array = new Int32Array(0);
  /** Newest number that the ack in the packet reported, -1: it had none. */
  ackNewest: Float64Array = new Float64Array(0);
  /** Kept here for congestion control, which writes them after each `record`; until then they hold anything. */
  deliveredBytes: Float64Array = new Float64Array(0);
  deliveredAt: Float64Array = new Float64Array(0);
  firstSentAt: Float64Array = new Float64Array(0);
  appLimited: Uint8Array = new Uint8Array(0);

  /** Columns by connection. The first number that was recorded, and the least that the next record may have; -1: none yet. */
  readonly first: Float64Array;
  readonly next: Float64Array;
  /** Every packet below has its fate. */
  readonly oldest: Float64Array;
  /** -1: none yet. */
  readonly largestAcked: Float64Array;
  readonly inFlightBytes: Float64Array;
  readonly inFlightPackets: Int32Array;
  /** When the last ack-eliciting packet was sent. */
  readonly lastElicitingAt: Float64Array;
  /** Newest number that no ack may cover, -1: none. */
  readonly newestHole: Float64Array;
  /** Where the ring starts, and the log2 of its size; no ring before the first record. */
  readonly base: Int32Array;
  readonly log2: Uint8Array;
  /** First number of the present flight: what `canSend` counts from when nothing of it is acked. */
  readonly #flightFrom: Float64Array;
  readonly #regions: Regions;

  constructor(connections: number) {
    this.first = new Float64Array(connections).fill(-1);
    this.next = new Float64Array(connections).fill(-1);
    this.oldest = new Float64Array(connections).fill(-1);
    this.largestAcked = new Float64Array(connections).fill(-1);
    this.inFlightBytes = new Float64Array(connections);
    this.inFlightPackets = new Int32Array(connections);
    this.lastElicitingAt = new Float64Array(connections);
    this.newestHole = new Float64Array(connections).fill(-1);
    this.base = new Int32Array(connections).fill(-1);
    this.log2 = new Uint8Array(connections);
    this.#flightFrom = new Float64Array(connections).fill(-1);
    this.#regions = new Regions((slots) => this.#resize(slots));
  }

  /** Slots of the connection's ring. 0: it has none. */
  ringSlots(c: number): number {
    return this.base[c]! < 0 ? 0 : 1 << this.log2[c]!;
  }

  /** Forgets the connection. The lists of all packets without a fate are handed out, in order of number. */
  clear(c: number, sink: FramesSink): void {
    const base = this.base[c]!;
    if (base >= 0) {
      const mask = (1 << this.log2[c]!) - 1;
      const undecided = this.next[c]! - this.oldest[c]!;
      const start = this.oldest[c]! & mask;
      for (let i = 0; i < undecided; i++) {
        const slot = base + ((start + i) & mask);
        const frames = this.frames[slot]!;
        if (this.state[slot] === PACKET_IN_FLIGHT && frames >= 0) {
          this.frames[slot] = -1;
          sink.framesDropped(c, frames);
        }
      }
      this.#regions.give(base, this.log2[c]!);
    }
    this.base[c] = -1;
    this.log2[c] = 0;
    this.first[c] = -1;
    this.next[c] = -1;
    this.oldest[c] = -1;
    this.largestAcked[c] = -1;
    this.inFlightBytes[c] = 0;
    this.inFlightPackets[c] = 0;
    this.lastElicitingAt[c] = 0;
    this.newestHole[c] = -1;
    this.#flightFrom[c] = -1;
  }

  /** Writes down which numbers were used. Nothing may be in flight. */
  save(c: number, writer: ByteWriter): void {
    saveRow(writer, c, this.#marks);
  }

  /** Reads what `save` wrote, of a connection that was cleared: acks of what another endpoint has sent are no news. */
  load(c: number, reader: ByteReader): void {
    loadRow(reader, c, this.#marks);
    if (this.first[c]! < 0) return;
    this.base[c] = this.#takeRing(RING_LOG2_MIN);
    this.log2[c] = RING_LOG2_MIN;
    this.oldest[c] = this.next[c]!;
  }

  get #marks(): Float64Array[] {
    return [this.first, this.next, this.largestAcked, this.newestHole, this.lastElicitingAt];
  }

  /** When the oldest packet without a fate was sent; NEVER: there is none. */
  oldestSentAt(c: number): Micros {
    if (this.inFlightPackets[c] === 0) return NEVER;
    return this.sentAt[this.base[c]! + (this.oldest[c]! & ((1 << this.log2[c]!) - 1))]!;
  }

  /** False while 32,768 numbers lie beyond the newest acked one (before an ack: beyond the first of this flight). */
  canSend(c: number): boolean {
    if (this.inFlightPackets[c] === 0) return true;
    return this.next[c]! - 1 - Math.max(this.largestAcked[c]!, this.#flightFrom[c]!) < UNACKED_MAX;
  }

  /**
   * Keeps a packet that was just written.
   *
   * @param bytes what congestion control counts for it
   * @param frames head of the caller's list, -1: none. A packet that is not ack-eliciting has none
   * @param ackNewestCell element 0: `AckTracker.reported`, -1: the packet has no ack
   * @param numberCell element 0: its number, above all before it. Numbers passed over were not payload packets
   * @returns its slot; -1 when 65,536 numbers lie behind one that is in flight, which `canSend` allows only when the netcode
   *   used half of them up: nothing is kept then, the frames stay the caller's, and the connection should end
   */
  record(
    c: number,
    bytes: number,
    eliciting: boolean,
    frames: number,
    ackNewestCell: Float64Array,
    numberCell: Float64Array,
    now: Micros,
  ): number {
    if (!eliciting && frames >= 0) throw new Error('a packet that carries frames to be acked must ask for an ack');
    const slot = this.#place(c, numberCell);
    if (slot < 0) return -1;
    this.number[slot] = numberCell[0]!;
    this.sentAt[slot] = now;
    this.bytes[slot] = bytes;
    this.frames[slot] = frames;
    this.ackNewest[slot] = ackNewestCell[0]!;
    if (eliciting) {
      if (this.inFlightPackets[c] === 0) this.#flightFrom[c] = numberCell[0]!;
      this.eliciting[slot] = 1;
      this.state[slot] = PACKET_IN_FLIGHT;
      this.inFlightBytes[c]! += bytes;
      this.inFlightPackets[c]!++;
      this.lastElicitingAt[c] = now;
    } else {
      this.eliciting[slot] = 0;
      this.state[slot] = PACKET_SILENT;
      if (this.inFlightPackets[c] === 0) this.oldest[c] = this.next[c]!;
    }
    return slot;
  }

  /** Notes that the number in the cell was left out on purpose. */
  skip(c: number, numberCell: Float64Array): void {
    const slot = this.#place(c, numberCell);
    if (slot < 0) return;
    this.#mark(slot, PACKET_SKIPPED);
    this.newestHole[c] = numberCell[0]!;
    if (this.inFlightPackets[c] === 0) this.oldest[c] = this.next[c]!;
  }

  /** The slot that a new number gets; those between the last one and it become NONE. */
  #place(c: number, numberCell: Float64Array): number {
    const number = numberCell[0]!;
    if (this.base[c]! < 0) {
      this.base[c] = this.#takeRing(RING_LOG2_MIN);
      this.log2[c] = RING_LOG2_MIN;
      this.first[c] = number;
      this.next[c] = number;
    }
    if (!(number >= this.next[c]!)) throw new Error('packet numbers must rise');
    // Everything sent so far has its fate: the ring need not reach down to it.
    if (this.inFlightPackets[c] === 0) this.oldest[c] = number;
    const span = number - this.oldest[c]! + 1;
    if (span > 1 << this.log2[c]!) {
      if (span > 1 << RING_LOG2_MAX) return -1;
      let log2 = this.log2[c]!;
      while (1 << log2 < span) log2++;
      this.#moveRing(c, log2);
    }
    const base = this.base[c]!;
    const mask = (1 << this.log2[c]!) - 1;
    const index = number & mask;
    if (number > this.next[c]!) {
      const holes = Math.min(number - this.next[c]!, mask);
      for (let back = 1; back <= holes; back++) this.#mark(base + ((index - back) & mask), PACKET_NONE);
      this.newestHole[c] = number - 1;
    }
    this.next[c] = number + 1;
    return base + index;
  }

  #mark(slot: number, state: number): void {
    this.number[slot] = -1;
    this.state[slot] = state;
    this.eliciting[slot] = 0;
    this.frames[slot] = -1;
    this.ackNewest[slot] = -1;
  }

  /** Gives an idle connection's ring back but for 8 slots. Called when fates have been decided. */
  shrinkIfIdle(c: number): void {
    if (this.inFlightPackets[c] === 0 && this.log2[c]! > RING_LOG2_MIN) this.#moveRing(c, RING_LOG2_MIN);
  }

  #takeRing(log2: number): number {
    const base = this.#regions.take(log2);
    for (let slot = base; slot < base + (1 << log2); slot++) this.#mark(slot, PACKET_FORGOTTEN);
    return base;
  }

  /** Gives the connection a ring of another size, with as many of the newest numbers as both hold. */
  #moveRing(c: number, log2: number): void {
    const base = this.#takeRing(log2);
    const mask = (1 << log2) - 1;
    const oldBase = this.base[c]!;
    const oldMask = (1 << this.log2[c]!) - 1;
    const last = (this.next[c]! - 1) & ((1 << RING_LOG2_MAX) - 1);
    for (let back = 0; back <= mask && back <= oldMask; back++) {
      this.#copy(oldBase + ((last - back) & oldMask), base + ((last - back) & mask));
    }
    this.#regions.give(oldBase, this.log2[c]!);
    this.base[c] = base;
    this.log2[c] = log2;
  }

  #copy(from: number, to: number): void {
    this.number[to] = this.number[from]!;
    this.sentAt[to] = this.sentAt[from]!;
    this.bytes[to] = this.bytes[from]!;
    this.state[to] = this.state[from]!;
    this.eliciting[to] = this.eliciting[from]!;
    this.frames[to] = this.frames[from]!;
    this.ackNewest[to] = this.ackNewest[from]!;
    this.deliveredBytes[to] = this.deliveredBytes[from]!;
    this.deliveredAt[to] = this.deliveredAt[from]!;
    this.firstSentAt[to] = this.firstSentAt[from]!;
    this.appLimited[to] = this.appLimited[from]!;
  }

  #resize(slots: number): void {
    this.number = longerFloats(this.number, slots);
    this.sentAt = longerFloats(this.sentAt, slots);
    this.ackNewest = longerFloats(this.ackNewest, slots);
    this.deliveredBytes = longerFloats(this.deliveredBytes, slots);
    this.deliveredAt = longerFloats(this.deliveredAt, slots);
    this.firstSentAt = longerFloats(this.firstSentAt, slots);
    this.state = longerBytes(this.state, slots);
    this.eliciting = longerBytes(this.eliciting, slots);
    this.appLimited = longerBytes(this.appLimited, slots);
    const bytes = new Uint16Array(slots);
    bytes.set(this.bytes);
    this.bytes = bytes;
    const frames = new Int32Array(slots);
    frames.set(this.frames);
    this.frames = frames;
  }
}

function longerFloats(column: Float64Array, slots: number): Float64Array {
  const longer = new Float64Array(slots);
  longer.set(column);
  return longer;
}

function longerBytes(column: Uint8Array, slots: number): Uint8Array {
  const longer = new Uint8Array(slots);
  longer.set(column);
  return longer;
}

/**
 * One packet's payload, front to back: ack, what must be told, real-time messages, what rides along, bulk, the clock.
 */

import type { DatagramBatch, Micros } from '../sys/api.ts';
import { NEVER } from '../sys/api.ts';
import { END } from './channel/carried.ts';
import type { Outgoing } from './channel/outgoing.ts';
import { Packer } from './channel/packer.ts';
import { PacketWriter } from './channel/packet-writer.ts';
import type { ControlFrames } from './control-frames.ts';
import type { FrameCounts } from './frame-counts.ts';
import type { AckTracker } from './recovery/ack-tracker.ts';
import type { PeerClock } from './recovery/peer-clock.ts';

/** What a packet is for; `build` is given a sum of them. */
export const FOR_ACK = 1;
export const FOR_REAL_TIME = 2;
export const FOR_BULK = 4;
export const FOR_PROBE = 8;
export const FOR_COPIES = 16;
export const FOR_CONTROL = 32;

export class PacketBuilder {
  readonly packer: Packer;
  /** Of the packet built last: whether it asks for an ack, and the newest number that its ack reports (-1: it has none). */
  eliciting = false;
  readonly ackNewest: Float64Array = new Float64Array(1);
  /** Where frames are counted by connection; null: nowhere. */
  counts: FrameCounts | null = null;
  readonly #writer: PacketWriter = new PacketWriter();
  readonly #outgoing: Outgoing;
  readonly #control: ControlFrames;
  readonly #tracker: AckTracker;
  readonly #clock: PeerClock;

  constructor(connections: number, outgoing: Outgoing, control: ControlFrames, tracker: AckTracker, clock: PeerClock) {
    this.packer = new Packer(connections, outgoing, this.#writer);
    this.#outgoing = outgoing;
    this.#control = control;
    this.#tracker = tracker;
    this.#clock = clock;
  }

  /** Another connection of this number: its counters start at 0. */
  reset(c: number): void {
    this.packer.reset(c);
    this.counts?.reset(c);
  }

  /**
   * Writes the payload at the home of the next slot of `batch` and its length beside it; returns the length, 0 when there was
   * nothing after all. The list of what it carries is `outgoing.carried.building`.
   *
   * @param copies how often small reliable messages are to ride again
   */
  build(c: number, batch: DatagramBatch, reasons: number, copies: number, now: Micros): number {
    const writer = this.#writer;
    const { carried } = this.#outgoing;
    writer.begin(batch);
    this.packer.begin(copies);
    this.#putAck(c, now);
    const afterAck = writer.at;
    const isEmpty = writer.length === 0;
    this.#control.putRiders(c, writer, carried);
    const afterRiders = writer.at;
    if ((reasons & FOR_CONTROL) !== 0) this.#control.put(c, writer, carried);
    const before = writer.at;
    if ((reasons & FOR_REAL_TIME) !== 0) this.packer.putMessages(c, false, now);
    if ((reasons & FOR_PROBE) !== 0) this.packer.putProbe(c, now);
    // A packet that only acks, or only moves a transfer on, does not carry copies: it would ask for acks without end.
    if (writer.at > before || (reasons & FOR_COPIES) !== 0) this.packer.putRiders(c, now);
    if ((reasons & FOR_BULK) !== 0) this.packer.putMessages(c, true, now);
    if (writer.at === afterAck && ((reasons & FOR_PROBE) !== 0 || this.#pingsAcks(c, writer.length))) {
      this.#control.putPing(writer, carried);
    }
    // Riders are no reason for a packet: a lane may be ready, and nothing of it fit the window.
    if (isEmpty && writer.at === afterRiders && (reasons & FOR_PROBE) === 0) return this.#nothing(batch);
    this.eliciting = writer.at > afterAck;
    if (writer.length > 0 && this.#clock.timeDue(c, now)) this.#putTime(c, now);
    batch.length[batch.count] = writer.length;
    if (this.counts !== null) this.counts.addSent(c, writer.bytes, batch.home(batch.count), writer.length);
    return writer.length;
  }

  /** No packet after all. */
  #nothing(batch: DatagramBatch): number {
    const { carried } = this.#outgoing;
    for (let row = carried.building; row !== END; row = carried.free(row));
    carried.building = END;
    this.eliciting = false;
    batch.length[batch.count] = 0;
    return 0;
  }

  /** An ack goes with every packet when there is one to give. */
  #putAck(c: number, now: Micros): void {
    const writer = this.#writer;
    this.ackNewest[0] = -1;
    if (this.#tracker.dueAt[c] === NEVER) return;
    const end = this.#tracker.write(c, writer.bytes, writer.at, writer.end, now);
    if (end === writer.at) return;
    writer.moveTo(end);
    this.ackNewest[0] = this.#tracker.reported[0]!;
  }

  /** Whether this packet, which only acks, is the one in 64 that asks how far it was heard. */
  #pingsAcks(c: number, length: number): boolean {
    return length > 0 && this.#tracker.wantsPing(c);
  }

  #putTime(c: number, now: Micros): void {
    const writer = this.#writer;
    if (writer.room >= TIME_BYTES) writer.moveTo(this.#clock.writeTime(c, writer.bytes, writer.at, now));
  }
}

const TIME_BYTES = 7;

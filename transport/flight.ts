/**
 * What is on its way, and what it teaches: packets sent, their fates, the round trip, loss, and how fast to go on.
 *
 *     ack frame, time -> LossDetector -> each packet acked or lost, once -> Outgoing, ControlFrames (what it carried)
 *                                                                        -> DeliveryRate, BlackHoles
 *                                     -> all of it as one AckSample -> CongestionController -> Pacer
 */

import type { Micros } from '../sys/api.ts';
import { CONTROL, END } from './channel/carried.ts';
import type { Outgoing } from './channel/outgoing.ts';
import { AckSample } from './congestion/ack-sample.ts';
import { CongestionController } from './congestion/controller.ts';
import { DeliveryRate } from './congestion/delivery-rate.ts';
import { Pacer } from './congestion/pacer.ts';
import type { ControlFrames } from './control-frames.ts';
import type { AckTracker } from './recovery/ack-tracker.ts';
import { BlackHoles } from './recovery/black-hole.ts';
import { type FateSink, LossDetector } from './recovery/loss-detector.ts';
import { LossRate } from './recovery/loss-rate.ts';
import { RttEstimator } from './recovery/rtt-estimator.ts';
import { type FramesSink, SentPackets } from './recovery/sent-packets.ts';
import type { FrameCursor } from './wire/frame-cursor.ts';

/** Header and tag of a packet under a number of up to 4 bytes: what a payload costs more than its length. */
const PACKET_OVERHEAD_BYTES = 21;

export class Flight implements FateSink, FramesSink {
  readonly sent: SentPackets;
  readonly rtt: RttEstimator;
  readonly lossRate: LossRate;
  readonly detector: LossDetector;
  readonly controller: CongestionController;
  readonly pacer: Pacer;
  readonly blackHoles: BlackHoles;
  readonly #rate: DeliveryRate;
  readonly #sample: AckSample = new AckSample();
  readonly #outgoing: Outgoing;
  readonly #control: ControlFrames;
  readonly #tracker: AckTracker;
  /** Takes the frames of packets that a restart has lost. */
  readonly #lost: FramesSink = { framesDropped: (c, frames) => this.#framesLost(c, frames) };
  readonly #hasBulk: Uint8Array;
  #bulkConnections = 0;

  constructor(connections: number, outgoing: Outgoing, control: ControlFrames, tracker: AckTracker) {
    this.#outgoing = outgoing;
    this.#control = control;
    this.#tracker = tracker;
    this.sent = new SentPackets(connections);
    this.rtt = new RttEstimator(connections);
    this.lossRate = new LossRate(connections);
    this.detector = new LossDetector(connections, this.sent, this.rtt, this.lossRate);
    this.controller = new CongestionController(connections);
    this.pacer = new Pacer(connections, this.controller);
    this.blackHoles = new BlackHoles(connections);
    this.#rate = new DeliveryRate(connections);
    this.#hasBulk = new Uint8Array(connections);
  }

  /** A connection begins. */
  open(c: number, now: Micros): void {
    this.lossRate.reset(c);
    this.detector.reset(c);
    this.resetPath(c, now);
  }

  /** A connection is over: what its packets carried is forgotten. */
  close(c: number, now: Micros): void {
    this.sent.clear(c, this);
    this.setBulk(c, false, now);
  }

  /** Packets are numbered anew: all that are on their way count as lost, without a word to those who learn from losses. */
  restart(c: number, now: Micros): void {
    this.sent.clear(c, this.#lost);
    this.setBulk(c, false, now);
    this.open(c, now);
  }

  /** Another path: what was learned of the old one is void. */
  resetPath(c: number, now: Micros): void {
    this.rtt.reset(c);
    this.controller.reset(c, now);
    this.#rate.reset(c, now);
    this.pacer.reset(c, now);
    this.blackHoles.reset(c);
  }

  /** Reads an ack frame whose type has been read. @returns the detector's answer */
  onAckFrame(c: number, type: number, cursor: FrameCursor, now: Micros): number {
    this.#sample.clear(now);
    const answer = this.detector.onAck(c, type, cursor, now, this);
    this.#learn(c, now);
    return answer;
  }

  /** Declares lost what is lost by time. */
  onLossTimer(c: number, now: Micros): void {
    this.#sample.clear(now);
    this.detector.onLossTimer(c, now, this);
    this.#learn(c, now);
  }

  /** A packet has been written under `number[0]`, with `length` bytes of payload that carry `outgoing.carried.building`. */
  onSent(
    c: number,
    length: number,
    eliciting: boolean,
    ackNewest: Float64Array,
    number: Float64Array,
    now: Micros,
  ): void {
    const { sent } = this;
    const inFlight = sent.inFlightBytes[c]!;
    const bytes = length + PACKET_OVERHEAD_BYTES;
    const slot = sent.record(c, bytes, eliciting, this.#outgoing.carried.building, ackNewest, number, now);
    if (slot < 0) {
      // The peer has withheld every ack for 65,536 numbers: what this packet carried has no fate.
      this.framesDropped(c, this.#outgoing.carried.building);
      return;
    }
    this.#rate.onSent(c, sent, slot, inFlight, now);
    this.detector.onSent(c);
    this.pacer.onSent(c, bytes, now);
  }

  /** Whether a bulk packet may leave now. `waits`: whether any is there. */
  maySendBulk(c: number, waits: boolean, now: Micros): boolean {
    if (waits !== (this.#hasBulk[c] === 1)) this.setBulk(c, waits, now);
    if (waits) return this.pacer.canSendBulk(c, this.sent.inFlightBytes[c]!, now);
    this.pacer.nextBulkAt[c] = 0;
    return false;
  }

  /** Connections with a bulk transfer under way. */
  get bulkConnections(): number {
    return this.#bulkConnections;
  }

  setBulk(c: number, bulk: boolean, now: Micros): void {
    if (bulk === (this.#hasBulk[c] === 1)) return;
    this.#hasBulk[c] = bulk ? 1 : 0;
    this.#bulkConnections += bulk ? 1 : -1;
    this.controller.bulkActive(c, bulk, now);
    if (!bulk) this.#rate.appLimited(c, this.sent.inFlightBytes[c]!);
  }

  /** FateSink: a packet has arrived, and so has all that it carried. */
  packetAcked(c: number, slot: number): void {
    const { carried } = this.#outgoing;
    const { sent } = this;
    for (let row = sent.frames[slot]!; row !== END; row = carried.free(row)) {
      if (carried.stream[row] === CONTROL) this.#control.onAcked(c, carried.id[row]!, carried.fragment[row]!);
      else this.#outgoing.onAcked(c, row);
    }
    sent.frames[slot] = END;
    this.#tracker.onAckHeard(c, sent, slot);
    if (sent.eliciting[slot] === 0) return;
    this.#rate.onAcked(c, sent, slot, sent.bytes[slot]!, this.#sample);
    this.blackHoles.onAcked(c, sent.bytes[slot]!);
  }

  /** FateSink: a packet is lost; what it carried is due again where it still matters. */
  packetLost(c: number, slot: number): void {
    const { sent } = this;
    this.#framesLost(c, sent.frames[slot]!);
    sent.frames[slot] = END;
    if (this.blackHoles.onLost(c, sent.bytes[slot]!)) this.#outgoing.events.blackHole(c, this.blackHoles.bytes[c]!);
  }

  #framesLost(c: number, frames: number): void {
    const { carried } = this.#outgoing;
    for (let row = frames; row !== END; row = carried.free(row)) {
      if (carried.stream[row] === CONTROL) this.#control.onLost(c, carried.id[row]!, carried.fragment[row]!);
      else this.#outgoing.onLost(c, row);
    }
  }

  /** FramesSink: the packet of this list is forgotten. */
  framesDropped(_c: number, frames: number): void {
    const { carried } = this.#outgoing;
    for (let row = frames; row !== END; row = carried.free(row));
  }

  /** What one look at fates has taught goes to the controller as one sample. */
  #learn(c: number, now: Micros): void {
    const { summary } = this.detector;
    if (summary.ackedPackets + summary.lostPackets === 0) return;
    const sample = this.#sample;
    sample.now = now;
    sample.rttMicros = summary.rttMicros;
    sample.minRttMicros = this.rtt.min[c]!;
    sample.smoothedRttMicros = this.rtt.smoothed[c]!;
    sample.ackedBytes = summary.ackedBytes;
    sample.ackedPackets = summary.ackedPackets;
    sample.lostBytes = summary.lostBytes;
    sample.lostPackets = summary.lostPackets;
    sample.inFlightBytes = this.sent.inFlightBytes[c]!;
    this.#rate.finish(c, sample);
    this.controller.onAck(c, sample);
    if (summary.persistentCongestion) this.controller.onTimeout(c, now);
  }
}

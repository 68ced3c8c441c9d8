/** Two sides that acknowledge each other's packets, each held against its plain form at every step. */

import { expect } from 'vitest';
import { AckTracker } from '../../../transport/recovery/ack-tracker.ts';
import { ACK_OK, type FateSink, LossDetector } from '../../../transport/recovery/loss-detector.ts';
import { LossRate } from '../../../transport/recovery/loss-rate.ts';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';
import { type FramesSink, SentPackets } from '../../../transport/recovery/sent-packets.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import { NaiveSender, NaiveTracker, naiveRanges } from './naive.ts';

/** What is on its way to the other side. */
export interface Flying {
  number: bigint;
  eliciting: boolean;
  ack: Uint8Array;
  ackNewest: bigint;
}

/** Rows of which the test uses one, so that a column that is read with a wrong index shows. */
const ROWS = 3;
export const C = 1;

export class Side implements FateSink, FramesSink {
  readonly number: Float64Array = new Float64Array(1);
  readonly received: Float64Array = new Float64Array(1);
  readonly sent: SentPackets = new SentPackets(ROWS);
  readonly rtt: RttEstimator = new RttEstimator(ROWS);
  readonly rates: LossRate = new LossRate(ROWS);
  readonly detector: LossDetector = new LossDetector(ROWS, this.sent, this.rtt, this.rates);
  readonly tracker: AckTracker = new AckTracker(ROWS, this.received);
  readonly naiveTracker: NaiveTracker = new NaiveTracker();
  readonly naive: NaiveSender = new NaiveSender();
  next: bigint;
  sentFrames = 0;
  readonly flying: Flying[] = [];
  /** Numbers in the order in which the sink heard of them, and every list handed out. */
  readonly acked: bigint[] = [];
  readonly lost: bigint[] = [];
  readonly handedOut: number[] = [];
  readonly #cursor = new FrameCursor();

  constructor(first: bigint) {
    this.next = first;
  }

  packetAcked(c: number, slot: number): void {
    this.acked.push(BigInt(this.sent.number[slot]!));
    this.#take(slot);
    this.tracker.onAckHeard(c, this.sent, slot);
    const heard = this.naive.packets.get(BigInt(this.sent.number[slot]!))!.ackNewest - 32n;
    if (heard > this.naiveTracker.floor) this.naiveTracker.floor = heard;
  }

  packetLost(_c: number, slot: number): void {
    this.lost.push(BigInt(this.sent.number[slot]!));
    this.#take(slot);
  }

  framesDropped(_c: number, frames: number): void {
    this.handedOut.push(frames);
  }

  #take(slot: number): void {
    if (this.sent.frames[slot]! >= 0) this.handedOut.push(this.sent.frames[slot]!);
  }

  /** Uses up a number without a payload packet. */
  keepAlive(): void {
    this.next++;
  }

  skip(): void {
    this.number[0] = Number(this.next++);
    this.sent.skip(C, this.number);
  }

  send(eliciting: boolean, ackRoom: number, now: number): void {
    if (!this.sent.canSend(C)) return;
    const bytes = new Uint8Array(ackRoom);
    const end = this.tracker.write(C, bytes, 0, ackRoom, now);
    const frame = this.naiveTracker.frame(ackRoom, now);
    expect([...bytes.subarray(0, end)]).toEqual(frame?.bytes ?? []);
    const cell = end > 0 ? this.tracker.reported : Float64Array.of(-1);
    expect(cell[0]).toBe(Number(frame?.reported ?? -1n));
    expect(this.tracker.dueAt[C]).toBe(this.naiveTracker.dueAt);
    const number = this.next++;
    this.number[0] = Number(number);
    const frames = eliciting ? this.sentFrames++ : -1;
    const size = 40 + Number(number % 1000n);
    const slot = this.sent.record(C, size, eliciting, frames, cell, this.number, now);
    expect(slot).toBeGreaterThanOrEqual(0);
    if (eliciting) this.detector.onSent(C);
    const ackNewest = BigInt(cell[0]!);
    this.naive.packets.set(number, { number, sentAt: now, bytes: size, eliciting, frames, ackNewest, state: 'open' });
    this.flying.push({ number, eliciting, ack: bytes.slice(0, end), ackNewest: this.naiveTracker.newest });
    this.checkFlight();
  }

  /** Takes a packet of the other side. */
  receive(packet: Flying, now: number): void {
    if (packet.ack.length > 0) this.#readAck(packet, now);
    this.received[0] = Number(packet.number);
    this.tracker.onPacket(C, packet.eliciting, now);
    this.naiveTracker.onPacket(packet.number, packet.eliciting, now);
    expect(this.tracker.dueAt[C]).toBe(this.naiveTracker.dueAt);
  }

  #readAck(packet: Flying, now: number): void {
    const [base, slots] = [this.sent.base[C]!, this.sent.ringSlots(C)];
    const held = new Set([...this.sent.number.subarray(base, base + slots)].map(BigInt));
    const ranges = naiveRanges(packet.ack, packet.ackNewest);
    const fresh = this.naive.acked(ranges, (number) => held.has(number));
    this.#forget();
    this.#cursor.wrap(packet.ack, 1, packet.ack.length - 1);
    expect(this.detector.onAck(C, packet.ack[0]!, this.#cursor, now, this)).toBe(ACK_OK);
    expect(this.#cursor.remaining).toBe(0);
    expect(this.acked).toEqual(fresh.map(({ number }) => number));
    const counted = fresh.filter(({ eliciting }) => eliciting);
    expect(this.detector.summary.ackedPackets).toBe(counted.length);
    expect(this.detector.summary.ackedBytes).toBe(counted.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(this.detector.spuriousPackets[C]).toBe(this.naive.spurious);
    if (fresh.length > 0) this.#checkLost(now);
    this.checkFlight();
  }

  lossTimer(now: number): void {
    if (this.detector.lossAt[C]! > now) return;
    this.#forget();
    this.detector.onLossTimer(C, now, this);
    this.#checkLost(now);
    this.checkFlight();
  }

  #forget(): void {
    this.acked.length = 0;
    this.lost.length = 0;
  }

  #checkLost(now: number): void {
    const { lost, next } = this.naive.lost(this.rtt.longerMicros(C), now);
    expect(this.lost).toEqual(lost.map(({ number }) => number));
    expect(this.detector.summary.lostBytes).toBe(lost.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(this.detector.lossAt[C]).toBe(next);
  }

  checkFlight(): void {
    const open = this.naive.inFlight;
    expect(this.sent.inFlightPackets[C]).toBe(open.length);
    expect(this.sent.inFlightBytes[C]).toBe(open.reduce((sum, { bytes }) => sum + bytes, 0));
    if (open.length > 0) expect(BigInt(this.sent.oldest[C]!)).toBe(open[0]!.number);
    else expect(this.sent.oldest[C]).toBe(this.sent.next[C]);
    expect(this.detector.probeAt[C]! < Number.MAX_SAFE_INTEGER).toBe(open.length > 0);
    // What is settled need not be looked at again by the plain form, except the last that may come late.
    if (this.naive.packets.size > 6000) {
      for (const packet of this.naive.packets.values()) {
        if (packet.state !== 'open' || !packet.eliciting) this.naive.packets.delete(packet.number);
        if (this.naive.packets.size < 3000) break;
      }
    }
  }
}

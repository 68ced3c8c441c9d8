/** A connection of ours in the model: ring, sampler, controller and pacer as the product will join them, timers a millisecond coarse. */

import { AckSample, CongestionController } from '../../../transport/congestion/controller.ts';
import { DeliveryRate } from '../../../transport/congestion/delivery-rate.ts';
import { PACKET_BYTES } from '../../../transport/congestion/limits.ts';
import { Pacer } from '../../../transport/congestion/pacer.ts';
import { type Bottleneck, type Flow, Receiver } from './bottleneck.ts';
import { SentRing } from './sent-ring.ts';

export interface OwnFlowOptions {
  readonly rttMicros: number;
  /** An endless transfer. */
  readonly bulk?: boolean;
  /** A game: packets of so many bytes each tick, or as many bytes as the budget allows. */
  readonly tick?: { readonly hz: number; readonly bytes: number | 'budget' };
  readonly onAck?: (flow: OwnFlow, now: number) => void;
}

const TIMER_MICROS = 1000;
const TIMEOUTS_TO_PERSISTENT = 3;

export class OwnFlow implements Flow {
  rttMicros: number;
  readonly receiver: Receiver = new Receiver();
  readonly ring: SentRing = new SentRing();
  readonly controller: CongestionController = new CongestionController(1);
  readonly rate: DeliveryRate = new DeliveryRate(1);
  readonly pacer: Pacer = new Pacer(1, this.controller);
  bulk: boolean;
  sentBytes = 0;
  readonly #world: Bottleneck;
  readonly #options: OwnFlowOptions;
  readonly #sample: AckSample = new AckSample();
  #index = -1;
  #armedAt = Number.MAX_SAFE_INTEGER;
  #nextTickAt = -1;
  #tickCredit = 0;
  #ptoAt = -1;
  #timeouts = 0;

  constructor(world: Bottleneck, options: OwnFlowOptions, startsAt: number) {
    this.#world = world;
    this.#options = options;
    this.rttMicros = options.rttMicros;
    this.bulk = options.bulk ?? false;
    this.ring.onAcked = (slot, bytes) => this.rate.onAcked(0, this.ring, slot, bytes, this.#sample);
    this.#index = world.add(this, startsAt);
  }

  start(now: number): void {
    this.controller.reset(0, now);
    this.rate.reset(0, now);
    this.pacer.reset(0, now);
    if (this.bulk) this.controller.bulkActive(0, true, now);
    if (this.#options.tick !== undefined) this.#nextTickAt = now;
    this.#turn(now);
  }

  setBulk(active: boolean, now: number): void {
    this.bulk = active;
    this.controller.bulkActive(0, active, now);
    this.#turn(now);
  }

  acknowledged(logged: number, delayMicros: number, now: number): void {
    const sample = this.#sample;
    sample.clear(now);
    if (this.ring.acknowledge(this.receiver, logged, Math.round(delayMicros), now, sample)) {
      this.rate.finish(0, sample);
      this.controller.onAck(0, sample);
      if (sample.ackedPackets > 0) {
        this.#timeouts = 0;
        this.#ptoAt = now + this.ring.pto();
      }
      this.#options.onAck?.(this, now);
    }
    this.#turn(now);
  }

  timer(now: number): void {
    if (now < this.#armedAt) return; // one that an earlier timer has replaced
    this.#armedAt = Number.MAX_SAFE_INTEGER;
    this.#turn(now);
  }

  #turn(now: number): void {
    const { ring, pacer } = this;
    if (ring.lossDueAt >= 0 && now >= ring.lossDueAt) {
      this.#sample.clear(now);
      ring.detectLoss(now, this.#sample);
      this.rate.finish(0, this.#sample);
      if (this.#sample.lostPackets > 0) this.controller.onAck(0, this.#sample);
    }
    if (this.#ptoAt >= 0 && now >= this.#ptoAt && ring.inFlightBytes > 0) {
      if (++this.#timeouts === TIMEOUTS_TO_PERSISTENT) this.controller.onTimeout(0, now);
      this.#ptoAt = now + ring.pto() * 2 ** Math.min(6, this.#timeouts);
      this.#send(PACKET_BYTES, false, now);
    }
    const tick = this.#options.tick;
    while (tick !== undefined && this.#nextTickAt >= 0 && now >= this.#nextTickAt) {
      this.#nextTickAt += 1e6 / tick.hz;
      if (tick.bytes !== 'budget') {
        this.#send(tick.bytes, true, now);
        continue;
      }
      this.#tickCredit += this.controller.budgetBytesPerSecond[0]! / tick.hz;
      while (this.#tickCredit >= 40) {
        const bytes = Math.min(PACKET_BYTES, Math.floor(this.#tickCredit));
        this.#send(bytes, true, now);
        this.#tickCredit -= bytes;
      }
    }
    if (this.bulk) while (pacer.canSendBulk(0, ring.inFlightBytes, now)) this.#send(PACKET_BYTES, false, now);
    else this.rate.appLimited(0, ring.inFlightBytes);
    this.#arm(now);
  }

  #send(bytes: number, realTime: boolean, now: number): void {
    const before = this.ring.inFlightBytes;
    const number = this.ring.sent(bytes, now);
    this.rate.onSent(0, this.ring, this.ring.slot(number), before, now);
    this.pacer.onSent(0, bytes, now);
    if (this.#ptoAt < 0 || before === 0) this.#ptoAt = now + this.ring.pto();
    this.sentBytes += bytes;
    this.#world.send(this.#index, number, bytes, realTime);
  }

  #arm(now: number): void {
    let due = Number.MAX_SAFE_INTEGER;
    const want = (at: number) => {
      if (at >= 0 && at < due) due = at;
    };
    if (this.bulk && this.pacer.nextBulkAt[0]! > 0) want(this.pacer.nextBulkAt[0]!);
    want(this.ring.lossDueAt);
    if (this.ring.inFlightBytes > 0) want(this.#ptoAt);
    // The game's tick is a clock of its own; the other timers are coarse.
    let at = Math.max(Math.ceil(due / TIMER_MICROS) * TIMER_MICROS, now + 1);
    if (this.#nextTickAt >= 0) at = Math.min(at, Math.max(now + 1, Math.ceil(this.#nextTickAt)));
    if (at >= this.#armedAt && this.#armedAt > now) return;
    if (at >= Number.MAX_SAFE_INTEGER - TIMER_MICROS) return;
    this.#armedAt = at;
    this.#world.timer(this.#index, at);
  }
}

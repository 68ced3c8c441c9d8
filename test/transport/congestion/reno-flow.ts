/** A loss-based competitor: NewReno as RFC 9002 appendix B describes it; acknowledgements clock it, nothing paces it. */

import { AckSample } from '../../../transport/congestion/ack-sample.ts';
import { type Bottleneck, type Flow, Receiver } from './bottleneck.ts';
import { SentRing } from './sent-ring.ts';

const PACKET_BYTES = 1200;

export class RenoFlow implements Flow {
  rttMicros: number;
  readonly receiver: Receiver = new Receiver();
  readonly ring: SentRing = new SentRing();
  active = true;
  cwnd: number = 10 * PACKET_BYTES;
  readonly #world: Bottleneck;
  readonly #sample: AckSample = new AckSample();
  readonly #index: number;
  #ssthresh: number = Number.MAX_SAFE_INTEGER;
  #recoveryAt = -1;
  #ptoAt = -1;
  #armedAt = Number.MAX_SAFE_INTEGER;

  constructor(world: Bottleneck, rttMicros: number, startsAt: number) {
    this.#world = world;
    this.rttMicros = rttMicros;
    this.#index = world.add(this, startsAt);
  }

  start(now: number): void {
    this.#turn(now);
  }

  acknowledged(logged: number, delayMicros: number, now: number): void {
    const sample = this.#sample;
    sample.clear(now);
    if (this.ring.acknowledge(this.receiver, logged, delayMicros, now, sample)) {
      this.#ptoAt = now + this.ring.pto();
      if (sample.lostPackets > 0) this.#lost(now);
      else if (this.cwnd < this.#ssthresh) this.cwnd += sample.ackedBytes;
      else this.cwnd += (PACKET_BYTES * sample.ackedBytes) / this.cwnd;
    }
    this.#turn(now);
  }

  timer(now: number): void {
    if (now < this.#armedAt) return; // one that an earlier timer has replaced
    this.#armedAt = Number.MAX_SAFE_INTEGER;
    this.#turn(now);
  }

  #lost(now: number): void {
    if (this.ring.newestLostSentAt <= this.#recoveryAt) return;
    this.#recoveryAt = now;
    this.cwnd = Math.max(2 * PACKET_BYTES, this.cwnd / 2);
    this.#ssthresh = this.cwnd;
  }

  #turn(now: number): void {
    if (!this.active) return;
    if (this.ring.lossDueAt >= 0 && now >= this.ring.lossDueAt) {
      this.#sample.clear(now);
      this.ring.detectLoss(now, this.#sample);
      if (this.#sample.lostPackets > 0) this.#lost(now);
    }
    if (this.#ptoAt >= 0 && now >= this.#ptoAt) {
      this.#ptoAt = now + 2 * this.ring.pto();
      this.#send(now);
    }
    while (this.ring.inFlightBytes + PACKET_BYTES <= this.cwnd) this.#send(now);
    const due = Math.max(now + 1, Math.min(this.#ptoAt, this.ring.lossDueAt < 0 ? this.#ptoAt : this.ring.lossDueAt));
    if (due >= this.#armedAt) return;
    this.#armedAt = due;
    this.#world.timer(this.#index, due);
  }

  #send(now: number): void {
    const number = this.ring.sent(PACKET_BYTES, now);
    if (this.#ptoAt < 0) this.#ptoAt = now + this.ring.pto();
    this.#world.send(this.#index, number, PACKET_BYTES, false);
  }
}

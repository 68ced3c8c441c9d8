/**
 * The congestion controller: how much of a connection may be in flight, how fast bulk may leave, and what the game may use.
 *
 * It is governed by delay, in three modes. `STARTUP` grows until a queue shows. `DELAY` keeps a queue of a few milliseconds:
 * it adds to the window until the standing queue passes a target, then cuts to what empties the queue, and so sees the base
 * round trip in every cycle and gives way to others in proportion. `COMPETING` is entered when the queue does not empty
 * though it yields again and again: then somebody fills it who answers to loss only, and so do we, until a test (yield once,
 * look) shows the queue empty. Random loss moves none of them. See README.md for the formulas.
 */

import type { Micros } from '../../sys/api.ts';
import { AckSample } from './ack-sample.ts';
import { RealTimeBudget } from './budget.ts';
import { ALONE, Competitor, LONGER_PATH } from './competitor.ts';
import {
  CWND_COMPETING_MIN_BYTES,
  CWND_INITIAL_BYTES,
  CWND_MAX_BYTES,
  CWND_MIN_BYTES,
  PACING_MAX_BYTES_PER_SECOND,
  PACING_MIN_BYTES_PER_SECOND,
  PACKET_BYTES,
  RTT_INITIAL_MICROS,
  SECOND_MICROS,
} from './limits.ts';
import { LossFloor } from './loss-floor.ts';
import { QueueDelay } from './queue-delay.ts';
import { QueueTarget } from './queue-target.ts';
import { RateWindow } from './rate-window.ts';
import { StartUp } from './start-up.ts';
import { WindowStep } from './window-step.ts';

export { AckSample };

/** Modes of a connection. */
export const STARTUP = 0;
export const DELAY = 1;
export const COMPETING = 2;

/** Growth of the window in a round of start-up. 2 would overshoot by a base round trip of queue, 1.5 by two thirds of one. */
const STARTUP_GROWTH = 0.5;
/** A cut leaves 95 % of what fills an empty path: it empties the queue of one flow within a round trip, at 2 % of the link. */
const CUT_SHARE = 0.95;
/** A cut halves at most while the queue is within four targets; beyond that the path's rate has fallen, and a ratio is right. */
const CUT_MIN = 0.5;
const CUT_DEEP_TARGETS = 4;
/** Against clear loss without delay (a queue shorter than the target). */
const LOSS_CUT = 0.85;
const LOSS_CUT_ROUNDS = 6;

/** Loss above the floor by more than this is not calm: the window's step does not grow. */
const CALM_LOSS = 0.02;
/** A loss-based flow halves (RFC 9002 7.3.2), and so do we while we compete with one. */
const LOSS_CUT_COMPETING = 0.5;

/** Pacing above window / round trip: the window limits, pacing only spreads. */
const PACING_GAIN = 1.15;
const PACING_GAIN_STARTUP = 1.3;
/** Window above the greatest delivery rate of the last rounds times the round trip, for jitter, loss and growth. */
const CWND_GAIN = 1.3;
const CWND_GAIN_STARTUP = 2.5;
/** A connection whose bulk was silent for so long starts up again from half its window. */
const IDLE_MICROS = 5_000_000;
/** In flight over window from which on the real-time class is what fills the path. */
const OVERDRIVEN = 1.1;
/** The window counts as used from this share on: pacing and whole packets leave a rest. */
const USED_SHARE = 0.7;

export class CongestionController {
  /** What may be in flight, both classes together: 2 packets to 16 MiB. */
  readonly cwndBytes: Float64Array;
  readonly pacingBytesPerSecond: Float64Array;
  /** What the real-time class may use. */
  readonly budgetBytesPerSecond: Float64Array;
  /** STARTUP, DELAY or COMPETING. */
  readonly mode: Uint8Array;
  /** The queue that we see; for statistics and tests. */
  readonly queue: QueueDelay;
  readonly loss: LossFloor;
  /** The queue that we want. */
  readonly target: QueueTarget;
  readonly #rate: RateWindow;
  readonly #startup: StartUp;
  readonly #step: WindowStep;
  readonly #competitor: Competitor;
  readonly #budget: RealTimeBudget;
  /** The window that is to be set, in a cell: a double that is passed to a function may be boxed. */
  readonly #wanted: Float64Array = new Float64Array(1);
  readonly #bulk: Uint8Array;
  readonly #bulkEndedAt: Float64Array;
  readonly #roundStartedAt: Float64Array;
  /** When the window was last cut; packets sent before tell nothing about the cut. */
  readonly #cutAt: Float64Array;
  /** 1 from a cut until a packet that was sent after it is acknowledged. */
  readonly #cutPending: Uint8Array;
  readonly #roundsSinceCut: Uint8Array;
  constructor(connections: number) {
    const column = (): Float64Array => new Float64Array(connections);
    const small = (): Uint8Array => new Uint8Array(connections);
    this.cwndBytes = column();
    this.pacingBytesPerSecond = column();
    this.queue = new QueueDelay(connections);
    this.loss = new LossFloor(connections);
    this.target = new QueueTarget(connections);
    this.#rate = new RateWindow(connections);
    this.#startup = new StartUp(connections);
    this.#step = new WindowStep(connections);
    this.#competitor = new Competitor(connections);
    this.#budget = new RealTimeBudget(connections);
    this.budgetBytesPerSecond = this.#budget.bytesPerSecond;
    this.mode = small();
    this.#bulk = small();
    this.#bulkEndedAt = column();
    this.#roundStartedAt = column();
    this.#cutAt = column();
    this.#cutPending = small();
    this.#roundsSinceCut = small();
  }

  /** A new connection, or a new path. Whether bulk is active stays. */
  reset(connection: number, now: Micros): void {
    this.cwndBytes[connection] = CWND_INITIAL_BYTES;
    this.#bulkEndedAt[connection] = now;
    this.#roundStartedAt[connection] = now;
    this.#cutAt[connection] = 0;
    this.#cutPending[connection] = 0;
    this.#rate.reset(connection);
    this.#competitor.reset(connection);
    this.queue.reset(connection);
    this.target.reset(connection);
    this.loss.reset(connection);
    this.#budget.reset(connection, now);
    this.#startUp(connection);
    this.#pace(connection);
  }

  /** Learns from an ack frame that acknowledged or lost something. */
  onAck(connection: number, sample: AckSample): void {
    if (sample.rttMicros > 0) {
      this.queue.onRtt(connection, sample, this.mode[connection] === COMPETING);
      this.target.update(connection, this.queue, this.cwndBytes);
    }
    this.#rate.onRate(connection, sample);
    this.loss.count(connection, sample.ackedPackets, sample.lostPackets);
    if (sample.ackedPackets > 0) {
      if (this.#cutPending[connection] === 1 && sample.newestSentAt > this.#cutAt[connection]!) {
        this.#cutPending[connection] = 0;
        this.queue.restart(connection);
      }
      if (sample.newestSentAt >= this.#roundStartedAt[connection]!) this.#endRound(connection, sample);
    }
    const mode = this.mode[connection]!;
    if (mode === STARTUP) this.#startupAck(connection, sample);
    else if (mode === DELAY) this.#delayAck(connection, sample);
    else this.#competingAck(connection, sample);
    this.#pace(connection);
    this.#budget.onAck(
      connection,
      sample,
      this.queue,
      this.loss,
      this.#bulk[connection] === 1 && mode !== STARTUP,
      mode === COMPETING,
    );
  }

  /** Persistent congestion (RFC 9002 7.6): nothing got through for several timeouts, so nothing that was known counts. */
  onTimeout(connection: number, now: Micros): void {
    this.cwndBytes[connection] = CWND_MIN_BYTES;
    this.#cutAt[connection] = now;
    this.#cutPending[connection] = 0;
    this.#rate.reset(connection);
    this.#competitor.reset(connection);
    this.queue.reset(connection);
    this.target.reset(connection);
    this.#budget.onTimeout(connection);
    this.#startUp(connection);
    this.#pace(connection);
  }

  /** A transfer begins to wait, or all of it has been sent. */
  bulkActive(connection: number, active: boolean, now: Micros): void {
    if (active === (this.#bulk[connection] === 1)) return;
    this.#bulk[connection] = active ? 1 : 0;
    if (!active) {
      this.#bulkEndedAt[connection] = now;
      // Without bulk there is nothing to compete with, and the base must be measured again.
      if (this.mode[connection] === COMPETING) this.mode[connection] = DELAY;
      return;
    }
    if (now - this.#bulkEndedAt[connection]! < IDLE_MICROS) return;
    // What the path carried then, it may not carry now.
    this.cwndBytes[connection] = Math.max(CWND_INITIAL_BYTES, this.cwndBytes[connection]! / 2);
    this.#startUp(connection);
    this.#pace(connection);
  }

  #startUp(connection: number): void {
    this.mode[connection] = STARTUP;
    this.#startup.reset(connection);
    this.#roundsSinceCut[connection] = 0;
    this.#step.reset(connection);
  }

  #endRound(connection: number, sample: AckSample): void {
    this.#roundStartedAt[connection] = sample.now;
    this.loss.endRound(connection, sample);
    if (this.#roundsSinceCut[connection]! < 255) this.#roundsSinceCut[connection]!++;
    if (!this.#used(connection, sample)) return;
    if (this.mode[connection] === STARTUP) {
      this.#startup.endRound(connection, this.#rate);
      return;
    }
    this.#setStep(connection);
  }

  /** Whether bulk uses the window, so that more of it would be used too. */
  #used(connection: number, sample: AckSample): boolean {
    if (this.#bulk[connection] === 0) return false;
    const before = sample.inFlightBytes + sample.ackedBytes + sample.lostBytes;
    const share = this.mode[connection] === STARTUP ? USED_SHARE / 2 : USED_SHARE;
    return before >= share * this.cwndBytes[connection]!;
  }

  #setStep(connection: number): void {
    const lossy = this.loss.smoothed[connection]! > this.loss.floor[connection]! + CALM_LOSS;
    const calm = !lossy && this.queue.queueMicros[connection]! <= this.target.micros[connection]! / 2;
    this.#step.endRound(connection, this.cwndBytes, this.queue.baseMicros, calm);
  }

  #startupAck(connection: number, sample: AckSample): void {
    // A queue or loss that a game alone makes says nothing about the window.
    if (this.#bulk[connection] === 0) return;
    if (this.#startup.isOver(connection, this.queue, this.target, this.loss)) {
      this.mode[connection] = DELAY;
      const base = this.queue.baseMicros[connection]!;
      // What was delivered, and what was lost on the way, over an empty path.
      const sent = this.#rate.greatest[connection]! / (1 - Math.min(0.5, this.loss.smoothed[connection]!));
      this.#wanted[0] = Math.min(this.cwndBytes[connection]!, (sent * base) / SECOND_MICROS);
      this.#setCwnd(connection);
      this.#cut(connection, CUT_SHARE, sample.now);
      return;
    }
    if (this.#used(connection, sample)) {
      this.#wanted[0] = this.cwndBytes[connection]! + STARTUP_GROWTH * sample.ackedBytes;
      this.#grow(connection, CWND_GAIN_STARTUP);
    }
  }

  #delayAck(connection: number, sample: AckSample): void {
    if (this.#cutPending[connection] === 0 && this.queue.settled[connection] === 1) {
      if (this.queue.queueMicros[connection]! > this.target.micros[connection]!) {
        this.#yield(connection, sample);
        return;
      }
      this.#competitor.drained(connection);
    }
    if (
      this.#bulk[connection] === 1 &&
      this.loss.smoothed[connection]! > this.loss.clear[connection]! &&
      this.#roundsSinceCut[connection]! >= LOSS_CUT_ROUNDS
    ) {
      this.#cut(connection, LOSS_CUT, sample.now);
      return;
    }
    if (this.#used(connection, sample)) {
      const cwnd = this.cwndBytes[connection]!;
      this.#wanted[0] = cwnd + (this.#step.bytes[connection]! * sample.ackedBytes) / cwnd;
      this.#grow(connection, CWND_GAIN);
    }
  }

  /** The queue stands above the target: cut to what empties it, or see that cutting does not help. */
  #yield(connection: number, sample: AckSample): void {
    if (this.#bulk[connection] === 0) {
      // The queue is not bulk's: the budget answers.
      this.queue.settled[connection] = 0;
      return;
    }
    const cwnd = this.cwndBytes[connection]!;
    // More in flight than the window long after the last cut: the game fills the queue, and bulk must not compete with it.
    const ours = sample.inFlightBytes > OVERDRIVEN * cwnd + CWND_MIN_BYTES;
    if (!ours && !this.#competitor.mayYield(connection, this.cwndBytes, sample)) {
      this.#compete(connection, sample);
      return;
    }
    const base = this.queue.baseMicros[connection]!;
    const queue = this.queue.queueMicros[connection]!;
    const share = (CUT_SHARE * base) / (base + queue);
    const deep = queue > CUT_DEEP_TARGETS * this.target.micros[connection]!;
    this.#cut(connection, deep ? share : Math.max(CUT_MIN, share), sample.now);
  }

  #compete(connection: number, sample: AckSample): void {
    this.mode[connection] = COMPETING;
    this.#competitor.met(connection, sample);
    this.#wanted[0] = this.#competitor.savedCwndBytes[connection]!;
    this.#setCwnd(connection);
    this.#lookAfter(connection, sample.now);
    this.loss.answered(connection);
  }

  #competingAck(connection: number, sample: AckSample): void {
    const competitor = this.#competitor;
    if (this.#cutPending[connection] === 1) return;
    if (competitor.testing[connection] === 1) {
      if (this.queue.settled[connection] === 1) this.#endTest(connection, sample);
      return;
    }
    if (this.loss.roundAbove(connection)) {
      this.loss.answered(connection);
      this.#cut(connection, LOSS_CUT_COMPETING, sample.now);
      return;
    }
    if (this.queue.settled[connection] === 1 && competitor.isGone(connection, this.queue, this.target, sample)) {
      competitor.left(connection, this.cwndBytes, sample);
      this.mode[connection] = DELAY;
      return;
    }
    if (competitor.testDue(connection, this.queue, sample)) {
      const base = this.queue.baseMicros[connection]!;
      competitor.beginTest(connection, this.cwndBytes);
      this.#cut(connection, (CUT_SHARE * base) / (base + this.queue.queueMicros[connection]!), sample.now);
      return;
    }
    const cwnd = this.cwndBytes[connection]!;
    if (!this.#used(connection, sample)) return;
    this.#wanted[0] = cwnd + (PACKET_BYTES * sample.ackedBytes) / cwnd;
    this.#setCwnd(connection);
  }

  #endTest(connection: number, sample: AckSample): void {
    const verdict = this.#competitor.endTest(connection, this.queue, this.target, sample);
    if (verdict === ALONE) {
      this.#competitor.left(connection, this.cwndBytes, sample);
      this.mode[connection] = DELAY;
      return;
    }
    // What the test took is given back.
    this.#wanted[0] = this.#competitor.savedCwndBytes[connection]!;
    this.#setCwnd(connection);
    if (verdict === LONGER_PATH) {
      this.mode[connection] = DELAY;
      this.queue.adopt(connection, sample.now);
      this.#lookAfter(connection, sample.now);
    }
  }

  /** Only what is sent from now on counts for the queue. */
  #lookAfter(connection: number, now: Micros): void {
    this.#cutAt[connection] = now;
    this.#cutPending[connection] = 1;
  }

  #cut(connection: number, share: number, now: Micros): void {
    this.#wanted[0] = this.cwndBytes[connection]! * share;
    this.#setCwnd(connection);
    this.#lookAfter(connection, now);
    this.#roundsSinceCut[connection] = 0;
    this.#step.reset(connection);
    this.#setStep(connection);
  }

  /** Grows to `#wanted`, but not beyond what the greatest delivery rate can use: windows that nothing holds back run away. */
  #grow(connection: number, gain: number): void {
    const rtt = this.queue.baseMicros[connection]! + this.target.micros[connection]!;
    const lossy = 1 - this.loss.floor[connection]!;
    const bound = (gain * this.#rate.greatest[connection]! * rtt) / (SECOND_MICROS * lossy) + CWND_MIN_BYTES;
    const cwnd = this.cwndBytes[connection]!;
    const wanted = Math.min(this.#wanted[0]!, bound);
    if (!(wanted > cwnd)) return;
    this.#wanted[0] = wanted;
    this.#setCwnd(connection);
  }

  /** Sets the window to `#wanted`, within its bounds. */
  #setCwnd(connection: number): void {
    const bytes = this.#wanted[0]!;
    // Written so that NaN becomes the minimum; and as stores, since V8 boxes a choice between a double and an imported constant.
    this.cwndBytes[connection] = bytes;
    if (!(bytes > CWND_MIN_BYTES)) this.cwndBytes[connection] = CWND_MIN_BYTES;
    if (this.mode[connection] === COMPETING && !(bytes > CWND_COMPETING_MIN_BYTES)) {
      this.cwndBytes[connection] = CWND_COMPETING_MIN_BYTES;
    }
    if (bytes > CWND_MAX_BYTES) this.cwndBytes[connection] = CWND_MAX_BYTES;
  }

  #pace(connection: number): void {
    const base = this.queue.baseMicros[connection]!;
    const rtt = base > 0 ? base + this.queue.queueMicros[connection]! : RTT_INITIAL_MICROS;
    const gain = this.mode[connection] === STARTUP ? PACING_GAIN_STARTUP : PACING_GAIN;
    const rate = (gain * this.cwndBytes[connection]! * SECOND_MICROS) / Math.max(1, rtt);
    this.pacingBytesPerSecond[connection] = rate;
    if (!(rate > PACING_MIN_BYTES_PER_SECOND)) this.pacingBytesPerSecond[connection] = PACING_MIN_BYTES_PER_SECOND;
    else if (rate > PACING_MAX_BYTES_PER_SECOND) this.pacingBytesPerSecond[connection] = PACING_MAX_BYTES_PER_SECOND;
  }
}

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
import {
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

export { AckSample };

/** Modes of a connection. */
export const STARTUP = 0;
export const DELAY = 1;
export const COMPETING = 2;

/** Growth of the window in a round of start-up. 2 would overshoot by a base round trip of queue, 1.5 by two thirds of one. */
const STARTUP_GROWTH = 0.5;
/** A start-up whose rate grew by less than a tenth in three rounds has found a bottleneck without a queue: a policer. */
const PLATEAU_GROWTH = 1.1;
const PLATEAU_ROUNDS = 3;

/** Standing queue above which we yield: it keeps the bottleneck busy through timers of 1 ms and bursts of two packets. */
const TARGET_MICROS = 3500;
/** At low rates a packet alone takes long: two and a half at our own rate must fit under the target, ... */
const TARGET_PACKETS = 2.5;
/** ... as far as a player would not feel it. */
const TARGET_MAX_MICROS = 15_000;
/** A cut leaves 95 % of what fills an empty path: it empties the queue of one flow within a round trip, at 2 % of the link. */
const CUT_SHARE = 0.95;
/** A cut halves at most while the queue is within four targets; beyond that the path's rate has fallen, and a ratio is right. */
const CUT_MIN = 0.5;
/** Against clear loss without delay (a queue shorter than the target). */
const LOSS_CUT = 0.85;
const LOSS_CUT_ROUNDS = 6;

/** The step of the window is one packet a round at this window and round trip; it grows with the root of the one and with the other. */
const STEP_CWND_BYTES: number = 50 * PACKET_BYTES;
const STEP_RTT_MICROS = 50_000;
/** Rounds without a queue after which the step begins to grow, each round by this factor, up to an eighth of the window. */
const CALM_ROUNDS = 8;
const CALM_GROWTH = 1.25;
const CALM_STEP_MAX = 0.125;

/** Yields in a row after which the queue is somebody else's; fewer when one was met in the last ten seconds. */
const YIELDS_TO_COMPETE = 4;
const YIELDS_TO_COMPETE_AGAIN = 2;
const COMPETITOR_MEMORY_MICROS = 10_000_000;
/** Queues after yields that differ by less than this, so many times in a row, are no queue: the path is longer now. */
const FLAT_MICROS = 1000;
const FLAT_YIELDS = 3;
/** Between two looks for a competitor that has left. */
const TEST_MICROS = 1_500_000;

/** Pacing above window / round trip: the window limits, pacing only spreads. */
const PACING_GAIN = 1.15;
const PACING_GAIN_STARTUP = 1.3;
/** Window above the greatest delivery rate of the last rounds times the round trip, for jitter, loss and growth. */
const CWND_GAIN = 1.4;
const CWND_GAIN_STARTUP = 2.5;
/** Half of the window of the greatest rate. */
const RATE_TURN_MICROS = 2_000_000;
/** A connection whose bulk was silent for so long starts up again from half its window. */
const IDLE_MICROS = 5_000_000;
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
  /** Greatest delivery rate of the last 2 to 4 seconds. */
  readonly rate: Float64Array;

  readonly #budget: RealTimeBudget;
  readonly #bulk: Uint8Array;
  readonly #bulkEndedAt: Float64Array;
  readonly #ratePrevious: Float64Array;
  readonly #rateNow: Float64Array;
  readonly #rateTurnsAt: Float64Array;
  readonly #roundStartedAt: Float64Array;
  /** When the window was last cut; packets sent before tell nothing about the cut. */
  readonly #cutAt: Float64Array;
  /** 1 from a cut until a packet that was sent after it is acknowledged. */
  readonly #cutPending: Uint8Array;
  readonly #roundsSinceCut: Uint8Array;
  /** Rounds without a queue: see CALM_ROUNDS. */
  readonly #calmRounds: Uint8Array;
  readonly #step: Float64Array;
  /** Best rate of start-up and rounds since it grew. */
  readonly #plateauRate: Float64Array;
  readonly #plateauRounds: Uint8Array;
  /** Yields in a row that did not empty the queue, the queue after the last of them, and how many were alike. */
  readonly #yields: Uint8Array;
  readonly #yieldQueue: Float64Array;
  readonly #flatYields: Uint8Array;
  /** The window before the first of those yields, or before a test. */
  readonly #savedCwnd: Float64Array;
  readonly #competedAt: Float64Array;
  readonly #testAt: Float64Array;
  readonly #testing: Uint8Array;
  /** Greatest queue since the last test. */
  readonly #queueMax: Float64Array;

  constructor(connections: number) {
    const column = (): Float64Array => new Float64Array(connections);
    const small = (): Uint8Array => new Uint8Array(connections);
    this.cwndBytes = column();
    this.pacingBytesPerSecond = column();
    this.queue = new QueueDelay(connections);
    this.loss = new LossFloor(connections);
    this.#budget = new RealTimeBudget(connections);
    this.budgetBytesPerSecond = this.#budget.bytesPerSecond;
    this.mode = small();
    this.rate = column();
    this.#bulk = small();
    this.#bulkEndedAt = column();
    this.#ratePrevious = column();
    this.#rateNow = column();
    this.#rateTurnsAt = column();
    this.#roundStartedAt = column();
    this.#cutAt = column();
    this.#cutPending = small();
    this.#roundsSinceCut = small();
    this.#calmRounds = small();
    this.#step = column();
    this.#plateauRate = column();
    this.#plateauRounds = small();
    this.#yields = small();
    this.#yieldQueue = column();
    this.#flatYields = small();
    this.#savedCwnd = column();
    this.#competedAt = column();
    this.#testAt = column();
    this.#testing = small();
    this.#queueMax = column();
  }

  /** A new connection, or a new path. Whether bulk is active stays. */
  reset(connection: number, now: Micros): void {
    this.cwndBytes[connection] = CWND_INITIAL_BYTES;
    this.rate[connection] = 0;
    this.#ratePrevious[connection] = 0;
    this.#rateNow[connection] = 0;
    this.#rateTurnsAt[connection] = 0;
    this.#bulkEndedAt[connection] = now;
    this.#roundStartedAt[connection] = now;
    this.#savedCwnd[connection] = 0;
    this.#competedAt[connection] = -COMPETITOR_MEMORY_MICROS;
    this.#testing[connection] = 0;
    this.#cutAt[connection] = 0;
    this.#cutPending[connection] = 0;
    this.queue.reset(connection);
    this.loss.reset(connection);
    this.#budget.reset(connection, now);
    this.#startUp(connection);
    this.#pace(connection);
  }

  /** Learns from an ack frame that acknowledged or lost something. */
  onAck(connection: number, sample: AckSample): void {
    const now = sample.now;
    if (sample.rttMicros > 0) {
      const smoothed = sample.smoothedRttMicros > 0 ? sample.smoothedRttMicros : sample.rttMicros;
      this.queue.onRtt(connection, sample.rttMicros, smoothed, this.mode[connection] === COMPETING, now);
    }
    this.#foldRate(connection, sample);
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
    this.rate[connection] = 0;
    this.#ratePrevious[connection] = 0;
    this.#rateNow[connection] = 0;
    this.#testing[connection] = 0;
    this.#cutAt[connection] = now;
    this.#cutPending[connection] = 0;
    this.queue.reset(connection);
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
    this.#plateauRate[connection] = 0;
    this.#plateauRounds[connection] = 0;
    this.#yields[connection] = 0;
    this.#flatYields[connection] = 0;
    this.#calmRounds[connection] = 0;
    this.#roundsSinceCut[connection] = 0;
    this.#step[connection] = PACKET_BYTES;
  }

  #foldRate(connection: number, sample: AckSample): void {
    const rate = sample.deliveryRate;
    if (rate <= 0) return;
    if (sample.now >= this.#rateTurnsAt[connection]!) {
      this.#ratePrevious[connection] = this.#rateNow[connection]!;
      this.#rateNow[connection] = 0;
      this.#rateTurnsAt[connection] = sample.now + RATE_TURN_MICROS;
    }
    if (rate > this.#rateNow[connection]!) this.#rateNow[connection] = rate;
    this.rate[connection] = Math.max(this.#rateNow[connection]!, this.#ratePrevious[connection]!);
  }

  #endRound(connection: number, sample: AckSample): void {
    this.#roundStartedAt[connection] = sample.now;
    this.loss.endRound(connection, sample.now);
    if (this.#roundsSinceCut[connection]! < 255) this.#roundsSinceCut[connection]!++;
    if (!this.#used(connection, sample)) return;
    if (this.mode[connection] === STARTUP) {
      if (this.rate[connection]! > PLATEAU_GROWTH * this.#plateauRate[connection]!) {
        this.#plateauRate[connection] = this.rate[connection]!;
        this.#plateauRounds[connection] = 0;
      } else this.#plateauRounds[connection]!++;
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

  /** Bytes that the window grows by in a round of DELAY. */
  #setStep(connection: number): void {
    const cwnd = this.cwndBytes[connection]!;
    const rtt = this.queue.baseMicros[connection]!;
    const far = Math.min(2, Math.max(0.25, rtt / STEP_RTT_MICROS));
    const plain = PACKET_BYTES * Math.sqrt(cwnd / STEP_CWND_BYTES) * far;
    if (this.queue.queueMicros[connection]! > this.#target(connection) / 2) this.#calmRounds[connection] = 0;
    else if (this.#calmRounds[connection]! < 255) this.#calmRounds[connection]!++;
    if (this.#calmRounds[connection]! <= CALM_ROUNDS) this.#step[connection] = plain;
    else {
      const grown = this.#step[connection]! * CALM_GROWTH;
      this.#step[connection] = Math.max(plain, Math.min(grown, CALM_STEP_MAX * cwnd));
    }
  }

  #target(connection: number): number {
    const rtt = this.queue.baseMicros[connection]! + this.queue.queueMicros[connection]!;
    const packet = (PACKET_BYTES * rtt) / this.cwndBytes[connection]!;
    return Math.min(TARGET_MAX_MICROS, Math.max(TARGET_MICROS, TARGET_PACKETS * packet));
  }

  #startupAck(connection: number, sample: AckSample): void {
    const queue = this.queue.queueMicros[connection]!;
    const queued = this.queue.settled[connection] === 1 && queue > this.#target(connection);
    const lossy = this.loss.smoothed[connection]! > this.loss.clear[connection]!;
    if (queued || lossy || this.#plateauRounds[connection]! >= PLATEAU_ROUNDS) {
      this.mode[connection] = DELAY;
      const base = this.queue.baseMicros[connection]!;
      // What was delivered, and what was lost on the way, over an empty path.
      const sent = this.rate[connection]! / (1 - Math.min(0.5, this.loss.smoothed[connection]!));
      this.#savedCwnd[connection] = this.cwndBytes[connection]!;
      this.#setCwnd(connection, Math.min(this.cwndBytes[connection]!, (sent * base) / SECOND_MICROS));
      this.#cut(connection, CUT_SHARE, sample.now);
      return;
    }
    if (this.#used(connection, sample)) {
      const grown = this.cwndBytes[connection]! + STARTUP_GROWTH * sample.ackedBytes;
      this.#grow(connection, grown, CWND_GAIN_STARTUP);
    }
  }

  #delayAck(connection: number, sample: AckSample): void {
    const queue = this.queue.queueMicros[connection]!;
    const target = this.#target(connection);
    if (this.#cutPending[connection] === 0 && this.queue.settled[connection] === 1) {
      if (queue > target) {
        this.#yield(connection, queue, target, sample.now);
        return;
      }
      this.#yields[connection] = 0;
      this.#flatYields[connection] = 0;
    }
    if (
      this.loss.smoothed[connection]! > this.loss.clear[connection]! &&
      this.#roundsSinceCut[connection]! >= LOSS_CUT_ROUNDS
    ) {
      this.#cut(connection, LOSS_CUT, sample.now);
      return;
    }
    if (this.#used(connection, sample)) {
      const cwnd = this.cwndBytes[connection]!;
      this.#grow(connection, cwnd + (this.#step[connection]! * sample.ackedBytes) / cwnd, CWND_GAIN);
    }
  }

  /** The queue stands above the target: cut to what empties it, or see that cutting does not help. */
  #yield(connection: number, queue: number, target: number, now: Micros): void {
    if (this.#bulk[connection] === 0) {
      // The queue is not bulk's: the budget answers.
      this.queue.settled[connection] = 0;
      return;
    }
    if (this.#yields[connection] === 0) this.#savedCwnd[connection] = this.cwndBytes[connection]!;
    else if (this.#flat(connection, queue)) {
      this.#setCwnd(connection, this.#savedCwnd[connection]!);
      this.#adopt(connection, now);
      return;
    }
    this.#yieldQueue[connection] = queue;
    this.#yields[connection]!++;
    const recently = now - this.#competedAt[connection]! < COMPETITOR_MEMORY_MICROS;
    if (this.#yields[connection]! > (recently ? YIELDS_TO_COMPETE_AGAIN : YIELDS_TO_COMPETE)) {
      this.#compete(connection, now);
      return;
    }
    const base = this.queue.baseMicros[connection]!;
    const share = (CUT_SHARE * base) / (base + queue);
    this.#cut(connection, queue > 4 * target ? share : Math.max(CUT_MIN, share), now);
  }

  /** Whether the queue after this yield is the one after the yields before: then it is no queue. */
  #flat(connection: number, queue: number): boolean {
    const difference = Math.abs(queue - this.#yieldQueue[connection]!);
    if (difference > FLAT_MICROS) this.#flatYields[connection] = 0;
    else this.#flatYields[connection]!++;
    return this.#flatYields[connection]! >= FLAT_YIELDS;
  }

  #adopt(connection: number, now: Micros): void {
    this.queue.adopt(connection, now);
    this.#yields[connection] = 0;
    this.#flatYields[connection] = 0;
    this.#cutAt[connection] = now;
    this.#cutPending[connection] = 1;
  }

  #compete(connection: number, now: Micros): void {
    this.mode[connection] = COMPETING;
    this.#setCwnd(connection, this.#savedCwnd[connection]!);
    this.#competedAt[connection] = now;
    this.#testAt[connection] = now + TEST_MICROS;
    this.#testing[connection] = 0;
    this.#yields[connection] = 0;
    this.#queueMax[connection] = 0;
    this.#cutAt[connection] = now;
    this.#cutPending[connection] = 1;
    this.loss.answered(connection);
  }

  #competingAck(connection: number, sample: AckSample): void {
    const queue = this.queue.queueMicros[connection]!;
    const now = sample.now;
    if (queue > this.#queueMax[connection]!) this.#queueMax[connection] = queue;
    if (this.#testing[connection] === 1) {
      if (this.#cutPending[connection] === 0 && this.queue.settled[connection] === 1)
        this.#endTest(connection, queue, now);
      return;
    }
    if (this.#cutPending[connection] === 0 && this.loss.roundAbove(connection)) {
      this.loss.answered(connection);
      this.#cut(connection, 0.5, now);
      return;
    }
    const used = this.#used(connection, sample);
    if (
      now >= this.#testAt[connection]! &&
      this.#cutPending[connection] === 0 &&
      queue >= this.#queueMax[connection]! / 2
    ) {
      const base = this.queue.baseMicros[connection]!;
      this.#savedCwnd[connection] = this.cwndBytes[connection]!;
      this.#testing[connection] = 1;
      this.#cut(connection, (CUT_SHARE * base) / (base + queue), now);
      return;
    }
    if (used) {
      const cwnd = this.cwndBytes[connection]!;
      this.#setCwnd(connection, cwnd + (PACKET_BYTES * sample.ackedBytes) / cwnd);
    }
  }

  /** We yielded once: an empty queue says that we are alone, the same queue as last time that the path is longer. */
  #endTest(connection: number, queue: number, now: Micros): void {
    this.#testing[connection] = 0;
    this.#testAt[connection] = now + TEST_MICROS;
    if (queue <= this.#target(connection)) {
      this.mode[connection] = DELAY;
      this.#yields[connection] = 0;
      this.#flatYields[connection] = 0;
      this.#competedAt[connection] = now;
      return;
    }
    if (this.#flat(connection, queue)) {
      this.#adopt(connection, now);
      this.mode[connection] = DELAY;
      return;
    }
    this.#yieldQueue[connection] = queue;
    this.#queueMax[connection] = queue;
    this.#setCwnd(connection, this.#savedCwnd[connection]!);
  }

  #cut(connection: number, share: number, now: Micros): void {
    this.#setCwnd(connection, this.cwndBytes[connection]! * share);
    this.#cutAt[connection] = now;
    this.#cutPending[connection] = 1;
    this.#roundsSinceCut[connection] = 0;
    this.#calmRounds[connection] = 0;
    this.#setStep(connection);
  }

  /** Grows to `bytes`, but not beyond what the greatest delivery rate can use: windows that nothing holds back run away. */
  #grow(connection: number, bytes: number, gain: number): void {
    const rtt = this.queue.baseMicros[connection]! + this.#target(connection);
    const lossy = 1 - Math.min(0.5, this.loss.smoothed[connection]!);
    const bound = (gain * this.rate[connection]! * rtt) / (SECOND_MICROS * lossy) + CWND_INITIAL_BYTES;
    const cwnd = this.cwndBytes[connection]!;
    if (bytes > cwnd) this.#setCwnd(connection, Math.max(cwnd, Math.min(bytes, bound)));
  }

  #setCwnd(connection: number, bytes: number): void {
    // Written so that NaN becomes the minimum.
    this.cwndBytes[connection] =
      bytes > CWND_MIN_BYTES ? (bytes < CWND_MAX_BYTES ? bytes : CWND_MAX_BYTES) : CWND_MIN_BYTES;
  }

  #pace(connection: number): void {
    const base = this.queue.baseMicros[connection]!;
    const rtt = base > 0 ? base + this.queue.queueMicros[connection]! : RTT_INITIAL_MICROS;
    const gain = this.mode[connection] === STARTUP ? PACING_GAIN_STARTUP : PACING_GAIN;
    const rate = (gain * this.cwndBytes[connection]! * SECOND_MICROS) / Math.max(1, rtt);
    this.pacingBytesPerSecond[connection] =
      rate > PACING_MIN_BYTES_PER_SECOND
        ? rate < PACING_MAX_BYTES_PER_SECOND
          ? rate
          : PACING_MAX_BYTES_PER_SECOND
        : PACING_MIN_BYTES_PER_SECOND;
  }
}

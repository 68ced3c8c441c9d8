/**
 * The real-time budget: bytes a second that a game may send so that it drops detail and not latency.
 *
 * It begins at a fixed value, grows while the queue is short and loss is at its floor, but only to a multiple of what was lately
 * delivered (what was never sent was never proven), and falls to less than what is delivered when the queue grows. A game
 * that sends little keeps its budget: use that is low by choice says nothing about the path.
 */

import type { Micros } from '../../sys/api.ts';
import type { AckSample } from './ack-sample.ts';
import { PACING_MAX_BYTES_PER_SECOND, SECOND_MICROS } from './limits.ts';
import type { LossFloor } from './loss-floor.ts';
import type { QueueDelay } from './queue-delay.ts';

/** 512 kbit/s, 1,066 bytes a tick at 60 Hz: any broadband line and most mobile ones carry it. */
export const BUDGET_INITIAL_BYTES_PER_SECOND = 64_000;
/** 64 kbit/s, 133 bytes a tick at 60 Hz: with less there is no game, and one that sends it harms nobody. */
export const BUDGET_MIN_BYTES_PER_SECOND = 8000;

/** Over how long use is measured: a few ticks at any rate; at least a round trip. */
const SLICE_MICROS = 100_000;
/** Growth stops at this multiple of the greatest use of the last seconds (the rule of WebRTC's GCC). */
const GROWTH_MULTIPLE = 1.5;
/** Use is remembered by a maximum that halves in about 7 s of slices of 100 ms: a scene with little to say costs nothing. */
const USE_DECAY = 0.99;
/** Growth a second while no limit is known, and near the rate at which the queue last grew. */
const GROWTH_FAST = 0.5;
const GROWTH_NEAR = 0.06;
const NEAR_SHARE = 0.9;
/** A queue below which the budget grows, and above which it shrinks if it still rises. Ticks leave in a heap: theirs is no queue. */
const QUEUE_LOW_MICROS = 8000;
const QUEUE_HIGH_MICROS = 14_000;
/** Above this it shrinks at every slice. */
const QUEUE_VERY_HIGH_MICROS = 30_000;
/** Share of what is delivered that is left to the game when the queue grows; less by up to a half to empty it within 300 ms. */
const SHRINK_SHARE = 0.88;
const DRAIN_MICROS = 300_000;
const DRAIN_SHARE_MAX = 0.4;
/** Share of the measured rate of the path while bulk measures it. */
const BULK_SHARE = 0.9;

export class RealTimeBudget {
  readonly bytesPerSecond: Float64Array;
  readonly #sliceEndsAt: Float64Array;
  readonly #sliceStartedAt: Float64Array;
  readonly #sliceBytes: Float64Array;
  /** Greatest use of the last seconds, bytes a second. */
  readonly #use: Float64Array;
  /** Rate at which the queue last grew; 0: never. */
  readonly #knownRate: Float64Array;
  readonly #queueBefore: Float64Array;

  constructor(connections: number) {
    this.bytesPerSecond = new Float64Array(connections);
    this.#sliceEndsAt = new Float64Array(connections);
    this.#sliceStartedAt = new Float64Array(connections);
    this.#sliceBytes = new Float64Array(connections);
    this.#use = new Float64Array(connections);
    this.#knownRate = new Float64Array(connections);
    this.#queueBefore = new Float64Array(connections);
  }

  reset(connection: number, now: Micros): void {
    this.bytesPerSecond[connection] = BUDGET_INITIAL_BYTES_PER_SECOND;
    this.#sliceStartedAt[connection] = now;
    this.#sliceEndsAt[connection] = now + SLICE_MICROS;
    this.#sliceBytes[connection] = 0;
    this.#use[connection] = 0;
    this.#knownRate[connection] = 0;
    this.#queueBefore[connection] = 0;
  }

  onTimeout(connection: number): void {
    this.bytesPerSecond[connection] = BUDGET_MIN_BYTES_PER_SECOND;
    this.#knownRate[connection] = 0;
    this.#use[connection] = 0;
  }

  /** @param bulk bulk fills the path and knows its rate @param competing the queue is somebody else's, so delay says nothing */
  onAck(
    connection: number,
    sample: AckSample,
    queue: QueueDelay,
    loss: LossFloor,
    bulk: boolean,
    competing: boolean,
  ): void {
    this.#sliceBytes[connection]! += sample.ackedBytes;
    const now = sample.now;
    if (now < this.#sliceEndsAt[connection]!) return;
    const elapsed = now - this.#sliceStartedAt[connection]!;
    const delivered = (this.#sliceBytes[connection]! * SECOND_MICROS) / elapsed;
    this.#sliceBytes[connection] = 0;
    this.#sliceStartedAt[connection] = now;
    this.#sliceEndsAt[connection] = now + Math.max(SLICE_MICROS, sample.smoothedRttMicros);
    this.#use[connection] = Math.max(delivered, this.#use[connection]! * USE_DECAY);

    const waits = queue.queueMicros[connection]!;
    const before = this.#queueBefore[connection]!;
    this.#queueBefore[connection] = waits;
    const rising = waits > before;
    const congested =
      (!competing && ((waits > QUEUE_HIGH_MICROS && rising) || waits > QUEUE_VERY_HIGH_MICROS)) ||
      loss.smoothed[connection]! > loss.clear[connection]!;
    const budget = this.bytesPerSecond[connection]!;
    if (congested) this.#shrink(connection, budget, delivered, waits);
    else if (bulk) this.#set(connection, Math.max(BULK_SHARE * delivered, budget * 0.75));
    else if (waits < QUEUE_LOW_MICROS) this.#grow(connection, budget, Math.min(elapsed, SECOND_MICROS) / SECOND_MICROS);
  }

  #shrink(connection: number, budget: number, delivered: number, waits: number): void {
    const drain = Math.min(DRAIN_SHARE_MAX, waits / (2 * DRAIN_MICROS));
    const share = SHRINK_SHARE - drain;
    // Use far below the budget is the game's choice, not the path's answer.
    if (delivered > budget / 2) {
      this.#knownRate[connection] = delivered;
      this.#set(connection, Math.min(budget, delivered) * share);
    } else this.#set(connection, budget * share);
  }

  #grow(connection: number, budget: number, seconds: number): void {
    const bound = Math.max(BUDGET_INITIAL_BYTES_PER_SECOND, GROWTH_MULTIPLE * this.#use[connection]!);
    if (budget >= bound) return;
    const known = this.#knownRate[connection]!;
    const near = known > 0 && budget > NEAR_SHARE * known && budget < 1.2 * known;
    this.#set(connection, Math.min(bound, budget * (1 + (near ? GROWTH_NEAR : GROWTH_FAST) * seconds)));
  }

  #set(connection: number, bytesPerSecond: number): void {
    this.bytesPerSecond[connection] =
      bytesPerSecond > BUDGET_MIN_BYTES_PER_SECOND
        ? Math.min(bytesPerSecond, PACING_MAX_BYTES_PER_SECOND)
        : BUDGET_MIN_BYTES_PER_SECOND;
  }
}

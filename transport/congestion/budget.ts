/**
 * The real-time budget: bytes a second that a game may send so that it drops detail and not latency.
 *
 * It begins at a fixed value, grows while the queue is short and loss is at its floor, but only to a multiple of what was lately
 * delivered (what was never sent was never proven), and falls to less than what is delivered when the queue grows. A game
 * that sends little keeps its budget: use that is low by choice says nothing about the path.
 */

import type { Micros } from '../../sys/api.ts';
import type { AckSample } from './ack-sample.ts';
import { PACING_MAX_BYTES_PER_SECOND, PACKET_BYTES, SECOND_MICROS } from './limits.ts';
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
const GROWTH_NEAR = 0.04;
/** From GROWTH_NEAR to GROWTH_FAST in about five seconds of slices of 100 ms. */
const GROWTH_GROWTH = 1.05;
const NEAR_SHARE = 0.85;
/** From here on the known rate is history. */
const PASSED_SHARE = 1.2;
/** What is left of the known rate from one shrinking slice to the next. */
const KNOWN_FALL = 0.75;
/** A queue below which the budget grows, ... */
const QUEUE_LOW_MICROS = 2500;
/** ... and one above which it shrinks if it still rises. */
const QUEUE_HIGH_MICROS = 4500;
/** Both are longer by half a packet's time at the present use: a tick leaves in a heap, and waits for itself. */
const OWN_HEAP_BYTES: number = PACKET_BYTES / 2;
const OWN_HEAP_MAX_MICROS = 12_000;
/** Above so many times the high queue it shrinks at every slice. */
const QUEUE_VERY_HIGH = 2.5;
/** Share of what is delivered that is left to the game when the queue grows; less by up to a half to empty it within 300 ms. */
const SHRINK_SHARE = 0.88;
const DRAIN_MICROS = 300_000;
const DRAIN_SHARE_MAX = 0.4;
/** Share of the measured rate of the path while bulk measures it. */
const BULK_SHARE = 0.85;
/** A slice moves the budget by a quarter of the way: bulk may have just begun, or have been held up for a moment. */
const BULK_SMOOTHING = 0.25;
/** Bulk keeps a queue of its own and answers for it; only a queue that is longer by this is the game's. */
const BULK_QUEUE_MICROS = 8000;

export class RealTimeBudget {
  readonly bytesPerSecond: Float64Array;
  readonly #sliceEndsAt: Float64Array;
  readonly #sliceStartedAt: Float64Array;
  readonly #sliceBytes: Float64Array;
  /** Greatest use of the last seconds, bytes a second. */
  readonly #use: Float64Array;
  /** Rate at which the queue last grew; 0: never. */
  readonly #knownRate: Float64Array;
  /** Growth a second. */
  readonly #growth: Float64Array;
  readonly #queueBefore: Float64Array;
  /** 1 when the last slice shrank the budget. */
  readonly #shrinking: Uint8Array;
  /** `LossFloor.folds` at the last slice. */
  readonly #foldsSeen: Uint8Array;

  constructor(connections: number) {
    this.bytesPerSecond = new Float64Array(connections);
    this.#sliceEndsAt = new Float64Array(connections);
    this.#sliceStartedAt = new Float64Array(connections);
    this.#sliceBytes = new Float64Array(connections);
    this.#use = new Float64Array(connections);
    this.#knownRate = new Float64Array(connections);
    this.#growth = new Float64Array(connections);
    this.#queueBefore = new Float64Array(connections);
    this.#shrinking = new Uint8Array(connections);
    this.#foldsSeen = new Uint8Array(connections);
  }

  reset(connection: number, now: Micros): void {
    this.bytesPerSecond[connection] = BUDGET_INITIAL_BYTES_PER_SECOND;
    this.#sliceStartedAt[connection] = now;
    this.#sliceEndsAt[connection] = now + SLICE_MICROS;
    this.#sliceBytes[connection] = 0;
    this.#use[connection] = 0;
    this.#knownRate[connection] = 0;
    this.#growth[connection] = GROWTH_FAST;
    this.#queueBefore[connection] = 0;
    this.#shrinking[connection] = 0;
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
    const waits = queue.queueMicros[connection]!;
    const heap = Math.min(OWN_HEAP_MAX_MICROS, (OWN_HEAP_BYTES * SECOND_MICROS) / Math.max(1, this.#use[connection]!));
    const high = QUEUE_HIGH_MICROS + heap + (bulk ? BULK_QUEUE_MICROS : 0);
    const elapsed = now - this.#sliceStartedAt[connection]!;
    // A growing queue is answered in the middle of a slice, but not twice in one.
    const early = waits > high && this.#shrinking[connection] === 0 && elapsed >= SLICE_MICROS / 2;
    if (now < this.#sliceEndsAt[connection]! && !early) return;
    const delivered = (this.#sliceBytes[connection]! * SECOND_MICROS) / elapsed;
    this.#sliceBytes[connection] = 0;
    this.#sliceStartedAt[connection] = now;
    // What is changed now shows after a round trip, and the queue is part of it.
    this.#sliceEndsAt[connection] = now + Math.max(SLICE_MICROS, queue.baseMicros[connection]! + waits);
    this.#use[connection] = Math.max(delivered, this.#use[connection]! * USE_DECAY);

    const before = this.#queueBefore[connection]!;
    this.#queueBefore[connection] = waits;
    const queued = (waits > high && waits > before) || waits > QUEUE_VERY_HIGH * high;
    const budget = this.bytesPerSecond[connection]!;
    const lossy =
      loss.smoothed[connection]! > loss.clear[connection]! && loss.folds[connection] !== this.#foldsSeen[connection];
    this.#foldsSeen[connection] = loss.folds[connection]!;
    if ((queued && !competing) || lossy) {
      this.#shrink(connection, budget, delivered, waits);
      return;
    }
    this.#shrinking[connection] = 0;
    if (bulk) this.#set(connection, budget + BULK_SMOOTHING * (BULK_SHARE * delivered - budget));
    else if (waits < QUEUE_LOW_MICROS + heap)
      this.#grow(connection, budget, Math.min(elapsed, SECOND_MICROS) / SECOND_MICROS);
  }

  #shrink(connection: number, budget: number, delivered: number, waits: number): void {
    const share = SHRINK_SHARE - Math.min(DRAIN_SHARE_MAX, waits / (2 * DRAIN_MICROS));
    // Use far below the budget is the game's choice, not the path's answer.
    if (delivered > budget / 2) {
      // In the first slice of several the rate may be a mixture; in the last the queue may already be empty.
      const known = this.#shrinking[connection] === 1 ? KNOWN_FALL * this.#knownRate[connection]! : 0;
      this.#knownRate[connection] = Math.max(delivered, known);
      this.#set(connection, Math.min(budget, delivered) * share);
    } else this.#set(connection, budget * share);
    this.#shrinking[connection] = 1;
  }

  #grow(connection: number, budget: number, seconds: number): void {
    const bound = Math.max(BUDGET_INITIAL_BYTES_PER_SECOND, GROWTH_MULTIPLE * this.#use[connection]!);
    if (budget >= bound) return;
    const known = this.#knownRate[connection]!;
    // Fast up to the rate at which the queue last grew, slowly past it, then faster and faster: the path may have grown.
    if (budget < NEAR_SHARE * known) this.#growth[connection] = GROWTH_FAST;
    else if (budget < PASSED_SHARE * known) this.#growth[connection] = GROWTH_NEAR;
    else this.#growth[connection] = Math.min(GROWTH_FAST, this.#growth[connection]! * GROWTH_GROWTH);
    this.#set(connection, Math.min(bound, budget * (1 + this.#growth[connection]! * seconds)));
  }

  #set(connection: number, bytesPerSecond: number): void {
    this.bytesPerSecond[connection] = bytesPerSecond;
    if (!(bytesPerSecond > BUDGET_MIN_BYTES_PER_SECOND)) this.bytesPerSecond[connection] = BUDGET_MIN_BYTES_PER_SECOND;
    else if (bytesPerSecond > PACING_MAX_BYTES_PER_SECOND)
      this.bytesPerSecond[connection] = PACING_MAX_BYTES_PER_SECOND;
  }
}

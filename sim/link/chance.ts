/**
 * Chance with an address: what happens to packet n of a direction is a pure function of (seed, direction, n, lane).
 *
 * No state, so no order: adding a host, sending more elsewhere or asking twice changes no answer. Two runs of different
 * code under one seed meet the same fates packet by packet, a proxy in real time deals the same ones, and one fate can be
 * overridden without moving the others. Integers only: the same on every engine.
 */

import type { Stream } from '../world/streams.ts';

/** Lanes: one for each question that can be asked about one packet, so that the answers are independent. */
export const LANE_LOSS = 1;
export const LANE_JITTER = 2;
/** Further draws of the jitter's sum take this lane and the two after it. */
export const LANE_JITTER_SUM = 3;
export const LANE_LOSS_STATE = 6;
export const LANE_REORDER = 7;
export const LANE_DUPLICATE = 8;
export const LANE_DUPLICATE_DELAY = 9;
/** These two are asked by the number of a period of time, not of a packet. */
export const LANE_OUTAGE_FIRST = 10;
export const LANE_OUTAGE = 11;
export const LANE_WIFI_STEPS = 12;
export const LANE_WIFI_PART = 13;
export const LANE_WIFI_BUSY = 14;
export const LANE_WIFI_BUSY_STEPS = 15;
/** By the number of the suspension. */
export const LANE_WIFI_SUSPENSION = 16;
/** By the number of the packet at its queue. */
export const LANE_RED = 17;
export const LANE_CORRUPT = 18;
export const LANE_CORRUPT_KIND = 19;
export const LANE_CORRUPT_AMOUNT = 20;
/** The bytes that corruption adds take this lane and the fifteen after it. */
export const LANE_CORRUPT_BYTES = 21;

const TWO_TO_32 = 0x1_0000_0000;

/** The answers for one direction of one link. */
export class Chance {
  readonly #keyLow: number;
  readonly #keyHigh: number;

  /** Takes two draws of `stream` as its key. */
  constructor(stream: Stream) {
    this.#keyLow = stream.int32();
    this.#keyHigh = stream.int32();
  }

  /** 32 uniform bits as -2^31 .. 2^31 - 1. `index` is taken modulo 2^32. */
  int32(index: number, lane: number): number {
    // A keyed counter through two rounds of a full avalanche: the second key enters between them, so that two
    // directions whose first keys differ by a small number do not see each other's sequence shifted.
    const first = avalanche((Math.imul(index, 0x9e37_79b1) + this.#keyLow) | 0);
    return avalanche((first ^ Math.imul(lane, 0x85eb_ca77)) + this.#keyHigh);
  }

  /** Whether an event of probability `threshold / 2^32` happens (`thresholdOf`). */
  happens(index: number, lane: number, threshold: number): boolean {
    return this.int32(index, lane) >>> 0 < threshold;
  }

  /** An integer in 0 .. limit - 1, for `limit` up to 2^28: each value's share is right to within limit / 2^32. */
  below(index: number, lane: number, limit: number): number {
    return Math.floor(((this.int32(index, lane) >>> 0) * limit) / TWO_TO_32);
  }
}

/** A probability (0 .. 1) as what `happens` compares with: 0 never happens, 1 always does. */
export function thresholdOf(probability: number): number {
  return Math.round(probability * TWO_TO_32);
}

/** A bijection of 32 bits in which each input bit moves each output bit about half of the time (Wellons' triple32). */
export function avalanche(value: number): number {
  let x = value;
  x ^= x >>> 17;
  x = Math.imul(x, 0xed5a_d4bb);
  x ^= x >>> 11;
  x = Math.imul(x, 0xac4c_1b51);
  x ^= x >>> 15;
  x = Math.imul(x, 0x3184_8bab);
  return x ^ (x >>> 14);
}

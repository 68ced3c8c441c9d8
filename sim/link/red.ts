/**
 * RED: packets are dropped by chance before the queue is full, the more the longer it is in the mean (RFC 2309).
 *
 * Below a twelfth of the queue's bytes nothing, from there to a quarter up to one packet in ten, from there to a half
 * ("gentle") up to all. The mean follows the queue by 1 / 512 of the difference at each packet; a queue that was idle
 * forgets as if small packets had gone by. Drops are spread: after one, each packet without makes the next more likely.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_RED } from './chance.ts';

/** What becomes of a packet. */
export const RED_KEEP = 0;
export const RED_MARK = 1;
export const RED_DROP = 2;

/** The mean follows by this share, a power of two (Floyd and Jacobson: 0.002). */
const WEIGHT = 512;
/** Highest share at the upper threshold, one in ten. */
const SHARE_MAX = 0x1_0000_0000 / 10;
const ALL = 0x1_0000_0000;
/** Time in which a small packet goes by while the line is idle. */
const IDLE_STEP_MICROS = 1_000;

/** The state of one queue. */
export class Red {
  readonly #chance: Chance;
  #lowest = 0;
  #highest = 0;
  /** The mean times WEIGHT, in bytes. */
  #mean = 0;
  /** Packets seen: the index of the next draw. */
  #index = 0;
  /** Packets since the last drop. */
  #since = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  configure(queueBytes: number): void {
    this.#lowest = Math.floor(queueBytes / 12);
    this.#highest = Math.floor(queueBytes / 4);
  }

  /** The mean in bytes. */
  get meanBytes(): number {
    return Math.floor(this.#mean / WEIGHT);
  }

  /** What becomes of a packet that finds `bytesNow` waiting, and the line idle for `idleMicros`. */
  judge(bytesNow: number, idleMicros: Micros): number {
    if (idleMicros >= IDLE_STEP_MICROS) this.#forget(Math.floor(idleMicros / IDLE_STEP_MICROS));
    this.#mean += bytesNow - Math.floor(this.#mean / WEIGHT);
    const share = this.#share();
    const index = this.#index++;
    if (share === 0) {
      this.#since = 0;
      return RED_KEEP;
    }
    if (share >= ALL) {
      this.#since = 0;
      return RED_DROP;
    }
    // share / (1 - since * share): evenly spread over the next 1 / share packets.
    const left = ALL - this.#since++ * share;
    const spread = left <= share ? ALL : Math.floor(share / (left / ALL));
    if (!this.#chance.happens(index, LANE_RED, spread)) return RED_KEEP;
    this.#since = 0;
    return RED_MARK;
  }

  /** The share to be dropped at the mean of now, times 2^32. */
  #share(): number {
    const mean = this.meanBytes;
    if (mean < this.#lowest) return 0;
    if (mean >= 2 * this.#highest) return ALL;
    if (mean >= this.#highest) {
      return Math.floor(SHARE_MAX + ((ALL - SHARE_MAX) * (mean - this.#highest)) / this.#highest);
    }
    return Math.floor((SHARE_MAX * (mean - this.#lowest)) / (this.#highest - this.#lowest));
  }

  /** The mean after `steps` packets that found nothing waiting: (1 - 1 / WEIGHT) to that power, by squaring. */
  #forget(steps: number): void {
    let factor = 1;
    let power = 1 - 1 / WEIGHT;
    for (let left = Math.min(steps, WEIGHT * 64); left > 0; left = Math.floor(left / 2)) {
      if (left % 2 === 1) factor *= power;
      power *= power;
    }
    this.#mean = Math.floor(this.#mean * factor);
  }
}

/**
 * CoDel: a queue is bad when packets have waited too long for too long, however many bytes that is (RFC 8289).
 *
 * Asked when the line is free, about each packet that is first in the queue, until one may go. Once packets have waited
 * more than TARGET for a whole INTERVAL it drops one, then the next after INTERVAL / sqrt(2), sqrt(3), .. until a sender
 * has slowed down.
 */

import type { Micros } from '../../sys/api.ts';

/** RFC 8289 4.3: a standing wait of this much is no longer worth its throughput. */
export const TARGET_MICROS = 5_000;
/** RFC 8289 4.3: a round trip that most paths are shorter than. */
export const INTERVAL_MICROS = 100_000;
/** RFC 8289 5.3: with no more than a packet behind it, a drop would leave the line idle. */
const PACKET_BYTES = 1_514;
/** RFC 8289 5.5: so soon after the last time, it goes on at the rate that it had. */
const RECENT_MICROS = 16 * INTERVAL_MICROS;

/** The state of one queue. */
export class Codel {
  /** When packets will have waited too long for a whole interval; 0: they have not waited too long. */
  #badFrom: Micros = 0;
  #dropping = false;
  #dropNext: Micros = 0;
  /** Drops since it began to drop, and what that was when it began last. */
  #count = 0;
  #lastCount = 0;
  /** One was dropped, and whether the time of the next one moves depends on the packet behind it. */
  #moves = false;

  /**
   * Whether the first packet is to be dropped (or marked), at `now`, after `waited`, with `bytesBehind` it in the queue.
   * After a drop it is asked about the next one; after a mark the packet goes, so the caller says which of them it is.
   */
  drops(now: Micros, waited: Micros, bytesBehind: number, marks: boolean): boolean {
    const bad = this.#isBad(now, waited, bytesBehind);
    if (!bad) {
      this.#dropping = false;
      return false;
    }
    if (!this.#dropping) {
      this.#begin(now);
      return true;
    }
    if (this.#moves) this.#dropNext = after(this.#dropNext, this.#count);
    this.#moves = false;
    if (now < this.#dropNext) return false;
    this.#count++;
    if (marks) this.#dropNext = after(this.#dropNext, this.#count);
    else this.#moves = true;
    return true;
  }

  /** The queue has run empty. */
  empty(): void {
    this.#badFrom = 0;
    this.#dropping = false;
  }

  #isBad(now: Micros, waited: Micros, bytesBehind: number): boolean {
    if (waited < TARGET_MICROS || bytesBehind <= PACKET_BYTES) {
      this.#badFrom = 0;
      return false;
    }
    if (this.#badFrom === 0) {
      this.#badFrom = now + INTERVAL_MICROS;
      return false;
    }
    return now >= this.#badFrom;
  }

  #begin(now: Micros): void {
    const drops = this.#count - this.#lastCount;
    this.#dropping = true;
    this.#moves = false;
    this.#count = drops > 1 && now - this.#dropNext < RECENT_MICROS ? drops : 1;
    this.#lastCount = this.#count;
    this.#dropNext = after(now, this.#count);
  }
}

/** The control law: drops come closer as the square root of their number. */
function after(time: Micros, count: number): Micros {
  return time + Math.floor(INTERVAL_MICROS / Math.sqrt(count));
}

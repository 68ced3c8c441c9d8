/**
 * A policer: what comes faster than was agreed is dropped, without a queue, as shapers of mobile carriers and clouds do.
 *
 * A bucket of tokens that fills at the rate up to the burst; a datagram passes when there are as many tokens as it has
 * bytes. What passes in a time t is at most burst + rate * t, exactly: tokens are counted in millionths of a bit.
 */

import type { Micros } from '../../sys/api.ts';
import { checkInteger } from './option-checks.ts';

/** A rate and how far it may be exceeded at once. Datagrams count with 28 bytes of headers. */
export interface PolicerOptions {
  /** 1,000 .. 10^12. */
  readonly rateBitsPerSecond: number;
  /** Bytes that may come at once, 1 .. 67,108,864; the bucket begins full. */
  readonly burstBytes: number;
}

const RATE_BITS_MIN = 1_000;
const RATE_BITS_MAX = 1e12;
/** In millionths of a bit still far below 2^53. */
const BURST_BYTES_MAX = 64 * 1024 * 1024;
const PARTS_PER_BYTE = 8 * 1_000_000;

/** The policer of one direction. */
export class Policer {
  #rate = 0;
  #burst = 0;
  #tokens = 0;
  #filledAt: Micros = 0;
  #begun = false;

  /** Options are checked. Tokens that are there stay, up to the new burst. */
  configure({ rateBitsPerSecond, burstBytes }: PolicerOptions): void {
    this.#rate = rateBitsPerSecond;
    this.#burst = burstBytes * PARTS_PER_BYTE;
    this.#tokens = this.#begun ? Math.min(this.#tokens, this.#burst) : this.#burst;
    this.#begun = true;
  }

  /** Whether a packet of `bytes`, headers included, passes at `now`. To be asked in the order of time. */
  passes(bytes: number, now: Micros): boolean {
    // Inexact only where it is more than the bucket holds.
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#rate);
    this.#filledAt = now;
    const needed = bytes * PARTS_PER_BYTE;
    if (needed > this.#tokens) return false;
    this.#tokens -= needed;
    return true;
  }
}

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkPolicer(whose: string, options: PolicerOptions): void {
  if (options === null || typeof options !== 'object') {
    throw new RangeError(`${whose}: policer is { rateBitsPerSecond, burstBytes }`);
  }
  checkInteger(whose, 'policer.rateBitsPerSecond', options.rateBitsPerSecond, RATE_BITS_MAX, RATE_BITS_MIN);
  checkInteger(whose, 'policer.burstBytes', options.burstBytes, BURST_BYTES_MAX, 1);
}

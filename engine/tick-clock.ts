/**
 * When the game steps: at a fixed rate, counted from 0, without drift.
 *
 * Tick n is due at start + n seconds / rate, computed afresh for each n, so rounding never adds up. A server that falls
 * behind steps several times in one turn to catch up, up to a bound; what is beyond it is skipped and counted, since a
 * server that is too slow for its rate would otherwise only ever fall further behind.
 */

import { type Micros, NEVER } from '../sys/api.ts';

/** Ticks made up for in one turn: a quarter of a second at 60 Hz would be 15; more than 4 shows as a jump anyway. */
const CATCH_UP_TICKS_MAX = 4;

export class TickClock {
  readonly rateHz: number;
  /** Number of the next tick. */
  tick = 0;
  /** Ticks left out because the game was too slow. */
  skipped = 0;
  #start: Micros;
  /** Ticks due since the start, done or skipped: what the deadline is computed from. */
  #due = 0;
  #deadline: Micros;

  /** @param rateHz steps a second, > 0; 0 means never */
  constructor(rateHz: number, now: Micros) {
    this.rateHz = rateHz;
    this.#start = now;
    this.#deadline = rateHz > 0 ? now : NEVER;
  }

  /** When the next tick is due. */
  get deadline(): Micros {
    return this.#deadline;
  }

  /** Takes the next tick if it is due at `now`; returns its number, or -1. Call until -1. */
  take(now: Micros): number {
    if (now < this.#deadline) return -1;
    this.#advance();
    this.#skipBeyond(now);
    return this.tick++;
  }

  #skipBeyond(now: Micros): void {
    if (now < this.#deadline) return;
    const missed = Math.floor(((now - this.#deadline) * this.rateHz) / 1_000_000) + 1;
    if (missed <= CATCH_UP_TICKS_MAX) return;
    this.skipped += missed;
    this.#due += missed - 1;
    this.#advance();
  }

  #advance(): void {
    this.#due++;
    this.#deadline = this.#start + Math.floor((this.#due * 1_000_000) / this.rateHz);
  }
}

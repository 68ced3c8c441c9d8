/**
 * The way itself: latency, and jitter around it that either lets packets overtake each other or keeps their order.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_JITTER, LANE_JITTER_SUM } from './chance.ts';

/** How jitter is spread over latency - jitter .. latency + jitter. */
export type JitterShape =
  /** Each delay is as likely as the others (what `tc netem delay 50ms 10ms` does). */
  | 'uniform'
  /** The sum of four uniform parts: most delays near the latency, the bounds almost never. */
  | 'bell';

/** Delays of one direction. */
export class Delay {
  /** Set by `configure` only. */
  latencyMicros: Micros = 0;
  readonly #chance: Chance;
  #jitterMicros = 0;
  #bell = false;
  #keepOrder = false;
  #lastArrival = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Options are checked. */
  configure(latencyMicros: Micros, jitterMicros: Micros, shape: JitterShape, keepOrder: boolean): void {
    this.latencyMicros = latencyMicros;
    this.#jitterMicros = jitterMicros;
    this.#bell = shape === 'bell';
    this.#keepOrder = keepOrder;
  }

  /** When packet `index`, sent at `now`, arrives. */
  arrival(index: number, now: Micros): Micros {
    let arrival = now + this.micros(index);
    if (this.#keepOrder) {
      if (arrival < this.#lastArrival) arrival = this.#lastArrival;
      this.#lastArrival = arrival;
    }
    return arrival;
  }

  /** The delay of packet `index` on its own. */
  micros(index: number): Micros {
    const jitter = this.#jitterMicros;
    if (jitter === 0) return this.latencyMicros;
    const offset = this.#bell ? this.#bellOffset(index) : this.#chance.below(index, LANE_JITTER, 2 * jitter + 1);
    return this.latencyMicros - jitter + offset;
  }

  /** 0 .. 2 * jitter as a sum of four uniform parts that share the range exactly. */
  #bellOffset(index: number): number {
    const range = 2 * this.#jitterMicros;
    const quarter = Math.floor(range / 4);
    let offset = this.#chance.below(index, LANE_JITTER, range - 3 * quarter + 1);
    for (let part = 0; part < 3; part++) {
      offset += this.#chance.below(index, LANE_JITTER_SUM + part, quarter + 1);
    }
    return offset;
  }
}

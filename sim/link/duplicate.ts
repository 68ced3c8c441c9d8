/**
 * Duplication: the network delivers some packets twice, the copy with the original or up to a while after it.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_DUPLICATE, LANE_DUPLICATE_DELAY, thresholdOf } from './chance.ts';

/** What `extraMicros` answers for a packet that is delivered once. */
export const NO_COPY = -1;

/** Copies of one direction. */
export class Duplicate {
  readonly #chance: Chance;
  #threshold = 0;
  #delayMicros = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Options are checked. */
  configure(probability: number, delayMicros: Micros): void {
    this.#threshold = thresholdOf(probability);
    this.#delayMicros = delayMicros;
  }

  /** How long after packet `index` its copy arrives, 0 .. the most; NO_COPY for most packets. */
  extraMicros(index: number): Micros {
    if (this.#threshold === 0 || !this.#chance.happens(index, LANE_DUPLICATE, this.#threshold)) return NO_COPY;
    return this.#chance.below(index, LANE_DUPLICATE_DELAY, this.#delayMicros + 1);
  }
}

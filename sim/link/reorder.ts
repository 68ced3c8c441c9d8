/**
 * Reordering as a thing of its own: some packets are held back, so that those sent within that time overtake them.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_REORDER, thresholdOf } from './chance.ts';

/** The holding back of one direction. */
export class Reorder {
  readonly #chance: Chance;
  #threshold = 0;
  #micros = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Options are checked. */
  configure(probability: number, micros: Micros): void {
    this.#threshold = thresholdOf(probability);
    this.#micros = micros;
  }

  /** How much later than it would packet `index` arrives: 0 for most. */
  holdMicros(index: number): Micros {
    if (this.#threshold === 0) return 0;
    return this.#chance.happens(index, LANE_REORDER, this.#threshold) ? this.#micros : 0;
  }
}

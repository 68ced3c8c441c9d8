/**
 * Loss by the chain of four states that `tc netem loss state` has: bursts in which some packets get through, and packets
 * lost alone between them.
 *
 * States by netem's numbers: 1 received between bursts, 2 received within a burst, 3 lost within a burst, 4 lost alone.
 * Long-run loss, with g = p13 / p31: (g + p14) / (1 + g + g * p32 / p23 + p14).
 */

import { type Chance, LANE_LOSS_STATE, thresholdOf } from './chance.ts';
import { checkProbability } from './option-checks.ts';

/** The probabilities to move from one state to another before a packet; what is left of 1 stays. */
export interface FourStateLoss {
  readonly model: 'four-state';
  /** A burst begins. */
  readonly p13: number;
  /** It ends after a loss. */
  readonly p31: number;
  /** Within a burst, losses go on after packets that got through. */
  readonly p23: number;
  /** Within a burst, packets get through. p31 + p32 is at most 1. */
  readonly p32: number;
  /** A packet is lost alone; the next one is received. p13 + p14 is at most 1. */
  readonly p14: number;
}

/** The chain of one direction. It begins in state 1, as netem's does. */
export class LossFourState {
  readonly #chance: Chance;
  readonly #p13: number;
  readonly #p13or14: number;
  readonly #p31: number;
  readonly #p31or32: number;
  readonly #p23: number;
  #state = 1;
  #next = 0;

  /** Options are checked. */
  constructor(chance: Chance, { p13, p31, p23, p32, p14 }: FourStateLoss) {
    this.#chance = chance;
    this.#p13 = thresholdOf(p13);
    this.#p13or14 = thresholdOf(p13 + p14);
    this.#p31 = thresholdOf(p31);
    this.#p31or32 = thresholdOf(p31 + p32);
    this.#p23 = thresholdOf(p23);
  }

  /** Whether packet `index` is lost. To be asked in the order of indices; some may be left out. */
  loses(index: number): boolean {
    while (this.#next <= index) this.#move(this.#chance.int32(this.#next++, LANE_LOSS_STATE) >>> 0);
    return this.#state >= 3;
  }

  #move(draw: number): void {
    if (this.#state === 1) {
      if (draw < this.#p13) this.#state = 3;
      else if (draw < this.#p13or14) this.#state = 4;
    } else if (this.#state === 2) {
      if (draw < this.#p23) this.#state = 3;
    } else if (this.#state === 3) {
      if (draw < this.#p31) this.#state = 1;
      else if (draw < this.#p31or32) this.#state = 2;
    } else this.#state = 1;
  }
}

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkFourState(whose: string, loss: FourStateLoss): void {
  for (const field of ['p13', 'p31', 'p23', 'p32', 'p14'] as const) {
    checkProbability(whose, `loss.${field}`, loss[field]);
  }
  if (loss.p13 + loss.p14 > 1) throw new RangeError(`${whose}: loss.p13 + loss.p14 is at most 1: lower one of them`);
  if (loss.p31 + loss.p32 > 1) throw new RangeError(`${whose}: loss.p31 + loss.p32 is at most 1: lower one of them`);
}

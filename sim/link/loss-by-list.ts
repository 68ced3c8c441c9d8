/**
 * Loss by hand: these packets and no others, as a list of indices or as a pattern that repeats.
 *
 * For tests that need the third packet gone, for a run that is boiled down to the losses that matter, and for losses that
 * were measured.
 */

import { checkInteger } from './option-checks.ts';

/** Packets by their indices on the direction, from 0. */
export interface ListLoss {
  readonly model: 'list';
  /** In any order; at most 1,000,000. */
  readonly lost: readonly number[];
}

/** A pattern: its first digit stands for packet 0, and after the last one it begins again. */
export interface TraceLoss {
  readonly model: 'trace';
  /** `0`: gets through, `1`: is lost; 1 .. 1,000,000 digits. */
  readonly pattern: string;
}

/** A million: some megabytes. */
const ENTRIES_MAX = 1_000_000;
const INDEX_MAX = 0xffff_ffff;

/** A list of one direction. */
export class LossByList {
  /** In rising order. */
  readonly #lost: Float64Array;
  /** The first entry that is not before the last question. */
  #next = 0;

  /** Options are checked. */
  constructor({ lost }: ListLoss) {
    this.#lost = Float64Array.from(lost).sort();
  }

  /** Whether packet `index` is lost. To be asked in the order of indices; some may be left out. */
  loses(index: number): boolean {
    while (this.#next < this.#lost.length && this.#lost[this.#next]! < index) this.#next++;
    return this.#lost[this.#next] === index;
  }
}

/** A pattern of one direction. */
export class LossByTrace {
  readonly #isLost: Uint8Array;

  /** Options are checked. */
  constructor({ pattern }: TraceLoss) {
    this.#isLost = Uint8Array.from(pattern, (digit) => (digit === '1' ? 1 : 0));
  }

  /** Whether packet `index` is lost. */
  loses(index: number): boolean {
    return this.#isLost[index % this.#isLost.length] === 1;
  }
}

/** Throws RangeError that names `whose` it is and the field when a list is not one. */
export function checkList(whose: string, { lost }: ListLoss): void {
  if (!Array.isArray(lost) || lost.length > ENTRIES_MAX) {
    throw new RangeError(`${whose}: loss.lost is a list of at most ${ENTRIES_MAX} packet indices`);
  }
  for (let i = 0; i < lost.length; i++) checkInteger(whose, `loss.lost[${i}]`, lost[i]!, INDEX_MAX);
}

/** Throws RangeError that names `whose` it is and the field when a pattern is not one. */
export function checkTrace(whose: string, { pattern }: TraceLoss): void {
  if (typeof pattern !== 'string' || !/^[01]+$/.test(pattern) || pattern.length > ENTRIES_MAX) {
    throw new RangeError(`${whose}: loss.pattern is a text of 1 .. ${ENTRIES_MAX} digits 0 and 1, say '0001100'`);
  }
}

/** The newest message of each key of a latest-state stream: a table that grows to the highest key in use. */

import { grown } from '../block-pool.ts';
import { Regions } from '../regions.ts';

const NONE = -1;
const LOG2_AT_BIRTH = 3;

export class KeyIndex {
  readonly #base: Int32Array;
  readonly #log2: Uint8Array;
  #id: Int32Array = new Int32Array(0);
  readonly #regions: Regions;

  constructor(streams: number) {
    this.#base = new Int32Array(streams).fill(NONE);
    this.#log2 = new Uint8Array(streams);
    this.#regions = new Regions((slots) => {
      this.#id = grown(this.#id, new Int32Array(slots));
    });
  }

  /** Low 32 bits of the id that was set for the key; any number when none was: the caller checks what it finds there. */
  get(s: number, key: number): number {
    return this.#base[s] === NONE || key >= 1 << this.#log2[s]! ? NONE : this.#id[this.#base[s]! + key]!;
  }

  set(s: number, key: number, id: number): void {
    if (this.#base[s] === NONE || key >= 1 << this.#log2[s]!) this.#widen(s, key);
    this.#id[this.#base[s]! + key] = id;
  }

  reset(s: number): void {
    if (this.#base[s] !== NONE) this.#regions.give(this.#base[s]!, this.#log2[s]!);
    this.#base[s] = NONE;
  }

  #widen(s: number, key: number): void {
    const log2 = Math.max(LOG2_AT_BIRTH, 32 - Math.clz32(key));
    const base = this.#regions.take(log2);
    this.#id.fill(NONE, base, base + (1 << log2));
    if (this.#base[s] !== NONE) {
      const from = this.#base[s]!;
      this.#id.copyWithin(base, from, from + (1 << this.#log2[s]!));
      this.#regions.give(from, this.#log2[s]!);
    }
    this.#base[s] = base;
    this.#log2[s] = log2;
  }
}

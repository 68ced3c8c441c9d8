/**
 * What is known about ids ahead of the one that a stream expects: a ring of entries for each stream that has any.
 *
 * A ring is there only while something is ahead. It begins small and grows to the window of ids, so a stream without loss
 * costs nothing, and one with a hole costs what has come behind the hole.
 *
 * `low` is the low 16 bits of an id, `ahead` how far it lies before the expected one, 0 .. ID_WINDOW - 1. Whoever moves
 * the expected id on clears the entries that it passes first.
 */

import { Regions } from '../regions.ts';

/** No entry. */
export const EMPTY = -1;
const NONE = -1;
/** log2 of the entries of a new ring. */
const LOG2_FIRST = 5;

export class IdRings {
  /** Entries of each stream. */
  readonly count: Int32Array;
  readonly #base: Int32Array;
  readonly #log2: Uint8Array;
  #entries: Int32Array = new Int32Array(0);
  readonly #regions: Regions;

  constructor(streams: number) {
    this.count = new Int32Array(streams);
    this.#base = new Int32Array(streams).fill(NONE);
    this.#log2 = new Uint8Array(streams);
    this.#regions = new Regions((slots) => {
      const longer = new Int32Array(slots);
      longer.set(this.#entries);
      this.#entries = longer;
    });
  }

  /** Entries that there is room for in the column, used or not. */
  get slots(): number {
    return this.#entries.length;
  }

  /** The entry of an id, or EMPTY. */
  at(stream: number, low: number, ahead: number): number {
    const base = this.#base[stream]!;
    const size = 1 << this.#log2[stream]!;
    return base === NONE || ahead >= size ? EMPTY : this.#entries[base + (low & (size - 1))]!;
  }

  /** Sets the entry of an id, which is not EMPTY, in place of the one it had. */
  put(stream: number, low: number, ahead: number, entry: number): void {
    if (this.#base[stream] === NONE || ahead >= 1 << this.#log2[stream]!) this.#grow(stream, low, ahead);
    const slot = this.#base[stream]! + (low & ((1 << this.#log2[stream]!) - 1));
    if (this.#entries[slot] === EMPTY) this.count[stream]!++;
    this.#entries[slot] = entry;
  }

  /** Removes the entry of an id, which has one. The last one takes the ring along. */
  clear(stream: number, low: number): void {
    this.#entries[this.#base[stream]! + (low & ((1 << this.#log2[stream]!) - 1))] = EMPTY;
    if (--this.count[stream]! === 0) this.#give(stream);
  }

  /** How far ahead the first entry among `length` ids from this one on lies; -1: none of them has one. */
  find(stream: number, low: number, ahead: number, length: number): number {
    const base = this.#base[stream]!;
    if (base === NONE) return NONE;
    const size = 1 << this.#log2[stream]!;
    const end = Math.min(ahead + length, size);
    for (let at = ahead; at < end; at++) {
      if (this.#entries[base + ((low - ahead + at) & (size - 1))] !== EMPTY) return at;
    }
    return NONE;
  }

  /** Removes all entries of a stream. */
  close(stream: number): void {
    this.count[stream] = 0;
    if (this.#base[stream] !== NONE) this.#give(stream);
  }

  #give(stream: number): void {
    this.#regions.give(this.#base[stream]!, this.#log2[stream]!);
    this.#base[stream] = NONE;
  }

  #grow(stream: number, low: number, ahead: number): void {
    const from = this.#base[stream]!;
    const fromLog2 = this.#log2[stream]!;
    let log2 = LOG2_FIRST;
    while (ahead >= 1 << log2) log2++;
    const base = this.#regions.take(log2);
    const entries = this.#entries;
    entries.fill(EMPTY, base, base + (1 << log2));
    if (from !== NONE) {
      const expected = low - ahead;
      for (let i = 0; i < 1 << fromLog2; i++) {
        const id = expected + i;
        entries[base + (id & ((1 << log2) - 1))] = entries[from + (id & ((1 << fromLog2) - 1))]!;
      }
      this.#regions.give(from, fromLog2);
    }
    this.#base[stream] = base;
    this.#log2[stream] = log2;
  }
}

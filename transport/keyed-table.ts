/**
 * A hash table from byte strings of one fixed length (addresses, client ids, token tags) to small numbers.
 *
 * Strangers choose what is looked up here (source addresses, ports), so the hash is keyed: with multipliers that nobody
 * outside knows, two keys collide with probability 2^-17 whatever they are, and nobody can make all keys land in one place.
 *
 * Open addressing with linear probing over typed arrays; at most half full. Nothing is allocated after the constructor.
 */

import type { Rng } from '../sys/api.ts';

/** Entries at most: the hash has 17 strong bits (see `#hash`), and the table is kept half empty. */
export const TABLE_ENTRIES_MAX = 65_536;

const HASH_SHIFT = 15; // 32-bit multilinear over 16-bit characters leaves 32 - 16 + 1 = 17 strongly universal bits, the top ones

export class KeyedTable {
  /** Entries held now. */
  count = 0;
  /** Entries that fit. */
  readonly capacity: number;
  readonly #keyBytes: number;
  readonly #mask: number;
  readonly #keys: Uint8Array;
  readonly #keyWords: Int32Array;
  /** Value + 1; 0 means the place is free. */
  readonly #values: Int32Array;
  readonly #multipliers: Int32Array;

  /**
   * @param keyBytes length of every key, a multiple of 4
   * @param capacity 1 .. TABLE_ENTRIES_MAX
   * @param rng where the hash's secret comes from
   */
  constructor(keyBytes: number, capacity: number, rng: Rng) {
    if (keyBytes % 4 !== 0) throw new RangeError(`keys of ${keyBytes} bytes: they are read by words of four`);
    if (!(capacity >= 1 && capacity <= TABLE_ENTRIES_MAX)) {
      throw new RangeError(`a table holds 1 to ${TABLE_ENTRIES_MAX} entries, not ${capacity}`);
    }
    let places = 16;
    while (places < capacity * 2) places *= 2;
    this.capacity = capacity;
    this.#keyBytes = keyBytes;
    this.#mask = places - 1;
    this.#keys = new Uint8Array(places * keyBytes);
    this.#keyWords = new Int32Array(this.#keys.buffer);
    this.#values = new Int32Array(places);
    this.#multipliers = new Int32Array(keyBytes / 2 + 1);
    rng.fill(new Uint8Array(this.#multipliers.buffer));
  }

  /** The value of the key at `bytes[offset ..]`, or -1. */
  find(bytes: Uint8Array, offset: number): number {
    let place = this.#hash(bytes, offset) & this.#mask;
    for (;;) {
      const value = this.#values[place]!;
      if (value === 0 || this.#holds(place, bytes, offset)) return value - 1;
      place = (place + 1) & this.#mask;
    }
  }

  /** `find` for a key that lies on a word boundary, `words[at ..]`: half the cost, for the way of every packet. */
  findWords(words: Int32Array, at: number): number {
    let place = this.#hashWords(words, at) & this.#mask;
    for (;;) {
      const value = this.#values[place]!;
      if (value === 0 || this.#holdsWords(place, words, at)) return value - 1;
      place = (place + 1) & this.#mask;
    }
  }

  /** Adds a key, or gives one that is there a new value (0 .. 2^31 - 2). Throws when the table is full. */
  set(bytes: Uint8Array, offset: number, value: number): void {
    let place = this.#hash(bytes, offset) & this.#mask;
    while (this.#values[place] !== 0 && !this.#holds(place, bytes, offset)) place = (place + 1) & this.#mask;
    if (this.#values[place] === 0) {
      if (this.count === this.capacity) throw new RangeError(`the table is full: ${this.capacity} entries`);
      this.count++;
      for (let i = 0; i < this.#keyBytes; i++) this.#keys[place * this.#keyBytes + i] = bytes[offset + i]!;
    }
    this.#values[place] = value + 1;
  }

  /** Removes a key. Returns its value, or -1 when it was not there. */
  remove(bytes: Uint8Array, offset: number): number {
    let place = this.#hash(bytes, offset) & this.#mask;
    while (this.#values[place] !== 0 && !this.#holds(place, bytes, offset)) place = (place + 1) & this.#mask;
    const value = this.#values[place]! - 1;
    if (value >= 0) {
      this.count--;
      this.#close(place);
    }
    return value;
  }

  /** Moves later keys of the run back over the gap, so that no search stops early and no tombstones pile up. */
  #close(gap: number): void {
    let hole = gap;
    let place = (hole + 1) & this.#mask;
    while (this.#values[place] !== 0) {
      const home = this.#hash(this.#keys, place * this.#keyBytes) & this.#mask;
      if (((place - home) & this.#mask) >= ((place - hole) & this.#mask)) {
        this.#values[hole] = this.#values[place]!;
        this.#keys.copyWithin(hole * this.#keyBytes, place * this.#keyBytes, (place + 1) * this.#keyBytes);
        hole = place;
      }
      place = (place + 1) & this.#mask;
    }
    this.#values[hole] = 0;
  }

  #holds(place: number, bytes: Uint8Array, offset: number): boolean {
    const start = place * this.#keyBytes;
    for (let i = 0; i < this.#keyBytes; i++) if (this.#keys[start + i] !== bytes[offset + i]) return false;
    return true;
  }

  #holdsWords(place: number, words: Int32Array, at: number): boolean {
    const length = this.#keyBytes >> 2;
    const start = place * length;
    for (let i = 0; i < length; i++) if (this.#keyWords[start + i] !== words[at + i]) return false;
    return true;
  }

  /** The hash of the same bytes: every machine that Node runs on is little-endian. */
  #hashWords(words: Int32Array, at: number): number {
    const multipliers = this.#multipliers;
    let sum = multipliers[0]!;
    for (let i = 1, word = at; i < multipliers.length; i += 2, word++) {
      const value = words[word]!;
      sum = (sum + Math.imul(multipliers[i]!, value & 0xffff) + Math.imul(multipliers[i + 1]!, value >>> 16)) | 0;
    }
    return sum >>> HASH_SHIFT;
  }

  /** Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014). */
  #hash(bytes: Uint8Array, offset: number): number {
    const multipliers = this.#multipliers;
    let sum = multipliers[0]!;
    for (let i = 1, at = offset; i < multipliers.length; i++, at += 2) {
      sum = (sum + Math.imul(multipliers[i]!, bytes[at]! | (bytes[at + 1]! << 8))) | 0;
    }
    return sum >>> HASH_SHIFT;
  }
}

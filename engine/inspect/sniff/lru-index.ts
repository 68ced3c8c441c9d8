/**
 * Numbers of entries by hash, with a bound: the entry that was touched longest ago makes room. The owner keeps the entries'
 * columns; this keeps chains and ages. Nothing is allocated after the start.
 */

const NONE = -1;

export class LruIndex {
  readonly capacity: number;
  /** Entries in use: numbers 0 .. count - 1. */
  count = 0;
  /** Entries that made room for others. */
  evicted = 0;
  /** How often an entry's number has been given out: tells a new entry from the one before under its number. */
  readonly life: Int32Array;
  readonly #mask: number;
  readonly #bucket: Int32Array;
  readonly #next: Int32Array;
  readonly #hash: Int32Array;
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest: number = NONE;
  #oldest: number = NONE;

  /** @param capacity a power of two */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#mask = 2 * capacity - 1; // half as many entries as buckets: chains of one or two
    this.#bucket = new Int32Array(2 * capacity).fill(NONE);
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#hash = new Int32Array(capacity);
    this.#newer = new Int32Array(capacity).fill(NONE);
    this.#older = new Int32Array(capacity).fill(NONE);
    this.life = new Int32Array(capacity);
  }

  /** The first entry that may have this hash; -1: none. */
  first(hash: number): number {
    return this.#bucket[hash & this.#mask]!;
  }

  /** The one after `entry` that may; -1: none. */
  after(entry: number): number {
    return this.#next[entry]!;
  }

  /** Makes `entry` the newest. */
  touch(entry: number): void {
    if (entry === this.#newest) return;
    const newer = this.#newer[entry]!;
    const older = this.#older[entry]!;
    this.#older[newer] = older; // there is a newer one, since this is not the newest
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    this.#lead(entry);
  }

  /** A number for a new entry of this hash; that of the oldest when all are in use. */
  insert(hash: number): number {
    const entry = this.count < this.capacity ? this.count++ : this.#evict();
    const bucket = hash & this.#mask;
    this.#hash[entry] = hash;
    this.#next[entry] = this.#bucket[bucket]!;
    this.#bucket[bucket] = entry;
    this.life[entry] = (this.life[entry]! + 1) | 0;
    this.#lead(entry);
    return entry;
  }

  #lead(entry: number): void {
    this.#newer[entry] = NONE;
    this.#older[entry] = this.#newest;
    if (this.#newest === NONE) this.#oldest = entry;
    else this.#newer[this.#newest] = entry;
    this.#newest = entry;
  }

  #evict(): number {
    const entry = this.#oldest;
    const newer = this.#newer[entry]!;
    this.#oldest = newer;
    if (newer === NONE) this.#newest = NONE;
    else this.#older[newer] = NONE;
    const bucket = this.#hash[entry]! & this.#mask;
    let at = this.#bucket[bucket]!;
    if (at === entry) this.#bucket[bucket] = this.#next[entry]!;
    else {
      while (this.#next[at]! !== entry) at = this.#next[at]!;
      this.#next[at] = this.#next[entry]!;
    }
    this.evicted++;
    return entry;
  }
}

/** One round of the hash of keys: multiply and turn (murmur3's constants). */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** The last round: every bit of the hash depends on every bit before. */
export function settle(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

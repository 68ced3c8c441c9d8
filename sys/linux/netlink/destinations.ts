/**
 * A bounded table of destinations by number: which row holds the way to an address, and which row must go for a new one.
 *
 * Rows lie in sets of eight; the keyed hash of a destination names its set. When a set is full, the row that was used
 * longest ago leaves. So memory never grows, finding costs at most eight looks, and nobody outside can aim at a set.
 */

import type { Rng } from '../../api.ts';

/** Words of a key: destination address (4), scope, the source address asked for (4; zeros: any). */
export const KEY_WORDS = 9;
/** Rows of a set. */
const WAYS = 8;
/** Odd multipliers whose products spread every bit upwards (those that end MurmurHash3). */
const MIX_A = 0x85eb_ca6b | 0;
const MIX_B = 0xc2b2_ae35 | 0;
/** Words that the hash takes in. */
const HASHED_WORDS = 6;

/** Rows by destination. */
export class Destinations {
  readonly rows: number;
  /** KEY_WORDS a row. */
  readonly keys: Int32Array;
  /** 1 where the row holds a destination. */
  readonly held: Uint8Array;
  private readonly hashes: Int32Array;
  /** Set by who uses a row without finding it anew; `look` of `NextHops` takes it back into `usedIn`. */
  readonly recent: Uint8Array;
  /** The turn in which each row was last found. */
  private readonly usedIn: Float64Array;
  private readonly turn: Float64Array = new Float64Array(1);
  private readonly factors: Int32Array = new Int32Array(HASHED_WORDS);
  private readonly setMask: number;

  /**
   * @param rows a power of two, at least 8
   * @param rng unpredictable, so that nobody can choose addresses that share a set
   */
  constructor(rows: number, rng: Rng) {
    if (rows < WAYS || (rows & (rows - 1)) !== 0) throw new RangeError(`${rows} rows are no power of two >= ${WAYS}`);
    this.rows = rows;
    for (let i = 0; i < HASHED_WORDS; i++) this.factors[i] = rng.u32() | 1;
    this.setMask = rows / WAYS - 1;
    this.keys = new Int32Array(rows * KEY_WORDS);
    this.held = new Uint8Array(rows);
    this.hashes = new Int32Array(rows);
    this.recent = new Uint8Array(rows);
    this.usedIn = new Float64Array(rows);
  }

  /** A new turn begins: rows found from here on count as used later than those before. */
  beginTurn(): void {
    this.turn[0]!++;
  }

  /** Notes that `row` was used, where somebody has said so. */
  note(row: number): void {
    if (this.recent[row] === 0) return;
    this.recent[row] = 0;
    this.usedIn[row] = this.turn[0]!;
  }

  /** The row of the destination at word `at` of `to`, sent from the address at word `fromAt` of `from`; -1: none. */
  find(to: Int32Array, at: number, from: Int32Array, fromAt: number): number {
    const hash = this.hash(to, at, from, fromAt);
    const { hashes, held } = this;
    const first = (hash & this.setMask) * WAYS;
    for (let row = first; row < first + WAYS; row++) {
      if (hashes[row] === hash && held[row] === 1 && this.isKey(row, to, at, from, fromAt)) {
        this.usedIn[row] = this.turn[0]!;
        return row;
      }
    }
    return -1;
  }

  /** Gives the destination a row: a free one of its set, or that used longest ago, whose destination is forgotten. */
  claim(to: Int32Array, at: number, from: Int32Array, fromAt: number): number {
    const hash = this.hash(to, at, from, fromAt);
    const { held, usedIn, keys } = this;
    const first = (hash & this.setMask) * WAYS;
    let row = first;
    for (let other = first; other < first + WAYS; other++) this.note(other);
    for (let other = first; other < first + WAYS && held[row] === 1; other++) {
      if (held[other] === 0 || usedIn[other]! < usedIn[row]!) row = other;
    }
    this.hashes[row] = hash;
    held[row] = 1;
    usedIn[row] = this.turn[0]!;
    const key = row * KEY_WORDS;
    for (let i = 0; i < 4; i++) {
      keys[key + i] = to[at + i]!;
      keys[key + 5 + i] = from[fromAt + i]!;
    }
    keys[key + 4] = to[at + 5]!;
    return row;
  }

  private isKey(row: number, to: Int32Array, at: number, from: Int32Array, fromAt: number): boolean {
    const { keys } = this;
    const key = row * KEY_WORDS;
    return (
      keys[key + 3] === to[at + 3] && // the last word first: it differs most often
      keys[key + 2] === to[at + 2] &&
      keys[key + 1] === to[at + 1] &&
      keys[key] === to[at] &&
      keys[key + 4] === to[at + 5] &&
      keys[key + 8] === from[fromAt + 3] &&
      keys[key + 7] === from[fromAt + 2] &&
      keys[key + 6] === from[fromAt + 1] &&
      keys[key + 5] === from[fromAt]
    );
  }

  private hash(to: Int32Array, at: number, from: Int32Array, fromAt: number): number {
    const { factors } = this;
    const sum =
      Math.imul(to[at]!, factors[0]!) +
      Math.imul(to[at + 1]!, factors[1]!) +
      Math.imul(to[at + 2]!, factors[2]!) +
      Math.imul(to[at + 3]!, factors[3]!) +
      Math.imul(to[at + 5]!, factors[4]!) +
      Math.imul(from[fromAt + 3]!, factors[5]!);
    // The factors are secret. Neighbouring addresses differ in few upper bits of the sum, so it takes two rounds to bring
    // that down to the bits that name the set.
    const once = Math.imul(sum ^ (sum >>> 16), MIX_A);
    const twice = Math.imul(once ^ (once >>> 13), MIX_B);
    return twice ^ (twice >>> 16);
  }
}

/**
 * Which connect tokens have been spent, for all workers of a group: a hash table in shared memory without locks, since a
 * thread that is ended while it holds a lock would hold it for ever.
 *
 * A row is claimed (0 or expired -> WRITING), filled, and published (VALID). Two threads that spend one token at the same
 * time look at the same rows in the same order: the one that comes second waits until the other's row is published, or finds
 * it when it looks once more after its own. At most one of the two is told that it may go on; it may be that none is, and
 * then the client asks its backend for another token. A thread that ends between claim and publication leaves its row unused.
 */

import type { SpentTokenStore } from '../../transport/netcode/token-history.ts';

const FREE = 0;
const WRITING = 1;
const VALID = 2;

const TAG_WORDS = 4;
/** Rows that one token may be in. With a table twice as large as what it holds, one of 10^9 buckets overflows. */
const BUCKET_ROWS = 32;
/** Bytes a row: state, expiry in unix seconds (u32), tag. */
const ROW_BYTES = 4 + 4 + 16;
/** Looks at a row that somebody is writing: it takes him less than a microsecond, unless he has been ended. */
const LOOKS_MAX = 10_000;
/** Later expiries, and tokens that never expire. */
const NEVER_SECONDS = 0xffff_ffff;

export class SharedSpentTokens implements SpentTokenStore {
  readonly memory: SharedArrayBuffer;
  readonly #state: Int32Array;
  readonly #expires: Uint32Array;
  readonly #tag: Int32Array;
  readonly #buckets: number;
  readonly #unixSeconds: () => number;

  /**
   * @param memory from `SharedSpentTokens.allocate`, or of another thread's
   * @param unixSeconds the calendar: expired rows are used again
   */
  constructor(memory: SharedArrayBuffer, unixSeconds: () => number) {
    const rows = memory.byteLength / ROW_BYTES;
    this.memory = memory;
    this.#state = new Int32Array(memory, 0, rows);
    this.#expires = new Uint32Array(memory, rows * 4, rows);
    this.#tag = new Int32Array(memory, rows * 8, rows * TAG_WORDS);
    this.#buckets = rows / BUCKET_ROWS;
    this.#unixSeconds = unixSeconds;
  }

  /** Memory for `tokens` that have not expired, twice as large so that buckets do not overflow. */
  static allocate(tokens: number): SharedArrayBuffer {
    const buckets = Math.ceil((tokens * 2) / BUCKET_ROWS);
    return new SharedArrayBuffer(buckets * BUCKET_ROWS * ROW_BYTES);
  }

  isSpent(tag: Uint8Array): boolean {
    return this.#find(wordsOf(tag), -1) >= 0;
  }

  /** False where it is spent already, or where there is no room to remember it. */
  spend(tag: Uint8Array, expiresUnixSeconds: number): boolean {
    const words = wordsOf(tag);
    if (this.#find(words, -1) >= 0) return false;
    const row = this.#claim(words);
    if (row < 0) return false;
    this.#expires[row] = Math.min(NEVER_SECONDS, Math.ceil(expiresUnixSeconds));
    for (let word = 0; word < TAG_WORDS; word++) this.#tag[row * TAG_WORDS + word] = words[word]!;
    Atomics.store(this.#state, row, VALID);
    return this.#find(words, row) < 0;
  }

  /** The row of a token other than `except`, or -1. */
  #find(words: Int32Array, except: number): number {
    const first = this.#bucketOf(words);
    for (let row = first; row < first + BUCKET_ROWS; row++) {
      if (row !== except && this.#holds(row, words)) return row;
    }
    return -1;
  }

  #holds(row: number, words: Int32Array): boolean {
    let state = Atomics.load(this.#state, row);
    for (let look = 0; state === WRITING && look < LOOKS_MAX; look++) state = Atomics.load(this.#state, row);
    if (state !== VALID) return false;
    for (let word = 0; word < TAG_WORDS; word++) {
      if (this.#tag[row * TAG_WORDS + word] !== words[word]) return false;
    }
    return true;
  }

  /** Takes the first row of the bucket that is free or expired; -1 where there is none, or the token has come meanwhile. */
  #claim(words: Int32Array): number {
    const first = this.#bucketOf(words);
    const now = this.#unixSeconds();
    for (let row = first; row < first + BUCKET_ROWS; row++) {
      const state = Atomics.load(this.#state, row);
      const isOver = state === VALID && this.#expires[row]! !== NEVER_SECONDS && this.#expires[row]! <= now;
      if (state !== FREE && !isOver) continue;
      if (Atomics.compareExchange(this.#state, row, state, WRITING) === state) return row;
      if (this.#holds(row, words)) return -1;
    }
    return -1;
  }

  /** The tag is the MAC of a token that only the backend can make, so nobody chooses buckets. */
  #bucketOf(words: Int32Array): number {
    return ((words[0]! >>> 0) % this.#buckets) * BUCKET_ROWS;
  }
}

function wordsOf(tag: Uint8Array): Int32Array {
  return new Int32Array(tag.slice(0, TAG_WORDS * 4).buffer);
}

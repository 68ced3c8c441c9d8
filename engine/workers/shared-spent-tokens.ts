/**
 * Which connect tokens have been spent, for all workers of a group: a hash table in shared memory without locks, since a
 * thread that is ended while it holds a lock would hold it for ever.
 *
 *     FREE or expired -> WRITING (claimed) -> CLAIMED (its token can be read) -> SPENT, or FREE again
 *
 * Threads that spend one token at the same time may claim a row each. Each makes its claim readable before it looks at the
 * others', so of two at least one sees the other. Who sees an earlier row with its token gives up; who sees a later one waits
 * for that thread to decide. So at most one may go on, and mostly one does; where none does, the client asks its backend for
 * another token. What a thread leaves that ends meanwhile stays: a row that nobody uses, or a token that counts as spent.
 */

import type { SpentTokenStore } from '../../transport/netcode/token-history.ts';

const FREE = 0;
const WRITING = 1;
const CLAIMED = 2;
const SPENT = 3;

const TAG_WORDS = 4;
/** Rows that one token may be in. With a table twice as large as what it holds, one of 10^9 buckets overflows. */
const BUCKET_ROWS = 32;
/** Bytes a row: state, expiry in unix seconds (u32), tag. */
const ROW_BYTES = 4 + 4 + 16;
/** Looks at a row that somebody else is to change: it takes him less than a microsecond, unless he has been ended or has no CPU. */
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
    const words = wordsOf(tag);
    const first = this.#bucketOf(words);
    for (let row = first; row < first + BUCKET_ROWS; row++) if (this.#holds(row, words)) return true;
    return false;
  }

  /** False where it is spent already, or where there is no room to remember it. */
  spend(tag: Uint8Array, expiresUnixSeconds: number): boolean {
    if (this.isSpent(tag)) return false;
    const words = wordsOf(tag);
    const row = this.#claim(words);
    if (row < 0) return false;
    this.#expires[row] = Math.min(NEVER_SECONDS, Math.ceil(expiresUnixSeconds));
    for (let word = 0; word < TAG_WORDS; word++) this.#tag[row * TAG_WORDS + word] = words[word]!;
    Atomics.store(this.#state, row, CLAIMED);
    const isFirst = this.#isFirst(row, words);
    Atomics.store(this.#state, row, isFirst ? SPENT : FREE);
    return isFirst;
  }

  /** Whether no other row has the token of a claimed one, or only rows that are given up. */
  #isFirst(mine: number, words: Int32Array): boolean {
    const first = this.#bucketOf(words);
    for (let row = first; row < first + BUCKET_ROWS; row++) {
      if (row === mine || !this.#holds(row, words)) continue;
      if (row < mine || this.#stateAfter(row, CLAIMED) !== FREE) return false;
    }
    return true;
  }

  /** Whether a row is claimed for a token, or has spent it. */
  #holds(row: number, words: Int32Array): boolean {
    if (this.#stateAfter(row, WRITING) < CLAIMED) return false;
    for (let word = 0; word < TAG_WORDS; word++) {
      if (this.#tag[row * TAG_WORDS + word] !== words[word]) return false;
    }
    return true;
  }

  /** The state of a row once it is another one, or that one after many looks. */
  #stateAfter(row: number, passing: number): number {
    let state = Atomics.load(this.#state, row);
    for (let look = 0; state === passing && look < LOOKS_MAX; look++) state = Atomics.load(this.#state, row);
    return state;
  }

  /** Takes the first row of the bucket that is free or expired; -1 where there is none. */
  #claim(words: Int32Array): number {
    const first = this.#bucketOf(words);
    const now = this.#unixSeconds();
    for (let row = first; row < first + BUCKET_ROWS; row++) {
      const state = Atomics.load(this.#state, row);
      const isOver = state === SPENT && this.#expires[row]! !== NEVER_SECONDS && this.#expires[row]! <= now;
      if (state !== FREE && !isOver) continue;
      if (Atomics.compareExchange(this.#state, row, state, WRITING) === state) return row;
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

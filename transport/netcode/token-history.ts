/**
 * Which tokens have been seen, from where, and which have connected: until they expire.
 *
 * The standard lets a token be used again from the same address. That allows a recorded session to be replayed, and makes
 * both sides use their keys with the same numbers twice. Here a token that has connected once is spent.
 *
 * A token is known by the tag of its private part. Only tokens that decrypted get in, so strangers cannot fill the table.
 */

import { ADDRESS_BYTES, type Rng, sameAddress } from '../../sys/api.ts';
import { grown } from '../block-pool.ts';
import { KeyedTable } from '../keyed-table.ts';
import { TAG_BYTES } from './packets.ts';
import { copyAddress } from './sessions.ts';

/** Keeps spent tokens beyond the life of one server, so that a restart or a twin does not open them again. */
export interface SpentTokenStore {
  /**
   * From when on it knows of every token that was spent: those made before are refused. Default: it has always known. One that
   * gives it also knows of every server that shares its tokens, and lets each token be spent once.
   */
  readonly sinceUnixSeconds?: number;
  /** Whether the token with this tag (16 bytes, borrowed) has connected. Called for each request that is opened. */
  isSpent(tag: Uint8Array): boolean;
  /**
   * Remembers it until `expiresUnixSeconds` (Infinity: for ever). `tag` is borrowed. False where another server has spent it since
   * `isSpent` was asked: the client is sent away, since no two sessions may have the same keys.
   */
  spend(tag: Uint8Array, expiresUnixSeconds: number): boolean | void;
}

export const TOKEN_UNSEEN = 0;
/** Seen from the same address, not connected. */
export const TOKEN_SEEN = 1;
export const TOKEN_ELSEWHERE = 2;
export const TOKEN_SPENT = 3;

/** The table begins with so many rows and doubles up to its capacity: most servers see few tokens within a token's life. */
const ROWS_AT_BIRTH = 1024;

export class TokenHistory {
  /** Tokens remembered at once, at most. */
  readonly capacity: number;
  readonly #rng: Rng;
  #table: KeyedTable;
  #tag: Uint8Array = new Uint8Array(0);
  #address: Uint8Array = new Uint8Array(0);
  #expires: Float64Array = new Float64Array(0);
  #spent: Uint8Array = new Uint8Array(0);
  #free: Int32Array = new Int32Array(0);
  #freeCount = 0;
  #sweptAt = -1;

  constructor(capacity: number, rng: Rng) {
    this.capacity = capacity;
    this.#rng = rng;
    const rows = Math.min(capacity, ROWS_AT_BIRTH);
    this.#table = new KeyedTable(TAG_BYTES, rows, rng);
    this.#widen(rows);
  }

  /** Tokens remembered now. */
  get count(): number {
    return this.#table.count;
  }

  /** What is known of a token that comes from an address: TOKEN_UNSEEN, _SEEN, _ELSEWHERE or _SPENT. */
  look(tag: Uint8Array, tagAt: number, address: Uint8Array, addressAt: number): number {
    const row = this.#table.find(tag, tagAt);
    if (row < 0) return TOKEN_UNSEEN;
    if (this.#spent[row] === 1) return TOKEN_SPENT;
    return sameAddress(this.#address, row * ADDRESS_BYTES, address, addressAt) ? TOKEN_SEEN : TOKEN_ELSEWHERE;
  }

  /**
   * Remembers a token as seen from an address until it expires. Returns false when there are `capacity` tokens that have
   * not expired. A full table is swept at most once a second: 10 us for a thousand tokens; then it grows.
   */
  record(
    tag: Uint8Array,
    tagAt: number,
    address: Uint8Array,
    addressAt: number,
    expires: number,
    unixSeconds: number,
  ): boolean {
    if (this.#table.find(tag, tagAt) >= 0) return true;
    if (this.#freeCount === 0) this.#sweep(unixSeconds);
    if (this.#freeCount === 0 && !this.#grow()) return false;
    const row = this.#free[--this.#freeCount]!;
    for (let i = 0; i < TAG_BYTES; i++) this.#tag[row * TAG_BYTES + i] = tag[tagAt + i]!;
    copyAddress(address, addressAt, this.#address, row * ADDRESS_BYTES);
    this.#expires[row] = expires;
    this.#spent[row] = 0;
    this.#table.set(tag, tagAt, row);
    return true;
  }

  /** Marks a recorded token as spent. */
  spend(tag: Uint8Array, tagAt: number): void {
    const row = this.#table.find(tag, tagAt);
    if (row >= 0) this.#spent[row] = 1;
  }

  /** Twice the rows, all found by a new table. False when there are as many as there may be. */
  #grow(): boolean {
    const before = this.#expires.length;
    if (before === this.capacity) return false;
    const rows = Math.min(before * 2, this.capacity);
    this.#table = new KeyedTable(TAG_BYTES, rows, this.#rng);
    for (let row = 0; row < before; row++) this.#table.set(this.#tag, row * TAG_BYTES, row); // none of them is free
    this.#widen(rows);
    return true;
  }

  /** Makes the columns `rows` long; the new rows are free. */
  #widen(rows: number): void {
    const before = this.#expires.length;
    this.#tag = grown(this.#tag, new Uint8Array(rows * TAG_BYTES));
    this.#address = grown(this.#address, new Uint8Array(rows * ADDRESS_BYTES));
    this.#expires = grown(this.#expires, new Float64Array(rows).fill(-1));
    this.#spent = grown(this.#spent, new Uint8Array(rows));
    this.#free = new Int32Array(rows);
    for (let row = rows - 1; row >= before; row--) this.#free[this.#freeCount++] = row;
  }

  #sweep(unixSeconds: number): void {
    if (unixSeconds === this.#sweptAt) return;
    this.#sweptAt = unixSeconds;
    for (let row = 0; row < this.#expires.length; row++) {
      const expires = this.#expires[row]!;
      if (expires < 0 || expires > unixSeconds) continue; // a request is refused when expires <= now: nothing is lost
      this.#table.remove(this.#tag, row * TAG_BYTES);
      this.#expires[row] = -1;
      this.#free[this.#freeCount++] = row;
    }
  }
}

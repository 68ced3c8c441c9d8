/**
 * Which tokens have been seen, from where, and which have connected: until they expire.
 *
 * The standard lets a token be used again from the same address. That allows a recorded session to be replayed, and makes
 * both sides use their keys with the same numbers twice. Here a token that has connected once is spent.
 *
 * A token is known by the tag of its private part. Only tokens that decrypted get in, so strangers cannot fill the table.
 */

import { ADDRESS_BYTES, type Rng, sameAddress } from '../../sys/api.ts';
import { KeyedTable } from '../keyed-table.ts';
import { TAG_BYTES } from './packets.ts';
import { copyAddress } from './sessions.ts';

/** Keeps spent tokens beyond the life of one server, so that a restart or a twin does not open them again. */
export interface SpentTokenStore {
  /** Whether the token with this tag (16 bytes, borrowed) has connected. Called for each request that is opened. */
  isSpent(tag: Uint8Array): boolean;
  /** Remembers it until `expiresUnixSeconds` (Infinity: for ever). `tag` is borrowed. */
  spend(tag: Uint8Array, expiresUnixSeconds: number): void;
}

export const TOKEN_UNSEEN = 0;
/** Seen from the same address, not connected. */
export const TOKEN_SEEN = 1;
export const TOKEN_ELSEWHERE = 2;
export const TOKEN_SPENT = 3;

export class TokenHistory {
  readonly #table: KeyedTable;
  readonly #tag: Uint8Array;
  readonly #address: Uint8Array;
  readonly #expires: Float64Array;
  readonly #spent: Uint8Array;
  readonly #free: Int32Array;
  #freeCount: number;
  #sweptAt = -1;

  /** @param capacity tokens remembered at once */
  constructor(capacity: number, rng: Rng) {
    this.#table = new KeyedTable(TAG_BYTES, capacity, rng);
    this.#tag = new Uint8Array(capacity * TAG_BYTES);
    this.#address = new Uint8Array(capacity * ADDRESS_BYTES);
    this.#expires = new Float64Array(capacity).fill(-1);
    this.#spent = new Uint8Array(capacity);
    this.#free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
    this.#freeCount = capacity;
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
   * Remembers a token as seen from an address until it expires. Returns false when the table is full of tokens that have
   * not expired. A full table is swept at most once a second: 10 us for a thousand tokens.
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
    if (this.#freeCount === 0) return false;
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

/**
 * The keys of an AEAD provider: 64 bytes a record, side by side in one arena, named by small numbers.
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 32 | key |
 * | 32 | 21 | associated data before the prefix |
 * | 53 | 1 | the packet's prefix, written by providers that pass the record itself as associated data |
 * | 54 | 10 | zeros: Poly1305 pads the 22 bytes to 32 with them (RFC 8439 2.8) |
 */

import assert from 'node:assert';

export const KEY_BYTES = 32;
/** netcode's associated data without the prefix byte: version (13) and protocol id (8). */
export const ASSOCIATED_BYTES = 21;
/** Bytes of one record. */
export const RECORD_BYTES = 64;
/** Where a record's associated data starts. */
export const RECORD_ASSOCIATED = 32;
/** Where a record's prefix byte lies. */
export const RECORD_PREFIX: number = RECORD_ASSOCIATED + ASSOCIATED_BYTES;

const RECORDS_AT_BIRTH = 256; // 16 KiB: a client needs 2, a server of 128 clients fits
const RECORDS_MAX = 1 << 20; // 64 MiB of keys: far beyond any server's clients, so reaching it is a leak

/** Memory that records live in; `address` is 0 where it is ordinary memory. */
export interface KeyMemory {
  readonly bytes: Uint8Array;
  readonly address: number;
  release(): void;
}

/** Gives out `bytes` of zeroed memory, aligned to 8. */
export type KeyMemorySource = (bytes: number) => KeyMemory;

/** Records by number. Grows by doubling; a freed number is given out again, last freed first. */
export class KeyTable {
  /** All records; replaced when the table grows. */
  bytes: Uint8Array;
  /** The same as 32-bit words: record `id` starts at word `id * 16`. */
  words: Int32Array;
  /** Native address of record 0, or 0. */
  address: number;
  #memory: KeyMemory;
  readonly #source: KeyMemorySource;
  #live: Uint8Array;
  #spare: Int32Array;
  #spareCount = 0;
  #used = 0;

  constructor(source: KeyMemorySource) {
    this.#source = source;
    this.#memory = source(RECORDS_AT_BIRTH * RECORD_BYTES);
    this.bytes = this.#memory.bytes;
    this.words = wordsOf(this.#memory);
    this.address = this.#memory.address;
    this.#live = new Uint8Array(RECORDS_AT_BIRTH);
    this.#spare = new Int32Array(RECORDS_AT_BIRTH);
  }

  /** Copies a key of 32 bytes and its associated data of 21; returns the record's number. */
  load(key: Uint8Array, associatedData: Uint8Array): number {
    assert(key.length === KEY_BYTES, `a key has ${KEY_BYTES} bytes, not ${key.length}`);
    assert(
      associatedData.length === ASSOCIATED_BYTES,
      `associated data has ${ASSOCIATED_BYTES} bytes before the prefix, not ${associatedData.length}`,
    );
    if (this.#spareCount === 0 && this.#used === this.#live.length) this.#grow();
    const id = this.#spareCount > 0 ? this.#spare[--this.#spareCount]! : this.#used++;
    this.bytes.set(key, id * RECORD_BYTES);
    this.bytes.set(associatedData, id * RECORD_BYTES + RECORD_ASSOCIATED);
    this.#live[id] = 1;
    return id;
  }

  /** Wipes a record. Throws when the number is not in use: freeing twice would hand one number to two connections. */
  free(id: number): void {
    this.check(id);
    this.bytes.fill(0, id * RECORD_BYTES, (id + 1) * RECORD_BYTES);
    this.#live[id] = 0;
    this.#spare[this.#spareCount++] = id;
  }

  /** Throws unless `id` names a key: native code would otherwise read beyond the table or encrypt with zeros. */
  check(id: number): void {
    if (this.#live[id] !== 1) throw new RangeError(`no key has the number ${id}: it was never loaded, or freed`);
  }

  #grow(): void {
    const records = this.#live.length * 2;
    assert(records <= RECORDS_MAX, `more than ${RECORDS_MAX} keys are loaded: keys are not being freed`);
    const memory = this.#source(records * RECORD_BYTES);
    memory.bytes.set(this.bytes);
    this.bytes.fill(0);
    this.#memory.release();
    this.#memory = memory;
    this.bytes = memory.bytes;
    this.words = wordsOf(memory);
    this.address = memory.address;
    const live = new Uint8Array(records);
    live.set(this.#live);
    this.#live = live;
    this.#spare = new Int32Array(records); // empty now: the table only grows when no number is spare
  }
}

function wordsOf(memory: KeyMemory): Int32Array {
  return new Int32Array(memory.bytes.buffer, memory.bytes.byteOffset, memory.bytes.byteLength >> 2);
}

/** Records in ordinary memory, for providers that call no native code. */
export function ordinaryKeyMemory(bytes: number): KeyMemory {
  return { bytes: new Uint8Array(bytes), address: 0, release: () => {} };
}

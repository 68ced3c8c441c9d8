/**
 * What each address sends, whatever its ports: packets in all and in its busiest second, and headers that were wrong.
 * Seconds are those of the packets' own stamps, so that a file tells the same as the interface did.
 */

import { LruIndex, mix, settle } from './lru-index.ts';
import { ADDRESS_WORDS, SOURCE_WORD } from './tuple.ts';

/** A flood of forged sources passes through the table; 1,024 that last are enough to name who is loud. */
export const SOURCES_MAX = 1024;

export class SourceTable {
  readonly index: LruIndex;
  /** Address of each source, `ADDRESS_WORDS` words each. */
  readonly addresses: Int32Array;
  readonly packets: Float64Array;
  readonly bytes: Float64Array;
  readonly malformed: Float64Array;
  /** Packets in the busiest second. */
  readonly peak: Int32Array;
  readonly #second: Int32Array;
  readonly #inSecond: Int32Array;
  readonly #seed: number;

  /** @param seed random @param capacity a power of two */
  constructor(seed: number, capacity: number = SOURCES_MAX) {
    this.#seed = seed | 0;
    this.index = new LruIndex(capacity);
    this.addresses = new Int32Array(capacity * ADDRESS_WORDS);
    this.packets = new Float64Array(capacity);
    this.bytes = new Float64Array(capacity);
    this.malformed = new Float64Array(capacity);
    this.peak = new Int32Array(capacity);
    this.#second = new Int32Array(capacity);
    this.#inSecond = new Int32Array(capacity);
  }

  get count(): number {
    return this.index.count;
  }

  /** The source of a tuple, a new one where it is not known. */
  find(tuple: Int32Array): number {
    let hash = mix(this.#seed, tuple[SOURCE_WORD + 3]!);
    for (let i = 0; i < 3; i++) hash = mix(hash, tuple[SOURCE_WORD + i]!);
    hash = settle(hash);
    let source = this.index.first(hash);
    while (source >= 0 && !this.#matches(source, tuple)) source = this.index.after(source);
    if (source >= 0) return source;
    source = this.index.insert(hash);
    for (let i = 0; i < ADDRESS_WORDS; i++) this.addresses[source * ADDRESS_WORDS + i] = tuple[SOURCE_WORD + i]!;
    this.packets[source] = 0;
    this.bytes[source] = 0;
    this.malformed[source] = 0;
    this.peak[source] = 0;
    this.#inSecond[source] = 0;
    this.#second[source] = 0;
    return source;
  }

  /** Counts a packet of `source`. */
  add(source: number, bytes: number, second: number): void {
    this.packets[source]! += 1;
    this.bytes[source]! += bytes;
    if (this.#second[source] !== second) {
      this.#second[source] = second;
      this.#inSecond[source] = 0;
      this.index.touch(source); // ages are told in seconds
    }
    const inSecond = this.#inSecond[source]! + 1;
    this.#inSecond[source] = inSecond;
    if (inSecond > this.peak[source]!) this.peak[source] = inSecond;
  }

  #matches(source: number, tuple: Int32Array): boolean {
    const at = source * ADDRESS_WORDS;
    for (let i = ADDRESS_WORDS - 1; i >= 0; i--) if (this.addresses[at + i] !== tuple[SOURCE_WORD + i]) return false;
    return true;
  }
}

/**
 * One bit for each id of the window of a stream: which ids, from the expected one on, are done with. The bits of a stream
 * are there only while one is set.
 *
 * A frame of six bytes may set or pass thousands of bits: both go by words of 32, so that it costs no more than other frames.
 *
 * `low` is the low 16 bits of an id. The window's ids are told apart by their low 12 bits.
 */

import { grown } from '../block-pool.ts';
import { Regions } from '../regions.ts';
import { ID_WINDOW } from '../wire/frame-types.ts';

const NONE = -1;
/** log2 of the words of a window: 128 of 32 bits. */
const WORDS_LOG2 = 7;

export class IdBits {
  /** Bits set of each stream. */
  readonly count: Int32Array;
  readonly #base: Int32Array;
  readonly #regions: Regions;
  #words: Int32Array = new Int32Array(0);

  constructor(streams: number) {
    this.count = new Int32Array(streams);
    this.#base = new Int32Array(streams).fill(NONE);
    this.#regions = new Regions((slots) => {
      this.#words = grown(this.#words, new Int32Array(slots));
    });
  }

  has(stream: number, low: number): boolean {
    const base = this.#base[stream]!;
    if (base === NONE) return false;
    const bit = low & (ID_WINDOW - 1);
    return ((this.#words[base + (bit >> 5)]! >>> (bit & 31)) & 1) === 1;
  }

  /** Sets the bits of `length` ids (1 .. ID_WINDOW) from `low` on. Returns how many were not set before. */
  set(stream: number, low: number, length: number): number {
    let base = this.#base[stream]!;
    if (base === NONE) {
      base = this.#regions.take(WORDS_LOG2);
      this.#words.fill(0, base, base + (1 << WORDS_LOG2));
      this.#base[stream] = base;
    }
    const words = this.#words;
    let bit = low & (ID_WINDOW - 1);
    let added = 0;
    for (let left = length; left > 0; ) {
      const run = Math.min(left, 32 - (bit & 31));
      const ones = (run === 32 ? -1 : (1 << run) - 1) << (bit & 31);
      const word = words[base + (bit >> 5)]!;
      words[base + (bit >> 5)] = word | ones;
      added += onesOf(ones & ~word);
      bit = (bit + run) & (ID_WINDOW - 1);
      left -= run;
    }
    this.count[stream]! += added;
    return added;
  }

  /** Clears the bits that are set from `low` on without a gap. Returns how many. */
  pass(stream: number, low: number): number {
    if (this.count[stream] === 0) return 0;
    const words = this.#words;
    const base = this.#base[stream]!;
    let bit = low & (ID_WINDOW - 1);
    let passed = 0;
    while (passed < ID_WINDOW) {
      const word = words[base + (bit >> 5)]!;
      // Ones from the bit on; zeros come in from the top.
      const zeros = ~(word >>> (bit & 31));
      const run = Math.min(zeros === 0 ? 32 : 31 - Math.clz32(zeros & -zeros), 32 - (bit & 31));
      if (run === 0) break;
      words[base + (bit >> 5)] = word & ~((run === 32 ? -1 : (1 << run) - 1) << (bit & 31));
      passed += run;
      bit = (bit + run) & (ID_WINDOW - 1);
      if ((bit & 31) !== 0) break;
    }
    this.count[stream]! -= passed;
    if (this.count[stream] === 0) this.close(stream);
    return passed;
  }

  /** Clears all bits of a stream. */
  close(stream: number): void {
    this.count[stream] = 0;
    if (this.#base[stream] === NONE) return;
    this.#regions.give(this.#base[stream]!, WORDS_LOG2);
    this.#base[stream] = NONE;
  }
}

/** How many bits of a word are set. */
function onesOf(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

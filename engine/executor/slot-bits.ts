/** SlotBits: which slots of a timer wheel's levels hold something, one bit each, so that empty time is skipped. */

/** Slots of one level: 2 to the power of this. */
export const SLOT_BITS = 10;
export const LEVEL_SLOTS: number = 1 << SLOT_BITS;
const LEVEL_WORDS: number = LEVEL_SLOTS / 32;

/** Bits by slot number, counted through all levels. */
export class SlotBits {
  private readonly words: Int32Array;

  constructor(levels: number) {
    this.words = new Int32Array(levels * LEVEL_WORDS);
  }

  set(slot: number): void {
    this.words[slot >>> 5] = (this.words[slot >>> 5] as number) | (1 << (slot & 31));
  }

  clear(slot: number): void {
    this.words[slot >>> 5] = (this.words[slot >>> 5] as number) & ~(1 << (slot & 31));
  }

  /** The first set slot of `level` at or after `from` (0 .. LEVEL_SLOTS), counted within the level; -1 if there is none. */
  firstFrom(level: number, from: number): number {
    if (from >= LEVEL_SLOTS) return -1;
    const base = level * LEVEL_WORDS;
    let word = from >>> 5;
    let bits = (this.words[base + word] as number) & (-1 << (from & 31));
    while (bits === 0) {
      word++;
      if (word === LEVEL_WORDS) return -1;
      bits = this.words[base + word] as number;
    }
    return (word << 5) | (31 - Math.clz32(bits & -bits));
  }
}

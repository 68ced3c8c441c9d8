/**
 * Where rings of different sizes lie in shared columns: power-of-two runs of slots, handed out and taken back.
 *
 * A connection's rings (packets sent, messages waiting) are small while it is idle and large during a transfer. Arrays of
 * their own would cost 200 bytes each in object headers; here a ring is two numbers, the slot it starts at and its size, and
 * slot `base + (n & (size - 1))` of every column is its n-th entry.
 */

/** log2 of the largest ring: 32,768 entries. */
const LOG2_MAX = 16;
const SLOTS_AT_BIRTH = 256;
/** Columns grow by a quarter: what is copied stays a few times what is there, and no more than a fifth of them is ever unused. */
const GROWTH_SHIFT = 2;

export class Regions {
  /** Slots that the columns have now. */
  slots: number = SLOTS_AT_BIRTH;
  #used = 0;
  readonly #free: number[][] = Array.from({ length: LOG2_MAX + 1 }, () => []);
  readonly #resize: (slots: number) => void;

  /** @param resize makes the columns `slots` long, keeping their content; called at once, and whenever they are too short */
  constructor(resize: (slots: number) => void) {
    this.#resize = resize;
    resize(this.slots);
  }

  /** Where a run of `1 << log2` slots starts. Their content is anything. */
  take(log2: number): number {
    const base = this.#free[log2]!.pop();
    if (base !== undefined) return base;
    const start = this.#used;
    this.#used += 1 << log2;
    if (this.#used > this.slots) {
      this.slots = Math.max(this.#used, this.slots + (this.slots >> GROWTH_SHIFT));
      this.#resize(this.slots);
    }
    return start;
  }

  /** Takes a run back. */
  give(base: number, log2: number): void {
    this.#free[log2]!.push(base);
  }
}

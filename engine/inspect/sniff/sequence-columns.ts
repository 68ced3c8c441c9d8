/**
 * Packet numbers of each lane (a flow's direction): how many were seen once, late, or twice, and how many are missing.
 *
 * A number within `WINDOW` below the highest may still come: it fills its gap. One that is older cannot be told from a
 * duplicate and is counted as stale. Numbers that leap are taken for a new connection when the next one goes on from there; one that begins a little
 * lower than the one before ended is noticed by its handshake (`restart`).
 */

/** Numbers that a late packet may lie behind: 4 s at 60 Hz. A power of two. */
export const WINDOW = 256;
const WORDS: number = WINDOW / 32;
/** A leap, forwards or back, that no loss explains: 65,536 packets are 18 minutes at 60 Hz. */
const LEAP = 65_536;
const TWO_TO_32 = 0x1_0000_0000;

/** What `add` made of a number. */
export const SEQUENCE_NEW = 0;
export const SEQUENCE_LATE = 1;
export const SEQUENCE_DUPLICATE = 2;
export const SEQUENCE_STALE = 3;
export const SEQUENCE_LEAPT = 4;

export class SequenceColumns {
  /** Numbers seen once or more; -1 in `highest`: none yet. */
  readonly first: Float64Array;
  readonly highest: Float64Array;
  readonly unique: Float64Array;
  readonly late: Float64Array;
  readonly duplicates: Float64Array;
  readonly stale: Float64Array;
  /** Numbers that are missing from connections before this one in the lane, and how many numbers those had. */
  readonly missingBefore: Float64Array;
  readonly expectedBefore: Float64Array;
  /** Where a leap went; -1: none. */
  readonly #leapt: Float64Array;
  readonly #seen: Int32Array;

  constructor(lanes: number) {
    const column = (): Float64Array => new Float64Array(lanes);
    this.first = column();
    this.highest = column().fill(-1);
    this.unique = column();
    this.late = column();
    this.duplicates = column();
    this.stale = column();
    this.missingBefore = column();
    this.expectedBefore = column();
    this.#leapt = column().fill(-1);
    this.#seen = new Int32Array(lanes * WORDS);
  }

  reset(lane: number): void {
    this.highest[lane] = -1;
    this.#leapt[lane] = -1;
    for (const column of [this.late, this.duplicates, this.stale, this.missingBefore, this.expectedBefore])
      column[lane] = 0;
  }

  /** Numbers between the first and the highest, of which some may be missing. */
  expected(lane: number): number {
    return this.expectedBefore[lane]! + this.#expectedNow(lane);
  }

  missing(lane: number): number {
    const now = this.#expectedNow(lane);
    return this.missingBefore[lane]! + (now === 0 ? 0 : now - this.unique[lane]!);
  }

  /** Takes the number of a packet; `low` and `high` are its halves, signed, `high` below 2^21. */
  add(lane: number, low: number, high: number): number {
    const number = high * TWO_TO_32 + (low >>> 0);
    const highest = this.highest[lane]!;
    if (highest < 0) {
      this.#begin(lane, number, low);
      return SEQUENCE_NEW;
    }
    const ahead = number - highest;
    if (ahead > 0 && ahead < LEAP) {
      this.#clear(lane, low, ahead);
      this.#mark(lane, low);
      this.highest[lane] = number;
      this.unique[lane]! += 1;
      return SEQUENCE_NEW;
    }
    if (ahead <= 0 && ahead > -WINDOW && number >= this.first[lane]!) {
      if (this.#isMarked(lane, low)) {
        this.duplicates[lane]! += 1;
        return SEQUENCE_DUPLICATE;
      }
      this.#mark(lane, low);
      this.unique[lane]! += 1;
      this.late[lane]! += 1;
      return SEQUENCE_LATE;
    }
    if (ahead < 0 && ahead > -LEAP) {
      this.stale[lane]! += 1;
      return SEQUENCE_STALE;
    }
    const since = number - this.#leapt[lane]!;
    const goesOn = this.#leapt[lane]! >= 0 && since > 0 && since < WINDOW;
    this.#leapt[lane] = number;
    if (!goesOn) return SEQUENCE_LEAPT;
    this.restart(lane);
    this.#begin(lane, number, low);
    return SEQUENCE_NEW;
  }

  /** What comes next belongs to another connection, with numbers of its own. What is known stays counted. */
  restart(lane: number): void {
    const missing = this.missing(lane);
    const expected = this.expected(lane);
    this.missingBefore[lane] = missing;
    this.expectedBefore[lane] = expected;
    this.highest[lane] = -1;
    this.#leapt[lane] = -1;
  }

  #expectedNow(lane: number): number {
    return this.highest[lane]! < 0 ? 0 : this.highest[lane]! - this.first[lane]! + 1;
  }

  #begin(lane: number, number: number, low: number): void {
    for (let i = 0; i < WORDS; i++) this.#seen[lane * WORDS + i] = 0;
    this.first[lane] = number;
    this.highest[lane] = number;
    this.unique[lane] = 1;
    this.#leapt[lane] = -1;
    this.#mark(lane, low);
  }

  /** Forgets the marks of the numbers that `low` and the `ahead - 1` before it take the places of. */
  #clear(lane: number, low: number, ahead: number): void {
    if (ahead >= WINDOW) {
      for (let i = 0; i < WORDS; i++) this.#seen[lane * WORDS + i] = 0;
      return;
    }
    for (let i = 0; i < ahead; i++) {
      const place = (low - i) & (WINDOW - 1);
      this.#seen[lane * WORDS + (place >> 5)]! &= ~(1 << (place & 31));
    }
  }

  #mark(lane: number, low: number): void {
    const place = low & (WINDOW - 1);
    this.#seen[lane * WORDS + (place >> 5)]! |= 1 << (place & 31);
  }

  #isMarked(lane: number, low: number): boolean {
    const place = low & (WINDOW - 1);
    return (this.#seen[lane * WORDS + (place >> 5)]! & (1 << (place & 31))) !== 0;
  }
}

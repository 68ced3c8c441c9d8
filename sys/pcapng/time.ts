/** Times of pcapng: 64 bits of nanoseconds since 1970, written as two words without a BigInt for each packet. */

const NANOS = 1_000_000_000;
const TWO_TO_16 = 65_536;
const TWO_TO_32 = 0x1_0000_0000;

/** Cuts a time of seconds and nanoseconds into the two words of its nanoseconds. One object serves every packet. */
export class NanosecondWords {
  high = 0;
  low = 0;
  /** The base of second 0 is 0. */
  #second = 0;
  /** High and low part of the second's first nanosecond, exact in doubles. */
  readonly #base: Float64Array = new Float64Array(2);

  /**
   * @param seconds since 1970, 32 bits (signed or not)
   * @param nanoseconds below 10^9
   */
  set(seconds: number, nanoseconds: number): void {
    if (seconds !== this.#second) this.#enter(seconds);
    const sum = this.#base[1]! + nanoseconds;
    const carry = sum >= TWO_TO_32 ? 1 : 0;
    this.high = (this.#base[0]! + carry) | 0;
    this.low = (sum - carry * TWO_TO_32) | 0;
  }

  /** seconds * 10^9 has 62 bits: multiplied in halves of 16 bits, each product stays below 2^53. */
  #enter(seconds: number): void {
    const unsigned = seconds >>> 0;
    const upper = (unsigned >>> 16) * NANOS;
    const lower = (unsigned & 0xffff) * NANOS + (upper % TWO_TO_16) * TWO_TO_16;
    this.#base[0] = Math.floor(upper / TWO_TO_16) + Math.floor(lower / TWO_TO_32);
    this.#base[1] = lower % TWO_TO_32;
    this.#second = seconds;
  }
}

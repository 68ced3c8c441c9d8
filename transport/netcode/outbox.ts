/** Who is owed packets by the endpoint itself: rows in the order they were put in, each at most once, with what is owed. */

export const OWES_CHALLENGE = 1;
export const OWES_DENIED = 2;
/** The reason that goes before "denied". */
export const OWES_REASON = 32;
/** The keep-alive that tells a client that it is in: always sent. */
export const OWES_WELCOME = 4;
/** A keep-alive that is sent unless something else went out meanwhile. */
export const OWES_KEEP_ALIVE = 8;
export const OWES_FAREWELL = 16;
/** An answer to a path packet. */
export const OWES_PATH = 64;

export class Outbox {
  /** Rows that wait. */
  count = 0;
  /** What each row is owed: OWES_ bits. */
  readonly owes: Uint8Array;
  readonly #waits: Uint8Array;
  readonly #ring: Int32Array;
  #first = 0;

  constructor(rows: number) {
    this.owes = new Uint8Array(rows);
    this.#waits = new Uint8Array(rows);
    this.#ring = new Int32Array(rows);
  }

  /** Adds to what a row is owed. */
  owe(row: number, bits: number): void {
    this.owes[row] = this.owes[row]! | bits;
    if (this.#waits[row] === 1) return;
    this.#waits[row] = 1;
    this.#ring[(this.#first + this.count) % this.#ring.length] = row;
    this.count++;
  }

  /** Takes from what a row is owed. The row stays in the queue until it is its turn. */
  settle(row: number, bits: number): void {
    this.owes[row] = this.owes[row]! & ~bits;
  }

  /** The row whose turn it is. Only while `count` > 0. */
  first(): number {
    return this.#ring[this.#first]!;
  }

  /** Takes out the first row. */
  shift(): void {
    this.#waits[this.first()] = 0;
    this.#first = (this.#first + 1) % this.#ring.length;
    this.count--;
  }
}

/**
 * What directions hold: datagrams that would have arrived, in the order in which they would have.
 */

import { type DatagramPool, NONE } from './datagram-pool.ts';

/** Datagrams that one direction holds; more are dropped. Eleven minutes of a hundred a second, a sixteenth of what a world may have under way. */
export const HELD_MAX = 65_536;

interface Row {
  head: number;
  tail: number;
  count: number;
}

/** The rows of all directions of a world. */
export class HeldDatagrams {
  readonly #pool: DatagramPool;
  readonly #rows: Map<number, Row> = new Map();

  constructor(pool: DatagramPool) {
    this.#pool = pool;
  }

  /** How many direction `number` holds. */
  count(number: number): number {
    return this.#rows.get(number)?.count ?? 0;
  }

  /** Puts datagram `id` at the end of the row of direction `number`; false when it is full. */
  add(number: number, id: number): boolean {
    let row = this.#rows.get(number);
    if (row === undefined) {
      row = { head: NONE, tail: NONE, count: 0 };
      this.#rows.set(number, row);
    }
    if (row.count === HELD_MAX) return false;
    const { next } = this.#pool;
    next[id] = NONE;
    if (row.tail === NONE) row.head = id;
    else next[row.tail] = id;
    row.tail = id;
    row.count++;
    return true;
  }

  /** Takes the first of direction `number`, which holds one. */
  take(number: number): number {
    const row = this.#rows.get(number)!;
    const id = row.head;
    row.head = this.#pool.next[id]!;
    this.#pool.next[id] = NONE;
    if (row.head === NONE) row.tail = NONE;
    row.count--;
    return id;
  }
}

/**
 * The 256 bytes that a backend writes into a token for the game, while somebody may still ask for them: from the request until
 * the game has read them, or the row is free. Most connections have been read at once, so they have none here.
 */

import { USER_DATA_BYTES } from './packets.ts';

/** Blocks of a page, 16 KiB: memory grows by pages, which stay where they are. */
const PAGE_SHIFT = 6;
const PAGE_BLOCKS: number = 1 << PAGE_SHIFT;
const NONE = -1;

export class UserData {
  /** By row: its block, or NONE. */
  readonly #block: Int32Array;
  readonly #pages: Uint8Array[] = [];
  readonly #free: number[] = [];

  constructor(rows: number) {
    this.#block = new Int32Array(rows).fill(NONE);
  }

  /** Blocks that there is memory for. */
  get capacity(): number {
    return this.#pages.length * PAGE_BLOCKS;
  }

  /** Gives a row a copy of `data`, in place of what it had. */
  put(row: number, data: Uint8Array): void {
    if (this.#block[row] === NONE) this.#block[row] = this.#take();
    this.pageOf(row).set(data, this.startOf(row));
  }

  /** Whether a row has any. */
  holds(row: number): boolean {
    return this.#block[row] !== NONE;
  }

  /** The memory in which a row's bytes lie, from `startOf` on. The row must have some. */
  pageOf(row: number): Uint8Array {
    const block = this.#block[row]!;
    if (block === NONE) throw new Error(`the user data of row ${row} has been released`);
    return this.#pages[block >> PAGE_SHIFT]!;
  }

  startOf(row: number): number {
    return (this.#block[row]! & (PAGE_BLOCKS - 1)) * USER_DATA_BYTES;
  }

  /** A copy. The row must have some. */
  copyOf(row: number): Uint8Array {
    const start = this.startOf(row);
    return this.pageOf(row).slice(start, start + USER_DATA_BYTES);
  }

  /** Gives row `to` what row `from` has, which has none afterwards. */
  move(from: number, to: number): void {
    this.release(to);
    this.#block[to] = this.#block[from]!;
    this.#block[from] = NONE;
  }

  /** The row needs its bytes no more, if it has any. */
  release(row: number): void {
    if (this.#block[row] !== NONE) this.#free.push(this.#block[row]!);
    this.#block[row] = NONE;
  }

  #take(): number {
    if (this.#free.length === 0) {
      const first = this.capacity;
      this.#pages.push(new Uint8Array(PAGE_BLOCKS * USER_DATA_BYTES));
      for (let block = first + PAGE_BLOCKS - 1; block >= first; block--) this.#free.push(block);
    }
    return this.#free.pop()!;
  }
}

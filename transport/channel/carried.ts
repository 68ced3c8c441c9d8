/**
 * What each packet carried, so that its fate can be told to its messages: lists of small rows, one list a packet.
 *
 * A row names a stream (connection * channels + channel), a message id (low 32 bits), and what of it: the whole, a fragment, the
 * news that it is skipped. Control frames have the stream CONTROL and their kind as id; ids have the number of their offer as
 * fragment. `serial` is the number of the building of the packet: a message remembers the last one that carried it.
 */

import { grown } from '../block-pool.ts';

/** In place of a stream: the row is a control frame of kind `id`. */
export const CONTROL = -1;
/** In place of a fragment's index. */
export const WHOLE = -1;
export const SKIPPED = -2;

const ROWS_AT_BIRTH = 256;
export const END = -1;

export class Carried {
  stream: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  id: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  fragment: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  serial: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  /** The next row of the list, END at its end. */
  next: Int32Array = new Int32Array(ROWS_AT_BIRTH);
  /** Rows in use: 0 when no packet is on its way. */
  held = 0;
  /** The list of the packet that is being built, newest row first. */
  building: number = END;
  #serial = 0;
  #free: number = END;
  #rows = 0;

  /** Starts the list of another packet; returns its serial. */
  begin(): number {
    this.building = END;
    this.#serial = (this.#serial + 1) | 0;
    return this.#serial;
  }

  /** Adds a row to the packet that is being built. */
  add(stream: number, id: number, fragment: number): void {
    let row = this.#free;
    if (row !== END) this.#free = this.next[row]!;
    else {
      if (this.#rows === this.stream.length) this.#grow();
      row = this.#rows++;
    }
    this.stream[row] = stream;
    this.id[row] = id;
    this.fragment[row] = fragment;
    this.serial[row] = this.#serial;
    this.next[row] = this.building;
    this.building = row;
    this.held++;
  }

  /** Gives one row back; returns the next of its list. */
  free(row: number): number {
    const next = this.next[row]!;
    this.next[row] = this.#free;
    this.#free = row;
    this.held--;
    return next;
  }

  #grow(): void {
    const rows = this.#rows * 2;
    this.stream = grown(this.stream, new Int32Array(rows));
    this.id = grown(this.id, new Int32Array(rows));
    this.fragment = grown(this.fragment, new Int32Array(rows));
    this.serial = grown(this.serial, new Int32Array(rows));
    this.next = grown(this.next, new Int32Array(rows));
  }
}

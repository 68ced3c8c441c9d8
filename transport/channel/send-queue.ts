/**
 * Messages that wait for the next packet: encoded once, queued for one connection or for many.
 *
 * A *cell* holds the bytes of one encoded frame and counts who still needs them, so a broadcast to a thousand peers is
 * one cell and a thousand *entries*. Each connection has a list of entries, first in first out.
 *
 *     connection 7:  entry -> entry -> entry
 *                      |        |        |
 *                    cell 3   cell 9   cell 3 (again)
 *
 * Cells lie in the arena of the transmit batch, behind its slots: a frame gets into a packet by one `copyWithin`, which
 * needs no view. (A view a cell cost half a microsecond a message: its object is out of the cache when its turn comes.)
 */

import type { DatagramBatch } from '../../sys/api.ts';

/** Bytes of one cell: the largest frame, rounded up to cache lines. */
export const CELL_BYTES = 1216;

/** What `enqueue` answers. */
export type SendResult = 'queued' | 'backlog-full' | 'not-connected';

export interface SendQueueOptions {
  readonly connections: number;
  /** Messages that may wait for one connection. */
  readonly backlogMax: number;
}

/** Spare bytes that a transmit batch must have for so many cells (`txSpareBytes` of `openUdp`). */
export function cellBytesFor(cells: number): number {
  return cells * CELL_BYTES;
}

export class SendQueue {
  /** Where cells are, at `offsetOf(cell)`, and the packets of `pack()`. */
  readonly arena: Uint8Array;
  readonly #backlogMax: number;
  readonly #cellsAt: number;
  readonly #cellLength: Int32Array;
  readonly #cellUsers: Int32Array;
  readonly #freeCells: Int32Array;
  #freeCellCount: number;

  #entryCell: Int32Array = new Int32Array(0);
  #entryNext: Int32Array = new Int32Array(0);
  #freeEntry = -1;

  readonly #head: Int32Array;
  readonly #tail: Int32Array;
  readonly #waiting: Int32Array;
  /** Connections with something to send, each once, in the order in which they got it: a ring. */
  readonly #ready: Int32Array;
  readonly #isReady: Uint8Array;
  #readyStart = 0;
  #readyCount = 0;

  /** @param batch whose arena has the cells behind its slots; as many as fit may wait in all */
  constructor(options: SendQueueOptions, batch: DatagramBatch) {
    this.arena = batch.arena;
    this.#cellsAt = batch.spareOffset;
    const cells = Math.floor((batch.arena.length - batch.spareOffset) / CELL_BYTES);
    this.#cellLength = new Int32Array(cells);
    this.#cellUsers = new Int32Array(cells);
    // The last one freed is the first used again: it is still in the cache.
    this.#freeCells = Int32Array.from({ length: cells }, (_, index) => cells - 1 - index);
    this.#freeCellCount = cells;
    this.#backlogMax = options.backlogMax;
    this.#head = new Int32Array(options.connections).fill(-1);
    this.#tail = new Int32Array(options.connections).fill(-1);
    this.#waiting = new Int32Array(options.connections);
    this.#ready = new Int32Array(options.connections);
    this.#isReady = new Uint8Array(options.connections);
  }

  /** Takes a free cell, to be filled at `offsetOf`, and given back with `release`. -1: too many are waiting. */
  acquire(): number {
    if (this.#freeCellCount === 0) return -1;
    const cell = this.#freeCells[--this.#freeCellCount]!;
    this.#cellUsers[cell] = 1;
    return cell;
  }

  /** Where in `arena` the CELL_BYTES of a cell start; the caller's to write until it is enqueued. */
  offsetOf(cell: number): number {
    return this.#cellsAt + cell * CELL_BYTES;
  }

  setLength(cell: number, length: number): void {
    this.#cellLength[cell] = length;
  }

  /** The owner of `acquire` is done with the cell; it stays while connections wait for it. */
  release(cell: number): void {
    if (--this.#cellUsers[cell]! === 0) this.#freeCells[this.#freeCellCount++] = cell;
  }

  /** Queues a filled cell for a connection. */
  enqueue(connection: number, cell: number): SendResult {
    if (this.#waiting[connection]! >= this.#backlogMax) return 'backlog-full';
    if (this.#freeEntry < 0) this.#growEntries();
    const entry = this.#freeEntry;
    this.#freeEntry = this.#entryNext[entry]!;
    this.#entryCell[entry] = cell;
    this.#entryNext[entry] = -1;
    this.#cellUsers[cell]!++;
    const tail = this.#tail[connection]!;
    if (tail < 0) this.#head[connection] = entry;
    else this.#entryNext[tail] = entry;
    this.#tail[connection] = entry;
    this.#waiting[connection]!++;
    this.#makeReady(connection);
    return 'queued';
  }

  /** Messages waiting for a connection. */
  waiting(connection: number): number {
    return this.#waiting[connection]!;
  }

  /** Connections with something to send. */
  get readyCount(): number {
    return this.#readyCount;
  }

  /** The connection whose turn it is; call only while `readyCount` > 0. */
  takeReady(): number {
    const connection = this.#ready[this.#readyStart]!;
    this.#readyStart = this.#readyStart + 1 === this.#ready.length ? 0 : this.#readyStart + 1;
    this.#readyCount--;
    this.#isReady[connection] = 0;
    return connection;
  }

  /** Puts a connection that has still something waiting at the back of the ring. */
  putBack(connection: number): void {
    if (this.#waiting[connection]! > 0) this.#makeReady(connection);
  }

  /**
   * Moves waiting frames of a connection to `arena[offset ..]`, as many whole ones as fit in `room` bytes. Returns the
   * bytes of the frames.
   */
  pack(connection: number, offset: number, room: number): number {
    let packed = 0;
    for (;;) {
      const entry = this.#head[connection]!;
      if (entry < 0) return packed;
      const cell = this.#entryCell[entry]!;
      const length = this.#cellLength[cell]!;
      if (packed + length > room) return packed;
      const from = this.#cellsAt + cell * CELL_BYTES;
      this.arena.copyWithin(offset + packed, from, from + length);
      packed += length;
      this.#dropHead(connection, entry, cell);
    }
  }

  /** Forgets all that waits for a connection. */
  clear(connection: number): void {
    for (let entry = this.#head[connection]!; entry >= 0; entry = this.#head[connection]!) {
      this.#dropHead(connection, entry, this.#entryCell[entry]!);
    }
  }

  #dropHead(connection: number, entry: number, cell: number): void {
    const next = this.#entryNext[entry]!;
    this.#head[connection] = next;
    if (next < 0) this.#tail[connection] = -1;
    this.#waiting[connection]!--;
    this.#entryNext[entry] = this.#freeEntry;
    this.#freeEntry = entry;
    this.release(cell);
  }

  #makeReady(connection: number): void {
    if (this.#isReady[connection] === 1) return;
    this.#isReady[connection] = 1;
    const end = this.#readyStart + this.#readyCount;
    this.#ready[end >= this.#ready.length ? end - this.#ready.length : end] = connection;
    this.#readyCount++;
  }

  #growEntries(): void {
    const had = this.#entryNext.length;
    const cell = new Int32Array(Math.max(64, had * 2));
    const next = new Int32Array(cell.length);
    cell.set(this.#entryCell);
    next.set(this.#entryNext);
    for (let i = had; i < next.length; i++) next[i] = i + 1 < next.length ? i + 1 : -1;
    this.#entryCell = cell;
    this.#entryNext = next;
    this.#freeEntry = had;
  }
}

/**
 * Messages that wait for the next packet: encoded once, queued for one connection or for many.
 *
 * A *cell* holds the bytes of one encoded frame and counts who still needs them, so a broadcast to a thousand peers is
 * one cell and a thousand *entries*. Each connection has a list of entries, first in first out. Everything lives in
 * typed arrays; cells and entries are made when first needed and then used again for ever.
 *
 *     connection 7:  entry -> entry -> entry
 *                      |        |        |
 *                    cell 3   cell 9   cell 3 (again)
 */

/** Bytes of one cell: the largest frame, rounded up. */
export const CELL_BYTES = 1216;

/**
 * A frame is copied into a packet by `set(view)`, the only copy that neither allocates a view nor loops over bytes.
 * Each cell has a ready view of each of these lengths; the shortest that covers the frame is copied whole.
 */
const VIEW_BYTES: readonly number[] = [64, 128, 256, 512, CELL_BYTES];

/** Free bytes that `pack()` needs in its target beyond `room`: the longest view minus the shortest frame that uses it. */
export const PACK_SLACK_BYTES: number = CELL_BYTES - 512;

/** What `enqueue` answers. */
export type SendResult = 'queued' | 'backlog-full' | 'not-connected';

export interface SendQueueOptions {
  readonly connections: number;
  /** Messages that may wait for one connection. */
  readonly backlogMax: number;
  /** Encoded messages that may wait in all. */
  readonly cellsMax: number;
}

export class SendQueue {
  readonly #options: SendQueueOptions;
  /** views[k][cell]: the first VIEW_BYTES[k] bytes of the cell. */
  readonly #views: Uint8Array[][] = VIEW_BYTES.map(() => []);
  readonly #cellLength: Int32Array;
  readonly #cellUsers: Int32Array;
  readonly #freeCells: Int32Array;
  #freeCellCount = 0;
  #cellCount = 0;

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

  constructor(options: SendQueueOptions) {
    this.#options = options;
    this.#cellLength = new Int32Array(options.cellsMax);
    this.#cellUsers = new Int32Array(options.cellsMax);
    this.#freeCells = new Int32Array(options.cellsMax);
    this.#head = new Int32Array(options.connections).fill(-1);
    this.#tail = new Int32Array(options.connections).fill(-1);
    this.#waiting = new Int32Array(options.connections);
    this.#ready = new Int32Array(options.connections);
    this.#isReady = new Uint8Array(options.connections);
  }

  /** Takes a free cell, to be filled through `bytesOf`, and given back with `release`. -1: too many are waiting. */
  acquire(): number {
    let cell: number;
    if (this.#freeCellCount > 0) cell = this.#freeCells[--this.#freeCellCount]!;
    else if (this.#cellCount < this.#options.cellsMax) cell = this.#addCell();
    else return -1;
    this.#cellUsers[cell] = 1;
    return cell;
  }

  /** The bytes of a cell, CELL_BYTES long, the caller's to write until it is enqueued. */
  bytesOf(cell: number): Uint8Array {
    return this.#views[VIEW_BYTES.length - 1]![cell]!;
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
    if (this.#waiting[connection]! >= this.#options.backlogMax) return 'backlog-full';
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
    this.#readyStart = (this.#readyStart + 1) % this.#ready.length;
    this.#readyCount--;
    this.#isReady[connection] = 0;
    return connection;
  }

  /** Puts a connection that has still something waiting at the back of the ring. */
  putBack(connection: number): void {
    if (this.#waiting[connection]! > 0) this.#makeReady(connection);
  }

  /**
   * Moves waiting frames of a connection to `target` at `offset`, as many whole ones as fit in `room` bytes.
   * `target` must have PACK_SLACK_BYTES more than `room`, whose contents are overwritten. Returns the bytes of the frames.
   */
  pack(connection: number, target: Uint8Array, offset: number, room: number): number {
    let packed = 0;
    for (;;) {
      const entry = this.#head[connection]!;
      if (entry < 0) return packed;
      const cell = this.#entryCell[entry]!;
      const length = this.#cellLength[cell]!;
      if (packed + length > room) return packed;
      target.set(this.#views[viewIndex(length)]![cell]!, offset + packed);
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
    this.#ready[(this.#readyStart + this.#readyCount) % this.#ready.length] = connection;
    this.#readyCount++;
  }

  #addCell(): number {
    const buffer = new ArrayBuffer(CELL_BYTES);
    for (let i = 0; i < VIEW_BYTES.length; i++) this.#views[i]!.push(new Uint8Array(buffer, 0, VIEW_BYTES[i]!));
    return this.#cellCount++;
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

function viewIndex(length: number): number {
  let index = 0;
  while (VIEW_BYTES[index]! < length) index++;
  return index;
}

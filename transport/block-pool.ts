/**
 * Memory for messages: those that wait to be sent, those that wait for an earlier one, those that are put together.
 *
 * A *block* is a number. It stands for at least as many bytes as were asked for, in some slab, and counts its users: a
 * broadcast to a thousand peers is one block with a thousand users. Sizes are powers of two from 64 bytes to 64 MiB, each with a
 * list of its own, so taking and releasing cost a few nanoseconds and nothing is ever searched.
 *
 * The first slab may be lent by the caller: an endpoint gives the part of its transmit batch behind the slots, so that most
 * messages reach their packet by one `copyWithin`.
 */

import { copyBytes } from './wire/copy.ts';

/** log2 of the smallest and the largest block. */
const CLASS_FIRST = 6;
const CLASS_LAST = 26;
const CLASSES: number = CLASS_LAST - CLASS_FIRST + 1;
/** Largest block: the largest message. */
export const BLOCK_BYTES_MAX: number = 1 << CLASS_LAST;
/** Blocks up to this size share slabs of SLAB_BYTES. */
const SHARED_BYTES_MAX = 4096;
const SLAB_BYTES = 65_536;
/** Blocks up to this size are kept for the next message when they are released. */
const KEPT_BYTES_MAX = 65_536;
/**
 * Larger ones are kept up to so many bytes in all, and go back to the system beyond, but for one of each size: a peer that begins
 * large messages and never ends them would otherwise make us ask for new, zeroed pages with every few bytes that it sends.
 */
const KEPT_LARGE_BYTES_MAX = 33_554_432;
/** Up to here copying word by word (5 ns for 32 bytes) beats the 16 ns that a call of `copyWithin` takes. */
const WORDWISE_BYTES = 64;
const BLOCKS_AT_BIRTH = 64;
const NONE = -1;

/** Memory that the caller lends: `bytes[at ..]` with the view over all of `bytes`. */
export interface LentMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly at: number;
}

export class BlockPool {
  /** Bytes of all blocks that are taken, rounded up to their sizes. */
  heldBytes = 0;
  /** Blocks that are taken. */
  held = 0;
  /** `take` answers -1 beyond so many held bytes. */
  readonly bytesMax: number;
  readonly #slabs: (Uint8Array | null)[] = [];
  readonly #views: (DataView | null)[] = [];
  readonly #emptySlabs: number[] = [];
  #slab: Int32Array = new Int32Array(BLOCKS_AT_BIRTH);
  #offset: Int32Array = new Int32Array(BLOCKS_AT_BIRTH);
  #class: Uint8Array = new Uint8Array(BLOCKS_AT_BIRTH);
  #users: Int32Array = new Int32Array(BLOCKS_AT_BIRTH);
  /** The next free block of the same list. */
  #next: Int32Array = new Int32Array(BLOCKS_AT_BIRTH);
  #blocks = 0;
  /** Free blocks of each class that have memory, and free numbers that have none. */
  readonly #free: Int32Array = new Int32Array(CLASSES).fill(NONE);
  #freeNumber = NONE;
  /** Where the slab that is being cut into blocks of a class goes on; 0 left: none. */
  readonly #cutSlab: Int32Array = new Int32Array(CLASSES);
  readonly #cutAt: Int32Array = new Int32Array(CLASSES);
  readonly #cutLeft: Int32Array = new Int32Array(CLASSES);
  /** What is left of the lent memory. */
  #lentAt = 0;
  #lentEnd = 0;
  /** Bytes of large blocks that are kept and free. */
  #keptLargeBytes = 0;

  /** @param bytesMax bytes that may be held at once */
  constructor(bytesMax: number, lent: LentMemory | null = null) {
    this.bytesMax = bytesMax;
    if (lent !== null) {
      this.#slabs.push(lent.bytes);
      this.#views.push(lent.view);
      this.#lentAt = lent.at;
      this.#lentEnd = lent.bytes.length;
    }
  }

  /** A block of at least `bytes` (0 .. BLOCK_BYTES_MAX) with one user; -1 when too much is held. Its content is anything. */
  take(bytes: number): number {
    const sizeClass = bytes <= 64 ? 0 : 32 - Math.clz32(bytes - 1) - CLASS_FIRST;
    const size = 64 << sizeClass;
    if (this.heldBytes + size > this.bytesMax) return NONE;
    let block = this.#free[sizeClass]!;
    if (block === NONE) block = this.#cut(sizeClass, size);
    else {
      this.#free[sizeClass] = this.#next[block]!;
      if (size > KEPT_BYTES_MAX) this.#keptLargeBytes -= size;
    }
    this.#users[block] = 1;
    this.heldBytes += size;
    this.held++;
    return block;
  }

  /** One more user. */
  retain(block: number): void {
    this.#users[block]!++;
  }

  /** One user less; the last one frees the block. */
  release(block: number): void {
    const users = --this.#users[block]!;
    if (users > 0) return;
    if (users < 0) throw new Error(`block ${block} was released once too often`);
    const sizeClass = this.#class[block]!;
    const size = 64 << sizeClass;
    this.heldBytes -= size;
    this.held--;
    const isLarge = size > KEPT_BYTES_MAX;
    if (isLarge && this.#free[sizeClass] !== NONE && this.#keptLargeBytes + size > KEPT_LARGE_BYTES_MAX) {
      const slab = this.#slab[block]!;
      this.#slabs[slab] = null;
      this.#views[slab] = null;
      this.#emptySlabs.push(slab);
      this.#next[block] = this.#freeNumber;
      this.#freeNumber = block;
    } else {
      if (isLarge) this.#keptLargeBytes += size;
      this.#next[block] = this.#free[sizeClass]!;
      this.#free[sizeClass] = block;
    }
  }

  /** The array that the block lies in, at `offsetOf`. */
  bytesOf(block: number): Uint8Array {
    return this.#slabs[this.#slab[block]!]!;
  }

  offsetOf(block: number): number {
    return this.#offset[block]!;
  }

  /** Bytes from `offsetOf` on that belong to the block. */
  sizeOf(block: number): number {
    return 64 << this.#class[block]!;
  }

  /** Copies `length` bytes from the block, from its byte `from` on, to `to[at ..]`. */
  copyOut(block: number, from: number, to: Uint8Array, toView: DataView, at: number, length: number): void {
    const slab = this.#slab[block]!;
    const start = this.#offset[block]! + from;
    if (length > WORDWISE_BYTES && this.#slabs[slab] === to) to.copyWithin(at, start, start + length);
    else copyBytes(this.#views[slab]!, start, toView, at, length);
  }

  /** Copies `length` bytes of `from[fromAt ..]` into the block, at its byte `at`. */
  copyIn(block: number, at: number, from: DataView, fromAt: number, length: number): void {
    copyBytes(from, fromAt, this.#views[this.#slab[block]!]!, this.#offset[block]! + at, length);
  }

  /** A new block: from the lent memory while it lasts, from a shared slab, or with a slab of its own. */
  #cut(sizeClass: number, size: number): number {
    if (size <= SHARED_BYTES_MAX && this.#lentAt + size <= this.#lentEnd) {
      const at = this.#lentAt;
      this.#lentAt += size;
      return this.#number(sizeClass, 0, at);
    }
    if (size > SHARED_BYTES_MAX) return this.#number(sizeClass, this.#addSlab(size), 0);
    if (this.#cutLeft[sizeClass] === 0) {
      this.#cutSlab[sizeClass] = this.#addSlab(SLAB_BYTES);
      this.#cutAt[sizeClass] = 0;
      this.#cutLeft[sizeClass] = SLAB_BYTES / size;
    }
    const at = this.#cutAt[sizeClass]!;
    this.#cutAt[sizeClass] = at + size;
    this.#cutLeft[sizeClass]!--;
    return this.#number(sizeClass, this.#cutSlab[sizeClass]!, at);
  }

  #addSlab(bytes: number): number {
    const slab = new Uint8Array(bytes);
    const number = this.#emptySlabs.pop() ?? this.#slabs.length;
    this.#slabs[number] = slab;
    this.#views[number] = new DataView(slab.buffer);
    return number;
  }

  #number(sizeClass: number, slab: number, offset: number): number {
    let block = this.#freeNumber;
    if (block !== NONE) this.#freeNumber = this.#next[block]!;
    else {
      if (this.#blocks === this.#slab.length) this.#grow();
      block = this.#blocks++;
    }
    this.#class[block] = sizeClass;
    this.#slab[block] = slab;
    this.#offset[block] = offset;
    return block;
  }

  #grow(): void {
    const count = this.#blocks * 2;
    this.#slab = grown(this.#slab, new Int32Array(count));
    this.#offset = grown(this.#offset, new Int32Array(count));
    this.#class = grown(this.#class, new Uint8Array(count));
    this.#users = grown(this.#users, new Int32Array(count));
    this.#next = grown(this.#next, new Int32Array(count));
  }
}

/** Copies a column into a longer one, which it returns. */
export function grown<T extends { set(from: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}

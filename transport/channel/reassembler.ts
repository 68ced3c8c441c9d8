/**
 * Puts messages together from their fragments (PROTOCOL.md, fragment and section 5).
 *
 * Which message a fragment belongs to is the kind's to know: it asks for a new one with `begin`, keeps its number, and adds the
 * fragments. What a hostile peer can make this hold is bounded three times: by the window of its connection (reliable), by the
 * number of unfinished messages of a channel and their time (unreliable), and by the pool.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { FRAGMENT_BYTES } from '../wire/frame-types.ts';
import { fragmentsOf, type HeldMessages, RELIABLE, UNRELIABLE } from './held-messages.ts';

/** What `begin` answers in place of a message: the pool is full; the peer sends more than our hello promised to hold. */
export const NO_ROOM = -1;
export const BEYOND_WINDOW = -2;

/** What `add` answers. */
export const HAD_IT = 0;
export const UNFINISHED = 1;
export const COMPLETE = 2;

/** What a peer did that is cut off for it. */
export const OTHER_SIZE = 'a fragment gives its message another size';
export const WINDOW_EXCEEDED = 'more bytes of reliable fragments than the window';
export const TOO_FAR_AHEAD = 'an id 4,096 or more ahead of the one expected';

/** Unfinished unreliable messages of one channel; the oldest goes. */
export const UNFINISHED_MAX = 8;
/** An unreliable message that is not there by then has lost a fragment. */
export const UNFINISHED_MICROS = 5_000_000;

export class Reassembler {
  /** What one connection may have us hold. */
  readonly windowBytes: number;
  readonly #held: HeldMessages;

  constructor(held: HeldMessages, windowBytes: number) {
    this.#held = held;
    this.windowBytes = windowBytes;
  }

  /** A reliable message of `size` bytes of which nothing is there yet; NO_ROOM; BEYOND_WINDOW. */
  begin(c: number, size: number): number {
    if (this.#held.bytes[c]! + size > this.windowBytes) return BEYOND_WINDOW;
    return this.#held.take(c, size, RELIABLE);
  }

  /** An unreliable message; NO_ROOM. The oldest of the stream goes when there are too many. */
  beginUnreliable(c: number, stream: number, low: number, size: number, now: Micros): number {
    const held = this.#held;
    let oldest = held.youngestOf(stream);
    for (let count = 1; oldest !== -1; count++) {
      const older = held.olderOf(oldest);
      if (older === -1 && count === UNFINISHED_MAX) held.drop(oldest);
      oldest = older;
    }
    const m = held.take(c, size, UNRELIABLE);
    if (m !== NO_ROOM) held.enlist(m, stream, low, now);
    return m;
  }

  /** Adds piece `index`, which lies at `view[at .. at + length)` and has the length that it must have. */
  add(m: number, index: number, view: DataView, at: number, length: number): number {
    const held = this.#held;
    if (!this.#mark(m, index)) return HAD_IT;
    held.pool.copyIn(held.block[m]!, index * FRAGMENT_BYTES, view, at, length);
    held.fragments++;
    const missing = held.missing[m]! - 1;
    held.missing[m] = missing;
    if (missing > 0) return UNFINISHED;
    held.complete(m);
    return COMPLETE;
  }

  /** When `expire` has something to do; NEVER. */
  deadline(): Micros {
    const { oldest, startedAt } = this.#held;
    return oldest === -1 ? NEVER : startedAt[oldest]! + UNFINISHED_MICROS;
  }

  /** Drops the unreliable messages whose time is over. */
  expire(now: Micros): void {
    const held = this.#held;
    while (held.oldest !== -1 && held.startedAt[held.oldest]! + UNFINISHED_MICROS <= now) held.drop(held.oldest);
  }

  /** Marks a piece as received; false: it was. */
  #mark(m: number, index: number): boolean {
    const held = this.#held;
    const { pool } = held;
    const bitsBlock = held.bitsBlock[m]!;
    if (bitsBlock === -1) {
      const word = held.bits[m]!;
      const bit = 1 << index;
      held.bits[m] = word | bit;
      return (word & bit) === 0;
    }
    const bytes = pool.bytesOf(bitsBlock);
    const at = pool.offsetOf(bitsBlock) + (index >> 3);
    const byte = bytes[at]!;
    const bit = 1 << (index & 7);
    bytes[at] = byte | bit;
    return (byte & bit) === 0;
  }
}

/** Bytes of piece `index` of a message of `size` bytes; -1: it has no such piece. */
export function pieceBytes(size: number, index: number): number {
  const last = fragmentsOf(size) - 1;
  return index < last ? FRAGMENT_BYTES : index === last ? size - last * FRAGMENT_BYTES : -1;
}

/**
 * Which packets have been received: one sliding bitmap for each session, side by side.
 *
 * A packet is accepted once, and only while its number is less than `size` behind the newest one. netcode 1.02 has a
 * window of 256; ours is 4,096 by default because a fast transfer over several paths reorders by more than that.
 *
 * Numbers are 64 bits on the wire and come as two 32-bit halves. Only numbers up to 2^53 reach this file: no honest peer
 * gets there (285 years at a million packets a second), and a double holds them exactly.
 */

import { ConfigError } from '../config-error.ts';
import { loadRow, loadSpan, saveRow, saveSpan } from '../rows.ts';
import type { Arrivals } from '../session.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';

/** The window of the standard. */
export const REPLAY_WINDOW_STANDARD = 256;
export const REPLAY_WINDOW_DEFAULT = 4096;
const REPLAY_WINDOW_MAX = 65_536; // 8 KiB a session

const TWO_32 = 4294967296;

export class ReplayWindows implements Arrivals {
  /** Numbers behind the newest one that can still be told apart. */
  readonly size: number;
  readonly received: Float64Array;
  readonly late: Float64Array;
  readonly missing: Float64Array;
  /** Newest number received, -1: none yet. */
  readonly #newest: Float64Array;
  readonly #bits: Int32Array;
  readonly #words: number;

  /** @param size a power of two, 32 .. 65,536 */
  constructor(sessions: number, size: number) {
    if (!(size >= 32 && size <= REPLAY_WINDOW_MAX && (size & (size - 1)) === 0)) {
      throw new ConfigError('replayWindowSize', `${size} is not a power of two from 32 to ${REPLAY_WINDOW_MAX}`);
    }
    this.size = size;
    this.#words = size >> 5;
    this.received = new Float64Array(sessions);
    this.late = new Float64Array(sessions);
    this.missing = new Float64Array(sessions);
    this.#newest = new Float64Array(sessions).fill(-1);
    this.#bits = new Int32Array(sessions * this.#words);
  }

  /** Forgets everything that `session` has received. */
  reset(session: number): void {
    this.received[session] = 0;
    this.late[session] = 0;
    this.missing[session] = 0;
    this.#newest[session] = -1;
    this.#bits.fill(0, session * this.#words, (session + 1) * this.#words);
  }

  save(session: number, writer: ByteWriter): void {
    saveRow(writer, session, [this.received, this.late, this.missing, this.#newest]);
    writer.u32(this.#words);
    saveSpan(writer, this.#bits, session * this.#words, this.#words);
  }

  /** Reads what `save` wrote. From a window of another size: what is not the newest counts as received. */
  load(session: number, reader: ByteReader): void {
    loadRow(reader, session, [this.received, this.late, this.missing, this.#newest]);
    const words = reader.u32();
    const start = session * this.#words;
    if (words === this.#words) loadSpan(reader, this.#bits, start, words);
    else {
      this.#bits.fill(-1, start, start + this.#words);
      for (let i = 0; i < words; i++) reader.f64();
    }
  }

  /** The newest number marked; 0 when there was none. */
  newest(session: number): number {
    const newest = this.#newest[session]!;
    return Math.max(newest, 0);
  }

  /** Whether a packet with this number could be new. Changes nothing: the packet may still be forged. */
  isFresh(session: number, low: number, high: number): boolean {
    const number = (high >>> 0) * TWO_32 + (low >>> 0);
    const newest = this.#newest[session]!;
    if (number > newest) return true;
    if (number <= newest - this.size) return false;
    const index = low & (this.size - 1);
    return ((this.#bits[session * this.#words + (index >> 5)]! >>> (index & 31)) & 1) === 0;
  }

  /** Whether a number is above every one marked so far. */
  isNewest(session: number, low: number, high: number): boolean {
    return (high >>> 0) * TWO_32 + (low >>> 0) > this.#newest[session]!;
  }

  /** Marks a number as received. Only after the packet proved authentic, and only when `isFresh` said so. */
  mark(session: number, low: number, high: number): void {
    const number = (high >>> 0) * TWO_32 + (low >>> 0);
    const newest = this.#newest[session]!;
    this.received[session] = this.received[session]! + 1;
    if (number > newest) {
      const skipped = number - newest - 1;
      if (newest >= 0 && skipped > 0) this.missing[session] = this.missing[session]! + skipped;
      // Small integers only: a number beyond 32 bits would be boxed on its way into a call.
      if (skipped >= this.size) this.#bits.fill(0, session * this.#words, (session + 1) * this.#words);
      else if (skipped > 0) this.#clear(session * this.#words, (low - skipped) & (this.size - 1), skipped);
      this.#newest[session] = number;
    } else {
      this.late[session] = this.late[session]! + 1;
      if (this.missing[session]! > 0) this.missing[session] = this.missing[session]! - 1;
    }
    const index = low & (this.size - 1);
    this.#bits[session * this.#words + (index >> 5)]! |= 1 << (index & 31);
  }

  /** Unmarks `count` places from `first` on: their numbers were skipped and may still come. */
  #clear(startWord: number, first: number, count: number): void {
    let index = first;
    let left = count;
    while (left > 0) {
      const bit = index & 31;
      const run = Math.min(left, 32 - bit);
      const ones = run === 32 ? -1 : (1 << run) - 1;
      this.#bits[startWord + (index >> 5)]! &= ~(ones << bit);
      index = (index + run) & (this.size - 1);
      left -= run;
    }
  }
}

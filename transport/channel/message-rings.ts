/**
 * Messages that wait or are on their way: a ring for each stream (connection * channels + channel), indexed by message id.
 *
 *     oldest ........ nextWaiting ........ nextId
 *     sent, not all settled | waiting to be sent
 *
 * Of latest state, where no key waits for another, some behind `nextWaiting` may have been sent: those that need no more window.
 *
 * The rings lie in shared columns (`regions.ts`): slot `base[s] + (id & mask[s])`. A stream that has nothing has no ring.
 */

import { NEVER } from '../../sys/api.ts';
import { grown } from '../block-pool.ts';
import { Regions } from '../regions.ts';

/** States of a message. */
export const SETTLED = 0;
export const WAITING = 1;
export const IN_FLIGHT = 2;
/** Lost: to be sent again. */
export const DUE = 3;
/** Given up; that it will not come is to be told, or is on its way to be told. */
export const SKIP_DUE = 4;
export const SKIP_IN_FLIGHT = 5;

/** No block, no large message. */
export const NONE = -1;

const LOG2_AT_BIRTH = 2;
/** 32,768 messages: 16 bits of an id still tell them apart, and the columns that count them need no more. */
const LOG2_MAX = 15;

export class MessageRings {
  /** By slot. */
  state: Uint8Array = new Uint8Array(0);
  /** Times that it may still ride as a copy. */
  copies: Uint8Array = new Uint8Array(0);
  block: Int32Array = new Int32Array(0);
  length: Int32Array = new Int32Array(0);
  /** Key, or tick (its low 32 bits). */
  tag: Int32Array = new Int32Array(0);
  /** What the application asked to be told about, 0: nothing. */
  receipt: Int32Array = new Int32Array(0);
  /** Serial of the last packet that carried it. */
  carrier: Int32Array = new Int32Array(0);
  /** Row of its fragments, or NONE. */
  large: Int32Array = new Int32Array(0);
  /** Bytes of the peer's window that are free again when it has arrived. */
  charge: Float64Array = new Float64Array(0);
  expiresAt: Float64Array = new Float64Array(0);
  queuedAt: Float64Array = new Float64Array(0);
  /** By stream. */
  readonly base: Int32Array;
  readonly mask: Uint16Array;
  readonly oldest: Float64Array;
  readonly nextWaiting: Float64Array;
  readonly nextId: Float64Array;
  /** Messages WAITING, DUE and SKIP_DUE; messages with copies left. */
  readonly waiting: Uint16Array;
  readonly due: Uint16Array;
  readonly copying: Uint16Array;
  /** No message below this id is due; none below has copies left. */
  readonly dueFrom: Float64Array;
  readonly copyFrom: Float64Array;
  readonly #regions: Regions;

  constructor(streams: number) {
    this.base = new Int32Array(streams).fill(NONE);
    this.mask = new Uint16Array(streams);
    this.oldest = new Float64Array(streams);
    this.nextWaiting = new Float64Array(streams);
    this.nextId = new Float64Array(streams);
    this.waiting = new Uint16Array(streams);
    this.due = new Uint16Array(streams);
    this.copying = new Uint16Array(streams);
    this.dueFrom = new Float64Array(streams);
    this.copyFrom = new Float64Array(streams);
    this.#regions = new Regions((slots) => this.#resize(slots));
  }

  slotOf(s: number, id: number): number {
    return this.base[s]! + (id & this.mask[s]!);
  }

  /** The full id of the one whose low 32 bits are `low`, among those of the ring. */
  fullId(s: number, low: number): number {
    const oldest = this.oldest[s]!;
    return oldest + ((low - oldest) | 0);
  }

  /** Whether the ring holds a message of this id. */
  holds(s: number, id: number): boolean {
    return this.base[s] !== NONE && id >= this.oldest[s]! && id < this.nextId[s]!;
  }

  /** Whether `reserve` would answer false. */
  isFull(s: number): boolean {
    return (
      this.base[s] !== NONE && this.nextId[s]! - this.oldest[s]! > this.mask[s]! && this.mask[s]! + 1 >= 1 << LOG2_MAX
    );
  }

  /** Makes room for one more message; false when the ring is as large as it may be, and full. */
  reserve(s: number): boolean {
    if (this.base[s] === NONE) {
      this.base[s] = this.#regions.take(LOG2_AT_BIRTH);
      this.mask[s] = (1 << LOG2_AT_BIRTH) - 1;
      return true;
    }
    return this.nextId[s]! - this.oldest[s]! <= this.mask[s]! || this.#widen(s);
  }

  /** Appends a waiting message; `reserve` has said that there is room. Returns its slot. */
  append(s: number, block: number, length: number, tag: number, receipt: number): number {
    const slot = this.slotOf(s, this.nextId[s]!);
    this.nextId[s] = this.nextId[s]! + 1;
    this.state[slot] = WAITING;
    this.copies[slot] = 0;
    this.block[slot] = block;
    this.length[slot] = length;
    this.tag[slot] = tag;
    this.receipt[slot] = receipt;
    this.carrier[slot] = 0;
    this.large[slot] = NONE;
    this.charge[slot] = 0;
    this.expiresAt[slot] = NEVER;
    this.waiting[s] = this.waiting[s]! + 1;
    return slot;
  }

  /** Everything below `oldest` is settled. Gives the ring back when it is empty. */
  trimTo(s: number, oldest: number): void {
    this.oldest[s] = oldest;
    if (oldest > this.nextWaiting[s]!) this.nextWaiting[s] = oldest;
    if (oldest === this.nextId[s]) this.#give(s);
  }

  /** Forgets a stream that has nothing any more; ids start again. */
  reset(s: number): void {
    if (this.base[s] !== NONE) this.#give(s);
    this.oldest[s] = 0;
    this.nextWaiting[s] = 0;
    this.nextId[s] = 0;
    this.waiting[s] = 0;
    this.due[s] = 0;
    this.copying[s] = 0;
    this.dueFrom[s] = 0;
    this.copyFrom[s] = 0;
  }

  /** The first message of a stream that has none gets this id. */
  startAt(s: number, id: number): void {
    this.oldest[s] = id;
    this.nextWaiting[s] = id;
    this.nextId[s] = id;
    this.dueFrom[s] = id;
    this.copyFrom[s] = id;
  }

  #give(s: number): void {
    this.#regions.give(this.base[s]!, log2Of(this.mask[s]! + 1));
    this.base[s] = NONE;
  }

  /** Twice the slots. */
  #widen(s: number): boolean {
    const from = this.base[s]!;
    const fromMask = this.mask[s]!;
    const log2 = log2Of(fromMask + 1) + 1;
    if (log2 > LOG2_MAX) return false;
    const to = this.#regions.take(log2);
    const toMask = (1 << log2) - 1;
    for (let id = this.oldest[s]!; id < this.nextId[s]!; id++) this.#move(from + (id & fromMask), to + (id & toMask));
    this.#regions.give(from, log2 - 1);
    this.base[s] = to;
    this.mask[s] = toMask;
    return true;
  }

  #move(from: number, to: number): void {
    this.state[to] = this.state[from]!;
    this.copies[to] = this.copies[from]!;
    this.block[to] = this.block[from]!;
    this.length[to] = this.length[from]!;
    this.tag[to] = this.tag[from]!;
    this.receipt[to] = this.receipt[from]!;
    this.carrier[to] = this.carrier[from]!;
    this.large[to] = this.large[from]!;
    this.charge[to] = this.charge[from]!;
    this.expiresAt[to] = this.expiresAt[from]!;
    this.queuedAt[to] = this.queuedAt[from]!;
  }

  #resize(slots: number): void {
    this.state = grown(this.state, new Uint8Array(slots));
    this.copies = grown(this.copies, new Uint8Array(slots));
    this.block = grown(this.block, new Int32Array(slots));
    this.length = grown(this.length, new Int32Array(slots));
    this.tag = grown(this.tag, new Int32Array(slots));
    this.receipt = grown(this.receipt, new Int32Array(slots));
    this.carrier = grown(this.carrier, new Int32Array(slots));
    this.large = grown(this.large, new Int32Array(slots));
    this.charge = grown(this.charge, new Float64Array(slots));
    this.expiresAt = grown(this.expiresAt, new Float64Array(slots));
    this.queuedAt = grown(this.queuedAt, new Float64Array(slots));
  }
}

function log2Of(powerOfTwo: number): number {
  return 31 - Math.clz32(powerOfTwo);
}

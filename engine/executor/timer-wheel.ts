/**
 * Timer wheel: many deadlines, few of which are ever reached. Insert, re-arm and cancel cost a few writes to typed arrays.
 *
 * Hierarchical (Varghese and Lauck 1987): 4 levels of 256 slots of 16 us ticks, aligned to the clock: a timer lies on the
 * level of the highest byte in which its tick differs from the current one, so all timers of one tick are always in one
 * list, and expire in the order in which they were inserted. Occupied slots are bits, so empty time is skipped, not walked.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { assert } from './assert.ts';
import { LEVEL_SLOTS, SlotBits } from './slot-bits.ts';

/** Resolution. Half of what the kernel itself is late (30 to 40 us measured), and a power of two, so division is exact. */
export const TICK_MICROS: Micros = 16;

/** Timers of one wheel: bits of the index in an id. */
const INDEX_BITS = 20;
const INDEX_MASK = (1 << INDEX_BITS) - 1;
/** The rest of a non-negative 31-bit id tells two users of one place apart. */
const GENERATION_MASK = (1 << (31 - INDEX_BITS)) - 1;
/** What `insert` never returns: for a field that says "no timer". */
export const NO_TIMER = -1;

const LEVELS = 4;
const SLOTS = LEVEL_SLOTS;
/** Heads of circular lists share the arrays with timers; these follow those of the slots. */
const OVERFLOW = LEVELS * SLOTS; // beyond the four levels: more than 2^32 ticks (19 hours) ahead
const DUE = OVERFLOW + 1; // already past when inserted: for the next advance()
const FIRING = OVERFLOW + 2; // being handed out now
const FIRST_TIMER = OVERFLOW + 3;
export const TIMERS_MAX: number = (1 << INDEX_BITS) - FIRST_TIMER;

const TWO_32 = 0x1_0000_0000;

/** Takes an expired timer: what was inserted with it, and the id that it had. */
export type OnExpire = (payload: number, id: number) => void;

/** Timers by id. Deadlines are `Micros`; a timer never expires before its deadline and at most `TICK_MICROS` after it. */
export class TimerWheel {
  /** Armed timers. */
  count = 0;
  /** The tick up to which all have expired, in two int32 halves: numbers beyond that may be boxed. */
  private currentLow = 0;
  private currentHigh = 0;
  private advancing = false;

  // Columns of a timer. Index 0 .. FIRST_TIMER - 1 are heads of lists.
  private next: Int32Array;
  private previous: Int32Array;
  private tickLow: Int32Array;
  private tickHigh: Int32Array;
  private payload: Int32Array;
  private generation: Int32Array;
  /** Free places, linked by `next`; 0: none. */
  private free = 0;

  private readonly occupied = new SlotBits(LEVELS);
  /** Lowest `tickLow` ever put into a slot since it was empty: where levels 1 to 3 must be looked at next. */
  private readonly earliest = new Uint32Array(LEVELS * SLOTS);

  /** @param now where the wheel starts @param capacity timers to hold before the columns grow */
  constructor(now: Micros, capacity: number = 64) {
    const ticks = Math.floor(now / TICK_MICROS);
    this.currentLow = ticks | 0;
    this.currentHigh = (ticks / TWO_32) | 0;
    const length = FIRST_TIMER + capacity;
    this.next = new Int32Array(length);
    this.previous = new Int32Array(length);
    this.tickLow = new Int32Array(length);
    this.tickHigh = new Int32Array(length);
    this.payload = new Int32Array(length);
    this.generation = new Int32Array(length);
    for (let head = 0; head < FIRST_TIMER; head++) {
      this.next[head] = head;
      this.previous[head] = head;
    }
    this.addFree(FIRST_TIMER, length);
  }

  /**
   * Arms a new timer and returns its id, valid until it expires or is cancelled. `payload` (31 bits) is handed out with
   * it. A deadline already past expires at the next `advance()`. More than `TIMERS_MAX` is a programming error.
   */
  insert(deadline: Micros, payload: number): number {
    assert(deadline < NEVER, 'a timer without a deadline');
    if (this.free === 0) this.grow();
    const index = this.free;
    this.free = this.next[index] as number;
    this.payload[index] = payload;
    this.count++;
    this.setTick(index, deadline);
    this.place(index);
    return ((this.generation[index] as number) << INDEX_BITS) | index;
  }

  /** Disarms. False when it has expired or was cancelled before: then nothing happens. */
  cancel(id: number): boolean {
    if (!this.armed(id)) return false;
    const index = id & INDEX_MASK;
    this.unlink(index);
    this.release(index);
    return true;
  }

  /** Moves an armed timer to another deadline; its id stays. It counts as inserted now. */
  rearm(id: number, deadline: Micros): void {
    assert(this.armed(id), 'rearm of a timer that has expired');
    assert(deadline < NEVER, 'a timer without a deadline');
    const index = id & INDEX_MASK;
    this.unlink(index);
    this.setTick(index, deadline);
    this.place(index);
  }

  /** Whether `id` waits for its deadline. An id is told from a later one in its place for 2,048 uses of that place. */
  armed(id: number): boolean {
    return id >= 0 && this.generation[id & INDEX_MASK] === id >>> INDEX_BITS;
  }

  /**
   * Calls `onExpire` for every timer due at `now`, in order of (tick of the deadline, insertion); a deadline that was past
   * when it was inserted counts as the tick of that moment. `onExpire` may insert, re-arm and cancel; what it inserts for
   * a time already past expires at the next call. Returns how many expired.
   */
  advance(now: Micros, onExpire: OnExpire): number {
    assert(!this.advancing, 'advance() inside onExpire');
    const ticks = Math.floor(now / TICK_MICROS);
    const targetLow = ticks | 0;
    const targetHigh = (ticks / TWO_32) | 0;
    const before = this.count;
    if (before === 0) {
      this.moveTo(targetHigh, targetLow);
      return 0;
    }
    this.advancing = true;
    let expired = 0;
    try {
      expired += this.fireSetAside(onExpire); // left over when a callback has thrown
      expired += this.fireList(DUE, onExpire);
      do {
        expired += this.fireBlock(targetHigh, targetLow, onExpire);
      } while (this.enterNextBlock(targetHigh, targetLow));
      this.moveTo(targetHigh, targetLow);
    } finally {
      this.advancing = false;
    }
    return expired;
  }

  /**
   * When `advance()` must be called next, or NEVER. Exact, but for two cases in which it is earlier: a timer was cancelled
   * that shared a slot of 4 ms or more with a later one, or all are more than 19 hours ahead. An `advance()` then
   * makes it exact, so that waiting for it never spins.
   */
  nextDeadline(): Micros {
    if (this.count === 0) return NEVER;
    const low = this.currentLow;
    if (this.next[DUE] !== DUE || this.next[FIRING] !== FIRING) return this.micros(this.currentHigh, low);
    const slot = this.occupied.firstFrom(0, low & 255);
    if (slot >= 0) return this.micros(this.currentHigh, (low & ~255) | slot);
    for (let level = 1; level < LEVELS; level++) {
      const ahead = this.occupied.firstFrom(level, ((low >>> (level * 8)) & 255) + 1);
      if (ahead >= 0) return this.micros(this.currentHigh, this.earliest[(level << 8) | ahead] as number);
    }
    return this.micros(this.currentHigh + 1, 0);
  }

  /** Hands out what is due of the 256 ticks around the current one. */
  private fireBlock(targetHigh: number, targetLow: number, onExpire: OnExpire): number {
    const block = this.currentLow & ~255;
    if (!this.reached(block, targetHigh, targetLow)) return 0;
    const last = this.currentHigh === targetHigh && (targetLow & ~255) === block ? targetLow & 255 : 255;
    let fired = 0;
    for (let slot = this.occupied.firstFrom(0, this.currentLow & 255); slot >= 0 && slot <= last; ) {
      this.currentLow = block | slot;
      fired += this.fireList(slot, onExpire);
      slot = this.occupied.firstFrom(0, slot);
    }
    return fired;
  }

  /** Moves to the start of the next occupied slot of levels 1 and up, and deals it out; false when that is after the target. */
  private enterNextBlock(targetHigh: number, targetLow: number): boolean {
    const low = this.currentLow;
    for (let level = 1; level < LEVELS; level++) {
      const shift = level * 8;
      const slot = this.occupied.firstFrom(level, ((low >>> shift) & 255) + 1);
      if (slot < 0) continue;
      const above = level === LEVELS - 1 ? 0 : low & (-1 << (shift + 8));
      const start = above | (slot << shift);
      if (!this.reached(start, targetHigh, targetLow)) return false;
      this.currentLow = start;
      this.dealOut((level << 8) | slot);
      return true;
    }
    return this.enterNextEpoch(targetHigh);
  }

  /** All four levels are empty: goes to the next 2^32 ticks that hold a timer; false when that is after the target. */
  private enterNextEpoch(targetHigh: number): boolean {
    let high = targetHigh + 1;
    for (let i = this.next[OVERFLOW] as number; i !== OVERFLOW; i = this.next[i] as number) {
      if ((this.tickHigh[i] as number) < high) high = this.tickHigh[i] as number;
    }
    if (high > targetHigh) return false;
    this.currentHigh = high;
    this.currentLow = 0;
    this.dealOut(OVERFLOW);
    return true;
  }

  /**
   * Takes a list apart and places its timers again, in order. Not by `place`: a timer whose tick is the current one
   * belongs into the slot that expires next, not to those that were late from the start.
   */
  private dealOut(list: number): void {
    const { next, tickLow } = this;
    let index = next[list] as number;
    next[list] = list;
    this.previous[list] = list;
    this.markEmpty(list);
    while (index !== list) {
      const following = next[index] as number;
      const later = list === OVERFLOW && this.tickHigh[index] !== this.currentHigh;
      this.append(later ? OVERFLOW : this.slotFor(tickLow[index] as number), index);
      index = following;
    }
  }

  /** Hands out a whole list. Those that callbacks put into the same list meanwhile are not among them. */
  private fireList(list: number, onExpire: OnExpire): number {
    const next = this.next;
    const index = next[list] as number;
    if (index === list) return 0;
    this.markEmpty(list);
    if (next[index] === list) {
      // Alone in its slot, as most are: no need to set others aside.
      next[list] = list;
      this.previous[list] = list;
      this.expire(index, onExpire);
      return 1;
    }
    this.splice(list, FIRING);
    return this.fireSetAside(onExpire);
  }

  private fireSetAside(onExpire: OnExpire): number {
    let fired = 0;
    for (let index = this.next[FIRING] as number; index !== FIRING; index = this.next[FIRING] as number) {
      this.unlink(index);
      this.expire(index, onExpire);
      fired++;
    }
    return fired;
  }

  /** Gives the place of an unlinked timer back, so that the callback may use it, and calls. */
  private expire(index: number, onExpire: OnExpire): void {
    const id = ((this.generation[index] as number) << INDEX_BITS) | index;
    this.release(index);
    onExpire(this.payload[index] as number, id);
  }

  private setTick(index: number, deadline: Micros): void {
    const ticks = Math.ceil(deadline / TICK_MICROS);
    this.tickLow[index] = ticks | 0;
    this.tickHigh[index] = (ticks / TWO_32) | 0;
  }

  private place(index: number): void {
    const high = this.tickHigh[index] as number;
    const low = this.tickLow[index] as number;
    let list = DUE;
    if (high > this.currentHigh) list = OVERFLOW;
    else if (high === this.currentHigh && low >>> 0 > this.currentLow >>> 0) list = this.slotFor(low);
    this.append(list, index);
  }

  /** The list of a timer of the current 2^32 ticks that is not past. */
  private slotFor(low: number): number {
    const differing = low ^ this.currentLow;
    if (differing >>> 8 === 0) return low & 255;
    if (differing >>> 16 === 0) return SLOTS | ((low >>> 8) & 255);
    if (differing >>> 24 === 0) return (2 * SLOTS) | ((low >>> 16) & 255);
    return (3 * SLOTS) | (low >>> 24);
  }

  private append(list: number, index: number): void {
    const { next, previous } = this;
    const last = previous[list] as number;
    next[last] = index;
    previous[index] = last;
    next[index] = list;
    previous[list] = index;
    if (list >= OVERFLOW) return;
    if (last === list) this.occupied.set(list);
    if (list < SLOTS) return;
    const tick = (this.tickLow[index] as number) >>> 0;
    if (last === list || tick < (this.earliest[list] as number)) this.earliest[list] = tick;
  }

  private unlink(index: number): void {
    const before = this.previous[index] as number;
    const after = this.next[index] as number;
    this.next[before] = after;
    this.previous[after] = before;
    if (before === after) this.markEmpty(before); // only a head has itself on both sides
  }

  private markEmpty(list: number): void {
    if (list < OVERFLOW) this.occupied.clear(list);
  }

  /** Moves all of one list to the end of another; the first is empty then. */
  private splice(from: number, to: number): void {
    const first = this.next[from] as number;
    if (first === from) return;
    const last = this.previous[from] as number;
    const end = this.previous[to] as number;
    this.next[end] = first;
    this.previous[first] = end;
    this.next[last] = to;
    this.previous[to] = last;
    this.next[from] = from;
    this.previous[from] = from;
  }

  private reached(low: number, targetHigh: number, targetLow: number): boolean {
    return this.currentHigh < targetHigh || (this.currentHigh === targetHigh && low >>> 0 <= targetLow >>> 0);
  }

  /** Nothing is left up to the target. Time that stands still or goes back moves nothing. */
  private moveTo(high: number, low: number): void {
    if (high < this.currentHigh || (high === this.currentHigh && low >>> 0 < this.currentLow >>> 0)) return;
    this.currentHigh = high;
    this.currentLow = low;
  }

  private micros(high: number, low: number): Micros {
    return (high * TWO_32 + (low >>> 0)) * TICK_MICROS;
  }

  private release(index: number): void {
    this.generation[index] = ((this.generation[index] as number) + 1) & GENERATION_MASK;
    this.next[index] = this.free;
    this.free = index;
    this.count--;
  }

  private addFree(from: number, to: number): void {
    for (let index = to - 1; index >= from; index--) {
      this.next[index] = this.free;
      this.free = index;
    }
  }

  private grow(): void {
    const from = this.next.length;
    assert(from <= INDEX_MASK, 'a million timers: they are inserted and never cancelled');
    const length = Math.min(from * 2, INDEX_MASK + 1);
    this.next = grown(this.next, length);
    this.previous = grown(this.previous, length);
    this.tickLow = grown(this.tickLow, length);
    this.tickHigh = grown(this.tickHigh, length);
    this.payload = grown(this.payload, length);
    this.generation = grown(this.generation, length);
    this.addFree(from, length);
  }
}

function grown(column: Int32Array, length: number): Int32Array {
  const copy = new Int32Array(length);
  copy.set(column);
  return copy;
}

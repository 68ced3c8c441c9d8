/**
 * Timer wheel: many deadlines, few of which are ever reached. Insert, re-arm and cancel cost a few writes to typed arrays.
 *
 * Hierarchical (Varghese and Lauck 1987): 3 levels of 1,024 slots of 16 us ticks, aligned to the clock: a timer lies on
 * the level of the highest 10 bits in which its tick differs from the current one, so all timers of one tick are always in one
 * list, and expire in the order in which they were inserted. Occupied slots are bits, so empty time is skipped, not walked.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { assert } from './assert.ts';
import { LEVEL_SLOTS, SLOT_BITS, SlotBits } from './slot-bits.ts';
import { generationOf, INDEXES_MAX, indexOf, nextGeneration, timerId } from './timer-id.ts';

/** Resolution. Half of what the kernel itself is late (30 to 40 us measured), and a power of two, so division is exact. */
export const TICK_MICROS: Micros = 16;

// 16 ms, 17 s and 5 hours: a round trip is dealt out once at most, a connection's timeout too (four levels of 256 slots would
// deal twice, a third of what expiring costs).
const LEVELS = 3;
const SLOTS = LEVEL_SLOTS;
const SLOT_MASK = SLOTS - 1;
/** What the levels span together; times are kept as (epoch, tick in it). */
const EPOCH_TICKS = 2 ** (LEVELS * SLOT_BITS);
const LOW_MASK = EPOCH_TICKS - 1;
/** Heads of circular lists share the arrays with timers; these follow those of the slots. */
const OVERFLOW = LEVELS * SLOTS; // in a later epoch
const DUE = OVERFLOW + 1; // already past when inserted: for the next advance()
const FIRING = OVERFLOW + 2; // being handed out now
export const HEADS: number = OVERFLOW + 3; // how many there are: timers follow, from this index on
export const TIMERS_MAX: number = INDEXES_MAX - HEADS;

/** Takes an expired timer: what was inserted with it, and the id that it had. */
export type OnExpire = (payload: number, id: number) => void;

/** Timers by id. Deadlines are `Micros`; a timer never expires before its deadline and at most `TICK_MICROS` after it. */
export class TimerWheel {
  /** Armed timers. */
  count = 0;
  /** The tick up to which all have expired, in two parts: numbers beyond 31 bits may be boxed. */
  private currentLow = 0;
  private currentHigh = 0;
  private advancing = false;

  // Links of heads and timers, by index.
  private next: Int32Array;
  private previous: Int32Array;
  // Columns of a timer, by index - HEADS: a wheel that is hardly used (a simulated client's) stays small.
  private tickLow: Int32Array;
  private tickHigh: Int32Array;
  private payload: Int32Array;
  private generation: Int32Array;
  /** Free places, the next to be used last. A stack and not a list through `next`: no insert waits for a cache miss. */
  private free: Int32Array;
  private freeCount = 0;

  private readonly occupied = new SlotBits(LEVELS);
  /** Lowest `tickLow` ever put into a slot since it was empty: where levels 1 and 2 must be looked at next. */
  private readonly earliest = new Int32Array(LEVELS * SLOTS);

  /**
   * @param now where the wheel starts @param capacity timers to hold before the columns grow
   * @param adopted places, the first ones, that are to be adopted before anything is inserted
   */
  constructor(now: Micros, capacity: number = 64, adopted: number = 0) {
    const ticks = Math.floor(now / TICK_MICROS);
    this.currentLow = ticks & LOW_MASK;
    this.currentHigh = (ticks / EPOCH_TICKS) | 0;
    this.next = new Int32Array(HEADS + capacity);
    this.previous = new Int32Array(HEADS + capacity);
    this.tickLow = new Int32Array(capacity);
    this.tickHigh = new Int32Array(capacity);
    this.payload = new Int32Array(capacity);
    this.generation = new Int32Array(capacity);
    this.free = new Int32Array(capacity);
    for (let head = 0; head < HEADS; head++) {
      this.next[head] = head;
      this.previous[head] = head;
    }
    this.addFree(HEADS + adopted, HEADS + capacity);
  }

  /** A place that was used before, elsewhere, is free. */
  adoptFree(place: number, generation: number): void {
    this.generation[place] = generation;
    this.free[this.freeCount++] = HEADS + place;
  }

  /** A timer that was armed before, elsewhere, is one of this wheel, under the same id. It counts as inserted now. */
  adopt(place: number, generation: number, deadline: Micros, payload: number): void {
    this.generation[place] = generation;
    this.payload[place] = payload;
    this.count++;
    this.setTick(HEADS + place, deadline);
    this.place(HEADS + place);
  }

  /**
   * Arms a new timer and returns its id, valid until it expires or is cancelled. `payload` (31 bits) is handed out with
   * it. A deadline already past expires at the next `advance()`. More than `TIMERS_MAX` is a programming error.
   */
  insert(deadline: Micros, payload: number): number {
    assert(deadline < NEVER, 'a timer without a deadline');
    if (this.freeCount === 0) this.grow();
    const index = this.free[--this.freeCount] as number;
    this.payload[index - HEADS] = payload;
    this.count++;
    this.setTick(index, deadline);
    this.place(index);
    return timerId(index, this.generation[index - HEADS] as number);
  }

  /** Disarms. False when it has expired or was cancelled before: then nothing happens. */
  cancel(id: number): boolean {
    if (!this.armed(id)) return false;
    const index = indexOf(id);
    this.unlink(index);
    this.release(index);
    return true;
  }

  /** Moves an armed timer to another deadline; its id stays. It counts as inserted now. */
  rearm(id: number, deadline: Micros): void {
    assert(this.armed(id), 'rearm of a timer that has expired');
    assert(deadline < NEVER, 'a timer without a deadline');
    const index = indexOf(id);
    this.unlink(index);
    this.setTick(index, deadline);
    this.place(index);
  }

  /** Whether `id` waits for its deadline. An id is told from a later one in its place for 2,048 uses of that place. */
  armed(id: number): boolean {
    return id >= 0 && this.generation[indexOf(id) - HEADS] === generationOf(id);
  }

  /**
   * Calls `onExpire` for every timer due at `now`, in order of (tick of the deadline, insertion); a deadline that was past
   * when it was inserted counts as the tick of that moment. `onExpire` may insert, re-arm and cancel; what it inserts for
   * a time already past expires at the next call. Returns how many expired.
   */
  advance(now: Micros, onExpire: OnExpire): number {
    assert(!this.advancing, 'advance() inside onExpire');
    const ticks = Math.floor(now / TICK_MICROS);
    const targetLow = ticks & LOW_MASK;
    const targetHigh = (ticks / EPOCH_TICKS) | 0;
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
   * that shared a slot of 16 ms or more with a later one, or all are in a later epoch (of 5 hours). An `advance()` then
   * makes it exact, so that waiting for it never spins.
   */
  nextDeadline(): Micros {
    if (this.count === 0) return NEVER;
    const low = this.currentLow;
    if (this.next[DUE] !== DUE || this.next[FIRING] !== FIRING) return this.micros(this.currentHigh, low);
    const slot = this.occupied.firstFrom(0, low & SLOT_MASK);
    if (slot >= 0) return this.micros(this.currentHigh, (low & ~SLOT_MASK) | slot);
    for (let level = 1; level < LEVELS; level++) {
      const ahead = this.occupied.firstFrom(level, ((low >>> (level * SLOT_BITS)) & SLOT_MASK) + 1);
      if (ahead >= 0) return this.micros(this.currentHigh, this.earliest[(level << SLOT_BITS) | ahead] as number);
    }
    return this.micros(this.currentHigh + 1, 0);
  }

  /** Hands out what is due of the 1,024 ticks around the current one. */
  private fireBlock(targetHigh: number, targetLow: number, onExpire: OnExpire): number {
    const block = this.currentLow & ~SLOT_MASK;
    if (!this.reached(block, targetHigh, targetLow)) return 0;
    const last =
      this.currentHigh === targetHigh && (targetLow & ~SLOT_MASK) === block ? targetLow & SLOT_MASK : SLOT_MASK;
    let fired = 0;
    for (let slot = this.occupied.firstFrom(0, this.currentLow & SLOT_MASK); slot >= 0 && slot <= last; ) {
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
      const shift = level * SLOT_BITS;
      const slot = this.occupied.firstFrom(level, ((low >>> shift) & SLOT_MASK) + 1);
      if (slot < 0) continue;
      const above = low & (-1 << (shift + SLOT_BITS));
      const start = above | (slot << shift);
      if (!this.reached(start, targetHigh, targetLow)) return false;
      this.currentLow = start;
      this.dealOut((level << SLOT_BITS) | slot);
      return true;
    }
    return this.enterNextEpoch(targetHigh);
  }

  /** All levels are empty: goes to the next epoch that holds a timer; false when that is after the target. */
  private enterNextEpoch(targetHigh: number): boolean {
    let high = targetHigh + 1;
    for (let i = this.next[OVERFLOW] as number; i !== OVERFLOW; i = this.next[i] as number) {
      if ((this.tickHigh[i - HEADS] as number) < high) high = this.tickHigh[i - HEADS] as number;
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
      const later = list === OVERFLOW && this.tickHigh[index - HEADS] !== this.currentHigh;
      this.append(later ? OVERFLOW : this.slotFor(tickLow[index - HEADS] as number), index);
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
    const id = timerId(index, this.generation[index - HEADS] as number);
    this.release(index);
    onExpire(this.payload[index - HEADS] as number, id);
  }

  private setTick(index: number, deadline: Micros): void {
    const ticks = Math.ceil(deadline / TICK_MICROS);
    this.tickLow[index - HEADS] = ticks & LOW_MASK;
    this.tickHigh[index - HEADS] = (ticks / EPOCH_TICKS) | 0;
  }

  private place(index: number): void {
    const high = this.tickHigh[index - HEADS] as number;
    const low = this.tickLow[index - HEADS] as number;
    let list = DUE;
    if (high > this.currentHigh) list = OVERFLOW;
    else if (high === this.currentHigh && low > this.currentLow) list = this.slotFor(low);
    this.append(list, index);
  }

  /** The list of a timer of the current epoch that is not past. */
  private slotFor(low: number): number {
    const differing = low ^ this.currentLow;
    if (differing < SLOTS) return low & SLOT_MASK;
    if (differing < SLOTS * SLOTS) return SLOTS | ((low >>> SLOT_BITS) & SLOT_MASK);
    return (2 * SLOTS) | (low >>> (2 * SLOT_BITS));
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
    const tick = this.tickLow[index - HEADS] as number;
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
    return this.currentHigh < targetHigh || (this.currentHigh === targetHigh && low <= targetLow);
  }

  /** Nothing is left up to the target. Time that stands still or goes back moves nothing. */
  private moveTo(high: number, low: number): void {
    if (high < this.currentHigh || (high === this.currentHigh && low < this.currentLow)) return;
    this.currentHigh = high;
    this.currentLow = low;
  }

  private micros(high: number, low: number): Micros {
    return (high * EPOCH_TICKS + low) * TICK_MICROS;
  }

  private release(index: number): void {
    this.generation[index - HEADS] = nextGeneration(this.generation[index - HEADS] as number);
    this.free[this.freeCount++] = index;
    this.count--;
  }

  private addFree(from: number, to: number): void {
    for (let index = to - 1; index >= from; index--) this.free[this.freeCount++] = index;
  }

  private grow(): void {
    const capacity = this.payload.length;
    assert(capacity < TIMERS_MAX, 'a million timers: they are inserted and never cancelled');
    const larger = Math.min(capacity * 2, TIMERS_MAX);
    this.next = grown(this.next, HEADS + larger);
    this.previous = grown(this.previous, HEADS + larger);
    this.tickLow = grown(this.tickLow, larger);
    this.tickHigh = grown(this.tickHigh, larger);
    this.payload = grown(this.payload, larger);
    this.generation = grown(this.generation, larger);
    this.free = grown(this.free, larger);
    this.addFree(HEADS + capacity, HEADS + larger);
  }
}

function grown(column: Int32Array, length: number): Int32Array {
  const copy = new Int32Array(length);
  copy.set(column);
  return copy;
}

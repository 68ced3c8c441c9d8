/**
 * Timer queue: the timers of a runtime. Up to 16 lie in a sorted row, two cache lines; from then on in a wheel, which costs the
 * same however many there are, and 37 KB. A client has one or two, and a simulated world has thousands of clients.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { assert } from './assert.ts';
import { generationOf, indexOf, nextGeneration, timerId } from './timer-id.ts';
import { HEADS, type OnExpire, TICK_MICROS, TimerWheel } from './timer-wheel.ts';

/** Timers in the row. Beyond, finding the place of one costs more than a wheel does. */
export const ROW_TIMERS_MAX = 16;
const PLACES_AT_BIRTH = 4;
/** What the row holds of a timer, behind the cell with the current tick. */
const WORDS = 3;
const TICK = 1;
const PAYLOAD = 2;
const GENERATION = 3;

/** Timers by id, with the promises of `TimerWheel`. */
export class TimerQueue {
  /** Where the timers are once there were many. */
  private wheel: TimerWheel | null = null;
  private armedCount = 0;
  /** Element 0: the tick up to which all have expired. Then a row for each place. */
  private cells: Float64Array = new Float64Array(1 + PLACES_AT_BIRTH * WORDS);
  /**
   * Places: first those being handed out now, then those that were past when they were inserted, then the others by tick and
   * insertion, then the free ones.
   */
  private order: Int32Array = new Int32Array(PLACES_AT_BIRTH);
  private firing = 0;
  private due = 0;
  private advancing = false;

  /** @param now where time starts */
  constructor(now: Micros) {
    this.cells[0] = Math.floor(now / TICK_MICROS);
    for (let place = 0; place < PLACES_AT_BIRTH; place++) this.order[place] = place;
  }

  /** Armed timers. */
  get count(): number {
    return this.wheel === null ? this.armedCount : this.wheel.count;
  }

  /** See `TimerWheel.insert`. */
  insert(deadline: Micros, payload: number): number {
    if (this.armedCount >= ROW_TIMERS_MAX && !this.advancing) this.moveToWheel();
    if (this.wheel !== null) return this.wheel.insert(deadline, payload);
    assert(deadline < NEVER, 'a timer without a deadline');
    if (this.armedCount === this.order.length) this.grow();
    const place = this.order[this.armedCount] as number;
    this.cells[place * WORDS + PAYLOAD] = payload;
    this.put(place, deadline);
    return timerId(HEADS + place, this.cells[place * WORDS + GENERATION] as number);
  }

  /** See `TimerWheel.cancel`. */
  cancel(id: number): boolean {
    if (this.wheel !== null) return this.wheel.cancel(id);
    if (!this.armed(id)) return false;
    this.release(this.lift(this.positionOf(id)));
    return true;
  }

  /** See `TimerWheel.rearm`. */
  rearm(id: number, deadline: Micros): void {
    if (this.wheel !== null) {
      this.wheel.rearm(id, deadline);
      return;
    }
    assert(this.armed(id), 'rearm of a timer that has expired');
    assert(deadline < NEVER, 'a timer without a deadline');
    this.put(this.lift(this.positionOf(id)), deadline);
  }

  /** See `TimerWheel.armed`. */
  armed(id: number): boolean {
    if (this.wheel !== null) return this.wheel.armed(id);
    if (id < 0) return false;
    return this.cells[(indexOf(id) - HEADS) * WORDS + GENERATION] === generationOf(id);
  }

  /** See `TimerWheel.advance`. */
  advance(now: Micros, onExpire: OnExpire): number {
    if (this.wheel !== null) return this.wheel.advance(now, onExpire);
    assert(!this.advancing, 'advance() inside onExpire');
    let expired = 0;
    if (this.armedCount > 0) {
      this.advancing = true;
      try {
        expired = this.fire(now, onExpire);
      } finally {
        this.advancing = false;
      }
    }
    const target = Math.floor(now / TICK_MICROS);
    // Time that stands still or goes back moves nothing.
    if (target > (this.cells[0] as number)) this.cells[0] = target;
    return expired;
  }

  /** When `advance()` must be called next, or NEVER: see `TimerWheel.nextDeadline`. Of few timers it is exact. */
  nextDeadline(): Micros {
    if (this.wheel !== null) return this.wheel.nextDeadline();
    if (this.armedCount === 0) return NEVER;
    return (this.firing + this.due > 0 ? (this.cells[0] as number) : this.tickAt(0)) * TICK_MICROS;
  }

  private fire(now: Micros, onExpire: OnExpire): number {
    const target = Math.floor(now / TICK_MICROS); // not an argument: it would be boxed
    let expired = this.fireSetAside(onExpire); // left over when a callback has thrown
    this.firing = this.due;
    this.due = 0;
    expired += this.fireSetAside(onExpire);
    while (this.armedCount > this.due && this.tickAt(this.due) <= target) {
      const tick = this.tickAt(this.due);
      this.cells[0] = tick;
      // All of one tick, before those that callbacks have inserted for a time already past: these wait for the next call.
      while (this.due + this.firing < this.armedCount && this.tickAt(this.due + this.firing) === tick) {
        this.setAside();
      }
      expired += this.fireSetAside(onExpire);
    }
    return expired;
  }

  private fireSetAside(onExpire: OnExpire): number {
    let fired = 0;
    while (this.firing > 0) {
      const place = this.lift(0);
      const id = timerId(HEADS + place, this.cells[place * WORDS + GENERATION] as number);
      const payload = this.cells[place * WORDS + PAYLOAD] as number;
      this.release(place);
      onExpire(payload, id);
      fired++;
    }
    return fired;
  }

  /** Takes the first of those that are in time to the end of those being handed out. */
  private setAside(): void {
    const order = this.order;
    let position = this.firing + this.due;
    const place = order[position] as number;
    for (; position > this.firing; position--) order[position] = order[position - 1] as number;
    order[position] = place;
    this.firing++;
  }

  private tickAt(position: number): number {
    return this.cells[(this.order[position] as number) * WORDS + TICK] as number;
  }

  private positionOf(id: number): number {
    const place = indexOf(id) - HEADS;
    let position = 0;
    while (this.order[position] !== place) position++;
    return position;
  }

  /** Puts the first free place among the armed ones. */
  private put(place: number, deadline: Micros): void {
    const { cells, order } = this;
    const tick = Math.ceil(deadline / TICK_MICROS);
    const first = this.firing + this.due;
    let position = this.armedCount++;
    if (tick <= (cells[0] as number)) {
      for (; position > first; position--) order[position] = order[position - 1] as number;
      this.due++;
    } else {
      for (; position > first && this.tickAt(position - 1) > tick; position--) {
        order[position] = order[position - 1] as number;
      }
    }
    order[position] = place;
    cells[place * WORDS + TICK] = tick;
  }

  /** Takes out the timer at `position`, whose place is the first free one then. */
  private lift(position: number): number {
    const order = this.order;
    const place = order[position] as number;
    const last = --this.armedCount;
    for (let i = position; i < last; i++) order[i] = order[i + 1] as number;
    order[last] = place;
    if (position < this.firing) this.firing--;
    else if (position < this.firing + this.due) this.due--;
    return place;
  }

  private release(place: number): void {
    this.cells[place * WORDS + GENERATION] = nextGeneration(this.cells[place * WORDS + GENERATION] as number);
  }

  private grow(): void {
    const before = this.order.length;
    const cells = new Float64Array(1 + before * 2 * WORDS);
    cells.set(this.cells);
    this.cells = cells;
    const order = new Int32Array(before * 2);
    order.set(this.order);
    for (let place = before; place < before * 2; place++) order[place] = place;
    this.order = order;
  }

  /** From now on all are in a wheel, under the same ids. */
  private moveToWheel(): void {
    const { cells, order } = this;
    const wheel = new TimerWheel((cells[0] as number) * TICK_MICROS, order.length * 4, order.length);
    for (let i = order.length - 1; i >= this.armedCount; i--) {
      const place = order[i] as number;
      wheel.adoptFree(place, cells[place * WORDS + GENERATION] as number);
    }
    for (let i = 0; i < this.armedCount; i++) {
      const at = (order[i] as number) * WORDS;
      const [tick, payload] = [cells[at + TICK] as number, cells[at + PAYLOAD] as number];
      wheel.adopt(order[i] as number, cells[at + GENERATION] as number, tick * TICK_MICROS, payload);
    }
    this.wheel = wheel;
    this.armedCount = 0;
  }
}

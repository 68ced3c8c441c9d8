/**
 * Timers in virtual time: what `setTimeout` and its kin are while the world runs, and what the world itself schedules.
 */

import type { Micros } from '../sys/api.ts';
import type { SimHost } from './host.ts';
import { DUE_TIMER, type Timeline } from './timeline.ts';

/** Timers pending at once: a program that passes this forgets to clear them. */
const TIMERS_MAX = 1 << 20;
/** No repetition. */
const ONCE = -1;

/** One timer; what virtual `setTimeout` and `setInterval` return. Has the methods of Node's own timers. */
export class SimTimer {
  readonly host: SimHost;
  act: () => void;
  periodMicros: Micros;
  /** How often it was moved: an event in the queue with an older number is void. */
  due: Micros;
  active = true;
  readonly #timers: VirtualTimers;
  #keepsAlive = true;

  constructor(timers: VirtualTimers, host: SimHost, act: () => void, due: Micros, periodMicros: Micros) {
    this.#timers = timers;
    this.host = host;
    this.act = act;
    this.due = due;
    this.periodMicros = periodMicros;
  }

  /** Without effect, since the world runs until it is told to stop. */
  ref(): this {
    this.#keepsAlive = true;
    return this;
  }

  /** Without effect, since the world runs until it is told to stop. */
  unref(): this {
    this.#keepsAlive = false;
    return this;
  }

  hasRef(): boolean {
    return this.#keepsAlive;
  }

  close(): this {
    this.#timers.cancel(this);
    return this;
  }

  [Symbol.dispose](): void {
    this.#timers.cancel(this);
  }
}

/** All timers of a world. */
export class VirtualTimers {
  readonly #timeline: Timeline;
  readonly #slots: (SimTimer | null)[] = [];
  readonly #free: number[] = [];

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Calls `act` once at world time `time`. */
  at(time: Micros, host: SimHost, act: () => void): SimTimer {
    return this.#start(new SimTimer(this, host, act, Math.max(time, this.#timeline.now), ONCE));
  }

  /** Calls `act` every `periodMicros` (at least 1 ms) from one period on. */
  every(periodMicros: Micros, host: SimHost, act: () => void): SimTimer {
    return this.#start(new SimTimer(this, host, act, this.#timeline.now + periodMicros, periodMicros));
  }

  cancel(timer: SimTimer): void {
    // The event stays in the queue and finds an inactive timer: cheaper than taking it out of the heap.
    timer.active = false;
  }

  /** The world: the timer in slot `id` is due. Returns it when it is to be run, else null. */
  take(id: number): SimTimer | null {
    const timer = this.#slots[id]!;
    if (timer.active && timer.periodMicros !== ONCE) {
      timer.due = this.#timeline.now + timer.periodMicros;
      this.#timeline.schedule(timer.due, DUE_TIMER, id);
      return timer;
    }
    this.#slots[id] = null;
    this.#free.push(id);
    if (!timer.active) return null;
    timer.active = false;
    return timer;
  }

  #start(timer: SimTimer): SimTimer {
    const id = this.#free.pop() ?? this.#slots.length;
    if (id >= TIMERS_MAX) throw new RangeError(`more than ${TIMERS_MAX} timers are pending: are they ever cleared?`);
    this.#slots[id] = timer;
    this.#timeline.schedule(timer.due, DUE_TIMER, id);
    return timer;
  }
}

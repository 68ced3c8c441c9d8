/**
 * Timers in virtual time: what `setTimeout` and its kin are while the world runs, and what the world itself schedules.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { SimHost } from './host.ts';
import { DUE_TIMER, type Timeline } from './timeline.ts';

/** Timers pending at once: a program that passes this forgets to clear them. */
const TIMERS_MAX = 1 << 20;

/** One timer; what virtual `setTimeout` and `setInterval` return. Has the methods of Node's own. */
export class SimTimer {
  readonly host: SimHost;
  readonly act: () => void;
  /** From start, or from the last time it fired, to the next; by the host's clock, unless it was set by world time. */
  readonly delayMicros: Micros;
  readonly repeats: boolean;
  /** World time at which it fires; may be later than its event in the queue. */
  due: Micros;
  /** The same by the host's clock; NEVER for one that was set by world time. */
  hostDue: Micros = NEVER;
  /** Which life of its host it belongs to: a crash takes its timers with it. */
  readonly life: number;
  /** An event of it is in the queue. */
  pending = false;
  cleared = false;
  readonly #timers: VirtualTimers;
  #keepsAlive = true;

  constructor(
    timers: VirtualTimers,
    host: SimHost,
    act: () => void,
    due: Micros,
    delayMicros: Micros,
    repeats: boolean,
  ) {
    this.#timers = timers;
    this.host = host;
    this.life = host.life;
    this.act = act;
    this.due = due;
    this.delayMicros = delayMicros;
    this.repeats = repeats;
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

  /** Starts its delay anew, also after it has fired; not after it was cleared. */
  refresh(): this {
    this.#timers.refresh(this);
    return this;
  }

  close(): this {
    this.#timers.clear(this);
    return this;
  }

  [Symbol.dispose](): void {
    this.#timers.clear(this);
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

  /** Calls `act` once at world time `time`, or now if that is past. */
  at(time: Micros, host: SimHost, act: () => void): SimTimer {
    const due = Math.max(time, this.#timeline.now);
    return this.#start(new SimTimer(this, host, act, due, due - this.#timeline.now, false));
  }

  /** Calls `act` after so long by the clock of `host`; with `repeats` again and again. */
  after(delayMicros: Micros, host: SimHost, act: () => void, repeats: boolean): SimTimer {
    const timer = new SimTimer(this, host, act, 0, delayMicros, repeats);
    this.#aim(timer, host.clock.now());
    return this.#start(timer);
  }

  /** The timer never fires (again). Its event stays in the queue and is void: cheaper than taking it out of the heap. */
  clear(timer: SimTimer): void {
    timer.cleared = true;
  }

  refresh(timer: SimTimer): void {
    if (timer.cleared) return;
    if (timer.hostDue === NEVER) timer.due = this.#timeline.now + timer.delayMicros;
    else this.#aim(timer, timer.host.clock.now());
    if (!timer.pending) this.#start(timer);
  }

  /** The clock of `host` was changed: its timers are due at other world times. */
  aimAnew(host: SimHost): void {
    const own = this.#slots.filter((timer) => timer?.host === host && timer.hostDue !== NEVER);
    for (const timer of own as SimTimer[]) {
      // Its event may come too late now: it gets another one, and that slot is empty when the event comes.
      this.#slots[this.#slots.indexOf(timer)] = null;
      timer.due = Math.max(host.clock.worldTime(timer.hostDue), this.#timeline.now);
      this.#start(timer);
    }
  }

  /** The host whose timer is in slot `id`; null when there is none any more. */
  hostOf(id: number): SimHost | null {
    return this.#slots[id]?.host ?? null;
  }

  /** The world: an event of the timer in slot `id` is due. Returns the timer when it is to be run, else null. */
  take(id: number): SimTimer | null {
    const timer = this.#slots[id] ?? null;
    if (timer === null) {
      this.#free.push(id);
      return null;
    }
    const now = this.#timeline.now;
    if (timer.life !== timer.host.life || timer.host.isDown) timer.cleared = true;
    const fires = !timer.cleared && timer.due <= now;
    if (fires && timer.repeats) this.#aimNext(timer);
    if (!timer.cleared && timer.due > now) {
      this.#timeline.schedule(timer.due, DUE_TIMER, id);
    } else {
      timer.pending = false;
      this.#slots[id] = null;
      this.#free.push(id);
    }
    return fires ? timer : null;
  }

  /** Due a delay after `hostTime` on the clock of its host. */
  #aim(timer: SimTimer, hostTime: Micros): void {
    timer.hostDue = hostTime + timer.delayMicros;
    timer.due = timer.host.clock.worldTime(timer.hostDue);
  }

  /** The next time of one that repeats, from now as Node does; from when it was due if it only came late by its clock's step. */
  #aimNext(timer: SimTimer): void {
    const hostNow = timer.host.clock.now();
    this.#aim(timer, hostNow - timer.hostDue <= 1 ? timer.hostDue : hostNow);
  }

  #start(timer: SimTimer): SimTimer {
    const id = this.#free.pop() ?? this.#slots.length;
    if (id >= TIMERS_MAX) throw new RangeError(`more than ${TIMERS_MAX} timers are pending: are they ever cleared?`);
    this.#slots[id] = timer;
    timer.pending = true;
    this.#timeline.schedule(timer.due, DUE_TIMER, id);
    return timer;
  }
}

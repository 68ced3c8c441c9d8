/**
 * The clocks of one host: a monotonic one that may run fast or slow and leap forward, and a calendar that may be set.
 *
 * Between two changes the clock is a line: it has gone on by `floor(d * (10^6 + ppm) / 10^6)` microseconds when the world has
 * by `d`. Products are split so that all of them are exact integers, so a drift neither gathers rounding errors nor
 * depends on how often the clock is read.
 */

import { type Clock, type Micros, NEVER } from '../../sys/api.ts';
import { FAULT_DRIFT, FAULT_LEAP, FAULT_STEP } from './host-faults.ts';
import { EPOCH_UNIX_SECONDS, type Timeline } from './timeline.ts';

/** Ten per cent: a hundred times what a clock that still counts as one is off by. */
export const DRIFT_PPM_MAX = 100_000;
/** A leap or a step of the calendar is at most so long: 31 years. */
export const STEP_MICROS_MAX = 1e15;
const MILLION = 1_000_000;

/** What time it is on a host. */
export class HostClock implements Clock {
  /** Called when the clocks were changed, by how much: times that `worldTime` gave before may no longer hold. */
  onChange: ((fault: number, amount: number) => void) | null = null;

  readonly #timeline: Timeline;
  readonly #originMicros: Micros;
  /** This clock less world time, as of #since. */
  #aheadMicros: Micros;
  /** World time from which the drift counts. */
  #since: Micros = 0;
  #driftPpm = 0;
  /** The calendar less what the monotonic clock would make it. */
  #calendarStepMicros: Micros = 0;

  constructor(timeline: Timeline, originMicros: Micros) {
    this.#timeline = timeline;
    this.#originMicros = originMicros;
    this.#aheadMicros = originMicros;
  }

  /** Monotonic: never goes back. What `host.now()`, `performance.now` and timers go by. */
  now(): Micros {
    return this.at(this.#timeline.now);
  }

  /** What it shows, or would have shown without changes since, at a world time. */
  at(worldTime: Micros): Micros {
    if (this.#driftPpm === 0) return worldTime + this.#aheadMicros;
    const elapsed = worldTime - this.#since;
    const seconds = Math.floor(elapsed / MILLION);
    const rest = elapsed - seconds * MILLION;
    return worldTime + this.#aheadMicros + seconds * this.#driftPpm + Math.floor((rest * this.#driftPpm) / MILLION);
  }

  /** The first world time at which it shows `hostTime` or more, if nothing changes; NEVER for NEVER. */
  worldTime(hostTime: Micros): Micros {
    if (hostTime === NEVER) return NEVER;
    if (this.#driftPpm === 0) return hostTime - this.#aheadMicros;
    const pace = MILLION + this.#driftPpm;
    const elapsed = hostTime - this.#aheadMicros - this.#since;
    const turns = Math.floor(elapsed / pace);
    const rest = elapsed - turns * pace;
    return this.#since + turns * MILLION + Math.ceil((rest * MILLION) / pace);
  }

  /** The calendar: microseconds since 1970. What `Date` and `unixSeconds` show. It drifts and leaps with the other clock. */
  calendarMicros(): Micros {
    return EPOCH_UNIX_SECONDS * MILLION + this.now() - this.#originMicros + this.#calendarStepMicros;
  }

  unixSeconds(): number {
    return Math.floor(this.calendarMicros() / MILLION);
  }

  get driftPpm(): number {
    return this.#driftPpm;
  }

  /**
   * From now on both clocks run faster than the world by so many millionths (slower: negative). Throws RangeError when it
   * is not an integer of at most DRIFT_PPM_MAX.
   */
  drift(driftPpm: number): void {
    if (!(Number.isInteger(driftPpm) && Math.abs(driftPpm) <= DRIFT_PPM_MAX)) {
      throw new RangeError(`driftPpm is an integer in -${DRIFT_PPM_MAX} .. ${DRIFT_PPM_MAX}, not ${driftPpm}`);
    }
    this.#anchor();
    this.#driftPpm = driftPpm;
    this.onChange?.(FAULT_DRIFT, driftPpm);
  }

  /** Sets the calendar forward, or back with a negative number. The monotonic clock and all timers do not notice. */
  stepCalendar(stepMicros: Micros): void {
    if (!(Number.isInteger(stepMicros) && Math.abs(stepMicros) <= STEP_MICROS_MAX)) {
      throw new RangeError(`stepMicros is an integer in -${STEP_MICROS_MAX} .. ${STEP_MICROS_MAX}, not ${stepMicros}`);
    }
    this.#calendarStepMicros += stepMicros;
    this.onChange?.(FAULT_STEP, stepMicros);
  }

  /** Both clocks leap forward, as after a virtual machine was moved: timers that were due in between are due now. */
  leap(leapMicros: Micros): void {
    if (!(Number.isInteger(leapMicros) && leapMicros >= 0 && leapMicros <= STEP_MICROS_MAX)) {
      throw new RangeError(`leapMicros is an integer in 0 .. ${STEP_MICROS_MAX}, not ${leapMicros}`);
    }
    this.#anchor();
    this.#aheadMicros += leapMicros;
    this.onChange?.(FAULT_LEAP, leapMicros);
  }

  /** Lets the line begin at this instant, at what the clock shows. */
  #anchor(): void {
    const { now } = this.#timeline;
    this.#aheadMicros = this.at(now) - now;
    this.#since = now;
  }
}

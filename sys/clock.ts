/** Time from the machine. The only place in sys that reads a clock of JavaScript. */

import type { Clock, Micros } from './api.ts';

/**
 * The system's monotonic clock: CLOCK_MONOTONIC on Linux, so the same in every thread and every process.
 *
 * `process.hrtime()` because its two numbers are exact integers; `performance.now()` costs the same (46 ns, of which most
 * is the clock itself) but is a rounded fraction, and now and then a microsecond early.
 */
export class SystemClock implements Clock {
  now(): Micros {
    const time = process.hrtime();
    return time[0] * 1_000_000 + Math.trunc(time[1] / 1000);
  }

  unixSeconds(): number {
    return Math.floor(Date.now() / 1000);
  }
}

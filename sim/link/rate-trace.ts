/**
 * A line whose rate was measured: it gives packets their turns at the times of a trace, as mahimahi's mm-link does.
 *
 * Each entry of a trace is a millisecond at which 1,504 bytes may go: a full frame with the four bytes that mm-link counts
 * besides. Several small packets share one such opportunity, a large one takes several, and what nobody uses is gone. The
 * trace begins with the world; its last entry is its length, after which it begins again.
 */

import type { Micros } from '../../sys/api.ts';

/** Bytes that may go at one opportunity: 1,500 of an Ethernet frame and 4 that mm-link's tunnel adds to each packet. */
export const OPPORTUNITY_BYTES = 1_504;
/** What a datagram takes besides its payload unless the options say otherwise: IPv4, UDP, and the tunnel's four bytes. */
export const TRACE_OVERHEAD_BYTES = 32;
/** An hour at 100 Mbit/s has 30 million; a trace with more than this is not one that people measured. */
const OPPORTUNITIES_MAX = 10_000_000;
/** A day: longer traces are a mistake in the unit. */
const LENGTH_MILLIS_MAX = 86_400_000;
const MICROS_PER_MILLI = 1_000;

/** The times of a trace and how far a line has come in it. */
export class RateTrace {
  /** When the first bytes of the packet served last went. */
  begunAt: Micros = 0;
  /** As given, to know it again. */
  readonly given: RateTraceTimes;
  /** Opportunities of one pass, in microseconds from its beginning, in rising order; the last one is the length. */
  readonly #times: Float64Array;
  /** The pass that the opportunity in use belongs to, and its place in it. */
  #pass = 0;
  #place = -1;
  /** Bytes that the opportunity in use has left. */
  #left = 0;

  /** Options are checked. */
  constructor(millis: RateTraceTimes) {
    this.given = millis;
    this.#times = Float64Array.from(millis, (time) => time * MICROS_PER_MILLI);
  }

  /**
   * When a packet of `bytes` has gone that came at `enteredAt`, on a line that is free since `freeAt`. One that comes at the
   * very time of an opportunity is too late for it.
   */
  serve(bytes: number, enteredAt: Micros, freeAt: Micros): Micros {
    if (enteredAt >= freeAt) this.#seek(enteredAt);
    else if (this.#place < 0) this.#seek(freeAt);
    let wanted = bytes;
    let begun = false;
    for (;;) {
      if (this.#left === 0) this.#next();
      if (!begun) this.begunAt = this.#time();
      begun = true;
      const taken = Math.min(wanted, this.#left);
      this.#left -= taken;
      wanted -= taken;
      if (wanted === 0) return this.#time();
    }
  }

  /** Bits a second in the mean of a pass. */
  get meanBitsPerSecond(): number {
    const length = this.#times[this.#times.length - 1]!;
    return (this.#times.length * OPPORTUNITY_BYTES * 8 * 1_000_000) / length;
  }

  #time(): Micros {
    return this.#pass * this.#times[this.#times.length - 1]! + this.#times[this.#place]!;
  }

  #next(): void {
    this.#left = OPPORTUNITY_BYTES;
    if (++this.#place < this.#times.length) return;
    this.#place = 0;
    this.#pass++;
  }

  /** To just before the first opportunity after `time`. */
  #seek(time: Micros): void {
    const times = this.#times;
    const length = times[times.length - 1]!;
    this.#pass = Math.floor(time / length);
    const within = time - this.#pass * length;
    let low = 0;
    let high = times.length - 1; // later than `within`, since that is less than the length
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle]! > within) high = middle;
      else low = middle + 1;
    }
    this.#place = low - 1;
    this.#left = 0;
  }
}

/** Milliseconds of opportunities, not falling; the last one is the length of the trace. */
export type RateTraceTimes = Uint32Array | readonly number[];

/** Reads the text of a trace: a line for each opportunity, its time in milliseconds. Throws RangeError that names the line. */
export function readRateTrace(whose: string, text: string): Uint32Array {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const times = lines.map((line, i) => {
    const trimmed = line.trim();
    if (!/^\d{1,9}$/.test(trimmed)) {
      throw new RangeError(
        `${whose}:${i + 1}: a line of a trace is a time in milliseconds, not '${trimmed.slice(0, 40)}'`,
      );
    }
    return Number(trimmed);
  });
  checkRateTrace(whose, times);
  return Uint32Array.from(times);
}

/** Throws RangeError that names `whose` it is when it is no trace. */
export function checkRateTrace(whose: string, times: RateTraceTimes): void {
  if (!(times instanceof Uint32Array) && !Array.isArray(times)) {
    throw new RangeError(`${whose}: rateTrace is a list of milliseconds: give an array or a Uint32Array`);
  }
  const count = times.length;
  if (count === 0 || count > OPPORTUNITIES_MAX) {
    throw new RangeError(`${whose}: rateTrace has 1 .. ${OPPORTUNITIES_MAX} times, not ${count}`);
  }
  let before = 0;
  for (let i = 0; i < count; i++) {
    const time = times[i]!;
    if (!Number.isInteger(time) || time < before || time > LENGTH_MILLIS_MAX) {
      throw new RangeError(
        `${whose}: rateTrace[${i}] is a whole number of milliseconds from ${before} (the time before it) to ` +
          `${LENGTH_MILLIS_MAX}, not ${time}`,
      );
    }
    before = time;
  }
  if (before === 0) throw new RangeError(`${whose}: rateTrace has no length: its last time is its end, above 0`);
}

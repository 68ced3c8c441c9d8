/**
 * What happens next: a four-ary heap over typed arrays, in one total order of (time, number).
 *
 * Equal times leave in the order in which they came, so the order of events is a fact of the program, never of the heap.
 * Nothing is allocated per event; the arrays double when they are full, up to a limit.
 */

import type { Micros } from '../../sys/api.ts';

/** Events that may wait at once: 64 Mi take 1.3 GB. More means a program that schedules without end. */
const EVENTS_MAX = 1 << 26;
const EVENTS_AT_BIRTH = 1 << 10;

/** A queue of (time, payload); payloads are integers whose meaning belongs to the caller. */
export class EventQueue {
  /** Events waiting now. */
  count = 0;
  /** Events ever scheduled: the number of the next one. Exact to 2^53. */
  #scheduled = 0;
  #times: Float64Array = new Float64Array(EVENTS_AT_BIRTH);
  #numbers: Float64Array = new Float64Array(EVENTS_AT_BIRTH);
  #payloads: Int32Array = new Int32Array(EVENTS_AT_BIRTH);

  /** Schedules `payload` (int32) at `time`; O(log n). Throws RangeError past the limit on waiting events. */
  push(time: Micros, payload: number): void {
    if (this.count === this.#times.length) this.#grow();
    const times = this.#times;
    const numbers = this.#numbers;
    const payloads = this.#payloads;
    let hole = this.count++;
    const number = this.#scheduled++;
    // The new event has the highest number of all, so only an earlier time lets it pass its parent.
    while (hole > 0) {
      const parent = (hole - 1) >> 2;
      if (times[parent]! <= time) break;
      times[hole] = times[parent]!;
      numbers[hole] = numbers[parent]!;
      payloads[hole] = payloads[parent]!;
      hole = parent;
    }
    times[hole] = time;
    numbers[hole] = number;
    payloads[hole] = payload;
  }

  /** When the first event is due; only meaningful while `count` > 0. */
  get time(): Micros {
    return this.#times[0]!;
  }

  /** Takes the first event out and returns its payload; only while `count` > 0. O(log n). */
  pop(): number {
    const payloads = this.#payloads;
    const first = payloads[0]!;
    const last = --this.count;
    if (last > 0) this.#sink(this.#times[last]!, this.#numbers[last]!, payloads[last]!, last);
    return first;
  }

  /** Puts an event into the hole at the root and lets it sink to its place among the first `count`. */
  #sink(time: number, number: number, payload: number, count: number): void {
    const times = this.#times;
    const numbers = this.#numbers;
    const payloads = this.#payloads;
    let hole = 0;
    for (;;) {
      const firstChild = (hole << 2) + 1;
      if (firstChild >= count) break;
      const end = Math.min(firstChild + 4, count);
      let best = firstChild;
      let bestTime = times[best]!;
      for (let child = firstChild + 1; child < end; child++) {
        const childTime = times[child]!;
        if (childTime < bestTime || (childTime === bestTime && numbers[child]! < numbers[best]!)) {
          best = child;
          bestTime = childTime;
        }
      }
      if (bestTime > time || (bestTime === time && numbers[best]! > number)) break;
      times[hole] = bestTime;
      numbers[hole] = numbers[best]!;
      payloads[hole] = payloads[best]!;
      hole = best;
    }
    times[hole] = time;
    numbers[hole] = number;
    payloads[hole] = payload;
  }

  #grow(): void {
    const size = this.#times.length * 2;
    if (size > EVENTS_MAX) {
      throw new RangeError(`more than ${EVENTS_MAX} events wait: something schedules without end`);
    }
    const times = new Float64Array(size);
    const numbers = new Float64Array(size);
    const payloads = new Int32Array(size);
    times.set(this.#times);
    numbers.set(this.#numbers);
    payloads.set(this.#payloads);
    this.#times = times;
    this.#numbers = numbers;
    this.#payloads = payloads;
  }
}

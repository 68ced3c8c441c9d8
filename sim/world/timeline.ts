/**
 * Virtual time and what is due in it: the world's clock with its event queue.
 *
 * Time moves only when the world takes the next event; between two events nothing happens. The proxy takes events as a
 * real clock passes their times, so that here too each happens at the very time that it was scheduled for.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { EventQueue } from './event-queue.ts';

/** What is due: a datagram arrives (id: datagram). */
export const DUE_ARRIVAL = 0;
/** A poller has something ready or was notified (id: poller). */
export const DUE_WAKE = 1;
/** A poller's armed deadline (id: poller). */
export const DUE_DEADLINE = 2;
/** A virtual timer (id: timer). */
export const DUE_TIMER = 3;
/** The packet on the line of a bottleneck has left it (id: bottleneck). */
export const DUE_DEPARTURE = 4;
/** A source of cross traffic has an acknowledgement or a timeout (id: source). */
export const DUE_SOURCE = 5;
/** A host that could not run its code may again (id: host). */
export const DUE_RESUME = 6;
/** An act of the world itself: a link changes, a NAT forgets (id: act). */
export const DUE_ACT = 7;

const KIND_BITS = 3;
const KIND_MASK = (1 << KIND_BITS) - 1;

/** The calendar at virtual time 0: 2025-06-15 15:06:40 UTC, a second like any other. */
export const EPOCH_UNIX_SECONDS = 1_750_000_000;

/** Clock and agenda of one world. */
export class Timeline {
  /** World time: microseconds since the world began. */
  now: Micros = 0;
  /** What the last `take()` found due. */
  kind = 0;
  /** Whom it concerns. */
  id = 0;
  readonly #queue: EventQueue = new EventQueue();

  /** Schedules something at `time`, which is not in the past (else: now). `id` is 0 .. 2^29 - 1. */
  schedule(time: Micros, kind: number, id: number): void {
    this.#queue.push(time > this.now ? time : this.now, (id << KIND_BITS) | kind);
  }

  /** Moves to the next event up to and including `until`, and fills `kind` and `id`; false when there is none. */
  take(until: Micros): boolean {
    const queue = this.#queue;
    if (queue.count === 0 || queue.time > until) return false;
    this.now = queue.time;
    const payload = queue.pop();
    this.kind = payload & KIND_MASK;
    this.id = payload >>> KIND_BITS;
    return true;
  }

  /** When the next event is due; NEVER when none waits. For who lets time pass by a clock. */
  get nextTime(): Micros {
    return this.#queue.count === 0 ? NEVER : this.#queue.time;
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#queue.count;
  }

  /** Lets time pass to `time` without an event. */
  skipTo(time: Micros): void {
    if (time > this.now) this.now = time;
  }
}

/**
 * One timer for each of a fixed set of items, cheap to set and cheap to ask: a ring of buckets a millisecond wide.
 *
 * An item further off than the ring waits in its last bucket and is put on from there. Nothing is allocated after the
 * constructor: times are handed over in a column, since a double is boxed on its way through a call.
 */

import { type Micros, NEVER } from '../sys/api.ts';

const BUCKET_MICROS = 1024; // lateness of a timer at most; a power of two, so that dividing is exact
const BUCKETS = 256; // 262 ms: two keep-alive intervals
const WORDS = BUCKETS / 32;

export class DueWheel {
  /** Items that are set. */
  count = 0;
  /** When each item is due. Write here, then call `set`. */
  readonly at: Float64Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Bucket of each item, -1: not set. */
  readonly #bucketOf: Int16Array;
  readonly #head: Int32Array = new Int32Array(BUCKETS).fill(-1);
  /** One bit a bucket that holds something. */
  readonly #occupied: Int32Array = new Int32Array(WORDS);
  /** The first bucket number (time / BUCKET_MICROS) that has not been emptied. */
  #cursor = 0;

  /** @param items items are numbers from 0 to `items - 1` */
  constructor(items: number) {
    this.at = new Float64Array(items);
    this.#next = new Int32Array(items);
    this.#previous = new Int32Array(items);
    this.#bucketOf = new Int16Array(items).fill(-1);
  }

  /** Sets the item's timer to `at[item]`, in place of the one it had. A time that has passed fires in the next bucket. */
  set(item: number): void {
    this.cancel(item);
    const earliest = this.#cursor + 1;
    const latest = this.#cursor + BUCKETS - 1;
    const wanted = Math.ceil(this.at[item]! / BUCKET_MICROS);
    const bucket = ringIndex(wanted < earliest ? earliest : Math.min(wanted, latest));
    const head = this.#head[bucket]!;
    this.#next[item] = head;
    this.#previous[item] = -1;
    if (head >= 0) this.#previous[head] = item;
    this.#head[bucket] = item;
    this.#bucketOf[item] = bucket;
    this.#occupied[bucket >> 5]! |= 1 << (bucket & 31);
    this.count++;
  }

  /** Forgets the item's timer, if it had one. */
  cancel(item: number): void {
    const bucket = this.#bucketOf[item]!;
    if (bucket < 0) return;
    const next = this.#next[item]!;
    const previous = this.#previous[item]!;
    if (next >= 0) this.#previous[next] = previous;
    if (previous >= 0) this.#next[previous] = next;
    else {
      this.#head[bucket] = next;
      if (next < 0) this.#occupied[bucket >> 5]! &= ~(1 << (bucket & 31));
    }
    this.#bucketOf[item] = -1;
    this.count--;
  }

  /** Takes out one item whose time has come, or returns -1. Call until -1. */
  takeDue(now: Micros): number {
    const last = Math.floor(now / BUCKET_MICROS);
    if (last - this.#cursor >= BUCKETS) this.#cursor = last - (BUCKETS - 1); // each bucket once, however long we slept
    while (this.#cursor <= last) {
      const item = this.#head[ringIndex(this.#cursor)]!;
      if (item >= 0) {
        this.cancel(item);
        if (this.at[item]! <= now) return item;
        this.set(item); // it was further off than the ring
        continue;
      }
      if (this.#cursor === last) break;
      this.#cursor++;
    }
    return -1;
  }

  /** When to call `takeDue` next; NEVER when nothing is set. At most a bucket late; early for what is beyond the ring. */
  deadline(): Micros {
    if (this.count === 0) return NEVER;
    const start = ringIndex(this.#cursor);
    for (let step = 0; step <= WORDS; step++) {
      const word = ((start >> 5) + step) & (WORDS - 1);
      // The first word without the buckets before the cursor; they come last, with the same word again.
      const mask = step === 0 ? -1 << (start & 31) : step === WORDS ? ~(-1 << (start & 31)) : -1;
      const bits = this.#occupied[word]! & mask;
      if (bits === 0) continue;
      const bucket = (word << 5) + (31 - Math.clz32(bits & -bits));
      return (this.#cursor + ((bucket - start) & (BUCKETS - 1))) * BUCKET_MICROS;
    }
    return NEVER;
  }
}

/** `n` modulo BUCKETS for an integer beyond 32 bits, without the slow floating-point remainder. */
function ringIndex(n: number): number {
  return n - Math.floor(n / BUCKETS) * BUCKETS;
}

/**
 * The last messages of one connection, channel and direction: which of them an arrival is, and how many of those sent lately have
 * come. A ring by number, as long as what it must remember: a game has many streams, and most hold a few messages.
 */

import type { Micros } from '../../sys/api.ts';

/** The last messages of one stream that may still arrive; what is older has been lost, or counts as that. A power of two. */
const RECENT = 1_024;
/** Messages that a stream has room for at first. A power of two. */
const AT_BIRTH = 16;
/** And what may be lost and has not come by then is lost. */
const LOST_AFTER_MICROS: Micros = 5_000_000;
/** What the ring holds of a message: when it was sent (-1 less that once it has come), and its hash. */
const WORDS = 2;
const HASH = 1;

/** What a stream needs of the messages of its channel and direction, all clients together. */
export interface StreamTally {
  /** Taken by `send`. */
  queued: number;
  /** Of equal messages the oldest arrives first. */
  readonly inTurn: boolean;
  /** What is older than a message that came will not come. */
  readonly neverBack: boolean;
  /** Somebody may still ask how many of the messages came that were sent so long ago. Grows only. */
  readonly lookBackMicros: Micros;
  countArrival(lengthBytes: number): void;
  /** One was under way for so long. */
  time(micros: Micros): void;
}

export class SentMessages {
  readonly #tally: StreamTally;
  #ring: Float64Array = new Float64Array(AT_BIRTH * WORDS);
  #mask: number = AT_BIRTH - 1;
  #next = 0;
  /** The lowest number that may still arrive. */
  #oldest = 0;
  /** The lowest number that the ring may still hold: when it grew, those before were gone. */
  #first = 0;

  constructor(tally: StreamTally) {
    this.#tally = tally;
  }

  queued(hash: number, now: Micros): void {
    if (this.#next > this.#mask && this.#mask < RECENT - 1 && this.#isWanted(this.#next - this.#mask - 1, now))
      this.#grow();
    const at = this.#at(this.#next++);
    if (this.#next - this.#oldest > RECENT) this.#oldest++;
    this.#ring[at] = now;
    this.#ring[at + HASH] = hash;
    if (!this.#tally.inTurn) this.#forgetBefore(now - LOST_AFTER_MICROS);
    this.#tally.queued++;
  }

  arrived(hash: number, lengthBytes: number, now: Micros): void {
    const ring = this.#ring;
    this.#tally.countArrival(lengthBytes);
    let [found, count] = [-1, 0];
    for (let number = this.#oldest; number < this.#next; number++) {
      const at = this.#at(number);
      if (ring[at + HASH] !== hash || ring[at]! < 0) continue;
      if (count++ === 0) found = number;
      if (count === 2 || this.#tally.inTurn) break;
    }
    if (count !== 1) return; // unknown, or one of several
    const at = this.#at(found);
    const sentAt = ring[at]!;
    this.#tally.time(now - sentAt);
    ring[at] = -1 - sentAt;
    if (this.#tally.neverBack) this.#oldest = found + 1;
    while (this.#oldest < this.#next && ring[this.#at(this.#oldest)]! < 0) this.#oldest++;
  }

  /** Nothing of what was sent so far will come. */
  forget(): void {
    this.#oldest = this.#next;
  }

  /** Of the messages sent after `time`, all that are still known, or those that have come. */
  sentAfter(time: Micros, onlyCome: boolean): number {
    let count = 0;
    const first = Math.max(this.#first, this.#next - this.#mask - 1);
    for (let number = this.#next - 1; number >= first && this.#sentAt(number) > time; number--) {
      if (!onlyCome || this.#ring[this.#at(number)]! < 0) count++;
    }
    return count;
  }

  /** What was sent before `time` and has not come is lost: it is not looked at any more. */
  #forgetBefore(time: Micros): void {
    while (this.#oldest < this.#next && this.#sentAt(this.#oldest) < time) this.#oldest++;
  }

  /** Whether the message may still come, or be asked for. */
  #isWanted(number: number, now: Micros): boolean {
    if (number < this.#first) return false;
    return number >= this.#oldest || this.#sentAt(number) > now - this.#tally.lookBackMicros;
  }

  #sentAt(number: number): Micros {
    const at = this.#ring[this.#at(number)]!;
    return at < 0 ? -1 - at : at;
  }

  #at(number: number): number {
    return (number & this.#mask) * WORDS;
  }

  /** Called when the ring is full: messages keep their numbers, so those of the second half go to other places. */
  #grow(): void {
    const { length } = this.#ring;
    const longer = new Float64Array(length * 2);
    // Each is put into both places where its number may belong; what lies in the wrong one is not looked at.
    longer.set(this.#ring);
    longer.set(this.#ring, length);
    this.#first = Math.max(this.#first, this.#next - this.#mask - 1);
    this.#ring = longer;
    this.#mask = this.#mask * 2 + 1;
  }
}

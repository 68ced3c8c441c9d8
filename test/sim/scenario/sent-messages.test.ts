// The ring of a stream is short, and answers as if it remembered the last thousand messages.

import { describe, expect, it } from 'vitest';
import { SentMessages, type StreamTally } from '../../../sim/scenario/sent-messages.ts';
import { Streams } from '../../../sim/world/streams.ts';

const LOOK_BACK = 400_000;

/** All messages, each kept for ever. */
class Remembered {
  readonly times: number[] = [];
  readonly hashes: number[] = [];
  readonly come: boolean[] = [];
  oldest = 0;

  queue(hash: number, now: number, inTurn: boolean): void {
    this.times.push(now);
    this.hashes.push(hash);
    this.come.push(false);
    this.oldest = Math.max(this.oldest, this.times.length - 1_024);
    while (!inTurn && this.times[this.oldest]! < now - 5_000_000) this.oldest++;
  }

  /** How long the message was under way; null when it cannot be told which it was. */
  arrive(hash: number, now: number, inTurn: boolean, neverBack: boolean): number | null {
    const fitting = this.times
      .map((_, number) => number)
      .filter((number) => number >= this.oldest && !this.come[number] && this.hashes[number] === hash);
    if (fitting.length === 0 || (fitting.length > 1 && !inTurn)) return null;
    this.come[fitting[0]!] = true;
    if (neverBack) this.oldest = fitting[0]! + 1;
    return now - this.times[fitting[0]!]!;
  }

  sentAfter(time: number, onlyCome: boolean): number {
    return this.times.filter(
      (at, number) => at > time && number >= this.times.length - 1_024 && (!onlyCome || this.come[number]),
    ).length;
  }
}

describe('the messages of a stream', () => {
  for (const [inTurn, neverBack] of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ] as const) {
    it(`are found as if all were kept, ${inTurn ? 'the oldest of equal ones' : 'no equal ones'} ${neverBack ? 'and none that was passed' : 'and late ones'}`, () => {
      const random = new Streams('sent messages').stream(`${inTurn}/${neverBack}`);
      const timed: number[] = [];
      const tally: StreamTally = {
        queued: 0,
        inTurn,
        neverBack,
        lookBackMicros: LOOK_BACK,
        countArrival: () => {},
        time: (micros) => void timed.push(micros),
      };
      const sent = new SentMessages(tally);
      const model = new Remembered();
      let now = 0;
      for (let step = 0; step < 6_000; step++) {
        // Now a message every 17 ms, now hundreds in that time: the ring must grow while old ones lie in it.
        now += random.below(step % 2_000 < 1_400 ? 17_000 : 300);
        const hash = random.below(inTurn ? 40 : 400) - 20;
        if (random.below(3) > 0) {
          sent.queued(hash, now);
          model.queue(hash, now, inTurn);
        } else {
          const before = timed.length;
          sent.arrived(hash, 1, now);
          const expected = model.arrive(hash, now, inTurn, neverBack);
          expect(timed.slice(before)).toEqual(expected === null ? [] : [expected]);
        }
        if (step % 16 > 0) continue;
        const since = now - random.below(LOOK_BACK);
        expect(sent.sentAfter(since, false)).toBe(model.sentAfter(since, false));
        expect(sent.sentAfter(since, true)).toBe(model.sentAfter(since, true));
      }
      expect(timed.length).toBeGreaterThan(100);
    });
  }
});

// The event queue: one total order, whatever the order of arrival.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue } from '../../../sim/world/event-queue.ts';

describe('EventQueue', () => {
  it('gives events back by time, and equal times in the order in which they came', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 3000 }), (times) => {
        const queue = new EventQueue();
        for (const [number, time] of times.entries()) queue.push(time, number);
        const expected = [...times.keys()].sort((a, b) => times[a]! - times[b]! || a - b);
        expect(drained(queue)).toEqual(expected);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('keeps the order when events are added while others leave', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 9 })), { maxLength: 400 }), (steps) => {
        const queue = new EventQueue();
        const model: { time: number; number: number }[] = [];
        for (const [number, [take, time]] of steps.entries()) {
          if (take && model.length > 0) {
            model.sort((a, b) => a.time - b.time || a.number - b.number);
            const first = model.shift()!;
            expect(queue.time).toBe(first.time);
            expect(queue.pop()).toBe(first.number);
          } else {
            queue.push(time, number);
            model.push({ time, number });
          }
          expect(queue.count).toBe(model.length);
        }
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it('orders times beyond 2^32 microseconds', () => {
    const queue = new EventQueue();
    const far = 2 ** 45;
    queue.push(far + 1, 1);
    queue.push(far, 0);
    queue.push(far + 2, 2);
    expect(drained(queue)).toEqual([0, 1, 2]);
  });
});

function drained(queue: EventQueue): number[] {
  const payloads: number[] = [];
  while (queue.count > 0) payloads.push(queue.pop());
  return payloads;
}

/** The controller in the model: each scenario is a promise that the transport makes, with a margin below what was measured. */

import { describe, expect, it } from 'vitest';
import { against, alone, bufferOf, changing, fairness, fatPipe, MBIT } from './scenarios.ts';

const RATE = 10 * MBIT;

describe('bulk alone', () => {
  it.each([
    [0.01, 44],
    [0.05, 40],
  ])('fills 400 Mbit/s over 50 ms though %f of the packets are lost', (loss, least) => {
    expect(fatPipe(loss, 3, 6).megabytes).toBeGreaterThan(least);
  });

  it('fills 10 Mbit/s and keeps the queue short for the game beside it', () => {
    const { use, p50, p99, startMax, lost } = alone({}, 30);
    expect(use).toBeGreaterThan(0.96);
    expect(p50).toBeLessThan(4);
    expect(p99).toBeLessThan(7);
    expect(startMax).toBeLessThan(40);
    expect(lost).toBe(0);
  });

  it.each([1, 5, 50])('keeps %i Mbit/s busy', (megabits) => {
    const rate = megabits * MBIT;
    const { use, p99 } = alone({ bufferBytes: bufferOf(rate, 250) }, 12, { rate, from: 4 });
    expect(use).toBeGreaterThan(0.85);
    expect(p99).toBeLessThan(megabits === 1 ? 40 : 10);
  });

  it('finds its rate before a buffer of 8 ms, and of 5 ms, without heavy loss', () => {
    for (const millis of [8, 5]) {
      const { use, lost } = alone({ bufferBytes: bufferOf(RATE, millis) }, 15);
      expect(use).toBeGreaterThan(0.9);
      expect(lost).toBeLessThan(0.06);
    }
  });
});

describe('a path that is not tidy', () => {
  it.each([
    ['jitter of 5 ms', { jitterMicros: 5000 }],
    ['jitter of 10 ms', { jitterMicros: 10_000 }],
    ['packets in heaps of 2 ms', { heapMicros: 2000 }],
    ['acknowledgements in heaps of 5 ms, a fifth of them lost', { ackHeapMicros: 5000, ackLoss: 0.2 }],
    ['random loss of 10 %', { loss: 0.1 }],
    ['random loss of 10 % and jitter of 5 ms', { loss: 0.1, jitterMicros: 5000 }],
  ] as const)('is used by 85 % and has a short queue: %s', (_name, path) => {
    for (const seed of [1, 2]) {
      const { use, p99 } = alone(path, 15, { seed });
      expect(use).toBeGreaterThan(0.85);
      expect(p99).toBeLessThan(12);
    }
  });

  it('may fall to a quarter of its rate and rise again', () => {
    const path = {
      bytesPerSecond: RATE,
      bufferBytes: bufferOf(RATE, 250),
      rateChanges: [
        [10_000_000, RATE / 4],
        [20_000_000, RATE],
      ],
    } as const;
    const [slow, back] = changing(
      path,
      [],
      [
        [12, 20, RATE / 4],
        [24, 32, RATE],
      ],
    );
    expect(slow!.use).toBeGreaterThan(0.85);
    expect(slow!.p99).toBeLessThan(25);
    expect(back!.use).toBeGreaterThan(0.9);
    expect(back!.p99).toBeLessThan(10);
  });

  it('may become 60 ms longer: it is not taken for a queue for ever', () => {
    const path = { bytesPerSecond: RATE, bufferBytes: bufferOf(RATE, 250) };
    const [after] = changing(path, [[10, 110_000]], [[20, 35, RATE]]);
    expect(after!.use).toBeGreaterThan(0.85);
    expect(after!.p99).toBeLessThan(25);
  });

  it('may become 30 ms shorter', () => {
    const path = { bytesPerSecond: RATE, bufferBytes: bufferOf(RATE, 250) };
    const [after] = changing(path, [[10, 20_000]], [[12, 25, RATE]]);
    expect(after!.use).toBeGreaterThan(0.9);
    expect(after!.p99).toBeLessThan(10);
  });
});

describe('several flows', () => {
  it.each([
    [10, 2],
    [10, 4],
    [50, 2],
  ])('of ours share %i Mbit/s among %i fairly', (megabits, flows) => {
    const { jain, use } = fairness(megabits, new Array(flows).fill(50));
    expect(jain).toBeGreaterThan(0.95);
    expect(use).toBeGreaterThan(0.95);
  });

  it('of ours over 30 and 90 ms share within a factor of two', () => {
    const { rates } = fairness(10, [30, 90]);
    expect(Math.max(...rates) / Math.min(...rates)).toBeLessThan(2);
  });

  it.each(['first', 'second', 'together'] as const)(
    'do not starve each other when the other is NewReno and we start %s; and the queue is short again when it has left',
    (order) => {
      for (const seed of [1, 2]) {
        const { jain, backAfter } = against(10, 50, order, seed);
        expect(jain).toBeGreaterThan(0.9);
        expect(backAfter).toBeLessThan(5);
      }
    },
  );
});

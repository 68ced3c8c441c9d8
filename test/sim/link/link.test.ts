// Links: loss and jitter in numbers, bounds, and that the counters add up.

import { describe, expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { LinkDirection, LOST } from '../../../sim/link/link.ts';
import { Streams } from '../../../sim/world/streams.ts';

const PACKETS = 100_000;

describe('LinkDirection', () => {
  it('loses 5 % of 100,000 packets, within 4 sigma', () => {
    const link = direction({ loss: 0.05 });
    const lost = arrivals(link).filter((arrival) => arrival === LOST).length;
    expect(Math.abs(lost - 5_000)).toBeLessThan(4 * Math.sqrt(PACKETS * 0.05 * 0.95));
    expect(link.stats).toMatchObject({ sent: PACKETS, sentBytes: PACKETS * 100, lost, delivered: 0 });
  });

  it('loses nothing at loss 0 and everything at loss 1', () => {
    expect(arrivals(direction({ loss: 0 }))).not.toContain(LOST);
    expect(new Set(arrivals(direction({ loss: 1 })))).toEqual(new Set([LOST]));
  });

  it.each(['uniform', 'bell'] as const)(
    'keeps %s delays within latency +- jitter, with the latency as mean',
    (shape) => {
      const link = direction({ latencyMicros: 50_000, jitterMicros: 10_000, jitterShape: shape });
      let sum = 0;
      let squares = 0;
      for (let index = 0; index < PACKETS; index++) {
        const delay = link.delayMicros(index);
        expect(delay).toBeGreaterThanOrEqual(40_000);
        expect(delay).toBeLessThanOrEqual(60_000);
        sum += delay;
        squares += (delay - 50_000) ** 2;
      }
      // Variance of a uniform of width 20,000; a sum of four quarters has a quarter of it.
      const variance = 20_000 ** 2 / 12 / (shape === 'bell' ? 4 : 1);
      expect(Math.abs(sum / PACKETS - 50_000)).toBeLessThan(4 * Math.sqrt(variance / PACKETS));
      expect(squares / PACKETS / variance).toBeCloseTo(1, 1);
    },
  );

  it('reaches both bounds of a uniform jitter', () => {
    const link = direction({ latencyMicros: 5, jitterMicros: 2 });
    const seen = new Set(Array.from({ length: 1000 }, (_, index) => link.delayMicros(index)));
    expect([...seen].sort()).toEqual([3, 4, 5, 6, 7]);
  });

  it('lets packets overtake each other, unless told to keep their order', () => {
    const jittery = { latencyMicros: 50_000, jitterMicros: 50_000 };
    const free = arrivals(direction(jittery));
    const kept = arrivals(direction({ ...jittery, keepOrder: true }));
    const overtakes = (list: number[]) => list.filter((arrival, i) => i > 0 && arrival < list[i - 1]!).length;
    expect(overtakes(free)).toBeGreaterThan(PACKETS / 3);
    expect(overtakes(kept)).toBe(0);
    expect(kept.every((arrival, i) => arrival >= free[i]!)).toBe(true);
  });

  it('deals the same fates for the same seed and name, and others for another name', () => {
    const options = { latencyMicros: 1000, jitterMicros: 1000, loss: 0.3 };
    expect(arrivals(direction(options))).toEqual(arrivals(direction(options)));
    expect(arrivals(direction(options))).not.toEqual(arrivals(direction(options, 'b>a')));
  });

  it('decides loss without regard to latency and jitter, so that settings can be compared packet by packet', () => {
    const plain = arrivals(direction({ loss: 0.3 }));
    const slow = arrivals(direction({ loss: 0.3, latencyMicros: 80_000, jitterMicros: 20_000 }));
    expect(slow.map((arrival) => arrival === LOST)).toEqual(plain.map((arrival) => arrival === LOST));
  });

  it('loses with more loss all that it lost with less', () => {
    const little = arrivals(direction({ loss: 0.1 }));
    const much = arrivals(direction({ loss: 0.2 }));
    expect(little.every((arrival, i) => arrival !== LOST || much[i] === LOST)).toBe(true);
  });

  it.each([
    [{ latencyMicros: -1 }, 'latencyMicros'],
    [{ latencyMicros: 0.5 }, 'latencyMicros'],
    [{ latencyMicros: 60_000_001 }, 'latencyMicros'],
    [{ latencyMicros: 10, jitterMicros: 11 }, 'jitter'],
    [{ loss: 1.01 }, 'loss'],
    [{ loss: Number.NaN }, 'loss'],
  ] as [DirectionOptions, string][])('refuses %o and names the field', (options, field) => {
    expect(() => direction(options)).toThrow(field);
  });
});

function direction(options: DirectionOptions, name = 'a>b'): LinkDirection {
  return new LinkDirection(name, 0, new Streams(7), options);
}

/** Arrivals of packets sent 1 ms apart. */
function arrivals(link: LinkDirection): number[] {
  return Array.from({ length: PACKETS }, (_, i) => link.cross(link.enter(100), i * 1000));
}

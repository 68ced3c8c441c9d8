// Reordering: how many packets are held back, and that it stands beside jitter and order.

import { describe, expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { LinkDirection, LOST } from '../../../sim/link/link.ts';
import { Streams } from '../../../sim/world/streams.ts';

const PACKETS = 100_000;

describe('reordering', () => {
  it.each([false, true])('holds a share back by exactly that much, within 4 sigma (keepOrder: %s)', (keepOrder) => {
    const delays = delaysOf({ latencyMicros: 30_000, reorder: 0.1, reorderMicros: 5_000, keepOrder });
    expect(new Set(delays)).toEqual(new Set([30_000, 35_000]));
    const held = delays.filter((delay) => delay === 35_000).length;
    expect(Math.abs(held - 0.1 * PACKETS)).toBeLessThan(4 * Math.sqrt(PACKETS * 0.1 * 0.9));
  });

  it('lets overtake what is sent meanwhile, and nothing else', () => {
    // Sent 1 ms apart and held back 2.5 ms: a packet not held overtakes those held among the two before it.
    const delays = delaysOf({ latencyMicros: 30_000, reorder: 0.2, reorderMicros: 2_500 });
    const arrivals = delays.map((delay, index) => index * 1000 + delay);
    let overtaken = 0;
    for (let i = 0; i + 3 < PACKETS; i++) {
      if (arrivals[i + 3]! <= arrivals[i]!) expect.fail(`packet ${i + 3} overtook packet ${i}`);
      if (arrivals[i + 1]! < arrivals[i]!) overtaken++;
    }
    // Held back, and the next one not.
    expect(Math.abs(overtaken - PACKETS * 0.16)).toBeLessThan(4 * Math.sqrt(PACKETS * 0.16 * 0.84));
  });

  it('moves neither loss nor jitter, and by default holds longer than a tick at 60 Hz', () => {
    const jittery = { latencyMicros: 30_000, jitterMicros: 30_000, loss: 0.4 };
    const plain = delaysOf(jittery);
    const extra = delaysOf({ ...jittery, reorder: 0.3 }).map((delay, i) => delay - plain[i]!);
    expect(new Set(extra)).toEqual(new Set([0, 20_000]));
    const left = plain.filter((delay) => delay !== LOST).length;
    // Of those that are not lost, the same share.
    expect(Math.abs(extra.filter((more) => more > 0).length - 0.3 * left)).toBeLessThan(
      4 * Math.sqrt(left * 0.3 * 0.7),
    );
  });

  it('does not let the packets after one held back wait for it', () => {
    const arrivals = delaysOf({ latencyMicros: 30_000, jitterMicros: 20_000, keepOrder: true });
    const held = delaysOf({ latencyMicros: 30_000, jitterMicros: 20_000, keepOrder: true, reorder: 0.5 });
    expect(new Set(held.map((delay, i) => delay - arrivals[i]!))).toEqual(new Set([0, 20_000]));
  });

  it.each([
    [{ reorder: 1.5 }, 'reorder is a probability'],
    [{ reorder: 0.1, reorderMicros: 0 }, 'reorderMicros is an integer in 1 ..'],
  ])('refuses %o: %s', (options, text) => {
    expect(() => delaysOf(options)).toThrow(text);
  });
});

/** Delays of packets sent 1 ms apart; of lost ones, from what `cross` answers. */
function delaysOf(options: DirectionOptions): number[] {
  const link = new LinkDirection('a>b', 0, new Streams(7), options);
  return Array.from({ length: PACKETS }, (_, index) => {
    const arrival = link.cross(link.enter(100), index * 1000);
    return arrival < 0 ? arrival : arrival - index * 1000;
  });
}

// Cross traffic at a constant rate, against its arithmetic.

import { describe, expect, it } from 'vitest';
import type { CbrOptions } from '../../../sim/link/cbr-source.ts';
import { openWorld } from '../open-world.ts';

const SECOND = 1_000_000;

describe('CbrSource', () => {
  it.each([
    [999_983, 1_200],
    [7_777_777, 173],
    [100_000_000, 1_472],
  ])('sends %d bit/s in packets of %d bytes, exactly over 20 s', async (rateBitsPerSecond, packetBytes) => {
    const world = openWorld();
    const source = world.cbrSource('camera', { over: {}, rateBitsPerSecond, packetBytes, startMicros: 0 });
    await world.run({ untilMicros: 20 * SECOND });
    expect(source.stats.sent).toBe(Math.floor((20 * rateBitsPerSecond) / (8 * packetBytes)) + 1);
    expect(source.stats).toMatchObject({ arrived: source.stats.sent, bursts: 1 });
  });

  it.each([
    [200_000, 300_000],
    [20_000, 180_000],
    [2_000, 2_000],
  ])('on for %d us and off for %d us in the mean has that share of its rate, within 4 sigma', async (on, off) => {
    const world = openWorld();
    const options = { over: {}, rateBitsPerSecond: 9_600_000, onMicros: on, offMicros: off };
    const source = world.cbrSource('call', options);
    const seconds = (2_000 * (on + off)) / SECOND; // 2,000 bursts
    await world.run({ untilMicros: seconds * SECOND });
    const share = on / (on + off);
    // Of an alternating process of exponentials: the variance of its time on is 2 a b (on off share) t, a = off share.
    const sigma = Math.sqrt((2 * on * off * on * off) / (on + off) ** 3 / (seconds * SECOND));
    expect(Math.abs(source.stats.sent / (1_000 * seconds) - share)).toBeLessThan(4 * sigma);
    expect(Math.abs(source.stats.bursts - 2_000)).toBeLessThan(4 * Math.sqrt(2_000));
  });

  it('takes from a bulk transfer what it sends, and no more', async () => {
    const world = openWorld();
    const bottleneck = world.bottleneck('uplink', { rateBitsPerSecond: 10_000_000, queueBytes: 60_000 });
    const bulk = world.aimdSource('bulk', { over: { bottleneck }, rttMicros: 50_000 });
    world.cbrSource('camera', { over: { bottleneck }, rateBitsPerSecond: 4_000_000 });
    await world.run({ untilMicros: 60 * SECOND });
    const share = bulk.goodputBitsPerSecond(10 * SECOND, 60 * SECOND) / 10_000_000;
    expect(share).toBeGreaterThan(0.5);
    expect(share).toBeLessThan(0.6);
  });

  it('is the same each time, ends when it should, and leaves nothing behind', async () => {
    const run = async () => {
      const world = openWorld();
      const timing = { onMicros: 10_000, offMicros: 5_000, startMicros: SECOND, stopMicros: 2 * SECOND };
      const source = world.cbrSource('call', {
        over: { latencyMicros: 30_000, loss: 0.1 },
        rateBitsPerSecond: 1e6,
        ...timing,
      });
      await world.run({ untilMicros: SECOND - 1 });
      expect(source.stats.sent).toBe(0);
      await world.run({ untilMicros: 10 * SECOND });
      const { sent, arrived } = source.stats;
      expect(sent).toBeGreaterThan(30);
      expect(sent).toBeLessThanOrEqual(105);
      expect(arrived).toBe(sent - world.stats.lost);
      expect(world.datagramsHeld).toBe(0);
      return world.digest();
    };
    expect(await run()).toBe(await run());
  });

  it.each([
    [{ rateBitsPerSecond: 1 }, 'rateBitsPerSecond is an integer in 1000'],
    [{ packetBytes: 1, rateBitsPerSecond: 1e9 }, 'give larger packetBytes'],
    [{ onMicros: 5 }, 'give both, or neither'],
    [{ onMicros: 5, offMicros: 0 }, 'offMicros is an integer in 1'],
  ] as [Partial<CbrOptions>, string][])('refuses %o: %s', (options, text) => {
    const make = () => openWorld().cbrSource('call', { over: {}, rateBitsPerSecond: 1e6, ...options });
    expect(make).toThrow(RangeError);
    expect(make).toThrow(`source call: `);
    expect(make).toThrow(text);
  });

  it('refuses a name that another source has', () => {
    const world = openWorld();
    world.cbrSource('call', { over: {}, rateBitsPerSecond: 1e6 });
    expect(() => world.aimdSource('call', { over: {}, rttMicros: 1_000 })).toThrow("there is a source 'call' already");
  });
});

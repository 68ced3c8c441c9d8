// Cross traffic that behaves as TCP does, against what is known of NewReno.

import { describe, expect, it } from 'vitest';
import type { AimdOptions, AimdSource } from '../../../sim/link/aimd-source.ts';
import { ECHO_PORT, listen, openWorld } from '../open-world.ts';

const SECOND = 1_000_000;
const RTT = 50_000;
const RATE = 10_000_000;
/** Bytes that fill the path for one round trip. */
const BDP = (RATE / 8) * (RTT / SECOND);
const PAYLOAD = 1_472;

describe('AimdSource', () => {
  it('alone on a bottleneck with one BDP of buffer uses 95 % of it and more after slow start', async () => {
    for (const rateBitsPerSecond of [2_000_000, RATE, 50_000_000]) {
      const world = openWorld();
      const queueBytes = (rateBitsPerSecond / 8) * (RTT / SECOND);
      const bottleneck = world.bottleneck('uplink', { rateBitsPerSecond, queueBytes });
      const source = world.aimdSource('bulk', { over: { bottleneck }, rttMicros: RTT });
      await world.run({ untilMicros: 5 * SECOND });
      const before = bottleneck.stats.departedBytes;
      await world.run({ untilMicros: 65 * SECOND });
      const used = ((bottleneck.stats.departedBytes - before) * 8) / (60 * rateBitsPerSecond);
      expect(used).toBeGreaterThan(0.95);
      expect(used).toBeLessThanOrEqual(1.001);
      expect(source.goodputBitsPerSecond(5 * SECOND, 65 * SECOND) / rateBitsPerSecond).toBeGreaterThan(0.95 * 0.98);
      expect(source.stats).toMatchObject({ timeouts: 0, useless: 0 });
      expect(source.stats.halvings).toBeGreaterThan(2);
    }
  });

  it('makes the sawtooth: between two halvings the window grows by one packet a round trip', async () => {
    const world = openWorld();
    const bottleneck = world.bottleneck('uplink', { rateBitsPerSecond: RATE, queueBytes: BDP });
    const source = world.aimdSource('bulk', { over: { bottleneck }, rttMicros: RTT });
    await world.run({ untilMicros: 20 * SECOND });
    const teeth: number[] = [];
    let halvings = source.stats.halvings;
    let top = 0;
    while (teeth.length < 5) {
      await world.run({ untilMicros: world.now + 1_000 });
      if (source.stats.halvings > halvings) {
        halvings = source.stats.halvings;
        teeth.push(top / source.windowPackets);
      }
      top = source.windowPackets;
    }
    // The window at the top is the path and the full queue: two BDP, in full frames.
    expect(Math.abs(top / ((2 * BDP) / 1_500) - 0.5)).toBeLessThan(0.05);
    for (const tooth of teeth) expect(Math.abs(tooth - 2)).toBeLessThan(0.05);
    const from = source.windowPackets;
    const begun = world.now;
    await world.run({ untilMicros: begun + SECOND });
    // Rounds lengthen from one RTT as the queue grows.
    expect(source.windowPackets - from).toBeGreaterThan(10);
    expect(source.windowPackets - from).toBeLessThanOrEqual(21);
  });

  it.each([0.0003, 0.001, 0.003, 0.01])(
    'with iid loss %d has the throughput of Mathis, (MSS / RTT) sqrt(3/2) / sqrt(p), within a fifth',
    async (loss) => {
      const world = openWorld();
      const source = world.aimdSource('bulk', { over: { loss }, rttMicros: RTT });
      const seconds = loss < 0.001 ? 600 : 300;
      await world.run({ untilMicros: (20 + seconds) * SECOND });
      const mathis = ((PAYLOAD * 8) / (RTT / SECOND)) * Math.sqrt(1.5 / loss);
      const ratio = source.goodputBitsPerSecond(20 * SECOND, world.now) / mathis;
      expect(ratio).toBeGreaterThan(0.8);
      expect(ratio).toBeLessThan(1.2);
    },
  );

  it('shares a bottleneck evenly with another of the same round trip', async () => {
    const world = openWorld();
    const bottleneck = world.bottleneck('uplink', { rateBitsPerSecond: RATE, queueBytes: BDP });
    const sources = ['a', 'b'].map((name) => world.aimdSource(name, { over: { bottleneck }, rttMicros: RTT }));
    await world.run({ untilMicros: 130 * SECOND });
    const [a, b] = sources.map((source) => source.goodputBitsPerSecond(10 * SECOND, 130 * SECOND)) as [number, number];
    expect((a + b) ** 2 / (2 * (a * a + b * b))).toBeGreaterThan(0.9); // Jain
    expect(a + b).toBeGreaterThan(0.93 * RATE);
  });

  it('falls to one packet when nothing comes back, doubles its patience, and climbs again when it does', async () => {
    const world = openWorld();
    const source = world.aimdSource('bulk', { over: { loss: 0.001 }, rttMicros: RTT, startMicros: 0 });
    await world.run({ untilMicros: 10 * SECOND });
    source.direction.configure({ latencyMicros: 25_000, loss: 1 });
    await world.run({ untilMicros: 10.1 * SECOND }); // what was in the air has come back
    const { sent } = source.stats;
    await world.run({ untilMicros: 20 * SECOND });
    // 0.2 s after the last acknowledgement, then after 0.4, 0.8, 1.6, 3.2 s more.
    expect(source.stats.timeouts).toBe(5);
    expect(source.stats.sent - sent).toBe(5);
    expect(source.windowPackets).toBe(1);
    source.direction.configure({ latencyMicros: 25_000 });
    await world.run({ untilMicros: 32 * SECOND });
    expect(source.windowPackets).toBeGreaterThan(20);
    expect(source.stats.timeouts).toBe(6);
  });

  it('counts goodput by interval, begins and stops at its times, and leaves nothing behind', async () => {
    const world = openWorld();
    const source = world.aimdSource('bulk', {
      over: { rateBitsPerSecond: RATE },
      rttMicros: 20_000,
      startMicros: 1_500_000,
      stopMicros: 3 * SECOND,
      intervalMicros: 500_000,
      packetBytes: 972,
    });
    await world.run({ untilMicros: 100 * SECOND });
    const { sent, arrived, goodputBytes } = source.stats;
    expect([arrived, goodputBytes]).toEqual([sent, sent * 972]);
    expect(source.goodputByInterval.slice(0, 3)).toEqual([0, 0, 0]);
    expect(source.goodputByInterval[4]! * 8 * 2).toBeGreaterThan(0.95 * 0.972 * RATE);
    expect(source.goodputByInterval.reduce((sum, bytes) => sum + bytes)).toBe(goodputBytes);
    expect(source.goodputByInterval.length).toBeGreaterThanOrEqual(6);
    expect(world.datagramsHeld).toBe(0);
    expect(world.stats).toMatchObject({ sent, delivered: sent });
  });

  it('goes over a direction between two hosts, where copies and late packets are no goodput, and no socket hears it', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a'), world.host('b')];
    world.start(b, 0, () => listen(b, ECHO_PORT, () => expect.fail('a socket heard cross traffic')));
    const over = world.direction(a, b);
    over.configure({ latencyMicros: 30_000, duplicate: 0.1, reorder: 0.01, loss: 0.001 });
    const source = world.aimdSource('bulk', { over, rttMicros: 40_000, stopMicros: 20 * SECOND });
    await world.run({ untilMicros: 30 * SECOND });
    const { sent, arrived, useless, goodputBytes } = source.stats;
    expect(over.stats.sent).toBe(sent);
    expect(useless).toBeGreaterThan(0.1 * sent * 0.8);
    expect(arrived + useless).toBe(over.stats.delivered);
    expect(goodputBytes).toBe(arrived * PAYLOAD);
    expect(sent + over.stats.duplicated).toBe(over.stats.delivered + over.stats.lost);
    expect(world.latency.count).toBe(0);
  });

  it('does the same for the same seed, and begins at another time for another name', async () => {
    const digests: string[] = [];
    for (const name of ['bulk', 'bulk', 'other']) {
      const world = openWorld();
      world.aimdSource(name, { over: { loss: 0.01, jitterMicros: 1_000 }, rttMicros: RTT });
      await world.run({ untilMicros: 5 * SECOND });
      digests.push(world.digest());
    }
    expect(digests[1]).toBe(digests[0]);
    expect(digests[2]).not.toBe(digests[0]);
  });

  it.each([
    [{ rttMicros: 0 }, 'source x: rttMicros is an integer in 1 ..'],
    [{ rttMicros: 100, packetBytes: 0 }, 'source x: packetBytes is'],
    [
      { rttMicros: 100, over: { latencyMicros: 200 } },
      'source x: rttMicros 100 is less than the latency of aimd/x: give 200',
    ],
    [{ rttMicros: 100, over: { loss: 2 } }, 'link aimd/x: loss is'],
  ] as [Partial<AimdOptions>, string][])('refuses %o: %s', (options, text) => {
    const attempt = () => openWorld().aimdSource('x', { over: {}, rttMicros: 1, ...options });
    expect(attempt).toThrow(RangeError);
    expect(attempt).toThrow(text);
  });

  it('refuses a name that is taken', () => {
    const world = openWorld();
    const add = (): AimdSource => world.aimdSource('x', { over: {}, rttMicros: 1_000 });
    add();
    expect(add).toThrow("a source 'x' already");
  });
});

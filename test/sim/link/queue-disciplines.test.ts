// What queues drop: at the head, by CoDel's law, by RED's chance; and that every packet is accounted for.

import { describe, expect, it } from 'vitest';
import type { AimdSource } from '../../../sim/link/aimd-source.ts';
import { Bottleneck, NO_PACKET } from '../../../sim/link/bottleneck.ts';
import type { BottleneckOptions } from '../../../sim/link/bottleneck-options.ts';
import { Chance } from '../../../sim/link/chance.ts';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { LinkDirection } from '../../../sim/link/link.ts';
import { RED_DROP, RED_KEEP, Red } from '../../../sim/link/red.ts';
import { Streams } from '../../../sim/world/streams.ts';
import { addressOf } from '../../../sys/api.ts';
import { listen, openWorld, send } from '../open-world.ts';

const SECOND = 1_000_000;
/** 125 bytes on the line, with the headers: 1,000 us at a megabit. */
const PAYLOAD = 97;

describe('a limit in packets', () => {
  it('holds so many, however small they are', () => {
    const line = bottleneck({ queuePackets: 3 });
    expect([0, 1, 2, 3, 4].map((k) => line.enter(k, 1 + k, 0))).toEqual([true, true, true, true, false]);
    expect(line.stats).toMatchObject({ packetsNow: 3, dropped: 1, droppedWaiting: 0 });
  });
});

describe('head drop', () => {
  it('drops what has waited longest, so that what leaves is as fresh as can be', () => {
    const line = bottleneck({ queue: 'head', queuePackets: 3 });
    const dropped: number[] = [];
    for (let k = 0; k < 10; k++) {
      expect(line.enter(k, PAYLOAD, 0)).toBe(true);
      collect(line, dropped);
    }
    expect(dropped).toEqual([1, 2, 3, 4, 5, 6]);
    expect([line.leave(), line.leave(), line.leave(), line.leave()]).toEqual([0, 7, 8, 9]);
    expect(line.stats).toMatchObject({ entered: 10, departed: 4, dropped: 6, droppedWaiting: 6, bytesNow: 0 });
  });

  it('drops as many small ones as a large one needs, and the large one when it could never fit', () => {
    const line = bottleneck({ queue: 'head', queueBytes: 500, overheadBytes: 0 });
    for (let k = 0; k < 6; k++) line.enter(k, 100, 0);
    const dropped: number[] = [];
    line.enter(6, 250, 0);
    collect(line, dropped);
    expect(dropped).toEqual([1, 2, 3]);
    expect(line.enter(7, 501, 0)).toBe(false);
    collect(line, dropped);
    expect(dropped).toEqual([1, 2, 3]);
    expect(line.stats).toMatchObject({ packetsNow: 3, bytesNow: 450, dropped: 4, droppedWaiting: 3 });
  });
});

describe('CoDel', () => {
  it.each([false, true])('drops at INTERVAL / sqrt(n) after one another under twice the load (ecn: %s)', (ecn) => {
    const line = bottleneck({ queue: 'codel', ecn, rateBitsPerSecond: 10_000_000 });
    const service = 1_200; // 1,500 bytes
    const times: number[] = [];
    let firstLate = -1;
    let seen = 0;
    for (let time = 0; time < 2 * SECOND; time += service / 2) {
      while (line.nextDeparture <= time) {
        const at = line.nextDeparture;
        line.leave();
        collect(line, []);
        const now = ecn ? line.stats.marked : line.stats.dropped;
        for (; seen < now; seen++) times.push(at);
        // At half of a service time apart, packet n has waited n / 2 service times.
        if (firstLate < 0 && at / 2 >= 5_000) firstLate = at;
      }
      line.enter(1, 1_472, time);
    }
    expect(times.length).toBeGreaterThan(50);
    let due = firstLate + 100_000;
    for (let n = 1; n <= times.length; n++) {
      expect(times[n - 1]! - due).toBeGreaterThanOrEqual(0);
      expect(times[n - 1]! - due).toBeLessThan(service);
      // From the first drop on the law counts from its own times and not from those of the drops.
      due = (n === 1 ? times[0]! : due) + Math.floor(100_000 / Math.sqrt(n));
    }
    const { stats } = line;
    expect(ecn ? stats.dropped : stats.marked).toBe(0);
    expect(stats.entered).toBe(stats.departed + stats.droppedWaiting + stats.packetsNow + 1);
  });

  it('drops nothing of a burst that is gone within its interval, nor of packets that wait less than its target', () => {
    const burst = bottleneck({ queue: 'codel', rateBitsPerSecond: 10_000_000 });
    for (let k = 0; k < 80; k++) burst.enter(k, 1_472, 0); // 96 ms
    while (burst.stats.packetsNow > 0) burst.leave();
    expect(burst.stats.dropped).toBe(0);
    const short = bottleneck({ queue: 'codel', rateBitsPerSecond: 10_000_000 });
    for (let k = 0; k < 5_000; k++) {
      if (k >= 4) short.leave(); // four are always there: 4.8 ms
      short.enter(k, 1_472, k * 1_200);
    }
    expect(short.stats.dropped).toBe(0);
  });

  it('keeps the queue of a bulk transfer short and the line busy, where tail drop fills the buffer', async () => {
    const [tail, codel] = [await bulk('tail'), await bulk('codel')];
    expect(tail.line.delays.quantile(0.5)).toBeGreaterThan(100_000);
    expect(codel.line.delays.quantile(0.5)).toBeLessThan(20_000);
    // A window that is halved with no queue behind it keeps the line three quarters busy in the mean.
    expect(codel.source.goodputBitsPerSecond(10 * SECOND, 60 * SECOND)).toBeGreaterThan(0.75 * 10_000_000);
    expect(codel.source.stats.timeouts).toBe(0);
  });
});

describe('RED', () => {
  it.each([
    [0.2, 0.7 * 0.1],
    [1 / 6, 0.5 * 0.1],
    [0.3, 0.1 + 0.2 * 0.9],
  ])('at a mean of %d of the queue drops evenly, within each 1 / p packets, p = %d', (fill, p) => {
    const limit = 1_200_000;
    const red = new Red(new Chance(new Streams(7).stream('red')));
    red.configure(limit);
    const bytes = Math.round(fill * limit);
    for (let k = 0; k < 20_000; k++) red.judge(bytes, 0);
    expect(Math.abs(red.meanBytes - bytes)).toBeLessThanOrEqual(1);
    const gaps: number[] = [0];
    const packets = 200_000;
    for (let k = 0; k < packets; k++) {
      gaps[gaps.length - 1]!++;
      if (red.judge(bytes, 0) !== RED_KEEP) gaps.push(0);
    }
    gaps.pop();
    gaps.shift();
    // Gaps are uniform over 1 .. 1 / p, the last value with what is left.
    const whole = Math.floor(1 / p);
    const mean = 1 + whole - (p * whole * (whole + 1)) / 2;
    const seen = gaps.reduce((sum, gap) => sum + gap) / gaps.length;
    expect(Math.abs(seen - mean)).toBeLessThan((4 * (1 / p / Math.sqrt(12))) / Math.sqrt(gaps.length));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(whole + 1);
  });

  it('drops nothing below its lower threshold, all above twice the upper one, and forgets while the line is idle', () => {
    const red = new Red(new Chance(new Streams(7).stream('red')));
    red.configure(1_200_000);
    for (let k = 0; k < 20_000; k++) if (red.judge(99_000, 0) !== RED_KEEP) expect.fail('dropped a packet');
    for (let k = 0; k < 20_000; k++) red.judge(601_000, 0);
    for (let k = 0; k < 100; k++) expect(red.judge(601_000, 0)).toBe(RED_DROP);
    const before = red.meanBytes;
    red.judge(0, 300_000);
    expect(red.meanBytes / (before * (511 / 512) ** 301)).toBeCloseTo(1, 4);
    red.judge(0, 1e12);
    expect(red.meanBytes).toBe(0);
  });

  it('keeps the queue of a bulk transfer between its thresholds, and marks instead when told to', async () => {
    const red = await bulk('red');
    expect(red.line.stats.dropped).toBeGreaterThan(10);
    expect(red.line.delays.quantile(0.5)).toBeLessThan(0.25 * 400_000);
    const line = bottleneck({ queue: 'red', queueBytes: 60_000, ecn: true });
    for (let k = 0; k < 100_000; k++) {
      if (line.nextDeparture <= k * 900) line.leave();
      line.enter(k, PAYLOAD, k * 900);
    }
    expect(line.stats.marked).toBeGreaterThan(100);
  });
});

it.each(['tail', 'head', 'codel', 'red'] as const)(
  'accounts for every packet of a %s queue in a world',
  async (queue) => {
    const run = async () => {
      const world = openWorld();
      const [from, to] = [world.host('from'), world.host('to')];
      const options: DirectionOptions = {
        rateBitsPerSecond: 1_000_000,
        queueBytes: 40_000,
        queue,
        latencyMicros: 1_000,
      };
      world.direction(from, to).configure(options);
      let heard = 0;
      world.start(to, 0, () => listen(to, 9, () => heard++));
      world.start(from, 0, async () => {
        const socket = await listen(from, 0, () => {});
        for (let k = 0; k < 3_000; k++) {
          send(socket, addressOf('10.0.0.2', 9)!, new Uint8Array(200 + (k % 7) * 50));
          await new Promise<void>((resolve) => from.at(world.now + 1_900, resolve));
        }
      });
      await world.run({ untilMicros: 10 * SECOND });
      const { stats } = world.direction(from, to);
      expect(stats.sent).toBe(stats.delivered + stats.dropped);
      expect([heard, world.datagramsHeld]).toEqual([stats.delivered, 0]);
      expect(stats.dropped).toBeGreaterThan(100);
      return world.digest();
    };
    expect(await run()).toBe(await run());
  },
);

it.each([
  [{ queuePackets: -1 }, 'queuePackets is an integer'],
  [{ queue: 'fifo' }, 'queue is one of tail, head, codel, red'],
  [{ queue: 'red' }, 'takes its thresholds from queueBytes'],
  [{ ecn: true }, "give queue: 'codel' or 'red'"],
] as [Partial<BottleneckOptions>, string][])('refuses %o: %s', (options, text) => {
  expect(() => bottleneck(options)).toThrow(RangeError);
  expect(() => bottleneck(options)).toThrow(text);
});

it('refuses a discipline without a rate', () => {
  expect(() => new LinkDirection('a>b', 0, new Streams(7), { queue: 'codel' })).toThrow('give rateBitsPerSecond too');
});

function bottleneck(options: Partial<BottleneckOptions>): Bottleneck {
  const chance = new Chance(new Streams(7).stream('bottleneck/uplink'));
  return new Bottleneck('uplink', { rateBitsPerSecond: 1_000_000, ...options }, chance);
}

function collect(line: Bottleneck, dropped: number[]): void {
  for (let packet = line.takeDropped(); packet !== NO_PACKET; packet = line.takeDropped()) dropped.push(packet);
}

/** A bulk transfer of a minute over 10 Mbit/s with 400 ms of buffer, 40 ms there and back. */
async function bulk(queue: 'tail' | 'codel' | 'red'): Promise<{ line: Bottleneck; source: AimdSource }> {
  const world = openWorld();
  const line = world.bottleneck('uplink', { rateBitsPerSecond: 10_000_000, queueBytes: 500_000, queue });
  const source = world.aimdSource('bulk', { over: { bottleneck: line }, rttMicros: 40_000 });
  await world.run({ untilMicros: 60 * SECOND });
  return { line, source };
}

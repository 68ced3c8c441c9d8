// From the sender to the arrival: queues, copies and losses of a whole world add up.

import { describe, expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import type { SimHost } from '../../../sim/world/host.ts';
import type { World } from '../../../sim/world/world.ts';
import { addressOf, NEVER } from '../../../sys/api.ts';
import { listen, openWorld, send, startAsker, startEcho } from '../open-world.ts';

const ALL: DirectionOptions = {
  rateBitsPerSecond: 100_000,
  queueBytes: 3_000,
  loss: { model: 'gilbert-elliott', loss: 0.1, meanBurstPackets: 3 },
  latencyMicros: 40_000,
  jitterMicros: 20_000,
  reorder: 0.1,
  duplicate: 0.1,
  duplicateDelayMicros: 30_000,
};

describe('a datagram under way', () => {
  it('waits for its turn, takes its time on the line, and then the latency', async () => {
    const { world, arrivals } = burst({ rateBitsPerSecond: 1_000_000, latencyMicros: 5_000 }, 3);
    await world.run({ untilMicros: NEVER });
    expect(arrivals).toEqual([6_000, 7_000, 8_000]); // 97 bytes and 28 of headers at a megabit
    expect([world.latency.quantile(0), world.latency.quantile(1)]).toEqual([6_000, 8_000]);
  });

  it('has used the line when it is lost', async () => {
    const { world, arrivals, direction } = burst({ rateBitsPerSecond: 1_000_000, loss: 0.5 }, 200);
    await world.run({ untilMicros: NEVER });
    const { sent, lost, delivered, dropped } = direction.stats;
    expect([sent, dropped]).toEqual([200, 0]);
    expect(lost).toBeGreaterThan(50);
    expect(delivered).toBe(sent - lost);
    expect(arrivals.every((time) => time % 1000 === 0)).toBe(true);
    expect(direction.queue!.stats.departed).toBe(200);
  });

  it('is dropped by a full queue, whose counters say so', async () => {
    const { world, direction, arrivals } = burst({ rateBitsPerSecond: 1_000_000, queueBytes: 1_250 }, 100);
    await world.run({ untilMicros: 1 });
    expect(direction.queue!.stats).toMatchObject({ packetsNow: 10, bytesNow: 1_250, dropped: 89 });
    expect(world.datagramsHeld).toBe(11);
    await world.run({ untilMicros: NEVER });
    expect(arrivals).toHaveLength(11);
    expect(direction.stats).toMatchObject({ sent: 100, dropped: 89, delivered: 11, lost: 0 });
    expect(world.stats).toMatchObject({ sent: 100, queueDropped: 89, delivered: 11 });
    expect(direction.queue!.delays.quantile(0.99)).toBeGreaterThanOrEqual(9_900);
  });

  it('arrives twice as often as it was asked to, the copy within its time and with the same bytes', async () => {
    const { world, arrivals, bytes, direction } = burst({ duplicate: 0.25, duplicateDelayMicros: 1_000 }, 20_000);
    await world.run({ untilMicros: NEVER });
    const { duplicated, delivered } = direction.stats;
    expect(Math.abs(duplicated - 5_000)).toBeLessThan(4 * Math.sqrt(20_000 * 0.25 * 0.75));
    expect([delivered, world.stats.duplicated]).toEqual([20_000 + duplicated, duplicated]);
    expect(Math.max(...arrivals)).toBeLessThanOrEqual(1_000);
    const late = arrivals.filter((time) => time > 0);
    const mean = late.reduce((sum, time) => sum + time, 0) / duplicated;
    expect(Math.abs(mean - 500)).toBeLessThan((4 * 1000) / Math.sqrt(12 * duplicated));
    expect(bytes.size).toBe(1);
  });

  it('shares a bottleneck with those of other directions, which together get its rate', async () => {
    const world = openWorld();
    const uplink = world.bottleneck('uplink', { rateBitsPerSecond: 1_000_000, queueBytes: 2_500 });
    const to = world.host('to');
    world.start(to, 0, () => listen(to, 9, () => {}));
    // Not in step: else the one that always comes second to the full queue would starve.
    const directions = [970, 1_010].map((period) => {
      const from = world.host(`every-${period}`);
      world.direction(from, to).configure({ bottleneck: uplink, latencyMicros: 10_000 });
      startStream(world, from, to, period);
      return world.direction(from, to);
    });
    await world.run({ untilMicros: 10_000_000 });
    expect(Math.abs(uplink.stats.departedBytes * 8 - 10_000_000)).toBeLessThan(2_000);
    expect(uplink.stats.dropped).toBe(directions[0]!.stats.dropped + directions[1]!.stats.dropped);
    for (const { stats } of directions) expect(stats.delivered).toBeGreaterThan(4_000);
    expect(directions.map(({ queue }) => queue)).toEqual([null, null]);
    expect(() => world.bottleneck('uplink', { rateBitsPerSecond: 1_000 })).toThrow("a bottleneck 'uplink' already");
  });

  it('cannot enter a bottleneck of another world', async () => {
    const other = openWorld();
    const foreign = other.bottleneck('uplink', { rateBitsPerSecond: 1_000_000 });
    const first = burst({ bottleneck: foreign }, 1, other);
    await first.world.run({ untilMicros: NEVER });
    const { world } = burst({ bottleneck: foreign }, 1);
    await expect(world.run({ untilMicros: NEVER })).rejects.toThrow("'uplink' is of another world");
  });

  it('goes on when the rate is taken away or given while it waits', async () => {
    const { world, direction, arrivals } = burst({ rateBitsPerSecond: 1_000_000 }, 10);
    await world.run({ untilMicros: 2_500 });
    direction.configure({ latencyMicros: 7 });
    await world.run({ untilMicros: NEVER });
    expect(arrivals).toEqual([1_000, 2_000, 3_007, ...Array(7).fill(3_007)]);
    expect(direction.bottleneck).toBeNull();
    expect(direction.stats.delivered).toBe(10);
  });
});

describe('conservation', () => {
  it('holds at every look, by world, by direction and by queue, with every stage at work', async () => {
    const world = openWorld({ link: ALL });
    const server = startEcho(world);
    for (let i = 0; i < 5; i++) startAsker(world, `client-${i}`, server, 300);
    const over = world.direction(server, world.hostNamed('client-1')!);
    world.aimdSource('bulk', { over, rttMicros: 150_000, stopMicros: 4_000_000 });
    for (let until = 100_000; until <= 4_000_000; until += 99_991) {
      await world.run({ untilMicros: until });
      if (until % 7 === 0) world.rebind(world.hostNamed('client-0')!, { address: true });
      const { sent, duplicated, delivered, lost, queueDropped, unheard, overflowed } = world.stats;
      const ended = delivered + lost + queueDropped + unheard + overflowed;
      expect(sent + duplicated).toBe(ended + world.datagramsHeld);
      for (const client of [0, 1, 2, 3, 4].map((i) => world.hostNamed(`client-${i}`)!)) {
        const { queue } = world.direction(client, server);
        if (queue === null) continue;
        const { entered, departed, packetsNow } = queue.stats;
        expect([0, 1]).toContain(entered - departed - packetsNow);
      }
    }
    for (const counter of ['duplicated', 'lost', 'queueDropped', 'unheard'] as const)
      expect(world.stats[counter]).toBeGreaterThan(20);
    await world.run({ untilMicros: NEVER });
    expect(world.datagramsHeld).toBe(0);
    for (let i = 0; i < 5; i++) {
      const { stats } = world.direction(world.hostNamed(`client-${i}`)!, server);
      expect(stats.sent + stats.duplicated).toBe(stats.delivered + stats.lost + stats.dropped);
    }
  });

  it('comes with a digest that is the same each time, and has been so ever since', async () => {
    const digests: string[] = [];
    for (const _ of [1, 2]) {
      const world = openWorld({ link: ALL });
      const server = startEcho(world);
      for (let i = 0; i < 5; i++) startAsker(world, `client-${i}`, server, 90);
      await world.run({ untilMicros: 3_000_000 });
      digests.push(world.digest());
    }
    expect(digests[1]).toBe(digests[0]);
    expect(digests[0]).toMatchInlineSnapshot(`"a53af1e779ab063a8cdc8a58d66a8cb5"`);
  });
});

describe('options of a direction', () => {
  it.each([
    [{ queueBytes: 1_000 }, 'queueBytes belongs to a rate: give rateBitsPerSecond too'],
    [{ overheadBytes: 0 }, 'overheadBytes belongs to a rate'],
    [{ rateBitsPerSecond: 0 }, 'rateBitsPerSecond is an integer in 1000 ..'],
    [{ rateBitsPerSecond: 1_000, queueBytes: 0.5 }, 'queueBytes is an integer'],
    [{ duplicate: -1 }, 'duplicate is a probability'],
    [{ duplicate: 1, duplicateDelayMicros: 1e9 }, 'duplicateDelayMicros is an integer'],
    [{ bottleneck: 'uplink' as never }, 'bottleneck is what world.bottleneck(name, options) returned'],
  ] as [DirectionOptions, string][])('refuse %o: %s', (link, text) => {
    const world = openWorld();
    const direction = world.direction(world.host('a'), world.host('b'));
    expect(() => direction.configure(link)).toThrow(RangeError);
    expect(() => direction.configure(link)).toThrow(`link a>b: ${text}`);
    expect(() => openWorld({ link })).toThrow(text);
  });

  it('refuse a rate beside a shared bottleneck, and return to their defaults when they are not named', () => {
    const world = openWorld();
    const uplink = world.bottleneck('uplink', { rateBitsPerSecond: 1_000_000 });
    const direction = world.direction(world.host('a'), world.host('b'));
    expect(() => direction.configure({ bottleneck: uplink, rateBitsPerSecond: 1_000 })).toThrow('give one of them');
    expect(() => direction.configure({ bottleneck: uplink, queueBytes: 1_000 })).toThrow(
      "set it on bottleneck 'uplink'",
    );
    direction.configure({ bottleneck: uplink });
    expect(direction.bottleneck).toBe(uplink);
    direction.configure({ rateBitsPerSecond: 1_000 });
    expect(direction.bottleneck).toBe(direction.queue);
    direction.configure({});
    expect(direction.bottleneck).toBeNull();
  });
});

/** A world in which `from` sends that many datagrams of 97 bytes at 0, and when they arrive. */
function burst(options: DirectionOptions, count: number, world: World = openWorld()) {
  const [from, to] = [world.host('from'), world.host('to')];
  const direction = world.direction(from, to);
  direction.configure(options);
  const arrivals: number[] = [];
  const bytes = new Set<string>();
  world.start(to, 0, () =>
    listen(to, 9, (datagram) => {
      arrivals.push(world.now);
      bytes.add(datagram.bytes.join());
    }),
  );
  world.start(from, 0, async () => {
    const socket = await listen(from, 0, () => {});
    for (let i = 0; i < count; i++) send(socket, addressOf('10.0.0.2', 9)!, new Uint8Array(97).fill(3));
  });
  return { world, direction, arrivals, bytes };
}

/** Sends 97 bytes every `period`, for ever. */
function startStream(world: World, from: SimHost, to: SimHost, period: number): void {
  world.start(from, 0, async () => {
    const socket = await listen(from, 0, () => {});
    const again = () => {
      send(socket, addressOf(`10.0.0.${to.number + 1}`, 9)!, new Uint8Array(97));
      from.at(world.now + period, again);
    };
    again();
  });
}

// Directions that are cut or held by hand, and partitions made of them.

import { describe, expect, it } from 'vitest';
import { FAULT_HOLD } from '../../../sim/link/link.ts';
import { HELD_MAX } from '../../../sim/world/held-datagrams.ts';
import type { SimHost } from '../../../sim/world/host.ts';
import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import type { World } from '../../../sim/world/world.ts';
import { addressOf, NEVER } from '../../../sys/api.ts';
import { listen, openWorld, send, startAsker, startEcho } from '../open-world.ts';

const LATENCY = 10_000;

describe('LinkDirection.cut', () => {
  it('drops what enters and counts it, lets arrive what is under way, and goes on when it is mended', async () => {
    const { world, direction, arrivals, tell } = await pair();
    await tell(0);
    await world.run({ untilMicros: 105_000 });
    direction.cut();
    await tell(1);
    await world.run({ untilMicros: 200_000 });
    expect(arrivals).toEqual([[0, 110_000]]);
    direction.mend();
    await tell(2);
    await world.run({ untilMicros: NEVER });
    expect(arrivals.map(([byte]) => byte)).toEqual([0, 2]);
    expect(direction.stats).toMatchObject({ sent: 3, cut: 1, delivered: 2, lost: 0 });
    expect(world.stats).toMatchObject({ sent: 3, cut: 1, delivered: 2 });
  });

  it('leaves the other way open', async () => {
    const { world, direction, tellBack, heardBack } = await pair();
    direction.cut();
    await tellBack(7);
    expect(heardBack).toEqual([7]);
    expect(world.stats.cut).toBe(0);
  });

  it('changes the fate of no packet after it', async () => {
    const link = { latencyMicros: LATENCY, jitterMicros: 5_000, loss: 0.3 };
    const fates = async (cuts: boolean) => {
      const { world, direction, arrivals, tell } = await pair(link);
      for (let i = 0; i < 60; i++) {
        if (cuts && i === 20) direction.cut();
        if (cuts && i === 30) direction.mend();
        await tell(i);
      }
      await world.run({ untilMicros: NEVER });
      return arrivals.filter(([byte]) => byte >= 30);
    };
    expect(await fates(true)).toEqual(await fates(false));
  });

  it('is part of the digest, done or met, and twice is once', async () => {
    const digests: string[] = [];
    for (const times of [0, 1, 2]) {
      const { world, direction } = await pair();
      for (let i = 0; i < times; i++) direction.cut();
      digests.push(world.digest());
    }
    expect(digests[1]).toBe(digests[2]);
    expect(digests[1]).not.toBe(digests[0]);
  });
});

describe('LinkDirection.hold', () => {
  it('keeps what would arrive, counts it as under way, and lets all arrive in order at the release', async () => {
    const { world, direction, arrivals, tell } = await pair({ latencyMicros: LATENCY, jitterMicros: 0 });
    direction.hold();
    for (let i = 0; i < 5; i++) await tell(i);
    expect(arrivals).toEqual([]);
    await world.run({ untilMicros: 200_000 });
    expect(arrivals).toEqual([]);
    expect(world.datagramsHeld).toBe(5);
    expect(direction.stats).toMatchObject({ sent: 5, delivered: 0 });
    const releasedAt = world.now + 3;
    await world.run({ untilMicros: releasedAt });
    direction.release();
    expect(direction.stats.delivered).toBe(5);
    await tell(5);
    await world.run({ untilMicros: NEVER });
    expect(arrivals.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((byte) => [byte, releasedAt]));
    expect(arrivals[5]![1]).toBeGreaterThan(releasedAt);
    expect(world.datagramsHeld).toBe(0);
    expect(world.latency.quantile(1)).toBeGreaterThan(99_000);
  });

  it('lets what was held arrive before what is due at the instant of the release', async () => {
    const { world, from, direction, socket, to, arrivals } = await pair({ latencyMicros: LATENCY });
    world.start(from, 200_000, () => direction.hold());
    for (const [byte, at] of [
      [1, 195_000],
      [2, 195_001],
      [3, 240_000],
    ] as const) {
      world.start(from, at, () => send(socket, to, Uint8Array.of(byte)));
    }
    world.start(from, 1, () => {}); // the release is scheduled before the arrival of 3 is
    world.start(from, 250_000, () => direction.release());
    await world.run({ untilMicros: NEVER });
    expect(arrivals).toEqual([
      [1, 250_000],
      [2, 250_000],
      [3, 250_000],
    ]);
  });

  it('drops what is more than it can hold, and counts it', async () => {
    const { world, direction, socket, to, from } = await pair({ latencyMicros: 1 });
    direction.hold();
    world.start(from, world.now, () => {
      for (let i = 0; i < HELD_MAX + 10; i++) send(socket, to, new Uint8Array(1));
    });
    await world.run({ untilMicros: world.now + 10 });
    expect(world.stats.queueDropped).toBe(10);
    expect(direction.stats.dropped).toBe(10);
    expect(world.datagramsHeld).toBe(HELD_MAX);
    direction.release();
    const { sent, delivered, overflowed, queueDropped } = world.stats;
    expect(sent).toBe(delivered + overflowed + queueDropped);
    expect(delivered).toBeGreaterThan(100);
  });

  it('holds cross traffic too', async () => {
    const { world, direction } = await pair({ latencyMicros: LATENCY, rateBitsPerSecond: 1_000_000 });
    const bulk = world.aimdSource('bulk', { over: direction, rttMicros: 50_000, startMicros: 100_000 });
    await world.run({ untilMicros: 1_000_000 });
    const before = bulk.stats.arrived;
    expect(before).toBeGreaterThan(20);
    direction.hold();
    await world.run({ untilMicros: 1_100_000 });
    expect(bulk.stats.arrived).toBe(before);
    direction.release();
    expect(bulk.stats.arrived).toBeGreaterThan(before);
  });

  it('tells its watcher once', async () => {
    const { direction } = await pair();
    const told: number[] = [];
    direction.watcher = { onFault: (_, fault) => void told.push(fault) };
    direction.release();
    direction.hold();
    direction.hold();
    expect(told).toEqual([FAULT_HOLD]);
  });
});

describe('World.partition', () => {
  it('parts two groups both ways, neither of them within, and heals', async () => {
    const { world, hosts, heardBy } = await everybodyTalks(5);
    const [a, b] = [hosts.slice(0, 2), hosts.slice(2, 4)];
    world.partition(a, b);
    expect(await heardBy()).toEqual([
      [1, 4],
      [0, 4],
      [3, 4],
      [2, 4],
      [0, 1, 2, 3],
    ]);
    world.heal();
    expect(await heardBy()).toEqual(hosts.map((host) => hosts.filter((h) => h !== host).map((h) => h.number)));
  });

  it('parts one way only when told so, and heals the pairs it is told', async () => {
    const { world, hosts, heardBy } = await everybodyTalks(3);
    world.partition([hosts[0]!], hosts.slice(1), true);
    expect(await heardBy()).toEqual([[1, 2], [2], [1]]);
    world.heal([hosts[2]!], [hosts[0]!]);
    expect(await heardBy()).toEqual([[1, 2], [2], [0, 1]]);
  });

  it('refuses a host on both sides, and parts nobody then', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a'), world.host('b')];
    expect(() => world.partition([b, a], [a])).toThrow(new RangeError("partition: host 'a' is on both sides"));
    expect(world.direction(b, a).isCut).toBe(false);
  });
});

describe('conservation', () => {
  it('holds at every look while directions are cut, held, mended and released, the same each time', async () => {
    const digests: string[] = [];
    for (const seed of [7, 7, 8]) {
      const world = openWorld({
        seed,
        link: { latencyMicros: 20_000, jitterMicros: 10_000, loss: 0.05, duplicate: 0.1 },
      });
      const server = startEcho(world);
      for (let i = 0; i < 4; i++) startAsker(world, `client-${i}`, server, 150);
      const stream = world.streams.stream('faults');
      for (let until = 50_000; until <= 4_000_000; until += 49_999) {
        await world.run({ untilMicros: until });
        const client = world.hostNamed(`client-${stream.below(4)}`)!;
        const way = stream.below(2) === 0 ? world.direction(client, server) : world.direction(server, client);
        ([() => way.cut(), () => way.mend(), () => way.hold(), () => way.release()] as const)[stream.below(4)]!();
        await world.run({ untilMicros: until }); // what was released is read
        const { sent, duplicated, delivered, lost, cut, unheard, overflowed, queueDropped } = world.stats;
        const ended = delivered + lost + cut + unheard + overflowed + queueDropped;
        expect(sent + duplicated).toBe(ended + world.datagramsHeld);
      }
      expect(world.stats.cut).toBeGreaterThan(20);
      digests.push(world.digest());
    }
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).toMatchInlineSnapshot(`"ce0fd9574ad9c6f90a3c7eaf4be4a0e2"`);
    expect(digests[2]).not.toBe(digests[0]);
  });
});

/** Two hosts; what arrives at the second, as [first byte, time]. The first datagram leaves at 100 ms. */
async function pair(link: object = { latencyMicros: LATENCY }) {
  const world = openWorld({ link });
  const [from, other] = [world.host('from'), world.host('to')];
  const arrivals: [number, number][] = [];
  const heardBack: number[] = [];
  let socket!: SimSocket;
  let far!: SimSocket;
  world.start(other, 0, async () => {
    far = await listen(other, 9, ({ bytes }) => arrivals.push([bytes[0]!, world.now]));
  });
  world.start(from, 0, async () => {
    socket = await listen(from, 8, ({ bytes }) => heardBack.push(bytes[0]!));
  });
  await world.run({ untilMicros: 100_000 });
  const to = addressOf('10.0.0.2', 9)!;
  const tell = async (byte: number) => {
    world.start(from, world.now, () => send(socket, to, Uint8Array.of(byte)));
    await world.run({ untilMicros: world.now + 1_000 });
  };
  const tellBack = async (byte: number) => {
    world.start(other, world.now, () => send(far, addressOf('10.0.0.1', 8)!, Uint8Array.of(byte)));
    await world.run({ untilMicros: world.now + 100_000 });
  };
  return { world, from, direction: world.direction(from, other), socket, to, arrivals, heardBack, tell, tellBack };
}

/** Hosts that each send one datagram to all others when asked: by host, from whom it heard. */
async function everybodyTalks(count: number) {
  const world: World = openWorld();
  const hosts: SimHost[] = Array.from({ length: count }, (_, i) => world.host(`host-${i}`));
  const sockets: SimSocket[] = [];
  let heard: number[][] = [];
  for (const host of hosts) {
    world.start(host, 0, async () => {
      sockets[host.number] = await listen(host, 9, ({ bytes }) => heard[host.number]!.push(bytes[0]!));
    });
  }
  await world.run({ untilMicros: 1 });
  const heardBy = async () => {
    heard = hosts.map(() => []);
    for (const host of hosts) {
      world.start(host, world.now, () => {
        for (const to of hosts) {
          if (to !== host)
            send(sockets[host.number]!, addressOf(`10.0.0.${to.number + 1}`, 9)!, Uint8Array.of(host.number));
        }
      });
    }
    await world.run({ untilMicros: world.now + 10 });
    return heard.map((from) => from.sort());
  };
  return { world, hosts, heardBy };
}

// The world: what a datagram meets on its way, and that a run is a function of its seed.

import { describe, expect, it } from 'vitest';
import type { World } from '../../../sim/world/world.ts';
import { addressOf, formatAddress, NEVER } from '../../../sys/api.ts';
import { ECHO_PORT, listen, openWorld, send, startAsker, startEcho } from '../open-world.ts';

const LINK = { latencyMicros: 50_000, jitterMicros: 10_000, loss: 0.05 };

describe('World', () => {
  it('lets a datagram arrive after exactly the latency of its direction', async () => {
    const world = openWorld();
    const server = startEcho(world);
    const { echoedAt } = startAsker(world, 'client', server, 1);
    world.link(server, world.hostNamed('client')!, { latencyMicros: 30_000 }, { latencyMicros: 12_345 });
    await world.run({ untilMicros: 1_000_000 });
    expect(echoedAt).toEqual([42_345]);
    expect(world.now).toBe(1_000_000);
    expect([world.latency.quantile(0), world.latency.quantile(1)]).toEqual([12_345, 30_000]);
  });

  it('accounts for every datagram', async () => {
    const world = openWorld({ link: LINK });
    const server = startEcho(world);
    for (let i = 0; i < 5; i++) startAsker(world, `client-${i}`, server, 300);
    await world.run({ untilMicros: 3_000_000 });
    const { sent, lost, delivered, unheard, overflowed } = world.stats;
    expect(sent).toBeGreaterThan(1000);
    expect(lost).toBeGreaterThan(0);
    expect(sent).toBe(delivered + lost + unheard + overflowed + world.datagramsHeld);
    await world.run({ untilMicros: NEVER });
    expect(world.datagramsHeld).toBe(0);
  });

  it('counts a datagram to an address that nobody has, and one to a port that nobody listens on', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a'), world.host('b')];
    world.start(a, 0, async () => {
      const socket = await listen(a, 0, () => {});
      send(socket, addressOf('10.9.9.9', 1)!, new Uint8Array(1));
      send(socket, addressOf('8.8.8.8', 1)!, new Uint8Array(1));
      send(socket, addressOf('10.0.0.2', 9)!, new Uint8Array(1));
      expect(socket.stats).toMatchObject({ sendFailed: 2, datagramsOut: 1 });
    });
    await world.run({ untilMicros: 1000 });
    expect(world.stats).toMatchObject({ unreachable: 2, unheard: 1, sent: 1, delivered: 0 });
    expect(world.direction(a, b).stats).toMatchObject({ sent: 1, delivered: 1 });
  });

  it('overflows a receive buffer that nobody reads, and counts it', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a'), world.host('b')];
    world.start(b, 0, () => b.sys.openUdp(addressOf('0.0.0.0', 9)!, { receiveBufferBytes: 10_000 }));
    world.start(a, 1, async () => {
      const socket = await listen(a, 0, () => {});
      for (let i = 0; i < 100; i++) send(socket, addressOf('10.0.0.2', 9)!, new Uint8Array(360));
    });
    await world.run({ untilMicros: 1000 });
    expect(world.stats).toMatchObject({ delivered: 10, overflowed: 90 });
  });

  it('reaches a host by its IPv4 and its IPv6 address, and shows each under the address that was used', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a'), world.host('b')];
    const seen: string[] = [];
    world.start(b, 0, () => listen(b, 9, ({ from }) => seen.push(formatAddress(from)), '::'));
    world.start(a, 1, async () => {
      const socket = await a.sys.openUdp(addressOf('::', 5)!);
      send(socket, addressOf('10.0.0.2', 9)!, new Uint8Array(1));
      send(socket, addressOf('fd00::2', 9)!, new Uint8Array(1));
    });
    await world.run({ untilMicros: 10 });
    expect(seen).toEqual(['10.0.0.1:5', '[fd00::1]:5']);
  });

  it('shows each host a clock of its own, and all the same calendar', async () => {
    const world = openWorld();
    const [a, b] = [world.host('a'), world.host('b', { clockOriginMicros: 2 ** 40 })];
    await world.run({ untilMicros: 2_500_000 });
    expect(a.sys.clock.now()).not.toBe(b.sys.clock.now());
    expect(b.sys.clock.now()).toBe(2 ** 40 + 2_500_000);
    expect(a.sys.clock.unixSeconds()).toBe(b.sys.clock.unixSeconds());
    expect(new Date(a.sys.clock.unixSeconds() * 1000).toISOString()).toBe('2025-06-15T15:06:42.000Z');
  });

  it('ends a run with the error of the code inside, thrown or rejected', async () => {
    for (const act of [() => Promise.reject(new Error('late')), throwing]) {
      const world = openWorld();
      world.start(world.host('a'), 5, act);
      await expect(world.run({ untilMicros: 100 })).rejects.toThrow('late');
      expect(world.now).toBe(5);
    }
  });

  it('ends with a sentence when a host wakes itself without letting time pass', async () => {
    const world = openWorld();
    const host = world.host('spinner');
    const again = () => host.at(world.now, again);
    world.start(host, 5, again);
    await expect(world.run({ untilMicros: 100 })).rejects.toThrow(/stands still at 5 us: host 'spinner'/);
  });

  it('refuses to be run twice at once, and two hosts of one name', async () => {
    const world = openWorld();
    const first = world.run({ untilMicros: 10 });
    await expect(world.run({ untilMicros: 10 })).rejects.toThrow('is running');
    await first;
    world.host('a');
    expect(() => world.host('a')).toThrow("a host 'a'");
  });
});

describe('determinism', () => {
  it('gives the same digest twice for the same seed, and another for another seed', async () => {
    const [first, second, other] = [
      await digestOf({ seed: 7 }),
      await digestOf({ seed: 7 }),
      await digestOf({ seed: 8 }),
    ];
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  });

  it('gives the digest that seed 7 has always had', async () => {
    expect(await digestOf({ seed: 7 })).toMatchInlineSnapshot(`"5f785dace07b88c32b13592bb6000bed"`);
  });

  it('gives the same digest when the run is cut into pieces', async () => {
    const world = openWorld({ link: LINK });
    populate(world);
    for (let until = 0; until <= 2_000_000; until += 7_777) await world.run({ untilMicros: until });
    await world.run({ untilMicros: 2_000_000 });
    expect(world.digest()).toBe(await digestOf({ seed: 7 }));
  });

  it('gives the same digest for two worlds that run at the same time', async () => {
    const alone = await digestOf({ seed: 7 });
    expect(await Promise.all([digestOf({ seed: 7 }), digestOf({ seed: 7 })])).toEqual([alone, alone]);
  });

  it('changes the digest when one byte of one datagram changes', async () => {
    const digests = [];
    for (const byte of [0, 1]) {
      const world = openWorld();
      const server = startEcho(world);
      const host = world.host('a');
      world.start(host, 0, async () => {
        const bytes = new Uint8Array(200);
        bytes[199] = byte;
        send(await listen(host, 0, () => {}), addressOf(`10.0.0.${server.number + 1}`, ECHO_PORT)!, bytes);
      });
      await world.run({ untilMicros: 1000 });
      digests.push(world.digest());
    }
    expect(digests[0]).not.toBe(digests[1]);
  });

  it('changes no fate elsewhere when a host is added', async () => {
    const arrivals = [];
    for (const extra of [0, 3]) {
      const world = openWorld({ link: LINK });
      const server = startEcho(world);
      for (let i = 0; i < extra; i++) startAsker(world, `extra-${i}`, server, 80);
      const { echoedAt } = startAsker(world, 'client', server, 80);
      await world.run({ untilMicros: 2_000_000 });
      arrivals.push(echoedAt);
    }
    expect(arrivals[0]!.length).toBeGreaterThan(50);
    expect(arrivals[1]).toEqual(arrivals[0]);
  });

  it('settles promises before time moves: long chains of await take no virtual time', async () => {
    const world = openWorld();
    const host = world.host('a');
    let finished = -1;
    world.start(host, 10, async () => {
      for (let i = 0; i < 1000; i++) await null;
      await Promise.all([1, 2, 3].map(async () => void (await Promise.resolve())));
      finished = world.now;
    });
    host.at(11, () => {});
    await world.run({ untilMicros: 100 });
    expect(finished).toBe(10);
  });
});

async function digestOf(options: { seed: number }): Promise<string> {
  const world = openWorld({ ...options, link: LINK });
  populate(world);
  await world.run({ untilMicros: 2_000_000 });
  return world.digest();
}

function populate(world: World): void {
  const server = startEcho(world);
  for (let i = 0; i < 5; i++) startAsker(world, `client-${i}`, server, 90);
}

function throwing(): never {
  throw new Error('late');
}

// Observers see each datagram and what became of it, and change nothing.

import { describe, expect, it } from 'vitest';
import type { DatagramEvent } from '../../../sim/world/observer.ts';
import type { World } from '../../../sim/world/world.ts';
import { addressOf, formatAddress, NEVER } from '../../../sys/api.ts';
import { openWorld, send, startAsker, startEcho } from '../open-world.ts';

const LINK = { latencyMicros: 5_000, jitterMicros: 4_000, loss: 0.1, duplicate: 0.05, corrupt: 0.05, mtuBytes: 900 };

const NONE = {
  received: 0,
  delivered: 0,
  lost: 0,
  'queue-drop': 0,
  'too-large': 0,
  policed: 0,
  cut: 0,
  corrupted: 0,
  duplicated: 0,
  unheard: 0,
  refused: 0,
  crowded: 0,
  stray: 0,
};

async function run(observe: (world: World) => void): Promise<World> {
  const world = openWorld({ link: { ...LINK, rateBitsPerSecond: 100_000, queueBytes: 1_000 } });
  const server = startEcho(world);
  for (let i = 0; i < 4; i++) startAsker(world, `client-${i}`, server, 200);
  world.cbrSource('noise', {
    over: { bottleneck: world.bottleneck('wire', { rateBitsPerSecond: 1e6 }) },
    rateBitsPerSecond: 1e5,
  });
  observe(world);
  await world.run({ untilMicros: 5_000_000 });
  return world;
}

describe('an observer', () => {
  it('is told of as many events as the counters say, and changes no digest', async () => {
    const counts: Record<DatagramEvent, number> = { ...NONE };
    const seen = await run((world) => world.observe((_time, _direction, kind) => void counts[kind]++));
    const { stats } = seen;
    const noise = stats.sent - counts.received;
    expect(noise).toBeGreaterThan(0); // cross traffic is in the counters only
    expect(counts).toMatchObject({
      lost: stats.lost,
      'queue-drop': stats.queueDropped,
      duplicated: stats.duplicated,
      corrupted: stats.corrupted,
    });
    for (const kind of ['lost', 'queue-drop', 'duplicated', 'corrupted'] as const)
      expect(counts[kind]).toBeGreaterThan(0);
    expect(counts.received + counts.duplicated).toBe(
      counts.delivered + counts.lost + counts['queue-drop'] + counts.unheard + counts['too-large'],
    );
    expect(seen.digest()).toBe((await run(() => {})).digest());
  });

  it('sees bytes, index and addresses as the link carries them', async () => {
    const world = openWorld({ link: { latencyMicros: 1_000 } });
    const [a, b] = [world.host('a'), world.host('b')];
    const told: string[] = [];
    world.observe((time, direction, kind, index, bytes, addresses) => {
      const [from, to] = [formatAddress(addresses), formatAddress(addresses, 24)];
      told.push(`${time} ${direction.name} ${kind} ${index} ${Buffer.from(bytes).toString('hex')} ${from} ${to}`);
    });
    world.start(b, 0, () => b.sys.openUdp(addressOf('0.0.0.0', 9)!));
    world.start(a, 10, async () => {
      const socket = await a.sys.openUdp(addressOf('0.0.0.0', 8)!);
      send(socket as never, addressOf('10.0.0.2', 9)!, Uint8Array.of(1, 2));
      send(socket as never, addressOf('10.0.0.2', 7)!, Uint8Array.of(3));
      world.direction(a, b).cut();
      send(socket as never, addressOf('10.0.0.2', 9)!, Uint8Array.of(4));
    });
    await world.run({ untilMicros: NEVER });
    expect(told).toEqual([
      '10 a>b received 0 0102 10.0.0.1:8 10.0.0.2:9',
      '10 a>b received 1 03 10.0.0.1:8 10.0.0.2:7',
      '10 a>b received 2 04 10.0.0.1:8 10.0.0.2:9',
      '10 a>b cut 2 04 10.0.0.1:8 10.0.0.2:9',
      '1010 a>b delivered 0 0102 10.0.0.1:8 10.0.0.2:9',
      '1010 a>b unheard 1 03 10.0.0.1:8 10.0.0.2:7',
    ]);
  });
});

import { expect, test } from 'vitest';
import type { Aead, DatagramBatch, Micros } from '../../../sys/api.ts';
import { CLIENT_CONNECTED } from '../../../transport/netcode/client-states.ts';
import type { NetcodeServerOptions } from '../../../transport/netcode/netcode-server.ts';
import { at, ClientStation, mint, ServerStation, seededRng, send, World } from './world.ts';

const second = 1_000_000;

/** Watches every packet that servers seal: the key and the number together must never come twice. */
class Watch {
  readonly pairs = new Set<string>();
  repeats = 0;

  /** A station whose AEAD notes what it seals. */
  server(options: Partial<NetcodeServerOptions>, seed: number, now: Micros, unixSeconds: number): ServerStation {
    const station = new ServerStation(options, seededRng(seed), now, unixSeconds);
    const aead = station.aead as { load: Aead['load']; seal: Aead['seal'] };
    const keys = new Map<number, string>();
    const load = aead.load.bind(aead);
    const seal = aead.seal.bind(aead);
    aead.load = (key, associated) => {
      const id = load(key, associated);
      keys.set(id, Buffer.from(key).toString('hex'));
      return id;
    };
    aead.seal = (batch: DatagramBatch, slot, keyId, prefix, low, high) => {
      const pair = `${keys.get(keyId)} ${low >>> 0} ${high >>> 0}`;
      if (this.pairs.has(pair)) this.repeats++;
      this.pairs.add(pair);
      seal(batch, slot, keyId, prefix, low, high);
    };
    return station;
  }
}

const A = at('10.0.0.1', 40000);
const B = at('10.0.0.1', 40001);

test('two servers of one token never use a key and a number together twice', () => {
  const watch = new Watch();
  const world = new World();
  world.now += 5 * second;
  const start = [world.now - 4 * second, world.unixSeconds - 4] as const;
  const a = world.add(watch.server({ publicAddresses: [A] }, 1, ...start));
  const b = world.add(watch.server({ publicAddresses: [B] }, 2, ...start));
  const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
  const token = mint(world, { serverAddresses: [A, B], timeoutSeconds: 1 });
  const talk = (server: ServerStation) => {
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(1), now);
  };
  talk(a);
  talk(b);
  client.client.connect(token, world.now);
  world.run(second);
  expect(client.client.state).toBe(CLIENT_CONNECTED);
  const before = watch.pairs.size;
  expect(before).toBeGreaterThan(30);
  // The same token at the other server: it does not know that the token is spent.
  const twin = world.add(new ClientStation(at('10.0.0.3', 50000)));
  world.passes = (d) => d.to !== A && !(d.from === twin.address && Buffer.from(d.to).equals(Buffer.from(A)));
  twin.client.connect(token, world.now);
  world.run(3 * second);
  expect(twin.client.state).toBe(CLIENT_CONNECTED);
  expect(watch.pairs.size).toBeGreaterThan(before + 100);
  expect(watch.repeats).toBe(0);
});

test.each([
  ['within the second of its start', 0, {}],
  ['a second later', 1, {}],
  ['with a store of spent tokens that has lost them', 1, { spentTokens: { isSpent: () => false, spend: () => {} } }],
] as const)('a server restarted %s never uses a key and a number together twice', (_, waitSeconds, options) => {
  const watch = new Watch();
  const world = new World();
  const address = { publicAddresses: [A], ...options };
  const first = world.add(watch.server(address, 1, world.now, world.unixSeconds));
  const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
  const token = mint(world);
  client.client.connect(token, world.now);
  const talk = (server: ServerStation) => {
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(1), now);
  };
  talk(first);
  world.run(500_000);
  expect(client.client.state).toBe(CLIENT_CONNECTED);
  const before = watch.pairs.size;
  world.stations.splice(0, 1);
  world.now += waitSeconds * second;
  const restarted = world.add(watch.server(address, 3, world.now, world.unixSeconds));
  talk(restarted);
  client.client.connect(token, world.now);
  world.run(second);
  expect(watch.pairs.size).toBeGreaterThan(before);
  expect(watch.repeats).toBe(0);
});

test('a token of one server has short packet numbers', () => {
  const world = new World();
  world.now += 2 * second;
  const server = world.add(new ServerStation());
  const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
  client.client.connect(mint(world), world.now);
  world.run(second);
  expect(client.client.state).toBe(CLIENT_CONNECTED);
  const last = world.log.filter((d) => d.from === server.address).at(-1)!;
  expect(last.bytes[0]! >> 4).toBe(1);
});

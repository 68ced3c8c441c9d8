import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLIENT_CONNECTED } from '../../../transport/netcode/client-states.ts';
import { dropsTotal } from '../../../transport/netcode/drop-counters.ts';
import { NEW_PORT, pairWithIds } from './rebinding-world.ts';
import { at, ClientStation, connectedPair, type Datagram, key, mint, ServerStation, send, World } from './world.ts';

const STRANGER = at('10.5.5.5', 5555);

/** Everything that a connecting, moving and talking pair sends: packets of every type. */
function recordedTraffic(): Datagram[] {
  const { world, server, client } = pairOnTheMove();
  server.onTransmit = (batch, now) => void send(server.server, batch, 0, new Uint8Array(50).fill(1), now);
  client.onTransmit = (batch, now) => void send(client.client, batch, 0, new Uint8Array(50).fill(2), now);
  world.run(100_000);
  server.server.disconnect(0, 'kicked', 'fuzz', world.now);
  world.run(100_000);
  const byType = new Map<string, Datagram>();
  for (const d of world.log) byType.set(`${key(d.from)} ${d.bytes[0]! & 15}`, d);
  return [...byType.values()];
}

/** A pair whose client has moved to NEW_PORT under an id; the same bytes each time. */
function pairOnTheMove() {
  const pair = pairWithIds();
  pair.client.address = NEW_PORT;
  pair.client.client.rebind(pair.world.now);
  pair.world.run(300_000);
  return pair;
}

const traffic = recordedTraffic();

/** Bytes of any length, often with a prefix that gets past the first checks. */
const noise = fc.oneof(
  fc.uint8Array({ maxLength: 1400 }),
  fc
    .tuple(fc.nat(255), fc.uint8Array({ minLength: 16, maxLength: 400 }))
    .map(([prefix, rest]) => Uint8Array.of(prefix, ...rest)),
);

/** A genuine packet, changed somewhere, cut or made longer. */
const mutated = fc
  .tuple(
    fc.constantFrom(...traffic),
    fc.array(fc.tuple(fc.nat(1400), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }),
    fc.integer({ min: -30, max: 30 }),
  )
  .map(([d, changes, extra]) => {
    const bytes = new Uint8Array(Math.max(0, d.bytes.length + (changes.length > 2 ? extra : 0)));
    bytes.set(d.bytes.subarray(0, bytes.length));
    for (const [place, flip] of changes) if (bytes.length > 0) bytes[place % bytes.length]! ^= flip;
    return bytes;
  })
  .filter((bytes) => traffic.every((d) => !Buffer.from(d.bytes).equals(bytes)));

const bytes = fc.oneof(noise, mutated);

test('whatever arrives at a server, it throws nothing, counts everything once, and answers with fewer bytes than came in', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(bytes, fc.boolean()), { maxLength: 30 }), (arrivals) => {
      const { world, server, client } = pairOnTheMove();
      const before = server.server.accepted + dropsTotal(server.server.drops);
      for (const [data, known] of arrivals) {
        const from = known ? client.address : STRANGER;
        server.receive([{ from, to: server.address, bytes: data, sentAt: 0 }], world.now, world.unixSeconds);
        const answered = server.turn(world.now).filter((d) => key(d.to) === key(STRANGER));
        const answerBytes = answered.reduce((sum, d) => sum + d.bytes.length, 0);
        expect(answerBytes).toBeLessThanOrEqual(known ? 0 : data.length);
      }
      const after = server.server.accepted + dropsTotal(server.server.drops);
      expect(after - before).toBe(arrivals.length);
      // Nothing that was not sealed with the session's key moves it.
      expect(server.server.isConnected(0)).toBe(true);
      expect(server.payloads).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test('whatever arrives at a client, in any state, it throws nothing and counts everything once', () => {
  fc.assert(
    fc.property(fc.nat(12), fc.array(bytes, { maxLength: 30 }), (turns, arrivals) => {
      const world = new World();
      world.now += 2_000_000;
      const server = world.add(new ServerStation());
      const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
      client.client.connect(mint(world), world.now);
      for (let i = 0; i < turns; i++) world.turn();
      const { state } = client.client;
      const before = client.client.accepted + dropsTotal(client.client.drops);
      for (const data of arrivals) {
        client.receive(
          [{ from: server.address, to: client.address, bytes: data, sentAt: 0 }],
          world.now,
          world.unixSeconds,
        );
      }
      expect(client.client.accepted + dropsTotal(client.client.drops) - before).toBe(arrivals.length);
      expect(client.client.state).toBe(state);
      world.run(1_000_000);
      expect(client.client.state).toBe(CLIENT_CONNECTED);
    }),
    { numRuns: 100 },
  );
});

test('a datagram of zero bytes is counted and ends nothing: those behind it are read', () => {
  const { world, server, client } = connectedPair();
  client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(7), now);
  const [payload] = client.turn(world.now);
  const empty = { from: STRANGER, to: server.address, bytes: new Uint8Array(0), sentAt: 0 };
  server.receive([empty, empty, payload!, empty], world.now, world.unixSeconds);
  expect(server.server.drops.empty).toBe(3);
  expect(server.payloads.map((p) => p.bytes)).toEqual([Uint8Array.of(7)]);
});

test('every answer to an authentic request or response is shorter than what it answers', () => {
  const lengths = (onAdmit?: ServerStation['onAdmit'], options = {}, tokens = {}) => {
    const world = new World();
    world.now += 2_000_000;
    const server = world.add(new ServerStation(options));
    if (onAdmit !== undefined) server.onAdmit = onAdmit.bind(server);
    const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
    client.client.connect(mint(world, tokens), world.now);
    for (let i = 0; i < 60 && client.client.state >= 1 && client.client.state < 3; i++) {
      world.turn();
      const sum = (side: Uint8Array) =>
        world.log.filter((d) => d.from === side).reduce((n, d) => n + d.bytes.length, 0);
      expect(sum(server.address)).toBeLessThanOrEqual(sum(client.address));
    }
    return server;
  };
  const text = 'x'.repeat(255);
  expect(lengths().connected).toEqual([0]);
  const refusing = lengths(function (this: ServerStation, connection, now) {
    this.server.refuse(connection, text, now);
  });
  expect(refusing.ended.length).toBeGreaterThan(0);
  expect(lengths(undefined, {}, { lifetimeSeconds: 100 }).server.drops.requestLifetime).toBe(1);
});

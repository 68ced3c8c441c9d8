/** A client that comes back with another token while its connection is still there. */

import { describe, expect, test } from 'vitest';
import { CLIENT_CONNECTED } from '../../../transport/netcode/client-states.ts';
import { give, HOME, joined, NEW_HOST, type Pair, pairWithIds, typeOf } from './rebinding-world.ts';
import { at, ClientStation, type Datagram, key, mint, seededRng, send } from './world.ts';

const SECOND = 1_000_000;
const RESUME = { resume: true };
const REQUEST = 0;
const RESPONSE = 3;
const PAYLOAD = 5;

/** A client with nothing of the first one's state, at an address, with a fresh token of a client id. */
function comesBack({ world }: Pair, address: Uint8Array, clientId: bigint, seed = 500): ClientStation {
  const client = world.add(new ClientStation(address, {}, seededRng(seed)));
  client.client.connect(mint(world, { clientId }, seed), world.now);
  return client;
}

const states = ({ server }: Pair) => ({
  address: key(server.server.addressOf(0)),
  resumed: server.resumed.length,
  taken: server.server.connectionsTaken,
  connected: server.server.isConnected(0),
  ended: server.ended.length,
});

describe('a client that comes back with another token', () => {
  test('goes on with its connection from another address, and is not admitted again', () => {
    const pair = pairWithIds(3, {}, RESUME);
    const { world, server } = pair;
    world.stations.pop(); // the first client is heard no more
    const again = comesBack(pair, NEW_HOST, 1n);
    world.run(SECOND);
    expect(again.connected).toMatchObject([{ index: 0 }]);
    expect(server.resumed).toEqual([{ connection: 0, payloadsBefore: 0 }]);
    expect([server.admitted, server.connected, server.ended]).toEqual([[0], [0], []]);
    expect(server.server.addressOf(0)).toEqual(NEW_HOST);
    expect(server.server.connectionsTaken).toBe(1);
    again.onTransmit = (batch, now) => void send(again.client, batch, 0, Uint8Array.of(7), now);
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(8), now);
    world.run(SECOND);
    expect(server.payloads.length).toBeGreaterThan(50);
    expect(server.payloads[0]).toMatchObject({ connection: 0, bytes: Uint8Array.of(7) });
    expect(again.payloads.length).toBeGreaterThan(50);
    expect(server.server.idsWanted(0)).toBe(3);
  });

  test('goes on from the address that the connection has, as often as it likes', () => {
    const { world, server, client } = pairWithIds(0, {}, RESUME);
    for (let times = 1; times <= 3; times++) {
      client.client.connect(mint(world, {}, 600 + times), world.now);
      world.run(SECOND);
      expect(client.client.state).toBe(CLIENT_CONNECTED);
      expect(server.resumed.length).toBe(times);
    }
    expect([server.admitted, server.ended]).toEqual([[0], []]);
    world.run(10 * SECOND);
    expect(client.client.state).toBe(CLIENT_CONNECTED);
  });

  test('is not answered by default while the connection is there, from whatever address', () => {
    const pair = pairWithIds(0);
    const { world, server, client } = pair;
    const before = states(pair);
    const again = comesBack(pair, NEW_HOST, 1n);
    world.run(SECOND);
    expect(again.client.state).toBeLessThan(CLIENT_CONNECTED);
    expect(server.server.drops.requestClientConnected).toBeGreaterThan(5);
    client.client.connect(mint(world, {}, 601), world.now);
    world.run(SECOND);
    expect(server.server.drops.requestConnected).toBeGreaterThan(5);
    expect(states(pair)).toEqual(before);
  });

  test('takes nothing over under another client id: not a slot, not an address', () => {
    const pair = pairWithIds(0, {}, RESUME);
    const { world, server, client } = pair;
    const other = joined(world, server, at('10.0.0.9', 9), 2n);
    const before = states(pair);
    const stranger = comesBack(pair, HOME, 3n); // the address of client 1
    world.stations.pop();
    for (let turns = 0; turns < 30; turns++) {
      for (const datagram of stranger.turn(world.now)) world.inject(datagram);
      world.turn();
    }
    expect(server.server.drops.requestConnected).toBeGreaterThan(1);
    expect(states(pair)).toEqual(before);
    expect([client.client.state, other.client.client.state]).toEqual([CLIENT_CONNECTED, CLIENT_CONNECTED]);
  });

  test('takes nothing over with the token that has connected, or with one that was not made with the key', () => {
    const pair = pairWithIds(0, {}, RESUME);
    const { world, server, token } = pair;
    const before = states(pair);
    const thief = world.add(new ClientStation(NEW_HOST, {}, seededRng(9)));
    thief.client.connect(token, world.now);
    world.run(SECOND);
    thief.client.connect(mint(world, { privateKey: new Uint8Array(32).fill(9) }), world.now);
    world.run(SECOND);
    expect(server.server.drops.requestTokenSpent).toBeGreaterThan(5);
    expect(server.server.drops.requestForged).toBeGreaterThan(5);
    expect(states(pair)).toEqual(before);
  });

  test('changes nothing with requests, however many, until a response has proved one of their tokens', () => {
    const pair = pairWithIds(3, {}, RESUME);
    const { world, server, client } = pair;
    const before = states(pair);
    world.passes = (d) => typeOf(d) !== RESPONSE;
    for (let i = 0; i < 100; i++) comesBack(pair, at('10.9.0.1', 1000 + i), 1n, 1000 + i);
    comesBack(pair, HOME, 1n, 2000);
    client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(1), now);
    world.run(2 * SECOND);
    expect(world.log.filter((d) => typeOf(d) === RESPONSE).length).toBeGreaterThan(100);
    expect(states(pair)).toEqual(before);
    expect(server.payloads.length).toBeGreaterThan(100);
    expect(client.client.state).toBe(CLIENT_CONNECTED);
    world.passes = () => true;
    world.run(SECOND);
    expect(server.resumed.length).toBeGreaterThan(0);
    expect([server.server.connectionsTaken, server.ended]).toEqual([1, []]);
  });

  test('has nothing of the old session played to its connection afterwards', () => {
    const pair = pairWithIds(3, {}, RESUME);
    const { world, server, client } = pair;
    client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(1), now);
    world.run(SECOND);
    client.onTransmit = () => {};
    client.client.rebind(world.now);
    world.run(SECOND);
    const recorded = world.log.filter((d) => key(d.from) === key(HOME) && typeOf(d) !== REQUEST);
    expect(recorded.some((d) => typeOf(d) === PAYLOAD)).toBe(true);
    expect(recorded.some((d) => typeOf(d) > PAYLOAD)).toBe(true);
    client.client.connect(mint(world, {}, 602), world.now);
    world.run(SECOND);
    expect(server.resumed.length).toBe(1);
    const payloads = server.payloads.length;
    const before = states(pair);
    const { accepted } = server.server;
    client.client.disconnect('closed', '', world.now);
    world.stations.pop(); // its farewell does not leave
    for (const old of recorded) for (const from of [HOME, NEW_HOST]) world.inject({ ...old, from, sentAt: world.now });
    world.run(100_000);
    expect(server.payloads.length).toBe(payloads);
    expect(server.server.accepted).toBe(accepted);
    expect(states(pair)).toEqual(before);
  });

  test('hands over what came before in order: payloads under the old keys, resume, payloads under the new', () => {
    const pair = pairWithIds(0, {}, RESUME);
    const { world, server, client } = pair;
    client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(1), now);
    world.run(SECOND);
    const before = server.payloads.length;
    client.client.connect(mint(world, {}, 603), world.now);
    world.run(SECOND);
    expect(server.resumed[0]!.payloadsBefore).toBeGreaterThanOrEqual(before);
    expect(server.payloads.at(server.resumed[0]!.payloadsBefore)!.number).toBeLessThan(20);
  });

  test('does not need a free slot, and waits when the game has not decided over its first token', () => {
    const full = pairWithIds(0, {}, { ...RESUME, maxClients: 1 });
    comesBack(full, NEW_HOST, 1n);
    full.world.run(SECOND);
    expect(full.server.resumed.length).toBe(1);

    const pair = pairWithIds(0, {}, RESUME);
    const { world, server } = pair;
    server.onAdmit = () => {};
    comesBack(pair, at('10.3.3.3', 3), 5n, 701);
    world.run(SECOND);
    const second = comesBack(pair, at('10.3.3.4', 3), 5n, 702);
    world.run(SECOND);
    expect(second.client.state).toBeLessThan(CLIENT_CONNECTED);
    expect([server.admitted, server.resumed]).toEqual([[0, 1], []]);
  });

  test('connects anew, from where it asked, when its connection ends before its response comes', () => {
    const pair = pairWithIds(0, {}, RESUME);
    const { world, server, client } = pair;
    world.passes = (d: Datagram) => typeOf(d) !== RESPONSE;
    client.client.connect(mint(world, {}, 604), world.now);
    world.run(SECOND);
    server.server.disconnect(0, 'kicked', '', world.now);
    world.passes = () => true;
    world.run(SECOND);
    expect(server.resumed).toEqual([]);
    expect(server.ended).toMatchObject([{ connection: 0, reason: { code: 'kicked' } }]);
    expect(server.admitted.length).toBe(2);
    expect(client.client.state).toBe(CLIENT_CONNECTED);
    expect(give(pair, 1, server.admitted[1]!)).toBe(1);
  });
});

// What another thread says for a server that is gone, from the ledger in shared memory.

import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { DatagramBatch } from '../../../sys/api.ts';
import { Farewells } from '../../../transport/netcode/farewells.ts';
import { sessionRows } from '../../../transport/netcode/server-options.ts';
import { LEAP, SessionLedger } from '../../../transport/netcode/session-ledger.ts';
import { Sessions } from '../../../transport/netcode/sessions.ts';
import { at, ClientStation, type Datagram, key, mint, ServerStation, take, World } from './world.ts';

const second = 1_000_000;
const MAX_CLIENTS = 8;

/** A server with a ledger and clients of it; the rows of clients are those that the world connected. */
function playedWorld(clients: number) {
  const ledger = new SessionLedger(sessionRows({ maxClients: MAX_CLIENTS }));
  const world = new World();
  world.now += 2 * second;
  const server = world.add(new ServerStation({ maxClients: MAX_CLIENTS, ledger }));
  const stations = Array.from({ length: clients }, (_, i) => {
    const station = world.add(new ClientStation(at('10.0.1.1', 1000 + i)));
    station.client.connect(mint(world, { clientId: BigInt(i + 1) }, i), world.now);
    return station;
  });
  world.run(second);
  expect(server.connected).toHaveLength(clients);
  return { world, server, stations, ledger };
}

/** Everything that `farewells` has to say, in batches of `slots`. */
function datagramsOf(farewells: Farewells, slots: number): Datagram[] {
  const batch = DatagramBatch.allocate(slots, 2048);
  const datagrams: Datagram[] = [];
  for (let more = true; more; ) {
    more = farewells.write(batch);
    datagrams.push(...take(batch, at('10.0.0.1', 40000), 0));
  }
  return datagrams;
}

describe('a server whose thread is gone', () => {
  test.each([1, 5, 64])('its clients hear the reason, in batches of %d', (slots) => {
    const { world, stations, ledger } = playedWorld(5);
    const there = new SessionLedger(ledger.rows, ledger.memory); // as another thread sees it
    const farewells = new Farewells(there, MAX_CLIENTS, chooseAead(1, 2048), 'shutdown', 'worker 2 is gone');
    const said = datagramsOf(farewells, slots);
    expect(farewells.told).toBe(5);
    expect(said).toHaveLength(5 * 13);
    for (const station of stations) {
      station.receive(
        said.filter(({ to }) => key(to) === key(station.address)),
        world.now,
        0,
      );
      expect(station.ended).toEqual([{ code: 'shutdown', side: 'remote', text: 'worker 2 is gone' }]);
    }
    // What has been said is wiped: nobody speaks twice.
    expect(there.held.every((held) => held === 0)).toBe(true);
    expect(there.sealKey.every((byte) => byte === 0)).toBe(true);
    expect(datagramsOf(new Farewells(there, MAX_CLIENTS, chooseAead(1, 2048), 'shutdown', ''), 8)).toEqual([]);
  });

  test('goes on far beyond the numbers that it may have used', () => {
    const { ledger } = playedWorld(1);
    const seal = ledger.sealKey.slice(0, 32);
    for (const [low, high, expectedLow, expectedHigh] of [
      [7, 0, 7 + LEAP, 0],
      [-1, 3, LEAP - 1, 4],
      [0x7fff_ffff, 0, (0x7fff_ffff + LEAP) | 0, 0],
    ] as const) {
      const one = new SessionLedger(1);
      one.hold(0, seal, seal, ledger.associated);
      one.nextLow[0] = low;
      one.nextHigh[0] = high;
      const [first] = datagramsOf(new Farewells(one, 1, chooseAead(1, 2048), 'closed', ''), 1);
      const numberBytes = first!.bytes[0]! >> 4;
      let number = 0;
      for (let i = numberBytes; i >= 1; i--) number = number * 256 + first!.bytes[i]!;
      expect(number).toBe((expectedLow >>> 0) + expectedHigh * 2 ** 32);
    }
  });

  test('keeps no key of a client that has left, and none of a handshake that became a connection', () => {
    const { world, server, stations, ledger } = playedWorld(3);
    expect(ledger.held.reduce((sum, held) => sum + held)).toBe(3);
    stations[1]!.client.disconnect('closed', '', world.now);
    server.server.disconnect(0, 'kicked', '', world.now);
    world.run(2 * second);
    expect(Array.from(ledger.held.subarray(0, 3))).toEqual([0, 0, 1]);
    expect(ledger.sealKey.subarray(0, 64).every((byte) => byte === 0)).toBe(true);
  });

  test('the ledger counts as the server does', () => {
    const ledger = new SessionLedger(2);
    const sessions = new Sessions(2, 2, 256, chooseAead(1, 64), ledger);
    sessions.nextLow[1] = -1;
    sessions.skipNumber(1);
    const there = new SessionLedger(2, ledger.memory);
    expect([there.nextLow[1], there.nextHigh[1]]).toEqual([0, 1]);
  });
});

describe('a store of spent tokens that others share', () => {
  test('a token that somebody else has spent while the game was asked does not get in, and is told to', () => {
    const world = new World();
    world.now += 2 * second;
    const server = world.add(new ServerStation({ spentTokens: { isSpent: () => false, spend: () => false } }));
    const station = world.add(new ClientStation(at('10.0.1.1', 1000)));
    station.client.connect(mint(world, { clientId: 1n }, 0), world.now);
    world.run(second);
    expect(server.connected).toEqual([]);
    expect(server.ended).toMatchObject([{ reason: { code: 'denied', side: 'local' } }]);
    expect(station.ended).toMatchObject([{ code: 'denied', side: 'remote', text: /used meanwhile/ }]);
    expect(server.server.connectionsTaken).toBe(0);
  });
});

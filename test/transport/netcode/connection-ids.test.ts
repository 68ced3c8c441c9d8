import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { ConfigError } from '../../../transport/config-error.ts';
import { CAUSE_MOVED, CAUSE_SILENCE, ClientPath, IDS_STORED_MAX } from '../../../transport/netcode/client-path.ts';
import { ConnectionIds } from '../../../transport/netcode/connection-ids.ts';
import { EventQueue } from '../../../transport/netcode/event-queue.ts';
import { Sessions } from '../../../transport/netcode/sessions.ts';
import { give, NEW_PORT, pairWithIds, sentSince } from './rebinding-world.ts';
import { at, ClientStation, ServerStation, START, seededRng } from './world.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Ids that a connection is given, until it may have no more. */
function issueAll(ids: ConnectionIds, connection: number): Uint8Array[] {
  const given: Uint8Array[] = [];
  for (let id = new Uint8Array(8); ids.issue(connection, id, 0); id = new Uint8Array(8)) given.push(id);
  return given;
}

describe('the ids of a server', () => {
  test('start with the number of its worker and are otherwise all different', () => {
    const ids = new ConnectionIds(1000, 0xab, seededRng(3));
    const all = Array.from({ length: 1000 }, (_, connection) => issueAll(ids, connection)).flat();
    expect(all.length).toBe(3000);
    expect(new Set(all.map(hex)).size).toBe(3000);
    for (const id of all) expect(id[0]).toBe(0xab);
    const places = Array.from({ length: 8 }, (_, i) => new Set(all.map((id) => id[i])).size);
    expect(places[0]).toBe(1);
    for (const values of places.slice(1)) expect(values).toBeGreaterThan(200);
  });

  test('lead to their connection until it ends, and none is left behind', () => {
    const ids = new ConnectionIds(8, 0, seededRng(3));
    for (let round = 0; round < 200; round++) {
      const connection = round % 8;
      const given = issueAll(ids, connection);
      expect(given.length).toBe(3);
      for (const id of given) expect(ids.connectionOf(ids.find(id, 0))).toBe(connection);
      if (round % 3 === 0) ids.adopt(ids.find(given[1]!, 0));
      ids.wipe(connection);
      for (const id of given) expect(ids.find(id, 0)).toBe(-1);
      expect(ids.bytes.subarray(connection * 32, connection * 32 + 32).every((byte) => byte === 0)).toBe(true);
    }
  });

  test('are three ahead; a move makes room for one, and the id before the last move is dropped', () => {
    const ids = new ConnectionIds(1, 0, seededRng(3));
    const [a, b, c] = issueAll(ids, 0);
    expect(ids.wanted(0)).toBe(0);
    ids.adopt(ids.find(a!, 0));
    expect(ids.isInUse(ids.find(a!, 0))).toBe(true);
    expect(ids.wanted(0)).toBe(1);
    const [d] = issueAll(ids, 0);
    ids.adopt(ids.find(c!, 0)); // not in the order in which they were given
    expect(ids.wanted(0)).toBe(0);
    expect(ids.find(a!, 0)).toBeGreaterThanOrEqual(0); // packets under it may be on their way
    ids.adopt(ids.find(c!, 0));
    expect(ids.find(a!, 0)).toBeGreaterThanOrEqual(0);
    ids.adopt(ids.find(b!, 0));
    expect(ids.find(a!, 0)).toBe(-1);
    expect(ids.find(c!, 0)).toBeGreaterThanOrEqual(0);
    expect(ids.find(d!, 0)).toBeGreaterThanOrEqual(0);
    expect(ids.wanted(0)).toBe(1);
  });

  test('fit into the table for every connection of the largest server', () => {
    const ids = new ConnectionIds(16_384, 0, seededRng(3));
    for (let connection = 0; connection < 16_384; connection++) {
      const given = issueAll(ids, connection);
      ids.adopt(ids.find(given[0]!, 0));
      expect(issueAll(ids, connection).length).toBe(1);
    }
  });

  test('that repeat themselves are a broken source of chance', () => {
    const ids = new ConnectionIds(2, 0, { u32: () => 0, fill: (bytes) => bytes.fill(1) });
    expect(ids.issue(0, new Uint8Array(8), 0)).toBe(true);
    expect(() => ids.issue(0, new Uint8Array(8), 0)).toThrow('the rng repeats itself');
  });
});

describe('the ids of a client', () => {
  const path = () => {
    const sessions = new Sessions(1, 1, 256, chooseAead(1, 64));
    return new ClientPath(sessions, new EventQueue(4), 300_000);
  };
  const id = (n: number): Uint8Array => new Uint8Array(8).fill(n);

  test('are kept once each, the newest when there are too many', () => {
    const ids = path();
    for (const n of [1, 2, 2, 1]) ids.store(id(n), 0);
    expect(ids.stored).toBe(2);
    for (const n of [3, 4, 5]) ids.store(id(n), 0);
    expect(ids.stored).toBe(IDS_STORED_MAX);
    ids.begin(CAUSE_MOVED, START);
    expect(ids.id).toEqual(id(2));
    ids.store(id(2), 0);
    expect(ids.stored).toBe(IDS_STORED_MAX - 1);
    ids.clear();
    expect([ids.stored, ids.id, ids.able]).toEqual([0, null, false]);
  });

  test('given up by an attempt serve the next one after silence, but not a deliberate one', () => {
    const ids = path();
    for (const n of [1, 2]) ids.store(id(n), 0);
    ids.begin(CAUSE_SILENCE, START);
    expect(ids.id).toEqual(id(1));
    ids.heard();
    expect([ids.stored, ids.id]).toEqual([2, null]);
    ids.begin(CAUSE_SILENCE, START);
    expect(ids.id).toEqual(id(1));
    ids.begin(CAUSE_MOVED, START);
    expect(ids.id).toEqual(id(2));
    ids.heard();
    expect(ids.id).toEqual(id(2));
    expect(ids.stored).toBe(1);
  });

  test('come at any place of a buffer, and only while it is connected', () => {
    const { world, client, server } = pairWithIds(0);
    const bytes = new Uint8Array(20);
    expect(server.server.issueId(0, bytes, 5)).toBe(true);
    expect([bytes.slice(0, 5), bytes.slice(13)].every((part) => part.every((byte) => byte === 0))).toBe(true);
    expect(client.client.canRebind).toBe(false);
    client.client.storeId(bytes, 5);
    expect(client.client.idsStored).toBe(1);
    expect(client.client.canRebind).toBe(true);
    client.address = NEW_PORT;
    client.client.rebind(world.now);
    world.run(500_000);
    expect(client.moves).toEqual([false]);
    client.client.disconnect('closed', '', world.now);
    client.client.storeId(bytes, 5);
    expect(client.client.idsStored).toBe(0);
    expect(client.client.canRebind).toBe(false);
    expect(client.client.rebind(world.now)).toBe(false);
  });
});

test('a server puts the number of its worker before its ids', () => {
  const pair = pairWithIds(0, {}, { workerNumber: 200 });
  const id = new Uint8Array(8);
  pair.server.server.issueId(0, id, 0);
  expect(id[0]).toBe(200);
  expect(give(pair, 9)).toBe(2);
  expect(pair.server.server.idsWanted(0)).toBe(0);
  pair.client.client.rebind(pair.world.now);
  pair.world.run(100_000);
  const [request] = sentSince(pair.world, 0, pair.client.address, 8);
  expect(request!.bytes[1 + (request!.bytes[0]! >> 4)]).toBe(200);
});

test.each([-1, 256, 1.5])('a worker number of %d is refused by name', (workerNumber) => {
  expect(() => new ServerStation({ workerNumber })).toThrow(ConfigError);
  expect(() => new ServerStation({ workerNumber })).toThrow("option 'workerNumber'");
});

test.each([-1, 0.5, Number.NaN])('a silence of %d microseconds is refused by name', (rebindSilenceMicros) => {
  expect(() => new ClientStation(at('10.0.0.2', 1), { rebindSilenceMicros })).toThrow("option 'rebindSilenceMicros'");
});

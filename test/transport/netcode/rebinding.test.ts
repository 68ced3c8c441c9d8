import { describe, expect, test } from 'vitest';
import { CLIENT_CONNECTED, CLIENT_TIMED_OUT } from '../../../transport/netcode/client-states.ts';
import {
  countsOf,
  give,
  HOME,
  idOf,
  NEW_HOST,
  NEW_PORT,
  type Pair,
  pairWithIds,
  sameBytes,
  sentSince,
  talk,
  typeOf,
} from './rebinding-world.ts';
import { at, type Datagram, key, send } from './world.ts';

const second = 1_000_000;
const ROUND_TRIP = 80_000; // 2 * 20 ms, and up to a turn of 16.7 ms at each stop

const isAt = ({ server }: Pair, address: Uint8Array): boolean => sameBytes(server.server.addressOf(0), address);

/** Runs until both sides know the new address. */
function settle(pair: Pair, address: Uint8Array, moves = 1): number {
  const start = pair.world.now;
  const done = () => isAt(pair, address) && pair.client.moves.length === moves;
  expect(pair.world.run(3 * second, done)).toBe(true);
  return pair.world.now - start;
}

describe('a client whose address changes', () => {
  test.each([
    ['another port', NEW_PORT, false],
    ['another host', NEW_HOST, true],
  ])('is found at %s by its id after 300 ms of silence, and goes on in the same session', (_, address, hostChanged) => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const sent = talk(pair);
    world.run(200_000);
    client.address = address;
    const took = settle(pair, address);
    expect(took).toBeGreaterThan(300_000);
    expect(took).toBeLessThan(300_000 + 3 * ROUND_TRIP);
    expect(server.moves.map((m) => [m.connection, m.hostChanged])).toEqual([[0, hostChanged]]);
    expect(client.moves).toEqual([hostChanged]);
    const since = world.log.length;
    const downBefore = client.payloads.length;
    world.run(second);
    expect(client.payloads.length - downBefore).toBeGreaterThan(55);
    expect(new Set(sentSince(world, since, address, 5, 8, 9).map(typeOf))).toEqual(new Set([9]));
    expect(new Set(sentSince(world, since, server.address, 4, 5, 8, 9).map(typeOf))).toEqual(new Set([5]));
    const counts = countsOf(server.payloads);
    expect(new Set(counts).size).toBe(counts.length);
    expect(counts.at(-1)).toBeGreaterThan(sent.up - 5);
    expect([client.ended, server.ended]).toEqual([[], []]);
  });

  test('is found when it has nothing to say but keep-alives', () => {
    const pair = pairWithIds();
    pair.client.address = NEW_PORT;
    settle(pair, NEW_PORT);
    pair.world.run(10 * second);
    expect(pair.client.client.state).toBe(CLIENT_CONNECTED);
    expect(pair.server.moves.length).toBe(1);
  });

  test('that says so itself loses no payload on the way up, and none comes twice', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const sent = talk(pair);
    world.run(200_000);
    client.address = NEW_HOST;
    expect(client.client.rebind(world.now)).toBe(true);
    const took = settle(pair, NEW_HOST);
    expect(took).toBeLessThan(2 * ROUND_TRIP + 20_000);
    world.run(second);
    client.onTransmit = () => {};
    world.run(100_000);
    expect(countsOf(server.payloads)).toEqual(Array.from({ length: sent.up }, (_, i) => i));
  });

  test('tells the event between the payloads that arrived before and after it', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    talk(pair);
    client.address = NEW_PORT;
    client.client.rebind(world.now);
    settle(pair, NEW_PORT);
    const response = sentSince(world, 0, NEW_PORT, 8).filter((d, i, all) => i > 0 && d !== all[0])[0]!;
    const numberOf = (d: Datagram): number => d.bytes[1]! | (d.bytes[0]! >> 4 > 1 ? d.bytes[2]! << 8 : 0);
    const { payloadsBefore } = server.moves[0]!;
    expect(server.payloads[payloadsBefore - 1]!.number).toBeLessThan(numberOf(response));
    expect(server.payloads[payloadsBefore]!.number).toBeGreaterThan(numberOf(response));
  });

  test('and that already uses an id is noticed from its payloads, without a request and before it is silent for long', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const sent = talk(pair);
    client.address = NEW_PORT;
    settle(pair, NEW_PORT);
    world.run(200_000);
    const since = world.log.length;
    const from = sent.up;
    client.address = at('10.0.0.2', 50002);
    const took = settle(pair, client.address, 2);
    expect(took).toBeLessThan(2 * ROUND_TRIP + 20_000);
    world.run(second);
    // Responses only, and within the round trip the server asked twice.
    expect(sentSince(world, since, server.address, 8).length).toBe(3);
    expect(sentSince(world, since, client.address, 8).length).toBe(2);
    expect([server.moves.length, client.moves.length]).toEqual([2, 2]);
    expect(countsOf(server.payloads).filter((n) => n >= from && n < from + 50).length).toBe(50);
  });

  test('and whose payloads are too short to be answered is found by its request', () => {
    const pair = pairWithIds();
    const { world, client } = pair;
    client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(1), now);
    client.address = NEW_PORT;
    settle(pair, NEW_PORT);
    world.run(500_000);
    client.address = NEW_HOST;
    expect(settle(pair, NEW_HOST, 2)).toBeGreaterThan(250_000);
  });

  test('is found again and again, as often as it is given new ids, and each address sees another id', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    talk(pair);
    for (let i = 1; i <= 20; i++) {
      client.address = at(`10.0.${i}.2`, 50000 + i);
      expect(client.client.rebind(world.now)).toBe(true);
      settle(pair, client.address, i);
      world.run(200_000);
      give(pair, server.server.idsWanted(0));
      expect(client.client.idsStored).toBeGreaterThan(0);
    }
    const seenAt = new Map<string, Set<string>>();
    for (const d of world.log) {
      if (typeOf(d) < 8) continue;
      const peer = sameBytes(d.from, server.address) ? d.to : d.from;
      seenAt.set(idOf(d), (seenAt.get(idOf(d)) ?? new Set()).add(key(peer)));
    }
    expect(seenAt.size).toBe(20);
    for (const addresses of seenAt.values()) expect(addresses.size).toBe(1);
  });

  test('without a spare id rebinds with the one in use', () => {
    const pair = pairWithIds(1);
    const { world, client } = pair;
    client.address = NEW_PORT;
    settle(pair, NEW_PORT);
    expect(client.client.idsStored).toBe(0);
    client.address = NEW_HOST;
    expect(client.client.rebind(world.now)).toBe(true);
    settle(pair, NEW_HOST, 2);
    world.run(200_000);
    client.address = HOME;
    settle(pair, HOME, 3);
  });

  test('without any id is lost, as the standard has it', () => {
    const { world, client, server } = pairWithIds(0);
    client.address = NEW_PORT;
    expect(client.client.rebind(world.now)).toBe(false);
    world.run(6 * second);
    expect(client.client.state).toBe(CLIENT_TIMED_OUT);
    expect(server.ended.length).toBe(1);
    expect(world.log.some((d) => typeOf(d) > 7)).toBe(false);
  });

  test('does not ask by itself where the option says so, but when it is told to', () => {
    const pair = pairWithIds(3, { rebindSilenceMicros: 0 });
    pair.client.address = NEW_PORT;
    pair.world.run(second);
    expect(pair.world.log.some((d) => typeOf(d) > 7)).toBe(false);
    pair.client.client.rebind(pair.world.now);
    settle(pair, NEW_PORT);
  });

  test('and that times out on the way ends once, and asks no more', () => {
    const { world, server, client } = pairWithIds();
    client.address = NEW_PORT;
    world.passes = () => false;
    world.run(6 * second);
    expect(client.ended).toEqual([{ code: 'timeout', side: 'local', text: '' }]);
    expect(server.ended.length).toBe(1);
    expect(client.client.idsStored).toBe(0);
    const since = world.log.length;
    world.run(second);
    expect(world.log.length).toBe(since);
  });

  test('comes back to its old address, when that is where it is', () => {
    const pair = pairWithIds();
    pair.client.address = NEW_PORT;
    pair.client.client.rebind(pair.world.now);
    settle(pair, NEW_PORT);
    pair.client.address = HOME;
    pair.client.client.rebind(pair.world.now);
    settle(pair, HOME, 2);
    expect(pair.client.moves).toEqual([false, false]);
  });
});

describe('the deadlines', () => {
  test('are never past once a turn is done, whatever is lost on the way', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    client.address = NEW_PORT;
    let i = 0;
    world.passes = () => i++ % 3 !== 0;
    for (let turn = 0; turn < 120; turn++) {
      world.turn();
      expect(client.client.deadline()).toBeGreaterThan(world.now);
      expect(server.server.deadline()).toBeGreaterThan(world.now);
    }
    expect(isAt(pair, NEW_PORT)).toBe(true);
  });
});

describe('each packet of the dance may be lost', () => {
  const KINDS = ['request', 'challenge', 'response', 'confirmed'] as const;

  test.each(KINDS.flatMap((kind) => [1, 3].map((times) => [kind, times] as const)))(
    'the %s, %i times',
    (kind, times) => {
      const pair = pairWithIds();
      const { world, server, client } = pair;
      client.address = NEW_HOST;
      client.client.rebind(world.now);
      let lost = 0;
      let challenges = 0;
      let fromClient = 0;
      let movedAtServer = false;
      world.passes = (d) => {
        if (typeOf(d) !== 8) return true;
        movedAtServer = server.moves.length > 0;
        let what: string;
        if (d.from === server.address) {
          what = movedAtServer ? 'confirmed' : 'challenge';
        } else what = client.client.deadline() > 0 && challenges > fromClient ? 'response' : 'request';
        if (what === 'response') fromClient++;
        if (what === kind && lost < times) {
          lost++;
          return false;
        }
        if (what === 'challenge') challenges++;
        return true;
      };
      settle(pair, NEW_HOST);
      world.run(second);
      expect(lost).toBe(times);
      expect([server.moves.length, client.moves.length]).toEqual([1, 1]);
      expect([client.ended, server.ended]).toEqual([[], []]);
    },
  );
});

describe('a false alarm', () => {
  /** The server is not heard for a while, long enough for two requests. */
  function silence(pair: Pair): number {
    const since = pair.world.log.length;
    pair.world.passes = (d) => d.from !== pair.server.address;
    pair.world.run(450_000);
    pair.world.passes = () => true;
    pair.world.run(500_000);
    return since;
  }

  test('moves nothing and uses up nothing, however often it comes', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    talk(pair);
    const ids = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const since = silence(pair);
      const requests = sentSince(world, since, HOME, 8);
      expect(requests.length).toBeGreaterThan(0);
      for (const d of requests) ids.add(idOf(d));
      const after = world.log.length;
      world.run(100_000);
      expect(new Set(sentSince(world, after, HOME, 5, 8, 9).map(typeOf))).toEqual(new Set([5]));
    }
    expect(ids.size).toBe(1);
    expect(client.client.idsStored).toBe(3);
    expect(server.server.idsWanted(0)).toBe(0);
    expect([server.moves, client.moves]).toEqual([[], []]);
    const counts = countsOf(server.payloads);
    expect(counts).toEqual(counts.map((_, i) => i));
  });

  test('of a client that uses an id changes nothing either', () => {
    const pair = pairWithIds();
    pair.client.address = NEW_PORT;
    settle(pair, NEW_PORT);
    const since = silence(pair);
    const requests = sentSince(pair.world, since, NEW_PORT, 8);
    expect(requests.length).toBeGreaterThan(0);
    expect(new Set(requests.map(idOf)).size).toBe(1);
    expect([pair.server.moves.length, pair.client.moves.length]).toEqual([1, 1]);
    expect(pair.client.client.idsStored).toBe(2);
  });

  test('that the client raised itself is answered, and it goes on as before', () => {
    const pair = pairWithIds();
    const { world, client } = pair;
    talk(pair);
    client.client.rebind(world.now);
    world.run(500_000);
    const since = world.log.length;
    world.run(200_000);
    expect(new Set(sentSince(world, since, HOME, 5, 8, 9).map(typeOf))).toEqual(new Set([5]));
    expect(client.client.idsStored).toBe(3);
    expect(client.moves).toEqual([]);
    // The id that it showed in vain is not the one of a deliberate rebind elsewhere.
    const shown = idOf(sentSince(world, 0, HOME, 8)[0]!);
    client.address = NEW_HOST;
    client.client.rebind(world.now);
    settle(pair, NEW_HOST);
    expect(sentSince(world, 0, NEW_HOST, 8, 9).map(idOf)).not.toContain(shown);
    give(pair, 3);
    expect(client.client.idsStored).toBe(3);
  });
});

describe('peers of the standard', () => {
  test('see no packet of ours while no ids are given', () => {
    const { world, client } = pairWithIds(0);
    talk({ server: world.stations[0] as Pair['server'], client });
    world.run(second);
    expect(new Set(world.log.map(typeOf))).toEqual(new Set([0, 2, 3, 4, 5]));
  });

  test('a server that drops types above 6 is deaf to it, and the connection ends as the standard has it', () => {
    const { world, server, client } = pairWithIds();
    world.passes = (d) => typeOf(d) <= 6;
    world.run(second);
    expect(client.client.state).toBe(CLIENT_CONNECTED);
    client.address = NEW_PORT;
    world.run(6 * second);
    expect(client.client.state).toBe(CLIENT_TIMED_OUT);
    expect(server.ended.map((e) => e.reason.code)).toEqual(['timeout']);
  });
});

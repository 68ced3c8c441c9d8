import { describe, expect, test } from 'vitest';
import { CONNECTION_ID_BYTES, PACKET_PATH, PACKET_PAYLOAD_WITH_ID } from '../../../transport/netcode/packets.ts';
import {
  PATH_CHALLENGE,
  PATH_CONFIRMED,
  PATH_REQUEST,
  PATH_RESPONSE,
  PATH_UNCHANGED,
} from '../../../transport/netcode/path.ts';
import {
  countsOf,
  Forger,
  give,
  HOME,
  idOf,
  joined,
  NEW_HOST,
  NEW_PORT,
  type Pair,
  pairWithIds,
  SPOOFED,
  sameBytes,
  sentSince,
  talk,
  typeOf,
} from './rebinding-world.ts';
import { at, ClientStation, type Datagram, mint, send } from './world.ts';

const second = 1_000_000;

const isAt = ({ server }: Pair, address: Uint8Array): boolean => sameBytes(server.server.addressOf(0), address);
const fromElsewhere = (d: Datagram, from: Uint8Array = SPOOFED): Datagram => ({ ...d, from });

function deliver({ server, world }: Pick<Pair, 'server' | 'world'>, ...datagrams: Datagram[]): void {
  server.receive(datagrams, world.now, world.unixSeconds);
}

/** What the server answers now, besides what it sends home anyway. */
const answers = ({ server, world }: Pair): Datagram[] =>
  server.turn(world.now).filter((d) => typeOf(d) === PACKET_PATH);

/** A pair whose client uses an id already, at NEW_PORT. */
function moved(): Pair {
  const pair = pairWithIds();
  talk(pair);
  pair.client.address = NEW_PORT;
  pair.client.client.rebind(pair.world.now);
  if (!pair.world.run(second, () => pair.client.moves.length > 0)) throw new Error('the client was not found');
  pair.world.run(200_000);
  return pair;
}

/** The bytes of a path packet's data, kind first: the client's id repeated inside. */
function pathData(kind: number, data: Uint8Array, id: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(24);
  bytes[0] = kind;
  bytes.set(data, 1);
  bytes.set(id, 9);
  return bytes;
}

const NOTHING = new Uint8Array(8);

/** A pair that rests, a forger with its keys and an id to forge with. */
function forging() {
  const pair = pairWithIds(2);
  const id = new Uint8Array(CONNECTION_ID_BYTES);
  expect(pair.server.server.issueId(0, id, 0)).toBe(true);
  const forger = new Forger(pair);
  const forge = (kind: number, data: Uint8Array, from: Uint8Array) =>
    forger.seal(PACKET_PATH, id, pathData(kind, data, id), from);
  return { ...pair, pair, id, forger, forge };
}

describe('somebody on the way who cannot open packets', () => {
  test('does not move a session with a recorded payload from another address', () => {
    const pair = moved();
    const { world, server } = pair;
    const recorded = sentSince(world, 0, NEW_PORT, 9).slice(-20, -5);
    const payloads = server.payloads.length;
    const replayed = server.server.drops.replayed;
    deliver(pair, ...recorded.map((d) => fromElsewhere(d)));
    expect(server.server.drops.replayed - replayed).toBe(recorded.length);
    expect(server.payloads.length).toBe(payloads);
    expect(answers(pair)).toEqual([]);
    expect(isAt(pair, NEW_PORT)).toBe(true);
  });

  test('does not move a session with a recorded request or response', () => {
    const pair = moved();
    const dance = sentSince(pair.world, 0, NEW_PORT, 8);
    expect(dance.length).toBeGreaterThan(1);
    const replayed = pair.server.server.drops.replayed;
    deliver(pair, ...dance.map((d) => fromElsewhere(d)));
    expect(pair.server.server.drops.replayed - replayed).toBe(dance.length);
    expect(answers(pair)).toEqual([]);
    expect(isAt(pair, NEW_PORT)).toBe(true);
  });

  test('who is quicker than the client from other addresses gets one challenge in 50 ms, and moves nothing', () => {
    const pair = moved();
    const { world, server, client } = pair;
    const stolen: Datagram[] = [];
    let hosts = 0;
    // Every payload of the client arrives first from another host, and then, as a replay, from where it is.
    world.passes = (d) => {
      if (typeOf(d) !== 9) return true;
      const copy = fromElsewhere(d, at(`10.66.${(hosts >> 8) & 255}.${hosts++ & 255}`, 666));
      stolen.push(copy);
      world.inject({ ...copy, sentAt: d.sentAt - 5_000 });
      return true;
    };
    const since = world.log.length;
    const before = server.payloads.length;
    world.run(second);
    expect(server.payloads.length - before).toBeGreaterThan(50);
    const challenges = sentSince(world, since, server.address, 8);
    expect(challenges.length).toBeGreaterThan(10);
    expect(challenges.length).toBeLessThanOrEqual(20);
    expect(isAt(pair, NEW_PORT)).toBe(true);
    expect([server.moves.length, client.moves.length]).toEqual([1, 1]);
    expect(new Set(countsOf(server.payloads)).size).toBe(server.payloads.length);
    expect(client.ended).toEqual([]);
  });

  test('does not keep the client from moving by sending some of its packets from elsewhere', () => {
    const pair = moved();
    const { world, client } = pair;
    let n = 0;
    world.passes = (d) => {
      if (typeOf(d) < 8 || sameBytes(d.from, pair.server.address)) return true;
      // Two of three are stolen: they arrive from elsewhere, and the client's own come too late.
      if (n++ % 3 > 0) world.inject({ ...fromElsewhere(d, at('10.66.6.6', 1000 + n)), sentAt: d.sentAt - 5_000 });
      return true;
    };
    for (const [i, address] of [NEW_HOST, HOME, NEW_PORT].entries()) {
      client.address = address;
      client.client.rebind(world.now);
      expect(world.run(2 * second, () => isAt(pair, address) && client.moves.length === i + 2)).toBe(true);
      world.run(200_000);
      give(pair, pair.server.server.idsWanted(0));
    }
  });

  test('who holds packets back and sends them later does not lead the server to an old address', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    talk(pair);
    client.address = NEW_PORT;
    client.client.rebind(world.now);
    world.run(second, () => client.moves.length > 0);
    // The client moves on. Everything that it sent from NEW_PORT last is held back until it has moved.
    const held: Datagram[] = [];
    world.passes = (d) => !(sameBytes(d.from, NEW_PORT) && held.push(d) > 0);
    world.run(200_000);
    client.address = NEW_HOST;
    client.client.rebind(world.now);
    expect(world.run(second, () => client.moves.length > 1)).toBe(true);
    expect(held.some((d) => typeOf(d) === 9)).toBe(true);
    const payloads = server.payloads.length;
    world.now += 60_000;
    deliver(pair, ...held.filter((d) => typeOf(d) === 9));
    // They count, since they are the client's and come for the first time. But they open no path.
    expect(server.payloads.length - payloads).toBe(held.filter((d) => typeOf(d) === 9).length);
    expect(answers(pair)).toEqual([]);
    expect(isAt(pair, NEW_HOST)).toBe(true);
  });

  test('who changes an id on the way makes a packet that does not open, or leads nowhere', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const other = joined(world, server, at('10.0.0.3', 50000), 2n);
    const id = new Uint8Array(CONNECTION_ID_BYTES);
    expect(server.server.issueId(1, id, 0)).toBe(true);
    client.client.rebind(world.now);
    const [request] = client.turn(world.now);
    const changed = (idBytes: Uint8Array): Datagram => {
      const bytes = request!.bytes.slice();
      bytes.set(idBytes, 1 + (bytes[0]! >> 4));
      return { ...request!, bytes, from: NEW_PORT };
    };
    deliver(pair, changed(id));
    expect(server.server.drops.forged).toBe(1);
    deliver(pair, changed(NOTHING));
    expect(server.server.drops.unknownId).toBe(1);
    expect(answers(pair)).toEqual([]);
    expect(other.client.ended).toEqual([]);
    deliver(pair, fromElsewhere(request!, NEW_PORT));
    expect(answers(pair).length).toBe(1);
  });

  test('who changes the id into another one of the same session is found out by the sealed one', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const former = new Uint8Array(CONNECTION_ID_BYTES);
    client.client.rebind(world.now);
    const [request] = client.turn(world.now);
    const { bytes } = request!;
    // An id that the server knows for this connection and the client does not use now.
    client.client.rebind(world.now);
    const [second_] = client.turn(world.now);
    former.set(Buffer.from(idOf(second_!), 'hex'));
    const swapped = bytes.slice();
    swapped.set(former, 1 + (bytes[0]! >> 4));
    deliver(pair, { ...request!, bytes: swapped, from: NEW_PORT });
    expect(server.server.drops.path).toBe(1);
    expect(answers(pair)).toEqual([]);
  });
});

describe('a client that breaks the rules', () => {
  test.each([0, PATH_CHALLENGE, PATH_CONFIRMED, PATH_UNCHANGED, 6, 255])('with kind %i is not answered', (kind) => {
    const { pair, forge, server } = forging();
    deliver(pair, forge(kind, NOTHING, NEW_PORT));
    expect(server.server.drops.path).toBe(1);
    expect(answers(pair)).toEqual([]);
  });

  test.each([9, 16, 23])('with a path packet of %i bytes is not answered, and nothing is opened', (length) => {
    const { pair, forger, id, server } = forging();
    deliver(pair, forger.seal(PACKET_PATH, id, pathData(PATH_REQUEST, NOTHING, id).slice(0, length), NEW_PORT));
    expect(server.server.drops.size).toBe(1);
    expect(answers(pair)).toEqual([]);
  });

  test('with a response that no challenge asked for stays where it is', () => {
    const { pair, forge, server } = forging();
    for (const from of [NEW_PORT, HOME]) deliver(pair, forge(PATH_RESPONSE, NOTHING, from));
    expect(server.server.drops.pathResponse).toBe(2);
    expect(isAt(pair, HOME)).toBe(true);
    expect(answers(pair)).toEqual([]);
  });

  test('cannot turn the server to a third address, nor with wrong bytes, nor too late', () => {
    const { pair, forge, server, world } = forging();
    /** The bytes of the challenge that goes to NEW_PORT. */
    const challenged = (): Uint8Array => {
      deliver(pair, forge(PATH_REQUEST, NOTHING, NEW_PORT));
      const [challenge] = answers(pair);
      expect(sameBytes(challenge!.to, NEW_PORT)).toBe(true);
      pair.client.address = HOME;
      return openedByClient(pair, challenge!).slice(1, 9);
    };
    const bytes = challenged();
    deliver(pair, forge(PATH_RESPONSE, bytes, SPOOFED));
    deliver(pair, forge(PATH_RESPONSE, bytes, HOME));
    deliver(
      pair,
      forge(
        PATH_RESPONSE,
        bytes.map((b) => b ^ 1),
        NEW_PORT,
      ),
    );
    expect(server.server.drops.pathResponse).toBe(3);
    world.now += 2 * second;
    deliver(pair, forge(PATH_RESPONSE, bytes, NEW_PORT));
    expect(server.server.drops.pathResponse).toBe(4);
    expect(isAt(pair, HOME)).toBe(true);
    // Asked again it gets other bytes, and with those it moves, once.
    const fresh = challenged();
    expect(sameBytes(fresh, bytes)).toBe(false);
    const response = forge(PATH_RESPONSE, fresh, NEW_PORT);
    deliver(pair, response);
    expect(isAt(pair, NEW_PORT)).toBe(true);
    deliver(pair, forge(PATH_RESPONSE, fresh, NEW_PORT));
    expect(server.server.drops.pathResponse).toBe(5);
    expect(server.moves.length).toBe(1);
  });

  test('with a response from before the last move does not move back', () => {
    const { pair, forge, forger, server, world } = forging();
    const ask = (address: Uint8Array): Uint8Array => {
      world.now += 60_000;
      deliver(pair, forge(PATH_REQUEST, NOTHING, address));
      return openedByClient(pair, answers(pair)[0]!).slice(1, 9);
    };
    const first = ask(NEW_PORT);
    forger.next = 100_100;
    const late = forge(PATH_RESPONSE, first, NEW_PORT);
    forger.next = 100_200;
    const second_ = ask(NEW_HOST);
    deliver(pair, forge(PATH_RESPONSE, second_, NEW_HOST));
    expect(isAt(pair, NEW_HOST)).toBe(true);
    deliver(pair, late);
    expect(isAt(pair, NEW_HOST)).toBe(true);
    expect(server.server.drops.pathResponse).toBe(1);
  });

  test('is answered once in 50 ms however it asks, each time with less than it sent, while home goes on', () => {
    const { pair, forge, world, server } = forging();
    let sentBytes = 0;
    let answeredBytes = 0;
    let answered = 0;
    let keepAlives = 0;
    for (let i = 0; i < 400; i++) {
      world.now += 2_500;
      const request = forge(PATH_REQUEST, NOTHING, at('10.50.0.1', 1000 + (i % 7)));
      sentBytes += request.bytes.length;
      deliver(pair, request);
      for (const d of server.turn(world.now)) {
        if (typeOf(d) === 4) keepAlives++;
        if (typeOf(d) !== PACKET_PATH) continue;
        expect(d.bytes.length).toBeLessThan(request.bytes.length);
        expect(sameBytes(d.to, request.from)).toBe(true);
        answered++;
        answeredBytes += d.bytes.length;
      }
    }
    expect(answered).toBe(20);
    expect(answeredBytes).toBeLessThan(sentBytes / 10);
    expect(server.server.drops.pathRepeated).toBe(380);
    expect(keepAlives).toBeGreaterThanOrEqual(8);
  });

  test('with a request that newer packets have overtaken is not answered', () => {
    const { pair, forge, forger, id, server } = forging();
    forger.next = 5_000;
    const late = forge(PATH_REQUEST, NOTHING, NEW_PORT);
    deliver(pair, forger.seal(PACKET_PAYLOAD_WITH_ID, id, Uint8Array.of(1), HOME), late);
    expect(server.server.drops.pathLate).toBe(1);
    expect(answers(pair)).toEqual([]);
  });

  test('with short payloads from elsewhere is heard, but not answered', () => {
    const { pair, forger, id, server } = forging();
    const short = forger.seal(PACKET_PAYLOAD_WITH_ID, id, new Uint8Array(10), NEW_PORT);
    expect(short.bytes.length).toBeLessThan(42);
    deliver(pair, short);
    expect(server.payloads.length).toBe(1);
    expect(answers(pair)).toEqual([]);
    deliver(pair, forger.seal(PACKET_PAYLOAD_WITH_ID, id, new Uint8Array(30), NEW_PORT));
    expect(answers(pair).length).toBe(1);
  });
});

/** Gives a datagram of the server to a copy of nobody: opens it with the client's key. */
function openedByClient(pair: Pair, datagram: Datagram): Uint8Array {
  return new Forger(pair).open(datagram);
}

describe('connections that are not connected', () => {
  test('get no id before they are accepted, and after their end', () => {
    const pair = pairWithIds(0);
    const { world, server } = pair;
    const id = new Uint8Array(CONNECTION_ID_BYTES);
    server.onAdmit = () => {};
    const waiting = world.add(new ClientStation(at('10.0.0.3', 50000)));
    waiting.client.connect(mint(world, { clientId: 2n }, 90), world.now);
    world.run(second, () => server.admitted.length > 1);
    expect([server.server.issueId(1, id, 0), server.server.idsWanted(1)]).toEqual([false, 0]);
    server.server.accept(1, world.now);
    expect([server.server.issueId(1, id, 0), server.server.idsWanted(1)]).toEqual([true, 2]);
    server.server.disconnect(1, 'kicked', '', world.now);
    expect([server.server.issueId(1, id, 0), server.server.idsWanted(1)]).toEqual([false, 0]);
    world.run(second);
    expect([server.server.issueId(1, id, 0), server.server.idsWanted(1)]).toEqual([false, 0]);
    for (const nobody of [-1, 7, 16, 1e6]) expect(server.server.issueId(nobody, id, 0)).toBe(false);
  });

  test('confirm themselves with a packet under an id as with any other', () => {
    const { pair, forger, id, server } = forging();
    expect(server.server.isConnected(0)).toBe(true);
    deliver(pair, forger.seal(PACKET_PAYLOAD_WITH_ID, id, Uint8Array.of(7), HOME));
    expect(server.payloads.map((p) => [...p.bytes])).toEqual([[7]]);
  });

  test.each(['kicked', 'timed out'])('are not found by their ids once they are %s', (how) => {
    const { pair, forge, server, world } = forging();
    if (how === 'kicked') server.server.disconnect(0, 'kicked', '', world.now);
    else {
      world.passes = () => false;
      world.run(6 * second);
      expect(server.ended.length).toBe(1);
    }
    deliver(pair, forge(PATH_REQUEST, NOTHING, NEW_PORT));
    expect(server.server.drops.unknownId).toBe(1);
    expect(answers(pair)).toEqual([]);
  });

  test('leave no challenge to the next client of their number', () => {
    const { pair, forge, server, world } = forging();
    deliver(pair, forge(PATH_REQUEST, NOTHING, NEW_PORT));
    const bytes = openedByClient(pair, answers(pair)[0]!).slice(1, 9);
    server.server.disconnect(0, 'kicked', '', world.now);
    world.run(second);
    const next = joined(world, server, at('10.0.0.9', 50000), 9n);
    const id = new Uint8Array(CONNECTION_ID_BYTES);
    expect(server.server.issueId(0, id, 0)).toBe(true);
    const forger = new Forger({ token: next.token, server });
    for (const data of [bytes, NOTHING]) {
      deliver(pair, forger.seal(PACKET_PATH, id, pathData(PATH_RESPONSE, data, id), NEW_PORT));
    }
    expect(server.server.drops.pathResponse).toBe(2);
    expect(sameBytes(server.server.addressOf(0), at('10.0.0.9', 50000))).toBe(true);
  });
});

describe('an address that somebody else has', () => {
  test('two clients that swap their addresses both go on', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const there = at('10.0.0.3', 50000);
    const other = joined(world, server, there, 2n);
    give({ server, client: other.client }, 3, 1);
    [client.address, other.client.address] = [there, HOME];
    expect(world.run(2 * second, () => client.moves.length === 1 && other.client.moves.length === 1)).toBe(true);
    world.run(3 * second);
    expect(sameBytes(server.server.addressOf(0), there)).toBe(true);
    expect(sameBytes(server.server.addressOf(1), HOME)).toBe(true);
    send(client.client, client.tx, 0, Uint8Array.of(1), world.now);
    send(other.client.client, other.client.tx, 0, Uint8Array.of(2), world.now);
    world.run(100_000);
    expect(server.payloads.map((p) => [p.connection, p.bytes[0]])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    // Their ends leave the table as it was.
    client.client.disconnect('closed', '', world.now);
    other.client.client.disconnect('closed', '', world.now);
    world.run(second);
    expect(server.ended.length).toBe(2);
    for (const address of [HOME, there])
      expect(joined(world, server, address, 10n + BigInt(address[15]!)).client.ended).toEqual([]);
  });

  test('goes to the client that proved last that it is there; the one it is taken from times out, alone', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    const there = at('10.0.0.3', 50000);
    const other = joined(world, server, there, 2n); // without ids
    [client.address, other.client.address] = [there, HOME];
    world.run(second);
    expect(sameBytes(server.server.addressOf(0), there)).toBe(true);
    world.run(6 * second);
    expect(server.ended.map((e) => [e.connection, e.reason.code])).toEqual([[1, 'timeout']]);
    expect(client.ended).toEqual([]);
    expect(joined(world, server, at('10.0.0.4', 4), 3n).client.ended).toEqual([]);
  });

  test('is taken from a handshake, whose client asks again from where it is', () => {
    const pair = pairWithIds(3, {}, { handshakesMax: 1 });
    const { world, server, client } = pair;
    const late = world.add(new ClientStation(NEW_PORT));
    late.client.connect(mint(world, { clientId: 5n }, 91), world.now);
    world.passes = (d) => typeOf(d) !== 3; // its response does not come: the handshake stays
    world.run(150_000);
    world.stations.pop();
    client.address = NEW_PORT;
    client.client.rebind(world.now);
    expect(world.run(second, () => client.moves.length > 0)).toBe(true);
    world.passes = () => true;
    late.address = at('10.0.0.2', 50009);
    late.client.connect(mint(world, { clientId: 5n }, 92), world.now);
    world.add(late);
    expect(world.run(2 * second, () => late.connected.length > 0)).toBe(true);
    expect(sameBytes(server.server.addressOf(0), NEW_PORT)).toBe(true);
    expect(client.ended).toEqual([]);
  });

  test('a pending client whose address has gone is refused without taking it back', () => {
    const pair = pairWithIds();
    const { world, server, client } = pair;
    server.onAdmit = () => {};
    const waiting = world.add(new ClientStation(NEW_PORT));
    waiting.client.connect(mint(world, { clientId: 5n }, 91), world.now);
    world.run(second, () => server.admitted.length > 1);
    world.stations.pop();
    client.address = NEW_PORT;
    client.client.rebind(world.now);
    expect(world.run(second, () => client.moves.length > 0)).toBe(true);
    world.run(100_000);
    const drops = { ...server.server.drops };
    server.server.refuse(1, 'no', world.now);
    world.run(3 * second);
    expect(server.server.drops).toEqual(drops);
    expect(server.server.connectionsTaken).toBe(1);
    send(client.client, client.tx, 0, Uint8Array.of(1), world.now);
    world.run(2 * second);
    expect(server.payloads.length).toBe(1);
    expect(client.ended).toEqual([]);
  });
});

describe('a client', () => {
  /** A client in the middle of an attempt, and what the server sent it for it. */
  function asked() {
    const pair = pairWithIds();
    const { world, client } = pair;
    client.address = NEW_PORT;
    client.client.rebind(world.now);
    const caught: Datagram[] = [];
    world.passes = (d) => !(typeOf(d) === 8 && d.from === pair.server.address && caught.push(d) > 0);
    world.run(second, () => caught.length > 0);
    return { ...pair, pair, challenge: caught[0]! };
  }

  test('answers a challenge once, and only from its server', () => {
    const { world, client, challenge } = asked();
    const hear = (d: Datagram) => client.receive([d], world.now, world.unixSeconds);
    hear(fromElsewhere(challenge));
    expect(client.client.drops.unknownAddress).toBe(1);
    hear(challenge);
    hear(challenge);
    expect(client.client.drops.replayed).toBe(1);
    expect(client.turn(world.now).filter((d) => typeOf(d) === 8).length).toBe(1);
  });

  test('does not answer a challenge for an id that it does not send with, nor one that newer packets overtook', () => {
    const { world, client, server, challenge } = asked();
    client.client.rebind(world.now); // another id
    client.receive([challenge], world.now, world.unixSeconds);
    expect(client.client.drops.unknownId).toBe(1);
    const other = asked();
    send(other.server.server, other.server.tx, 0, Uint8Array.of(1), world.now);
    const [newer] = other.server.turn(other.world.now).filter((d) => typeOf(d) === 5);
    other.client.receive([newer!, other.challenge], other.world.now, other.world.unixSeconds);
    expect(other.client.client.drops.pathLate).toBe(1);
    expect(server.moves).toEqual([]);
  });

  test.each([8, 10, 24])('drops a path packet with %i bytes of data before it opens it', (length) => {
    const { world, client, server } = asked();
    const bytes = new Uint8Array(1 + 1 + 8 + length + 16);
    bytes[0] = 0x18;
    client.receive([{ from: server.address, to: client.address, bytes, sentAt: 0 }], world.now, world.unixSeconds);
    expect(client.client.drops.size).toBe(1);
  });
});

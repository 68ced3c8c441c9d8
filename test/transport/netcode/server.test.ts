import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { DatagramBatch, type Micros } from '../../../sys/api.ts';
import { ConfigError } from '../../../transport/config-error.ts';
import { CLIENT_CONNECTED, CLIENT_DENIED, CLIENT_SENDING_RESPONSE } from '../../../transport/netcode/client-states.ts';
import type { NetcodeServerOptions } from '../../../transport/netcode/netcode-server.ts';
import {
  associatedDataOf,
  CLIENT_TAKES,
  PACKET_RESPONSE,
  PacketHeader,
  tokenAssociatedDataOf,
  writeRequest,
} from '../../../transport/netcode/packets.ts';
import { DEVELOPMENT_KEY } from '../../../transport/netcode/server-options.ts';
import { putData, Sessions } from '../../../transport/netcode/sessions.ts';
import { type ConnectToken, type ConnectTokenOptions, readConnectToken } from '../../../transport/netcode/token.ts';
import {
  at,
  ClientStation,
  connectedPair,
  type Datagram,
  fill,
  mint,
  PRIVATE_KEY,
  ServerStation,
  START,
  START_SECONDS,
  seededRng,
  send,
  take,
  World,
} from './world.ts';

const typeOf = (d: Datagram): number => d.bytes[0]! & 15;
const CLIENT = at('10.0.0.2', 50000);
const second = 1_000_000;

/** A world with a server and `count` clients that are about to connect, two seconds after the start. */
function arrivals(count: number, options: ConstructorParameters<typeof ServerStation>[0] = {}, tokens: object = {}) {
  const world = new World();
  world.now += 2 * second;
  const server = world.add(new ServerStation(options));
  const clients = Array.from({ length: count }, (_, i) => {
    const client = world.add(new ClientStation(at('10.0.1.1', 1000 + i)));
    client.client.connect(mint(world, { clientId: BigInt(i + 1), ...tokens }, i), world.now);
    return client;
  });
  return { world, server, clients };
}

describe('admission', () => {
  test('a client that the game has not decided over holds a slot, hears nothing, and gets in when accepted later', () => {
    const { world, server, clients } = arrivals(1);
    server.onAdmit = () => {};
    world.run(second);
    expect(server.admitted).toEqual([0]);
    expect(server.server.isPending(0)).toBe(true);
    expect(server.server.connectionsTaken).toBe(1);
    expect(clients[0]!.client.state).toBe(CLIENT_SENDING_RESPONSE);
    expect(server.server.accept(0, world.now)).toBe(true);
    world.run(200_000);
    expect(server.connected).toEqual([0]);
    expect(clients[0]!.client.state).toBe(CLIENT_CONNECTED);
  });

  test('a refused client learns the text, the slot is free again, and accept comes too late', () => {
    const { world, server, clients } = arrivals(1);
    server.onAdmit = (connection, now) => void server.server.refuse(connection, 'not today', now);
    world.run(second);
    expect(clients[0]!.client.state).toBe(CLIENT_DENIED);
    expect(clients[0]!.ended).toEqual([{ code: 'denied', side: 'remote', text: 'not today' }]);
    expect(server.ended).toEqual([{ connection: 0, reason: { code: 'denied', side: 'local', text: 'not today' } }]);
    expect(server.server.connectionsTaken).toBe(0);
    expect(server.server.accept(0, world.now)).toBe(false);
  });

  test('a refusal that is lost is repeated when the client asks again', () => {
    const { world, server, clients } = arrivals(1);
    server.onAdmit = (connection, now) => void server.server.refuse(connection, 'not today', now);
    let lost = 0;
    world.passes = (d) => !((typeOf(d) === 7 || typeOf(d) === 1) && ++lost <= 4);
    world.run(second);
    expect(lost).toBeGreaterThan(4);
    expect(clients[0]!.ended).toEqual([{ code: 'denied', side: 'remote', text: 'not today' }]);
  });

  test('a client that is never decided over is given up, and its end is told', () => {
    const { world, server } = arrivals(1, { admitTimeoutMicros: 2 * second });
    server.onAdmit = () => {};
    world.run(3 * second);
    expect(server.ended).toEqual([{ connection: 0, reason: { code: 'timeout', side: 'local', text: '' } }]);
    expect(server.server.connectionsTaken).toBe(0);
  });

  test('a client that leaves while it waits frees its slot', () => {
    const { world, server, clients } = arrivals(1);
    server.onAdmit = () => {};
    world.run(second);
    clients[0]!.client.disconnect('closed', 'too slow', world.now);
    world.run(200_000);
    expect(server.ended).toEqual([{ connection: 0, reason: { code: 'closed', side: 'remote', text: 'too slow' } }]);
    expect(server.server.accept(0, world.now)).toBe(false);
  });

  test('when the server is full the next client is denied with a text, and gets in once a slot is free', () => {
    const { world, server, clients } = arrivals(3, { maxClients: 2 });
    world.run(second);
    expect(server.connected.length).toBe(2);
    const denied = clients.find((c) => c.client.state === CLIENT_DENIED)!;
    expect(denied.ended).toEqual([{ code: 'denied', side: 'remote', text: 'the server is full' }]);
    server.server.disconnect(0, 'kicked', '', world.now);
    world.run(second);
    denied.client.connect(mint(world, { clientId: 99n }), world.now);
    world.run(second);
    expect(denied.client.state).toBe(CLIENT_CONNECTED);
  });

  test('a client id that is connected does not get in a second time', () => {
    const { world, server } = arrivals(2, {}, { clientId: 7n });
    world.run(second);
    expect(server.connected).toEqual([0]);
    expect(server.server.drops.requestClientConnected + server.server.drops.responseClientConnected).toBeGreaterThan(0);
  });

  test('connections get the lowest free number, and a number only after its end was told', () => {
    const { world, server, clients } = arrivals(3);
    world.run(second);
    expect([...server.connected].sort()).toEqual([0, 1, 2]);
    const left = clients[1]!;
    left.client.disconnect('closed', '', world.now);
    world.run(second);
    expect(server.ended.length).toBe(1);
    const free = server.ended[0]!.connection;
    left.client.connect(mint(world, { clientId: 50n }, 5), world.now);
    world.run(second);
    expect(server.connected.at(-1)).toBe(free);
  });
});

describe('tokens', () => {
  test('a token that has connected once is spent, also from the same address', () => {
    const { world, server, client } = connectedPair();
    const token = mint(world, { clientId: 2n });
    const again = world.add(new ClientStation(at('10.0.0.3', 1)));
    again.client.connect(token, world.now);
    world.run(second);
    expect(again.client.state).toBe(CLIENT_CONNECTED);
    again.client.disconnect('closed', '', world.now);
    world.run(second);
    again.client.connect(token, world.now);
    world.run(second);
    expect(again.client.state).toBeLessThan(CLIENT_CONNECTED);
    expect(server.server.drops.requestTokenSpent).toBeGreaterThan(5);
    expect(client.client.state).toBe(CLIENT_CONNECTED);
  });

  test('a recorded session cannot be played again', () => {
    const { world, server, client } = connectedPair();
    client.onTransmit = (batch, now) => void send(client.client, batch, 0, Uint8Array.of(1, 2, 3), now);
    world.run(second);
    client.onTransmit = () => {};
    const recorded = world.log.filter((d) => d.from === client.address);
    client.client.disconnect('closed', '', world.now);
    world.run(second);
    const { accepted } = server.server;
    const payloads = server.payloads.length;
    server.receive(recorded, world.now, world.unixSeconds);
    expect(server.turn(world.now)).toEqual([]);
    expect(server.server.accepted).toBe(accepted);
    expect(server.payloads.length).toBe(payloads);
  });

  test('a token that was seen from another address is not answered', () => {
    const { world, server, clients } = arrivals(1);
    server.onAdmit = () => {};
    world.run(100_000);
    const request = world.log.find((d) => d.from === clients[0]!.address)!;
    server.receive([{ ...request, from: at('10.6.6.6', 6) }], world.now, world.unixSeconds);
    expect(server.turn(world.now).filter((d) => d.to[15] === 6)).toEqual([]);
    expect(server.server.drops.requestTokenElsewhere).toBe(1);
  });

  test('a store of spent tokens is asked, and told of every connection', () => {
    const told: [string, number][] = [];
    const spent = new Set<string>();
    const spentTokens = {
      isSpent: (tag: Uint8Array) => spent.has(Buffer.from(tag).toString('hex')),
      spend: (tag: Uint8Array, expires: number) => void told.push([Buffer.from(tag).toString('hex'), expires]),
    };
    const { world, clients } = arrivals(1, { spentTokens });
    const expires = world.unixSeconds + 30;
    world.run(second);
    expect(clients[0]!.client.state).toBe(CLIENT_CONNECTED);
    expect(told.map(([, at]) => at)).toEqual([expires]);
    spent.add(told[0]![0]);
    const restarted = new ServerStation({ spentTokens }, seededRng(9), world.now, world.unixSeconds);
    const request = world.log.find((d) => d.bytes[0] === 0)!;
    restarted.receive([request], world.now, world.unixSeconds);
    expect(restarted.turn(world.now)).toEqual([]);
    expect(restarted.server.drops.requestTokenSpent).toBe(1);
  });

  test('after a start, tokens from before it are denied, and the client learns why', () => {
    const world = new World();
    world.now += 10 * second;
    const token = mint(world);
    world.now += 2 * second;
    const server = world.add(new ServerStation({}, seededRng(1), world.now, world.unixSeconds));
    const client = world.add(new ClientStation(CLIENT));
    client.client.connect(token, world.now);
    world.run(second);
    expect(client.client.state).toBe(CLIENT_DENIED);
    expect(client.ended[0]).toMatchObject({ code: 'token-invalid', side: 'remote' });
    expect(client.ended[0]!.text).toContain('started after this token was made');
    expect(server.server.drops.requestRestart).toBe(1);
    client.client.connect(mint(world), world.now);
    world.run(second);
    expect(client.client.state).toBe(CLIENT_CONNECTED);
  });

  test('with a store, or in development, tokens from before the start are taken', () => {
    const spentTokens = { isSpent: () => false, spend: () => {} };
    const loopback = at('127.0.0.1', 40000);
    const cases: [Partial<NetcodeServerOptions>, Partial<ConnectTokenOptions>][] = [
      [{ spentTokens }, {}],
      [
        { insecure: true, privateKeys: [], publicAddresses: [loopback] },
        { privateKey: DEVELOPMENT_KEY, serverAddresses: [loopback] },
      ],
    ];
    for (const [options, tokens] of cases) {
      const world = new World();
      world.now += 10 * second;
      const token = mint(world, tokens);
      world.now += 2 * second;
      world.add(new ServerStation(options, seededRng(1), world.now, world.unixSeconds));
      const client = world.add(new ClientStation(at('127.0.0.1', 7)));
      client.client.connect(token, world.now);
      world.run(second);
      expect(client.client.state).toBe(CLIENT_CONNECTED);
    }
  });

  test('a token that lives far too long is denied; one that is early by a clock that is ahead gets in when it fits', () => {
    const { world, server, clients } = arrivals(1, {}, { lifetimeSeconds: 45 });
    world.run(second);
    expect(clients[0]!.ended[0]!.text).toContain('lives longer');
    expect(server.server.drops.requestLifetime).toBe(1);
    const ahead = world.add(new ClientStation(CLIENT));
    ahead.client.connect(mint(world, { lifetimeSeconds: 32, clientId: 8n }), world.now);
    world.run(second);
    expect(ahead.client.state).toBeLessThan(CLIENT_CONNECTED);
    world.run(2 * second);
    expect(ahead.client.state).toBe(CLIENT_CONNECTED);
  });

  test('two private keys are taken while one is being replaced, then only the new one', () => {
    const oldKey = new Uint8Array(32).fill(3);
    const { world, server, clients } = arrivals(1, {}, { privateKey: oldKey });
    server.server.setPrivateKeys([PRIVATE_KEY, oldKey]);
    world.run(second);
    expect(clients[0]!.client.state).toBe(CLIENT_CONNECTED);
    server.server.setPrivateKeys([PRIVATE_KEY]);
    const late = world.add(new ClientStation(CLIENT));
    late.client.connect(mint(world, { privateKey: oldKey, clientId: 5n }), world.now);
    world.run(second);
    expect(late.client.state).toBeLessThan(CLIENT_SENDING_RESPONSE);
    expect(server.server.drops.requestForged).toBeGreaterThan(0);
  });

  test('a server in development mode answers loopback addresses only', () => {
    const server = new ServerStation({ insecure: true, privateKeys: [], publicAddresses: [at('127.0.0.1', 40000)] });
    const world = new World();
    const token = mint(world, { privateKey: DEVELOPMENT_KEY, serverAddresses: [at('127.0.0.1', 40000)] });
    const hosts: [string, number][] = [
      ['127.0.0.1', 1],
      ['127.9.9.9', 1],
      ['::1', 1],
      ['10.0.0.2', 0],
      ['fe80::1', 0],
    ];
    for (const [index, [host, answers]] of hosts.entries()) {
      const client = new ClientStation(at(host, 1000 + index));
      client.client.connect(index === 0 ? token : mint(world, mintable(), index), START);
      server.receive(client.turn(START), START, START_SECONDS);
      expect(server.turn(START).length, host).toBe(answers);
    }
    function mintable() {
      return { privateKey: DEVELOPMENT_KEY, serverAddresses: [at('127.0.0.1', 40000)] };
    }
    expect(server.server.drops.requestNotLoopback).toBe(2);
  });

  test('a token for another server is not answered', () => {
    const { world, server } = arrivals(1, {}, { internalAddresses: [at('10.0.0.1', 40001)] });
    world.run(second);
    expect(server.server.drops.requestWrongServer).toBeGreaterThan(0);
    expect(server.server.accepted).toBe(0);
  });

  test('an expired token is not opened', () => {
    const { world, server, clients } = arrivals(1);
    world.run(50_000);
    const request = world.log.find((d) => d.from === clients[0]!.address)!;
    const opens = server.server.tokenOpens;
    server.receive([{ ...request, from: CLIENT }], world.now, world.unixSeconds + 30);
    expect(server.server.drops.requestExpired).toBe(1);
    expect(server.server.tokenOpens).toBe(opens);
  });

  test('a repeated request is answered again after 50 ms and not sooner, and its token is opened once', () => {
    const { world, server, clients } = arrivals(1);
    const [request] = clients[0]!.turn(world.now);
    let now: Micros = world.now;
    const answers = [0, 10_000, 49_999, 50_000, 60_000, 100_000].map((after) => {
      now = world.now + after;
      server.receive([request!], now, world.unixSeconds);
      return server.turn(now).length;
    });
    expect(answers).toEqual([1, 0, 0, 1, 0, 1]);
    expect(server.server.tokenOpens).toBe(1);
    expect(server.server.drops.requestRepeated).toBe(3);
  });
});

/** A client that is played by hand: what it wants, sealed with its token's keys. */
class Hand {
  readonly #token: ConnectToken;
  readonly #aead = chooseAead(1, 2048);
  readonly #sessions = new Sessions(1, 1, 256, this.#aead);
  readonly #batch = DatagramBatch.allocate(1, 2048);

  constructor(token: ConnectToken) {
    this.#token = token;
    this.#sessions.setKeys(0, token.clientToServerKey, token.serverToClientKey, associatedDataOf(token.protocolId));
  }

  request(from: Uint8Array): Datagram {
    const { protocolId, expires, nonce, privateToken } = this.#token;
    const bytes = new Uint8Array(1078);
    writeRequest(bytes, 0, tokenAssociatedDataOf(protocolId, expires), nonce, privateToken);
    return { from, to: from, bytes, sentAt: 0 };
  }

  seal(type: number, data: Uint8Array, from: Uint8Array): Datagram {
    this.#batch.count = 0;
    putData(this.#batch, data);
    this.#sessions.writePacket(this.#batch, 0, type, 0);
    return { ...take(this.#batch, from, 0)[0]!, from };
  }

  open(datagram: Datagram): Uint8Array {
    fill(this.#batch, [datagram]);
    const header = new PacketHeader();
    const start = this.#batch.offset[0]!;
    expect(header.parse(this.#batch.arena, start, this.#batch.length[0]!, CLIENT_TAKES)).toBe(0);
    expect(this.#sessions.openPacket(this.#batch, 0, header, 0)).toBe(0);
    return this.#aead.plaintext.slice(0, header.dataBytes);
  }
}

describe('challenges', () => {
  test('a challenge given to one client does not let another one in', () => {
    const world = new World();
    const server = world.add(new ServerStation());
    const tokens = [1, 2].map((id) => readConnectToken(mint(world, { clientId: BigInt(id) }, id))!);
    const [a, b] = tokens.map((token) => new Hand(token));
    server.receive([a!.request(CLIENT), b!.request(at('10.0.0.3', 1))], world.now, world.unixSeconds);
    const [challengeA, challengeB] = server.turn(world.now);
    const dataA = a!.open(challengeA!);
    const dataB = b!.open(challengeB!);
    world.now += 50_000;
    server.receive([b!.seal(PACKET_RESPONSE, dataA, at('10.0.0.3', 1))], world.now, world.unixSeconds);
    expect(server.server.drops.responseChallenge).toBe(1);
    expect(server.admitted).toEqual([]);
    world.now += 50_000;
    server.receive([b!.seal(PACKET_RESPONSE, dataB, at('10.0.0.3', 1))], world.now, world.unixSeconds);
    expect(server.admitted).toEqual([0]);
    expect(server.server.clientIdOf(0)).toBe(2n);
  });

  test('a challenge of an earlier handshake of the same address does not count in the next one', () => {
    const world = new World();
    const server = world.add(new ServerStation());
    const first = new Hand(readConnectToken(mint(world, {}, 1))!);
    const second = new Hand(readConnectToken(mint(world, {}, 2))!);
    server.receive([first.request(CLIENT)], world.now, world.unixSeconds);
    const old = first.open(server.turn(world.now)[0]!);
    server.receive([second.request(CLIENT)], world.now, world.unixSeconds);
    expect(server.turn(world.now).length).toBe(1);
    server.receive([second.seal(PACKET_RESPONSE, old, CLIENT)], world.now, world.unixSeconds);
    expect(server.server.drops.responseChallenge).toBe(1);
  });

  test('responses are opened at most every 10 ms for each handshake', () => {
    const world = new World();
    const server = world.add(new ServerStation());
    const hand = new Hand(readConnectToken(mint(world))!);
    server.receive([hand.request(CLIENT)], world.now, world.unixSeconds);
    server.turn(world.now);
    const wrong = hand.seal(PACKET_RESPONSE, new Uint8Array(308), CLIENT);
    for (let i = 0; i < 100; i++) server.receive([wrong], world.now + i * 1000, world.unixSeconds);
    expect(server.server.drops.responseChallenge).toBe(10);
    expect(server.server.drops.responseRepeated).toBe(90);
  });

  test('handshakes beyond the limit are not answered until others are given up', () => {
    const { world, server, clients } = arrivals(5, { handshakesMax: 3 }, { timeoutSeconds: 2 });
    world.passes = (d) => typeOf(d) !== 3; // responses never arrive
    world.run(100_000);
    expect(server.server.drops.requestTableFull).toBeGreaterThan(0);
    expect(clients.filter((c) => c.client.state === CLIENT_SENDING_RESPONSE).length).toBe(3);
  });
});

describe('timers', () => {
  test('an idle connection gets ten keep-alives a second from each side and stays', () => {
    const { world, server, client } = connectedPair();
    const before = world.log.length;
    world.run(10 * second);
    const idle = world.log.slice(before);
    for (const side of [server.address, client.address]) {
      const count = idle.filter((d) => d.from === side && typeOf(d) === 4).length;
      expect(count).toBeGreaterThan(80);
      expect(count).toBeLessThanOrEqual(101);
    }
    expect(client.client.state).toBe(CLIENT_CONNECTED);
  });

  test('no keep-alive is sent while payloads are', () => {
    const { world, server } = connectedPair();
    server.onTransmit = (batch, now) => void send(server.server, batch, 0, Uint8Array.of(1), now);
    world.run(100_000);
    const before = world.log.length;
    world.run(2 * second);
    const types = world.log
      .slice(before)
      .filter((d) => d.from === server.address)
      .map(typeOf);
    expect(types.length).toBeGreaterThan(100);
    expect(new Set(types)).toEqual(new Set([5]));
  });

  test("a silent client is given up after the token's timeout, without a word to it", () => {
    const { world, server, client } = connectedPair();
    world.passes = (d) => d.from !== client.address;
    const silentFrom = world.now;
    world.run(20 * second, () => server.ended.length > 0);
    expect(server.ended).toEqual([{ connection: 0, reason: { code: 'timeout', side: 'local', text: '' } }]);
    expect(world.now - silentFrom).toBeGreaterThan(4.8 * second);
    expect(world.now - silentFrom).toBeLessThan(5.3 * second);
    const before = world.log.length;
    world.run(second);
    expect(world.log.slice(before).filter((d) => d.from === server.address)).toEqual([]);
  });

  test('a token with a negative timeout never times out', () => {
    const { world, server, clients } = arrivals(1, {}, { timeoutSeconds: -1 });
    world.run(second);
    world.passes = () => false;
    world.run(60 * second);
    expect(server.ended).toEqual([]);
    expect(clients[0]!.client.state).toBe(CLIENT_CONNECTED);
  });

  test('with nobody there, there is nothing to do', () => {
    const server = new ServerStation();
    expect(server.server.deadline()).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('with idle connections the deadline is ahead, once the turn is done', () => {
    const { world, server } = connectedPair();
    for (let i = 0; i < 100; i++) {
      world.turn();
      expect(server.server.deadline()).toBeGreaterThan(world.now);
      expect(server.server.deadline()).toBeLessThan(world.now + 300_000);
    }
  });
});

describe('sending', () => {
  test('until the client has confirmed, every payload has a keep-alive before it', () => {
    const { world, server, clients } = arrivals(1);
    const silenced = clients[0]!;
    world.run(second, () => server.connected.length > 0);
    world.passes = (d) => d.from !== silenced.address;
    server.onTransmit = (batch, now) => {
      for (let i = 0; i < 3; i++) send(server.server, batch, 0, Uint8Array.of(9), now);
    };
    const before = world.log.length;
    world.run(60_000);
    const types = world.log
      .slice(before)
      .filter((d) => d.from === server.address)
      .map(typeOf);
    for (let i = 0; i < types.length; i++) if (types[i] === 5) expect(types[i - 1]).toBe(4);
    expect(silenced.payloads.length).toBeGreaterThan(0);
    expect(silenced.payloads.every((p) => p.bytes.length === 1 && p.bytes[0] === 9)).toBe(true);
  });

  test('nothing is written for a connection that does not exist', () => {
    const { world, server } = connectedPair();
    for (const connection of [-1, 1, 15, 16, 300, 1e9]) {
      expect(send(server.server, server.tx, connection, Uint8Array.of(1), world.now)).toBe(false);
      expect(server.server.isConnected(connection)).toBe(false);
    }
    expect(server.tx.count).toBe(0);
  });

  test('a disconnect sends three reasons and ten disconnects with different numbers, through a batch of four slots too', () => {
    const world = new World();
    world.now += 2 * second;
    const server = world.add(new ServerStation({}, seededRng(1), START, START_SECONDS, 4));
    const client = world.add(new ClientStation(CLIENT));
    client.client.connect(mint(world), world.now);
    world.run(second);
    const before = world.log.length;
    server.server.disconnect(0, 'kicked', 'x', world.now);
    world.run(50_000);
    const farewell = world.log.slice(before).filter((d) => d.from === server.address && typeOf(d) >= 6);
    expect(farewell.map(typeOf)).toEqual([7, 7, 7, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6]);
    expect(new Set(farewell.map((d) => Buffer.from(d.bytes.slice(0, 9)).toString('hex'))).size).toBe(13);
    expect(client.ended).toEqual([{ code: 'kicked', side: 'remote', text: 'x' }]);
  });

  test('disconnectAll ends every connection and refuses those that wait', () => {
    const { world, server, clients } = arrivals(4);
    server.onAdmit = (connection, now) => {
      if (connection < 3) server.server.accept(connection, now);
    };
    world.run(second);
    server.server.disconnectAll('shutdown', 'good night', world.now);
    world.run(second);
    expect(server.server.connectionsTaken).toBe(0);
    const codes = clients.map((c) => `${c.ended[0]!.code} ${c.ended[0]!.text}`).sort();
    expect(codes).toEqual(['denied good night', ...new Array(3).fill('shutdown good night')]);
  });

  test('a game that throws in a callback is not told the same again', () => {
    const { world, server, client } = connectedPair();
    client.onTransmit = (batch, now) => {
      for (const byte of [1, 2, 3]) send(client.client, batch, 0, Uint8Array.of(byte), now);
    };
    const batch = DatagramBatch.allocate(8, 2048);
    fill(batch, client.turn(world.now));
    server.server.receive(batch, world.now, world.unixSeconds);
    const told: number[] = [];
    const sink = {
      admit: () => {},
      connect: () => {},
      resume: () => {},
      path: () => {},
      disconnect: () => {},
      payload: (_connection: number, bytes: Uint8Array, offset: number) => {
        told.push(bytes[offset]!);
        if (bytes[offset] === 2) throw new Error('the game is wrong');
      },
    };
    expect(() => server.server.drain(sink, 0)).toThrow('the game is wrong');
    server.server.drain(sink, 0);
    expect(told).toEqual([1, 2, 3]);
  });

  test('a text is cut to 255 bytes between characters', () => {
    const { world, server, client } = connectedPair();
    server.server.disconnect(0, 'kicked', 'ä'.repeat(200), world.now);
    world.run(100_000);
    expect(client.ended[0]!.text).toBe('ä'.repeat(127));
  });
});

describe('options', () => {
  test.each<[string, object]>([
    ['maxClients', { maxClients: 0 }],
    ['maxClients', { maxClients: 16_385 }],
    ['privateKeys', { privateKeys: [] }],
    ['privateKeys', { privateKeys: [PRIVATE_KEY, PRIVATE_KEY, PRIVATE_KEY] }],
    ['privateKeys', { privateKeys: [new Uint8Array(32)] }],
    ['privateKeys', { privateKeys: [new Uint8Array(16).fill(1)] }],
    ['publicAddresses', { publicAddresses: [new Uint8Array(23)] }],
    ['replayWindowSize', { replayWindowSize: 300 }],
    ['tokenLifetimeMaxSeconds', { tokenLifetimeMaxSeconds: 0 }],
    ['tokenLifetimeMaxSeconds', { tokenLifetimeMaxSeconds: Number.POSITIVE_INFINITY }],
    ['tokenOpensPerSecondMax', { tokenOpensPerSecondMax: 0 }],
    ['handshakesMax', { handshakesMax: 0 }],
    ['tokenHistoryMax', { tokenHistoryMax: 1e6 }],
    ['protocolId', { protocolId: -1n }],
  ])('a wrong %s is refused by name', (field, options) => {
    expect(() => new ServerStation(options)).toThrow(ConfigError);
    expect(() => new ServerStation(options)).toThrow(`option '${field}'`);
  });
});

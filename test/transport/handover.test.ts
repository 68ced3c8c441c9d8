// A connection that goes from one endpoint to another, byte by byte: two servers and a client over a lossy network of the test's own.

import { describe, expect, it } from 'vitest';
import { chooseAead } from '../../sys/aead/choose.ts';
import { DatagramBatch, type Micros } from '../../sys/api.ts';
import {
  ChannelSet,
  type ChannelSpec,
  LATEST_STATE,
  RELIABLE_ORDERED,
  RELIABLE_SEQUENCED,
  RELIABLE_UNORDERED,
  TICK_INPUT,
  UNRELIABLE,
  UNRELIABLE_SEQUENCED,
} from '../../transport/channel/channel-set.ts';
import { CLIENT_SPARE_BYTES, ClientEndpoint } from '../../transport/client-endpoint.ts';
import { CONNECTION_ID_BYTES, PACKET_PATH } from '../../transport/netcode/packets.ts';
import { sessionRows } from '../../transport/netcode/server-options.ts';
import { LEAP, SessionLedger } from '../../transport/netcode/session-ledger.ts';
import { mintConnectToken } from '../../transport/netcode/token.ts';
import { ServerEndpoint, serverSpareBytes } from '../../transport/server-endpoint.ts';
import { at, type Datagram, fill, key, PRIVATE_KEY, PROTOCOL_ID, START, seededRng, take } from './netcode/world.ts';

const TURN: Micros = 4_000;
const LATENCY: Micros = 20_000;
const PORT = at('10.0.0.1', 40000);
const MAX_CLIENTS = 4;

const KINDS: Record<string, number> = {
  chat: RELIABLE_ORDERED,
  events: RELIABLE_UNORDERED,
  pose: UNRELIABLE_SEQUENCED,
  shots: UNRELIABLE,
  state: RELIABLE_SEQUENCED,
  things: LATEST_STATE,
  ticks: TICK_INPUT,
};
const channels = (names = KINDS) =>
  new ChannelSet(
    Object.entries(names).map(
      ([name, kind]): ChannelSpec => ({
        name,
        kind,
        priority: 1,
        weight: 1,
        bulk: false,
        messageBytesMax: kind === TICK_INPUT ? 64 : 20_000,
        keysMax: 16,
        inputs: 4,
      }),
    ),
  );

/** An endpoint with memory for its packets, and what it was told. */
class Place {
  readonly got: string[] = [];
  readonly events: string[] = [];
  readonly tx: DatagramBatch;
  readonly rx: DatagramBatch = DatagramBatch.allocate(64, 2048);
  endpoint!: ServerEndpoint | ClientEndpoint;
  constructor(spareBytes: number) {
    this.tx = DatagramBatch.allocate(64, 2048, {}, spareBytes);
  }

  readonly sink = {
    admit: (c: number): void => void (this.endpoint as ServerEndpoint).netcode.accept(c, this.now),
    connect: (c: number): void => void this.events.push(`connect ${c}`),
    path: (): void => void this.events.push('path'),
    message: (_c: number, channel: number, bytes: Uint8Array, offset: number, length: number, tag: number): void => {
      const text = new TextDecoder().decode(bytes.subarray(offset, offset + Math.min(length, 16)));
      this.got.push(`${channel}:${tag}:${text.trim()}:${length}`);
    },
    receipt: (_c: number, receipt: number, fate: number): void => void this.events.push(`receipt ${receipt} ${fate}`),
    writable: (): void => {},
    blackHole: (): void => {},
    disconnect: (...args: unknown[]): void => void this.events.push(`end ${JSON.stringify(args.at(-1))}`),
  };
  now: Micros = 0;

  receive(datagrams: readonly Datagram[]): void {
    for (let i = 0; i < datagrams.length; i += 64) {
      fill(this.rx, datagrams.slice(i, i + 64));
      this.endpoint.receive(this.rx, this.now, 0);
      this.endpoint.drain(this.sink as never, this.now);
    }
  }

  turn(from: Uint8Array): Datagram[] {
    this.endpoint.drain(this.sink as never, this.now);
    this.endpoint.advance(this.now);
    this.endpoint.drain(this.sink as never, this.now);
    const sent: Datagram[] = [];
    do {
      this.endpoint.transmit(this.tx, this.now);
      if (this.tx.count === 0) break;
      sent.push(...take(this.tx, from, this.now));
    } while (this.tx.count === 0);
    return sent;
  }

  send(channel: number, text: string, length = text.length, tag = 0): boolean {
    const { pool } = this.endpoint.connections;
    const block = pool.take(Math.max(1, length));
    const bytes = new TextEncoder().encode(text.padEnd(length));
    pool.copyIn(block, 0, new DataView(bytes.buffer), 0, length);
    const queued = this.endpoint.connections.send(0, channel, block, length, tag, 0, 0, this.now);
    pool.release(block);
    return queued;
  }
}

/** Two workers on one port, and a client that the first has by the hash of its address. */
class Group {
  now: Micros = START;
  readonly set = channels();
  readonly a: Place;
  readonly b: Place;
  readonly client: Place = new Place(CLIENT_SPARE_BYTES);
  readonly clientAddress = at('10.0.1.1', 1111);
  /** Whose session it is. */
  owner: Place;
  /** Datagrams that came to the first worker and were passed on. */
  strays = 0;
  readonly #flying: (Datagram & { arrives: Micros })[] = [];
  readonly #rng = seededRng(9);
  loss = 0;

  constructor(setB = this.set) {
    this.a = this.#worker(0, this.set, true);
    this.b = this.#worker(1, setB, false);
    this.owner = this.a;
    this.client.endpoint = new ClientEndpoint(
      { protocolId: PROTOCOL_ID, channels: this.set } as never,
      chooseAead(64, 2048),
      seededRng(3),
      this.client.tx,
    );
    const token = mintConnectToken(
      {
        protocolId: PROTOCOL_ID,
        privateKey: PRIVATE_KEY,
        clientId: 5n,
        serverAddresses: [PORT],
        userData: new TextEncoder().encode('a blue hat'),
      },
      chooseAead(1, 2048),
      seededRng(4),
      0,
    );
    (this.client.endpoint as ClientEndpoint).connect(token, this.now);
  }

  #worker(workerNumber: number, set: ChannelSet, passesOn: boolean): Place {
    const place = new Place(serverSpareBytes(MAX_CLIENTS));
    place.endpoint = new ServerEndpoint(
      {
        protocolId: PROTOCOL_ID,
        privateKeys: [PRIVATE_KEY],
        publicAddresses: [PORT],
        maxClients: MAX_CLIENTS,
        channels: set,
        workerNumber,
        ledger: new SessionLedger(sessionRows({ maxClients: MAX_CLIENTS })),
        tokenLifetimeMaxSeconds: 30,
        spentTokens: { isSpent: () => false, spend: () => true },
        ...(passesOn ? { strays: { take: (batch: DatagramBatch, slot: number) => this.#passOn(batch, slot) } } : {}),
      } as never,
      chooseAead(64, 2048),
      seededRng(10 + workerNumber),
      this.now,
      0,
      place.tx,
    );
    return place;
  }

  #passOn(batch: DatagramBatch, slot: number): boolean {
    if (this.owner === this.a) return false;
    this.strays++;
    const start = batch.offset[slot]!;
    const bytes = batch.arena.slice(start, start + batch.length[slot]!);
    this.#strayed.push({ from: batch.address.slice(slot * 24, slot * 24 + 24), to: PORT, bytes, sentAt: this.now });
    return true;
  }
  readonly #strayed: Datagram[] = [];

  run(micros: Micros): void {
    const end = this.now + micros;
    for (; this.now < end; this.now += TURN) {
      for (const place of [this.a, this.b, this.client]) place.now = this.now;
      const due = this.#flying.filter(({ arrives }) => arrives <= this.now);
      for (const datagram of due) this.#flying.splice(this.#flying.indexOf(datagram), 1);
      const leadsToB = ({ bytes }: Datagram) => {
        const type = bytes[0]! & 15;
        return type >= PACKET_PATH && bytes[1 + (bytes[0]! >> 4)] === 1 && bytes.length > CONNECTION_ID_BYTES;
      };
      const toServer = due.filter(({ to }) => key(to) === key(PORT));
      this.a.receive(toServer.filter((datagram) => !leadsToB(datagram)));
      this.b.receive([...this.#strayed.splice(0), ...toServer.filter(leadsToB)]);
      this.client.receive(due.filter(({ to }) => key(to) === key(this.clientAddress)));
      for (const place of [this.a, this.b]) this.#fly(place.turn(PORT));
      this.#fly(this.client.turn(this.clientAddress));
    }
  }

  #fly(datagrams: readonly Datagram[]): void {
    for (const datagram of datagrams) {
      if (this.#rng.u32() / 2 ** 32 < this.loss) continue;
      this.#flying.push({ ...datagram, arrives: this.now + LATENCY });
    }
  }

  get endpoints(): { a: ServerEndpoint; b: ServerEndpoint } {
    return { a: this.a.endpoint as ServerEndpoint, b: this.b.endpoint as ServerEndpoint };
  }

  /** Asks the first worker to hand the client over, and the second to take it, as soon as it is quiet. */
  handOver(): { outcome: string; number: number; bytes: Uint8Array } {
    const result: { outcome: string; number: number; bytes: Uint8Array } = {
      outcome: 'waits',
      number: -1,
      bytes: new Uint8Array(0),
    };
    const { a, b } = this.endpoints;
    a.depart(
      0,
      this.now + 3_000_000,
      () => true,
      (departure) => {
        result.outcome = departure;
        if (departure !== 'quiet') return;
        result.bytes = a.handOver(0, this.a.now);
        result.number = b.takeOver(result.bytes, -1, 0, this.a.now);
        if (result.number < 0) return;
        this.owner = this.b;
        a.release(0);
      },
    );
    return result;
  }
}

const NAMES = Object.keys(KINDS).sort();
const CHAT = NAMES.indexOf('chat');
const EVENTS = NAMES.indexOf('events');

/** What of the client's messages on a channel the two workers got, in order. */
const textsOf = (got: readonly string[], channel: number): string[] =>
  got.filter((one) => one.startsWith(`${channel}:`)).map((one) => one.split(':')[2]!);

describe('a connection that is handed over', () => {
  it.each([0, 0.05, 0.2])('loses no message in either direction, and repeats none, at a loss of %d', (loss) => {
    const group = new Group();
    group.run(1_000_000);
    expect(group.a.events).toEqual(['connect 0']);
    group.loss = loss;
    let said = 0;
    const talk = (turns: number): void => {
      for (let i = 0; i < turns; i++) {
        said++;
        expect(group.client.send(CHAT, `c${said}`, said % 9 === 0 ? 3000 : 8)).toBe(true);
        expect(group.client.send(EVENTS, `e${said}`, 8)).toBe(true);
        group.client.send(NAMES.indexOf('shots'), `s${said}`);
        group.client.send(NAMES.indexOf('ticks'), `t${said}`, 8, said);
        group.client.send(NAMES.indexOf('things'), `k${said}`, 8, said % 5);
        group.run(20_000);
      }
    };
    let told = 0;
    const tell = (place: Place): void => void (++told && place.send(CHAT, `t${told}`));
    for (let i = 0; i < 20; i++) tell(group.a);
    talk(30);
    const handed = group.handOver();
    for (let i = 0; i < 200 && handed.outcome === 'waits'; i++) {
      tell(group.owner); // waits, and goes along
      talk(1);
    }
    expect(handed).toMatchObject({ outcome: 'quiet', number: 0 });
    const before = group.a.got.length;
    for (let i = 0; i < 20; i++) tell(group.b);
    talk(60);
    group.loss = 0;
    group.run(3_000_000);
    expect(group.a.got.length).toBe(before); // from then on everything is the other's
    expect(group.b.got.length).toBeGreaterThan(60);
    const all = [...group.a.got, ...group.b.got];
    const numbers = Array.from({ length: said }, (_, i) => i + 1);
    expect(textsOf(all, CHAT)).toEqual(numbers.map((n) => `c${n}`));
    expect(textsOf(all, EVENTS).sort()).toEqual(numbers.map((n) => `e${n}`).sort());
    expect(told).toBeGreaterThan(40);
    expect(textsOf(group.client.got, CHAT)).toEqual(Array.from({ length: told }, (_, i) => `t${i + 1}`));
    const ticks = textsOf(all, NAMES.indexOf('ticks'));
    expect(new Set(ticks).size).toBe(ticks.length);
    if (loss === 0) {
      expect(textsOf(all, NAMES.indexOf('shots'))).toEqual(numbers.map((n) => `s${n}`));
      expect(ticks).toEqual(numbers.map((n) => `t${n}`));
    }
    for (const place of [group.a, group.b]) expect(place.events.filter((event) => event.startsWith('end'))).toEqual([]);
    expect(group.client.events).toEqual(['connect 0']);
  });

  it('goes on under an id of the other worker, and then nothing comes by way of the first', () => {
    const group = new Group();
    group.run(1_000_000);
    const handed = group.handOver();
    group.run(300_000);
    expect(handed.outcome).toBe('quiet');
    for (let i = 0; i < 50; i++) {
      group.client.send(CHAT, `c${i}`);
      group.run(20_000);
    }
    expect(group.strays).toBeGreaterThan(0);
    const before = group.strays;
    for (let i = 50; i < 100; i++) {
      group.client.send(CHAT, `c${i}`);
      group.run(20_000);
    }
    expect(group.strays).toBe(before);
    group.run(200_000);
    expect(group.b.got).toHaveLength(100);
    expect(group.b.events).toEqual([]); // its address is the same: no `path` is told
    const { b } = group.endpoints;
    expect(new TextDecoder().decode(b.netcode.userDataOf(0).subarray(0, 10))).toBe('a blue hat');
    expect(b.netcode.clientIdOf(0)).toBe(5n);
  });

  it('does not go while something is half there, and says when that took too long', () => {
    const group = new Group();
    group.run(1_000_000);
    group.loss = 1;
    group.client.send(CHAT, 'lost');
    group.run(TURN);
    group.loss = 0;
    group.client.send(CHAT, 'behind it');
    group.run(TURN);
    group.loss = 1;
    group.run(LATENCY);
    expect(group.endpoints.a.connections.incoming.messagesHeld).toBe(1);
    const handed = group.handOver();
    group.run(2_900_000);
    expect(handed.outcome).toBe('waits');
    group.run(200_000);
    expect(handed.outcome).toBe('late');
    group.loss = 0;
    group.run(4_000_000);
    expect(textsOf(group.a.got, CHAT)).toEqual(['lost', 'behind it']);
  });

  it('is told when it ends first', () => {
    const group = new Group();
    group.run(1_000_000);
    group.a.send(CHAT, 'x');
    const handed = group.handOver();
    group.endpoints.a.netcode.disconnect(0, 'kicked', 'out', group.now);
    group.run(100_000);
    expect(handed.outcome).toBe('ended');
  });

  it('comes back where the other one does not take it, with numbers left out that it may have used', () => {
    const group = new Group(channels({ ...KINDS, other: UNRELIABLE }));
    group.run(1_000_000);
    const handed = group.handOver();
    group.run(300_000);
    expect(handed).toMatchObject({ outcome: 'quiet', number: -1 });
    const { a } = group.endpoints;
    const { writtenNumber } = a.netcode;
    const last = writtenNumber[0]!;
    expect(a.takeOver(handed.bytes, 0, LEAP, group.now)).toBe(0);
    for (let i = 0; i < 10; i++) {
      group.client.send(CHAT, `c${i}`);
      group.a.send(CHAT, `t${i}`);
      group.run(20_000);
    }
    group.run(200_000);
    expect(writtenNumber[0]!).toBeGreaterThan(last + LEAP);
    expect(group.a.got).toHaveLength(10);
    expect(group.client.got).toHaveLength(10);
  });

  it('is refused where its client has a connection, and where all are taken', () => {
    const group = new Group();
    group.run(1_000_000);
    const handed = group.handOver();
    group.run(300_000);
    expect(handed.number).toBe(0);
    expect(group.endpoints.b.takeOver(handed.bytes, -1, 0, group.now)).toBe(-1);
    const clientIdAt = 4;
    for (let i = 1; i < MAX_CLIENTS; i++) {
      const other = handed.bytes.slice();
      other[clientIdAt] = 100 + i;
      expect(group.endpoints.b.takeOver(other, -1, 0, group.now)).toBe(i);
    }
    const another = handed.bytes.slice();
    another[clientIdAt] = 200;
    expect(group.endpoints.b.takeOver(another, -1, 0, group.now)).toBe(-1);
  });

  it('is refused where there is no room for what waits for it, and nothing is left of it there', () => {
    const group = new Group();
    group.run(1_000_000);
    const { b } = group.endpoints;
    const { pool } = b.connections;
    const taken: number[] = [];
    for (let bytes = 1 << 20; bytes >= 64; bytes >>= 1) {
      for (let block = pool.take(bytes); block >= 0; block = pool.take(bytes)) taken.push(block);
    }
    const handed = group.handOver();
    group.a.send(CHAT, 'waits');
    group.run(300_000);
    expect(handed).toMatchObject({ outcome: 'quiet', number: -1 });
    expect(b.netcode.connectionsTaken).toBe(0);
    for (const block of taken) pool.release(block);
    expect(group.endpoints.a.takeOver(handed.bytes, 0, 0, group.now)).toBe(0);
    group.run(300_000);
    expect(textsOf(group.client.got, CHAT)).toEqual(['waits']);
  });
});

/**
 * A small network for netcode tests: endpoints, a virtual clock and datagrams that take their time. No sockets.
 *
 * Every turn (16,667 us by default) each endpoint receives what has arrived, drains, advances and transmits, as in the
 * engine's loop.
 */

import { chooseAead } from '../../../sys/aead/choose.ts';
import { ADDRESS_BYTES, type Aead, addressOf, DatagramBatch, type Micros, type Rng } from '../../../sys/api.ts';
import type { DisconnectReason } from '../../../transport/endpoint.ts';
import { NetcodeClient, type NetcodeClientOptions } from '../../../transport/netcode/netcode-client.ts';
import { NetcodeServer, type NetcodeServerOptions } from '../../../transport/netcode/netcode-server.ts';
import { type ConnectTokenOptions, mintConnectToken } from '../../../transport/netcode/token.ts';

export const SLOTS = 64;
export const SLOT_BYTES = 2048;
export const PROTOCOL_ID = 0x1122334455667788n;
export const PRIVATE_KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
/** Above 2^32 us, so that nothing works only because times are small. */
export const START: Micros = 5_000_000_000;
export const START_SECONDS = 1_800_000_000;

/** Chance from a seed (mulberry32). */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  const u32 = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    u32,
    fill: (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = u32();
    },
  };
}

/** The canonical bytes of a numeric address that is known to be right. */
export function at(host: string, port: number): Uint8Array {
  const address = addressOf(host, port);
  if (address === null) throw new Error(`${host} is no address`);
  return address;
}

/** One datagram on its way. */
export interface Datagram {
  readonly from: Uint8Array;
  readonly to: Uint8Array;
  readonly bytes: Uint8Array;
  readonly sentAt: Micros;
}

/** Puts datagrams into a batch as if they had been received. */
export function fill(batch: DatagramBatch, datagrams: readonly Datagram[]): void {
  batch.count = 0;
  for (const { from, bytes } of datagrams) {
    const slot = batch.count++;
    batch.offset[slot] = batch.home(slot);
    batch.length[slot] = bytes.length;
    batch.arena.set(bytes, batch.home(slot));
    batch.address.set(from, slot * ADDRESS_BYTES);
  }
}

/** Copies what an endpoint wrote and empties the batch, as a socket's flush does. */
export function take(batch: DatagramBatch, from: Uint8Array, sentAt: Micros): Datagram[] {
  const datagrams: Datagram[] = [];
  for (let slot = 0; slot < batch.count; slot++) {
    const start = batch.offset[slot]!;
    datagrams.push({
      from,
      to: batch.address.slice(slot * ADDRESS_BYTES, (slot + 1) * ADDRESS_BYTES),
      bytes: batch.arena.slice(start, start + batch.length[slot]!),
      sentAt,
    });
  }
  batch.count = 0;
  return datagrams;
}

export const key = (address: Uint8Array): string => Buffer.from(address).toString('hex');

/** An endpoint with its address and what it was told. */
export interface Station {
  readonly address: Uint8Array;
  receive(datagrams: readonly Datagram[], now: Micros, unixSeconds: number): void;
  /** Drain, advance, drain, transmit: what it sends. */
  turn(now: Micros): Datagram[];
}

export class ServerStation implements Station {
  readonly address: Uint8Array;
  readonly server: NetcodeServer;
  readonly aead: Aead;
  readonly tx: DatagramBatch;
  readonly admitted: number[] = [];
  readonly connected: number[] = [];
  readonly ended: { connection: number; reason: DisconnectReason }[] = [];
  readonly resumed: { connection: number; payloadsBefore: number }[] = [];
  readonly moves: { connection: number; hostChanged: boolean; payloadsBefore: number }[] = [];
  readonly payloads: { connection: number; bytes: Uint8Array; number: number }[] = [];
  /** What the game does when a client asks to come in. */
  onAdmit: (connection: number, now: Micros) => void = (connection, now) => void this.server.accept(connection, now);
  /** What the game wants to send each turn, before the endpoint's own packets. */
  onTransmit: (batch: DatagramBatch, now: Micros) => void = () => {};
  readonly #rx = DatagramBatch.allocate(SLOTS, SLOT_BYTES);

  constructor(
    options: Partial<NetcodeServerOptions> = {},
    rng: Rng = seededRng(1),
    now: Micros = START,
    unixSeconds: number = START_SECONDS,
    txSlots: number = SLOTS,
  ) {
    this.aead = chooseAead(SLOTS, SLOT_BYTES);
    const publicAddresses = options.publicAddresses ?? [at('10.0.0.1', 40000)];
    this.address = publicAddresses[0]!;
    this.tx = DatagramBatch.allocate(txSlots, SLOT_BYTES);
    this.server = new NetcodeServer(
      { protocolId: PROTOCOL_ID, privateKeys: [PRIVATE_KEY], maxClients: 16, ...options, publicAddresses },
      this.aead,
      rng,
      now,
      unixSeconds,
    );
  }

  receive(datagrams: readonly Datagram[], now: Micros, unixSeconds: number): void {
    for (let i = 0; i < datagrams.length; i += SLOTS) {
      fill(this.#rx, datagrams.slice(i, i + SLOTS));
      this.server.receive(this.#rx, now, unixSeconds);
      this.#drain(now);
    }
  }

  turn(now: Micros): Datagram[] {
    this.#drain(now);
    this.server.advance(now);
    this.#drain(now);
    const sent: Datagram[] = [];
    this.onTransmit(this.tx, now);
    sent.push(...take(this.tx, this.address, now));
    do {
      this.server.transmit(this.tx, now);
      sent.push(...take(this.tx, this.address, now));
    } while (this.server.deadline() === 0);
    return sent;
  }

  #drain(now: Micros): void {
    this.server.drain(
      {
        admit: (connection) => {
          this.admitted.push(connection);
          this.onAdmit(connection, now);
        },
        connect: (connection) => this.connected.push(connection),
        payload: (connection, bytes, offset, length) => {
          const number = this.server.receivedNumber[0]!;
          this.payloads.push({ connection, bytes: bytes.slice(offset, offset + length), number });
        },
        path: (connection, hostChanged) =>
          this.moves.push({ connection, hostChanged, payloadsBefore: this.payloads.length }),
        resume: (connection) => this.resumed.push({ connection, payloadsBefore: this.payloads.length }),
        disconnect: (connection, reason) => this.ended.push({ connection, reason }),
      },
      now,
    );
  }
}

export class ClientStation implements Station {
  /** Where the world sees it; set it to send it behind another NAT. What is on its way to the old one is lost. */
  address: Uint8Array;
  readonly client: NetcodeClient;
  readonly tx: DatagramBatch = DatagramBatch.allocate(SLOTS, SLOT_BYTES);
  readonly connected: { index: number; maxClients: number; at: Micros }[] = [];
  readonly ended: DisconnectReason[] = [];
  /** `hostChanged` of each change of path. */
  readonly moves: boolean[] = [];
  readonly payloads: { bytes: Uint8Array; number: number }[] = [];
  onTransmit: (batch: DatagramBatch, now: Micros) => void = () => {};
  readonly #rx: DatagramBatch = DatagramBatch.allocate(SLOTS, SLOT_BYTES);

  constructor(address: Uint8Array, options: NetcodeClientOptions = {}, rng: Rng = seededRng(2), aead?: Aead) {
    this.address = address;
    this.client = new NetcodeClient(options, aead ?? chooseAead(SLOTS, SLOT_BYTES), rng);
  }

  receive(datagrams: readonly Datagram[], now: Micros, unixSeconds: number): void {
    for (let i = 0; i < datagrams.length; i += SLOTS) {
      fill(this.#rx, datagrams.slice(i, i + SLOTS));
      this.client.receive(this.#rx, now, unixSeconds);
      this.#drain(now);
    }
  }

  turn(now: Micros): Datagram[] {
    this.#drain(now);
    this.client.advance(now);
    this.#drain(now);
    this.onTransmit(this.tx, now);
    this.client.transmit(this.tx, now);
    return take(this.tx, this.address, now);
  }

  #drain(now: Micros): void {
    this.client.drain(
      {
        connect: (index, maxClients) => this.connected.push({ index, maxClients, at: now }),
        payload: (bytes, offset, length) =>
          this.payloads.push({ bytes: bytes.slice(offset, offset + length), number: this.client.receivedNumber[0]! }),
        path: (hostChanged) => this.moves.push(hostChanged),
        disconnect: (reason) => this.ended.push(reason),
      },
      now,
    );
  }
}

/** Appends one payload to a batch, for a server's connection or a client (connection 0). */
export function send(
  endpoint: NetcodeServer | NetcodeClient,
  batch: DatagramBatch,
  connection: number,
  bytes: Uint8Array,
  now: Micros,
): boolean {
  batch.arena.set(bytes, batch.home(batch.count));
  batch.length[batch.count] = bytes.length;
  return endpoint.writePayload(batch, connection, now);
}

/** The clock and the wire between stations. */
export class World {
  now: Micros = START;
  readonly turnMicros: Micros;
  readonly latencyMicros: Micros;
  readonly stations: Station[] = [];
  /** Every datagram ever sent. */
  readonly log: Datagram[] = [];
  /** Decides over each datagram; return false to lose it. */
  passes: (datagram: Datagram) => boolean = () => true;
  #flying: Datagram[] = [];

  constructor(turnMicros: Micros = 16_667, latencyMicros: Micros = 20_000) {
    this.turnMicros = turnMicros;
    this.latencyMicros = latencyMicros;
  }

  get unixSeconds(): number {
    return START_SECONDS + Math.floor((this.now - START) / 1_000_000);
  }

  add<S extends Station>(station: S): S {
    this.stations.push(station);
    return station;
  }

  /** Puts a datagram on the wire. */
  inject(datagram: Datagram): void {
    this.#flying.push(datagram);
  }

  /** Runs turns for some time, or until `done`. Returns whether it was done. */
  run(micros: Micros, done: () => boolean = () => false): boolean {
    const end = this.now + micros;
    while (this.now < end) {
      if (done()) return true;
      this.turn();
    }
    return done();
  }

  turn(): void {
    this.now += this.turnMicros;
    const arrived = this.#flying.filter((d) => d.sentAt + this.latencyMicros <= this.now);
    this.#flying = this.#flying.filter((d) => d.sentAt + this.latencyMicros > this.now);
    const byAddress = new Map<string, Datagram[]>();
    for (const datagram of arrived) {
      const name = key(datagram.to);
      const list = byAddress.get(name);
      if (list === undefined) byAddress.set(name, [datagram]);
      else list.push(datagram);
    }
    for (const station of this.stations) {
      station.receive(byAddress.get(key(station.address)) ?? [], this.now, this.unixSeconds);
      for (const datagram of station.turn(this.now)) {
        this.log.push(datagram);
        if (this.passes(datagram)) this.inject(datagram);
      }
    }
  }
}

/** A token for `clientId` at the server 10.0.0.1:40000, made now. */
export function mint(
  world: World,
  options: Partial<ConnectTokenOptions> = {},
  seed: number = 77,
  aead: Aead = chooseAead(1, SLOT_BYTES),
): Uint8Array {
  return mintConnectToken(
    {
      protocolId: PROTOCOL_ID,
      privateKey: PRIVATE_KEY,
      clientId: 1n,
      serverAddresses: [at('10.0.0.1', 40000)],
      ...options,
    },
    aead,
    seededRng(seed + world.now),
    world.unixSeconds,
  );
}

/** A server and a client that have connected, and their world. */
export function connectedPair(options: Partial<NetcodeServerOptions> = {}): {
  world: World;
  server: ServerStation;
  client: ClientStation;
} {
  const world = new World();
  world.now += 2_000_000; // tokens of the second of the start have scattered packet numbers
  const server = world.add(new ServerStation(options));
  const client = world.add(new ClientStation(at('10.0.0.2', 50000)));
  client.client.connect(mint(world), world.now);
  if (!world.run(1_000_000, () => client.connected.length > 0)) throw new Error('the pair did not connect');
  world.run(100_000);
  return { world, server, client };
}

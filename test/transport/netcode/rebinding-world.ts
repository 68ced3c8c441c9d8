/** A pair with connection ids, whose client can be sent to another address; and a forger who has the client's keys. */

import { chooseAead } from '../../../sys/aead/choose.ts';
import { type Aead, DatagramBatch } from '../../../sys/api.ts';
import type { NetcodeClientOptions } from '../../../transport/netcode/netcode-client.ts';
import type { NetcodeServerOptions } from '../../../transport/netcode/netcode-server.ts';
import {
  associatedDataOf,
  CLIENT_TAKES,
  CONNECTION_ID_BYTES,
  PacketHeader,
} from '../../../transport/netcode/packets.ts';
import { Sessions } from '../../../transport/netcode/sessions.ts';
import { readConnectToken } from '../../../transport/netcode/token.ts';
import {
  at,
  ClientStation,
  type Datagram,
  fill,
  mint,
  PROTOCOL_ID,
  ServerStation,
  SLOT_BYTES,
  seededRng,
  send,
  take,
  World,
} from './world.ts';

export const HOME: Uint8Array = at('10.0.0.2', 50000);
/** The same host behind another port, and another host. */
export const NEW_PORT: Uint8Array = at('10.0.0.2', 50001);
export const NEW_HOST: Uint8Array = at('10.7.7.7', 50000);
export const SPOOFED: Uint8Array = at('10.66.6.6', 666);

export const typeOf = (d: Datagram): number => d.bytes[0]! & 15;
const sequenceBytes = (d: Datagram): number => d.bytes[0]! >> 4;
/** The clear id of a packet of type 8 or 9, as text. */
export const idOf = (d: Datagram): string =>
  Buffer.from(d.bytes.slice(1 + sequenceBytes(d), 9 + sequenceBytes(d))).toString('hex');

export interface Pair {
  readonly world: World;
  readonly server: ServerStation;
  readonly client: ClientStation;
  readonly token: Uint8Array;
}

/** A server and a client that have connected, `ids` connection ids of the server in the client's hands. */
export function pairWithIds(
  ids = 3,
  client: NetcodeClientOptions = {},
  server: Partial<NetcodeServerOptions> = {},
): Pair {
  const world = new World();
  world.now += 2_000_000;
  const serverStation = world.add(new ServerStation(server));
  const pair = { world, server: serverStation, ...joined(world, serverStation, HOME, 1n, client) };
  give(pair, ids);
  return pair;
}

/** One more client, connected. */
export function joined(
  world: World,
  server: ServerStation,
  address: Uint8Array,
  clientId: bigint,
  options: NetcodeClientOptions = {},
): { client: ClientStation; token: Uint8Array } {
  const client = world.add(new ClientStation(address, options, seededRng(Number(clientId) + 1)));
  const token = mint(world, { clientId, serverAddresses: [server.address] }, 70 + Number(clientId));
  client.client.connect(token, world.now);
  if (!world.run(1_000_000, () => client.connected.length > 0)) throw new Error('the client did not connect');
  world.run(100_000);
  return { client, token };
}

/** Carries ids from the server to the client, as the layer above does. Returns how many there were. */
export function give({ server, client }: Pick<Pair, 'server' | 'client'>, count: number, connection = 0): number {
  const id = new Uint8Array(CONNECTION_ID_BYTES);
  for (let i = 0; i < count; i++) {
    if (!server.server.issueId(connection, id, 0)) return i;
    client.client.storeId(id, 0);
  }
  return count;
}

/** Both sides send a payload of 30 bytes a turn; the first four count. Returns how many each has sent. */
export function talk({ server, client }: Pick<Pair, 'server' | 'client'>): { up: number; down: number } {
  const sent = { up: 0, down: 0 };
  const counted = (n: number): Uint8Array => {
    const bytes = new Uint8Array(30);
    new DataView(bytes.buffer).setUint32(0, n, true);
    return bytes;
  };
  client.onTransmit = (batch, now) => {
    if (send(client.client, batch, 0, counted(sent.up), now)) sent.up++;
  };
  server.onTransmit = (batch, now) => {
    if (send(server.server, batch, 0, counted(sent.down), now)) sent.down++;
  };
  return sent;
}

/** The counts in payloads, in order of arrival. */
export const countsOf = (payloads: readonly { bytes: Uint8Array }[]): number[] =>
  payloads.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.from(a).equals(b);

/** The datagrams of `type` that `world` has seen since its `since`th. */
export const sentSince = (world: World, since: number, from: Uint8Array, ...types: number[]): Datagram[] =>
  world.log.slice(since).filter((d) => sameBytes(d.from, from) && types.includes(typeOf(d)));

/** Seals what it wants with a client's keys: a client that breaks the rules. Its numbers are ahead of an honest one's. */
export class Forger {
  readonly #sessions: Sessions;
  readonly #batch = DatagramBatch.allocate(1, SLOT_BYTES);
  readonly #server: Uint8Array;
  readonly #aead: Aead;

  constructor({ token, server }: Pick<Pair, 'token' | 'server'>) {
    const { clientToServerKey, serverToClientKey } = readConnectToken(token)!;
    this.#aead = chooseAead(1, SLOT_BYTES);
    this.#sessions = new Sessions(1, 1, 256, this.#aead);
    this.#sessions.setKeys(0, clientToServerKey, serverToClientKey, associatedDataOf(PROTOCOL_ID));
    this.#sessions.nextLow[0] = 100_000;
    this.#sessions.address.set(server.address);
    this.#server = server.address;
  }

  /** The number that the next packet gets. */
  set next(number: number) {
    this.#sessions.nextLow[0] = number;
  }

  seal(type: number, id: Uint8Array, data: Uint8Array, from: Uint8Array): Datagram {
    this.#batch.arena.set(data, this.#batch.home(0));
    this.#batch.length[0] = data.length;
    this.#sessions.writePacketWithId(this.#batch, 0, type, id, 0, 0);
    return { ...take(this.#batch, from, 0)[0]!, to: this.#server };
  }

  /** The data of a packet that the server sent to the client. */
  open(datagram: Datagram): Uint8Array {
    fill(this.#batch, [datagram]);
    const header = new PacketHeader();
    header.parse(datagram.bytes, 0, datagram.bytes.length, CLIENT_TAKES);
    if (this.#sessions.openPacket(this.#batch, 0, header, 0) !== 0) throw new Error('it does not open');
    this.#batch.count = 0;
    return this.#aead.plaintext.slice(0, header.dataBytes);
  }
}

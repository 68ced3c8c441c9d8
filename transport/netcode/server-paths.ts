/**
 * Where the clients of a server are: packets that are found by a connection id, and connections that move to other addresses.
 *
 *     a packet with an id from elsewhere -> challenge, there -> response, from there -> the connection is there
 *
 * Payloads count wherever they come from, since the session's keys vouch for them; what we send goes to the old address until
 * the new one has answered. Rules that keep others from moving or stopping a client:
 *
 * - only a packet with a number above all received so far opens a path: a packet held back or recorded does not;
 * - a challenge belongs to one address, and is remembered until four later ones have gone elsewhere: whoever sends captured
 *   packets from other addresses does not take the client's challenge away within 200 ms;
 * - a response from before the last move does not move the connection back.
 *
 * A connection that another worker has handed over is challenged where it is, under an id of ours: its packets lead here then.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch, type Micros, type Rng, sameAddress } from '../../sys/api.ts';
import { grown } from '../block-pool.ts';
import { Regions } from '../regions.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { ConnectionIds } from './connection-ids.ts';
import {
  ACCEPTED,
  DROP_PATH,
  DROP_PATH_LATE,
  DROP_PATH_REPEATED,
  DROP_PATH_RESPONSE,
  DROP_SIZE,
  DROP_UNKNOWN_ID,
} from './drop-counters.ts';
import type { EventQueue } from './event-queue.ts';
import { type Outbox, OWES_PATH } from './outbox.ts';
import {
  CONNECTION_ID_BYTES,
  PACKET_PATH,
  PACKET_PAYLOAD_WITH_ID,
  PATH_FROM_CLIENT_BYTES,
  PATH_FROM_SERVER_BYTES,
  type PacketHeader,
} from './packets.ts';
import {
  PATH_ANSWER_BYTES_MAX,
  PATH_CHALLENGE,
  PATH_CONFIRMED,
  PATH_DATA_BYTES,
  PATH_REQUEST,
  PATH_RESPONSE,
  PATH_UNCHANGED,
} from './path.ts';
import type { ServerHandshakes } from './server-handshakes.ts';
import { CONFIRMED, type ServerSessions } from './server-sessions.ts';
import { copyAddress } from './sessions.ts';

/** A connection's path packets and new addresses are answered at most this often: half of the clients' interval. */
const ANSWER_INTERVAL_MICROS = 50_000;
/** Challenges of one connection that can be answered at the same time, each to another address. */
const CHALLENGES_LOG2 = 2;
const CHALLENGES: number = 1 << CHALLENGES_LOG2;
/** A challenge that is not answered within this time says nothing about who is there: longer than any round trip we serve. */
const CHALLENGE_LIFE_MICROS = 2_000_000;
const NEVER_YET = Number.NEGATIVE_INFINITY;
const NONE = -1;
const PORT_AT = 16;
const PORT_BYTES = 2;
const TWO_32 = 4294967296;

export class ServerPaths {
  readonly #rows: ServerSessions;
  readonly #ids: ConnectionIds;
  readonly #handshakes: ServerHandshakes;
  readonly #outbox: Outbox;
  readonly #events: EventQueue;
  readonly #aead: Aead;
  readonly #rng: Rng;
  /** Element 0: the time of the call that is running. */
  readonly #times: Float64Array;
  /** Challenges: to which address, which bytes, since when. */
  #address: Uint8Array = new Uint8Array(0);
  #bytes: Uint8Array = new Uint8Array(0);
  #askedAt: Float64Array = new Float64Array(0);
  /** By connection: the first of its CHALLENGES, NONE before it first moved. Most never do. */
  readonly #first: Int32Array;
  readonly #regions: Regions;
  /** Which of a connection's challenges makes room for the next address. */
  readonly #next: Uint8Array;
  readonly #answeredAt: Float64Array;
  /** Packet number of the response that moved a connection last. */
  readonly #movedBy: Float64Array;
  /** 1: the last move was to another host. */
  readonly #hostChanged: Uint8Array;
  /** 1: another worker has handed it over, and its packets still come by way of that one. */
  readonly #isAway: Uint8Array;
  /** What a connection with OWES_PATH is to be told: kind, which challenge, under which id. */
  readonly #kind: Uint8Array;
  readonly #challenge: Int32Array;
  readonly #entry: Int32Array;

  constructor(
    rows: ServerSessions,
    ids: ConnectionIds,
    handshakes: ServerHandshakes,
    outbox: Outbox,
    events: EventQueue,
    aead: Aead,
    rng: Rng,
    times: Float64Array,
  ) {
    const { maxClients } = rows;
    this.#rows = rows;
    this.#ids = ids;
    this.#handshakes = handshakes;
    this.#outbox = outbox;
    this.#events = events;
    this.#aead = aead;
    this.#rng = rng;
    this.#times = times;
    this.#first = new Int32Array(maxClients).fill(NONE);
    this.#regions = new Regions((slots) => this.#resize(slots));
    this.#next = new Uint8Array(maxClients);
    this.#answeredAt = new Float64Array(maxClients).fill(NEVER_YET);
    this.#movedBy = new Float64Array(maxClients).fill(-1);
    this.#hostChanged = new Uint8Array(maxClients);
    this.#isAway = new Uint8Array(maxClients);
    this.#kind = new Uint8Array(maxClients);
    this.#challenge = new Int32Array(maxClients);
    this.#entry = new Int32Array(maxClients);
  }

  /** Takes in the packet with an id in `slot`, whose header has been parsed. Returns ACCEPTED or the reason to drop it. */
  receive(batch: DatagramBatch, slot: number, header: PacketHeader): number {
    if (header.type === PACKET_PATH && header.dataBytes !== PATH_FROM_CLIENT_BYTES) return DROP_SIZE;
    const idAt = batch.offset[slot]! + header.headerBytes - CONNECTION_ID_BYTES;
    const entry = this.#ids.find(batch.arena, idAt);
    if (entry < 0) return DROP_UNKNOWN_ID;
    const connection = this.#ids.connectionOf(entry);
    const { sessions, state } = this.#rows;
    const isNewest = sessions.replay.isNewest(connection, header.sequenceLow, header.sequenceHigh);
    const code = sessions.openPacket(batch, slot, header, connection);
    if (code !== ACCEPTED) return code;
    sessions.lastReceivedAt[connection] = this.#times[0]!;
    state[connection] = CONFIRMED; // an id exists only for who has been let in
    const isHome = sameAddress(sessions.address, connection * ADDRESS_BYTES, batch.address, slot * ADDRESS_BYTES);
    const at = slot * this.#aead.plaintextStrideBytes;
    const leadsAway = this.#isAway[connection] === 1 && this.#ids.isInherited(entry);
    if (header.type === PACKET_PAYLOAD_WITH_ID) {
      if (isHome && leadsAway) this.invite(batch, slot, connection);
      this.#events.pushPayload(connection, at, header.dataBytes, header.sequenceLow, header.sequenceHigh);
      const answerable = isNewest && batch.length[slot]! >= PATH_ANSWER_BYTES_MAX;
      if (!isHome && answerable) this.#ask(batch, slot, entry);
      return ACCEPTED;
    }
    const { plaintext } = this.#aead;
    if (!sameBytes(plaintext, at + PATH_FROM_SERVER_BYTES, batch.arena, idAt, CONNECTION_ID_BYTES)) return DROP_PATH;
    if (plaintext[at] === PATH_RESPONSE) return this.#takeResponse(batch, slot, header, entry, at + 1);
    if (plaintext[at] !== PATH_REQUEST) return DROP_PATH;
    const invited = this.#isAway[connection] === 1 && !leadsAway;
    if (isHome && !invited) return this.#answer(this.#ids.isInUse(entry) ? PATH_CONFIRMED : PATH_UNCHANGED, entry);
    return isNewest ? this.#ask(batch, slot, entry) : DROP_PATH_LATE;
  }

  /** Whether packets of the connection still come by way of the worker that has handed it over. */
  isAway(connection: number): boolean {
    return this.#isAway[connection] === 1;
  }

  /**
   * The packet in `slot` has come by way of the worker that handed its connection over: asks the client to go on under an id
   * that leads here. Until it has been given one, and until it answers, each of its packets asks again.
   */
  invite(batch: DatagramBatch, slot: number, connection: number): void {
    const entry = this.#ids.spareOf(connection);
    if (entry >= 0) this.#ask(batch, slot, entry);
  }

  /** Writes down under which ids a connection is found, for another worker. */
  save(connection: number, writer: ByteWriter): void {
    this.#ids.save(connection, writer);
    saveRow(writer, connection, [this.#movedBy, this.#hostChanged]);
  }

  /** Reads what `save` wrote: the connection is away from now on. */
  load(connection: number, reader: ByteReader): void {
    this.#ids.load(connection, reader);
    loadRow(reader, connection, [this.#movedBy, this.#hostChanged]);
    this.#isAway[connection] = 1;
  }

  /** Writes the answer that a connection with OWES_PATH is owed. The batch must have room. */
  write(batch: DatagramBatch, connection: number, now: Micros): void {
    const { sessions } = this.#rows;
    const slot = batch.count;
    const at = batch.home(slot);
    const kind = this.#kind[connection]!;
    const challenge = this.#challenge[connection]!;
    const sentAt = sessions.lastSentAt[connection]!;
    batch.arena.fill(0, at, at + PATH_FROM_SERVER_BYTES);
    batch.arena[at] = kind;
    if (kind === PATH_CONFIRMED) batch.arena[at + 1] = this.#hostChanged[connection]!;
    else if (kind === PATH_CHALLENGE) copyBytes(this.#bytes, challenge * PATH_DATA_BYTES, batch.arena, at + 1);
    batch.length[slot] = PATH_FROM_SERVER_BYTES;
    const idAt = this.#entry[connection]! * CONNECTION_ID_BYTES;
    sessions.writePacketWithId(batch, connection, PACKET_PATH, this.#ids.bytes, idAt, now);
    if (kind === PATH_CHALLENGE) {
      copyAddress(this.#address, challenge * ADDRESS_BYTES, batch.address, slot * ADDRESS_BYTES);
      sessions.lastSentAt[connection] = sentAt; // the old address has not heard it: its keep-alives stay due
    }
    this.#outbox.settle(connection, OWES_PATH);
  }

  /** Forgets a connection that ends, and its ids. */
  forget(connection: number): void {
    this.#ids.wipe(connection);
    const first = this.#first[connection]!;
    if (first !== NONE) {
      this.#askedAt.fill(NEVER_YET, first, first + CHALLENGES);
      this.#bytes.fill(0, first * PATH_DATA_BYTES, (first + CHALLENGES) * PATH_DATA_BYTES);
      this.#regions.give(first, CHALLENGES_LOG2);
      this.#first[connection] = NONE;
    }
    this.#answeredAt[connection] = NEVER_YET;
    this.#movedBy[connection] = -1;
    this.#hostChanged[connection] = 0;
    this.#isAway[connection] = 0;
  }

  /** Owes the connection of `entry` an answer, unless it has just been given one. */
  #answer(kind: number, entry: number): number {
    const connection = this.#ids.connectionOf(entry);
    const now = this.#times[0]!;
    if (now - this.#answeredAt[connection]! < ANSWER_INTERVAL_MICROS) return DROP_PATH_REPEATED;
    this.#answeredAt[connection] = now;
    this.#kind[connection] = kind;
    this.#entry[connection] = entry;
    this.#outbox.owe(connection, OWES_PATH);
    return ACCEPTED;
  }

  /** Owes a challenge to the source of the datagram in `slot`. */
  #ask(batch: DatagramBatch, slot: number, entry: number): number {
    const code = this.#answer(PATH_CHALLENGE, entry);
    if (code !== ACCEPTED) return code;
    const connection = this.#ids.connectionOf(entry);
    let challenge = this.#challengeTo(connection, batch.address, slot * ADDRESS_BYTES);
    if (challenge < 0) {
      if (this.#first[connection] === NONE) this.#first[connection] = this.#regions.take(CHALLENGES_LOG2);
      const next = this.#next[connection]!;
      this.#next[connection] = (next + 1) % CHALLENGES;
      challenge = this.#first[connection]! + next;
      copyAddress(batch.address, slot * ADDRESS_BYTES, this.#address, challenge * ADDRESS_BYTES);
      const at = challenge * PATH_DATA_BYTES;
      this.#rng.fill(this.#bytes.subarray(at, at + PATH_DATA_BYTES));
      this.#askedAt[challenge] = this.#times[0]!;
    }
    this.#challenge[connection] = challenge;
    return ACCEPTED;
  }

  /** The client answers a challenge from the address that it went to: it is there. */
  #takeResponse(batch: DatagramBatch, slot: number, header: PacketHeader, entry: number, dataAt: number): number {
    const rows = this.#rows;
    const connection = this.#ids.connectionOf(entry);
    const addressAt = slot * ADDRESS_BYTES;
    const number = (header.sequenceHigh >>> 0) * TWO_32 + (header.sequenceLow >>> 0);
    const challenge = this.#challengeTo(connection, batch.address, addressAt);
    if (challenge < 0 || number < this.#movedBy[connection]!) return DROP_PATH_RESPONSE;
    const bytesAt = challenge * PATH_DATA_BYTES;
    if (!sameBytes(this.#bytes, bytesAt, this.#aead.plaintext, dataAt, PATH_DATA_BYTES)) return DROP_PATH_RESPONSE;
    this.#askedAt[challenge] = NEVER_YET;
    this.#movedBy[connection] = number;
    const hostChanged = !sameHost(rows.sessions.address, connection * ADDRESS_BYTES, batch.address, addressAt);
    this.#hostChanged[connection] = hostChanged ? 1 : 0;
    const isHome = sameAddress(rows.sessions.address, connection * ADDRESS_BYTES, batch.address, addressAt);
    if (!this.#ids.isInherited(entry)) this.#isAway[connection] = 0;
    const holder = rows.find(batch.address, addressAt);
    if (holder >= 0 && !rows.isConnection(holder)) this.#handshakes.expire(holder); // its client asks again, from where it is
    rows.moveTo(connection, batch.address, addressAt);
    this.#ids.adopt(entry);
    if (!isHome) this.#events.pushPath(connection, hostChanged);
    this.#answeredAt[connection] = NEVER_YET; // the client waits for this one, however quick the round trip was
    return this.#answer(PATH_CONFIRMED, entry);
  }

  /** The connection's challenge to an address that can still be answered, or -1. */
  #challengeTo(connection: number, address: Uint8Array, at: number): number {
    const first = this.#first[connection]!;
    if (first === NONE) return -1;
    const oldest = this.#times[0]! - CHALLENGE_LIFE_MICROS;
    for (let challenge = first; challenge < first + CHALLENGES; challenge++) {
      if (this.#askedAt[challenge]! <= oldest) continue;
      if (sameAddress(this.#address, challenge * ADDRESS_BYTES, address, at)) return challenge;
    }
    return -1;
  }

  /** Makes the columns of challenges longer. The new ones have not been sent. */
  #resize(slots: number): void {
    this.#address = grown(this.#address, new Uint8Array(slots * ADDRESS_BYTES));
    this.#bytes = grown(this.#bytes, new Uint8Array(slots * PATH_DATA_BYTES));
    this.#askedAt = grown(this.#askedAt, new Float64Array(slots).fill(NEVER_YET));
  }
}

function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < PATH_DATA_BYTES; i++) to[toAt + i] = from[fromAt + i]!;
}

function sameBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** Whether two addresses differ in nothing but the port. */
function sameHost(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  const restAt = PORT_AT + PORT_BYTES;
  if (!sameBytes(a, aAt, b, bAt, PORT_AT)) return false;
  return sameBytes(a, aAt + restAt, b, bAt + restAt, ADDRESS_BYTES - restAt);
}

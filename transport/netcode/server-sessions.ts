/**
 * The rows of a server: connections (0 .. maxClients - 1) and, behind them, handshakes that have not yet got a slot.
 *
 *     FREE -> CHALLENGED -> (response) -> PENDING -> (accept) -> UNCONFIRMED -> (first packet) -> CONFIRMED
 *     in a handshake row                  in a connection row
 *     FREE -> REFUSED    a handshake row that answers "denied" for a second
 *     any connection row -> ENDING -> FREE    once the end has been told to the game and to the peer
 *
 * Addresses and client ids are found through keyed tables; a row is in them from its first state to ENDING.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch, type Rng } from '../../sys/api.ts';
import type { DisconnectReason } from '../endpoint.ts';
import { KeyedTable } from '../keyed-table.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { TAG_BYTES } from './packets.ts';
import type { ServerSettings } from './server-options.ts';
import { copyAddress, Sessions } from './sessions.ts';
import { UserData } from './user-data.ts';

export const FREE = 0;
export const CHALLENGED = 1;
export const REFUSED = 2;
export const ENDING = 3;
/** From here on a row is a connection that takes a slot and hears its peer. */
export const PENDING = 4;
export const UNCONFIRMED = 5;
export const CONFIRMED = 6;

export const CLIENT_ID_BYTES = 8;
const ADDRESS_WORDS = ADDRESS_BYTES / 4;
const NO_DATA: Uint8Array = new Uint8Array(0);

export class ServerSessions {
  /** Keys, counters, addresses and times of every row. */
  readonly sessions: Sessions;
  readonly maxClients: number;
  /** Connection rows that are not FREE. */
  taken = 0;
  /** State of each row. */
  readonly state: Uint8Array;
  /** CLIENT_ID_BYTES a row, little-endian. */
  readonly clientId: Uint8Array;
  readonly userData: UserData;
  /** TAG_BYTES a row: which token. */
  readonly tag: Uint8Array;
  /** When the token expires, in unix seconds; Infinity: never. */
  readonly tokenExpires: Float64Array;
  /** When a handshake was answered last. */
  readonly answeredAt: Float64Array;
  readonly connectedAt: Float64Array;
  /** 1: the connection's packet numbers start at a random one. */
  readonly scattered: Uint8Array;
  /** A number of the handshake that no other one has, for its challenges. */
  readonly owner: Uint32Array;
  /** Why the row ends or was refused, for the game and as bytes for the peer. */
  readonly reason: (DisconnectReason | null)[];
  readonly farewell: (Uint8Array | null)[];
  /** By connection: the handshake that has come from the connection's own address, -1: none. Its client resumes. */
  readonly successor: Int32Array;
  readonly #rng: Rng;
  /** By row: the connection whose successor a handshake is, -1: none. */
  readonly #predecessor: Int32Array;
  readonly #byAddress: KeyedTable;
  readonly #byClient: KeyedTable;
  readonly #freeHandshakes: Int32Array;
  #freeHandshakeCount: number;
  #lowestFree = 0;
  #owners = 0;

  constructor(settings: ServerSettings, aead: Aead, rng: Rng) {
    const { maxClients, handshakesMax } = settings;
    const rows = maxClients + handshakesMax;
    this.#rng = rng;
    this.maxClients = maxClients;
    this.sessions = new Sessions(rows, maxClients, settings.replayWindowSize, aead, settings.ledger);
    this.state = new Uint8Array(rows);
    this.clientId = new Uint8Array(rows * CLIENT_ID_BYTES);
    this.userData = new UserData(rows);
    this.tag = new Uint8Array(rows * TAG_BYTES);
    this.tokenExpires = new Float64Array(rows);
    this.answeredAt = new Float64Array(rows);
    this.connectedAt = new Float64Array(maxClients);
    this.scattered = new Uint8Array(rows);
    this.owner = new Uint32Array(rows);
    this.reason = new Array<DisconnectReason | null>(rows).fill(null);
    this.farewell = new Array<Uint8Array | null>(rows).fill(null);
    this.successor = new Int32Array(maxClients).fill(-1);
    this.#predecessor = new Int32Array(rows).fill(-1);
    this.#byAddress = new KeyedTable(ADDRESS_BYTES, rows, rng);
    this.#byClient = new KeyedTable(CLIENT_ID_BYTES, maxClients, rng);
    this.#freeHandshakes = Int32Array.from({ length: handshakesMax }, (_, i) => rows - 1 - i);
    this.#freeHandshakeCount = handshakesMax;
  }

  /** All rows, connections first. */
  get rows(): number {
    return this.state.length;
  }

  /** The row of an address, or -1. */
  find(address: Uint8Array, at: number): number {
    return this.#byAddress.find(address, at);
  }

  /** The row of the source of the datagram in `slot`, or -1. */
  findSource(batch: DatagramBatch, slot: number): number {
    return this.#byAddress.findWords(batch.addressWords, slot * ADDRESS_WORDS);
  }

  /** The connection of a client id, pending ones too, or -1. */
  connectionOf(id: Uint8Array, at: number): number {
    return this.#byClient.find(id, at);
  }

  /** The row that a handshake from this address has, or -1. Behind a connection's address it is the connection's successor. */
  findHandshake(address: Uint8Array, at: number): number {
    const row = this.find(address, at);
    return this.isConnection(row) ? this.successor[row]! : row;
  }

  /** Whether `connection` is a number of a connection row. */
  isConnection(connection: number): boolean {
    return connection >= 0 && connection < this.maxClients;
  }

  /**
   * The handshake row for an address, in `state`: the one that the address has, emptied, or a free one. -1 when all are
   * taken. The caller fills in keys and the token's fields.
   */
  openHandshake(address: Uint8Array, at: number, state: number): number {
    let row = this.findHandshake(address, at);
    if (row < 0) {
      if (this.#freeHandshakeCount === 0) return -1;
      row = this.#freeHandshakes[--this.#freeHandshakeCount]!;
      copyAddress(address, at, this.sessions.address, row * ADDRESS_BYTES);
      const holder = this.find(address, at);
      if (holder < 0) this.#byAddress.set(address, at, row);
      else {
        this.successor[holder] = row;
        this.#predecessor[row] = holder;
      }
    }
    this.state[row] = state;
    this.#owners = (this.#owners + 1) >>> 0 || 1;
    this.owner[row] = this.#owners;
    this.answeredAt[row] = -1;
    this.farewell[row] = null;
    return row;
  }

  /** Gives a CHALLENGED handshake a connection row, PENDING. Returns the connection, or -1 when all are taken. */
  promote(handshake: number): number {
    const connection = this.#takeConnection();
    if (connection < 0) return -1;
    this.#moveRow(handshake, connection);
    this.userData.move(handshake, connection);
    this.#startNumbers(connection);
    this.state[connection] = PENDING;
    this.#byClient.set(this.clientId, connection * CLIENT_ID_BYTES, connection);
    this.#freeHandshakeRow(handshake);
    return connection;
  }

  /**
   * Gives a connection the keys, the address and the token of a CHALLENGED handshake, and packet numbers from the start. Its
   * number, its client and the user data that the game has seen stay.
   */
  resume(handshake: number, connection: number): void {
    const { sessions } = this;
    this.#unlink(handshake);
    this.#removeAddress(connection);
    sessions.move(handshake, connection);
    this.tag.copyWithin(connection * TAG_BYTES, handshake * TAG_BYTES, (handshake + 1) * TAG_BYTES);
    this.tokenExpires[connection] = this.tokenExpires[handshake]!;
    this.scattered[connection] = this.scattered[handshake]!;
    this.#byAddress.set(sessions.address, connection * ADDRESS_BYTES, connection);
    this.#startNumbers(connection);
    this.#freeHandshakeRow(handshake);
  }

  /** A session begins: nothing has been received, and the first number is drawn. */
  #startNumbers(connection: number): void {
    const { sessions } = this;
    sessions.replay.reset(connection);
    // A token that lists several servers has the same keys at each: no two of them may use the same numbers. 52 random
    // bits make that as good as certain and stay below 2^53. Otherwise short numbers save up to five bytes a packet.
    const scattered = this.scattered[connection] === 1;
    sessions.nextLow[connection] = scattered ? this.#rng.u32() | 0 : 0;
    sessions.nextHigh[connection] = scattered ? this.#rng.u32() & 0xfffff : 0;
  }

  /**
   * Copies a connection that ends into a REFUSED handshake row, which can go on answering while the slot is free again. The
   * user data stays for the game to read. Returns -1 when no row is free.
   */
  demote(connection: number): number {
    if (this.#freeHandshakeCount === 0) return -1;
    const handshake = this.#freeHandshakes[--this.#freeHandshakeCount]!;
    this.#moveRow(connection, handshake);
    this.state[handshake] = REFUSED;
    return handshake;
  }

  /** Takes a connection out of the tables: its peer is a stranger from now on, its client may connect again. */
  end(connection: number, reason: DisconnectReason): void {
    this.#removeAddress(connection);
    this.#byClient.remove(this.clientId, connection * CLIENT_ID_BYTES);
    this.state[connection] = ENDING;
    this.reason[connection] = reason;
  }

  /**
   * Gives a connection another address. Another connection that has this address is not found by it any more: of two, the
   * one is there that proved last that it hears there. No handshake may have it.
   */
  moveTo(connection: number, address: Uint8Array, at: number): void {
    this.#removeAddress(connection);
    copyAddress(address, at, this.sessions.address, connection * ADDRESS_BYTES);
    this.#byAddress.set(address, at, connection);
  }

  /**
   * Writes a CONFIRMED connection down for another endpoint. It is a stranger here from now on, and its row stays taken until
   * `freeConnection` or `load`.
   */
  save(connection: number, writer: ByteWriter): void {
    const { userData } = this;
    writer.bytes(this.clientId.subarray(connection * CLIENT_ID_BYTES, (connection + 1) * CLIENT_ID_BYTES));
    writer.bytes(this.tag.subarray(connection * TAG_BYTES, (connection + 1) * TAG_BYTES));
    saveRow(writer, connection, [this.tokenExpires, this.scattered, this.connectedAt]);
    const data = userData.holds(connection) ? userData.copyOf(connection) : NO_DATA;
    writer.u16(data.length).bytes(data);
    this.sessions.save(connection, writer);
    this.forget(connection);
  }

  /** The connection is a stranger's, and its keys are gone. The row stays taken. */
  forget(connection: number): void {
    this.sessions.freeKeys(connection);
    this.#removeAddress(connection);
    this.#byClient.remove(this.clientId, connection * CLIENT_ID_BYTES);
    this.state[connection] = ENDING;
  }

  /**
   * Reads what `save` wrote, into a row that a `save` left taken, or into a free one. Another row that has its address is not
   * found by it any more.
   *
   * @param row -1: a free one
   * @returns the connection; -1 when no row is free, or the client has one here
   */
  load(reader: ByteReader, row: number): number {
    const clientId = reader.bytes(CLIENT_ID_BYTES);
    if (this.#byClient.find(clientId, 0) >= 0) return -1;
    const connection = row >= 0 ? row : this.#takeConnection();
    if (connection < 0) return -1;
    this.clientId.set(clientId, connection * CLIENT_ID_BYTES);
    this.tag.set(reader.bytes(TAG_BYTES), connection * TAG_BYTES);
    loadRow(reader, connection, [this.tokenExpires, this.scattered, this.connectedAt]);
    const data = reader.bytes(reader.u16());
    if (data.length > 0) this.userData.put(connection, data);
    this.sessions.load(connection, reader);
    this.state[connection] = CONFIRMED;
    this.reason[connection] = null;
    this.farewell[connection] = null;
    this.#byClient.set(this.clientId, connection * CLIENT_ID_BYTES, connection);
    this.#byAddress.set(this.sessions.address, connection * ADDRESS_BYTES, connection);
    return connection;
  }

  /** Frees an ENDING connection row. */
  freeConnection(connection: number): void {
    this.#wipe(connection);
    this.taken--;
    if (connection < this.#lowestFree) this.#lowestFree = connection;
  }

  /** Frees a handshake row and forgets its address. */
  freeHandshake(handshake: number): void {
    this.#removeAddress(handshake);
    this.#freeHandshakeRow(handshake);
  }

  /** The lowest free connection, as the reference gives them out; keeps the numbers dense. */
  #takeConnection(): number {
    if (this.taken === this.maxClients) return -1;
    let connection = this.#lowestFree;
    while (this.state[connection] !== FREE) connection++;
    this.#lowestFree = connection + 1;
    this.taken++;
    return connection;
  }

  #moveRow(from: number, to: number): void {
    const { sessions } = this;
    const found = this.#byAddress.find(sessions.address, from * ADDRESS_BYTES) === from;
    sessions.move(from, to);
    this.clientId.copyWithin(to * CLIENT_ID_BYTES, from * CLIENT_ID_BYTES, (from + 1) * CLIENT_ID_BYTES);
    this.tag.copyWithin(to * TAG_BYTES, from * TAG_BYTES, (from + 1) * TAG_BYTES);
    this.tokenExpires[to] = this.tokenExpires[from]!;
    this.scattered[to] = this.scattered[from]!;
    if (found) this.#byAddress.set(sessions.address, to * ADDRESS_BYTES, to);
  }

  /** Takes a row's address out of the table, unless it has passed to another row. A successor is found by it then. */
  #removeAddress(row: number): void {
    const at = row * ADDRESS_BYTES;
    const heir = this.isConnection(row) ? this.successor[row]! : -1;
    if (heir >= 0) this.#unlink(heir);
    if (this.#byAddress.find(this.sessions.address, at) !== row) return;
    if (heir >= 0) this.#byAddress.set(this.sessions.address, at, heir);
    else this.#byAddress.remove(this.sessions.address, at);
  }

  /** The handshake is no connection's successor any more. */
  #unlink(handshake: number): void {
    const connection = this.#predecessor[handshake]!;
    if (connection >= 0) this.successor[connection] = -1;
    this.#predecessor[handshake] = -1;
  }

  #freeHandshakeRow(handshake: number): void {
    this.#unlink(handshake);
    this.#wipe(handshake);
    this.#freeHandshakes[this.#freeHandshakeCount++] = handshake;
  }

  #wipe(row: number): void {
    this.userData.release(row);
    this.sessions.freeKeys(row);
    this.state[row] = FREE;
    this.reason[row] = null;
    this.farewell[row] = null;
  }
}

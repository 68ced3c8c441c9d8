/**
 * The connection ids of a server: 8 bytes by which a packet finds its session when its address is a new one.
 *
 *     number of the worker that owns the session u8 | 7 random bytes
 *
 * A connection has at most four: one in use, the one that was in use before (packets under it may still be on their way),
 * and spares that the client has been given. An id is used up only by moving to it. The first byte lets whoever stands
 * before several workers pass a packet on without a table.
 *
 * A connection that another worker has handed over brings those that it has from there, eight at most, which go on meaning it:
 * they are *inherited*, in a second part of the columns that is there once any came. Eight are all that its client may still
 * use: the one in use, the one of an attempt to move, and those that it keeps.
 */

import type { Rng } from '../../sys/api.ts';
import { grown } from '../block-pool.ts';
import { KeyedTable, TABLE_ENTRIES_MAX } from '../keyed-table.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { CONNECTION_ID_BYTES } from './packets.ts';

/** Ids of one connection; a power of two, and with 16,384 connections as many as a table holds. */
const IDS_A_CONNECTION = 4;
const IDS_SHIFT = 2;
/** Inherited ids of one connection. */
const INHERITED_SHIFT = 3;
const INHERITED_MAX: number = 1 << INHERITED_SHIFT;
/** Ids that a connection can have besides the one in use. */
export const IDS_OUTSTANDING_MAX: number = IDS_A_CONNECTION - 1;
/** Two ids in use at once come up by chance once in 2^40 draws; a source of chance that fails often is broken. */
const DRAWS_MAX = 8;

const FREE = 0;
const SPARE = 1;
const IN_USE = 2;
/** In use before the last move. */
const FORMER = 3;

export class ConnectionIds {
  /**
   * The ids themselves, CONNECTION_ID_BYTES for each entry. An entry is `connection * 4 + 0 .. 3`, and for an inherited one
   * `connections * 4 + connection * 8 + 0 .. 7`. Replaced when the first is inherited: read it from here each time.
   */
  bytes: Uint8Array;
  readonly #entries: number;
  #state: Uint8Array;
  readonly #table: KeyedTable;
  /** Finds inherited ids; null: there never was one. */
  #inherited: KeyedTable | null = null;
  readonly #workerNumber: number;
  readonly #rng: Rng;

  constructor(connections: number, workerNumber: number, rng: Rng) {
    const entries = connections * IDS_A_CONNECTION;
    this.#entries = entries;
    this.bytes = new Uint8Array(entries * CONNECTION_ID_BYTES);
    this.#state = new Uint8Array(entries);
    this.#table = new KeyedTable(CONNECTION_ID_BYTES, entries, rng);
    this.#workerNumber = workerNumber;
    this.#rng = rng;
  }

  /** The connection of an entry. */
  connectionOf(entry: number): number {
    return this.isInherited(entry) ? (entry - this.#entries) >> INHERITED_SHIFT : entry >> IDS_SHIFT;
  }

  /** The entry of the id at `bytes[at ..]`, or -1. */
  find(bytes: Uint8Array, at: number): number {
    const entry = this.#table.find(bytes, at);
    return entry >= 0 || this.#inherited === null ? entry : this.#inherited.find(bytes, at);
  }

  /** Whether an id is from another worker: packets under it arrive there. */
  isInherited(entry: number): boolean {
    return entry >= this.#entries;
  }

  /** A spare of ours that the connection has, or -1. */
  spareOf(connection: number): number {
    return this.#entryFrom(connection << IDS_SHIFT, IDS_A_CONNECTION, SPARE);
  }

  /** How many more ids a connection could be given: 0 .. IDS_OUTSTANDING_MAX. */
  wanted(connection: number): number {
    let wanted = IDS_OUTSTANDING_MAX;
    for (let entry = connection << IDS_SHIFT, i = 0; i < IDS_A_CONNECTION; i++) {
      const state = this.#state[entry + i]!;
      if (state === SPARE || state === FORMER) wanted--;
    }
    return wanted;
  }

  /** Makes a new id for a connection and writes it at `into[at ..]`. False when it has as many as it may. */
  issue(connection: number, into: Uint8Array, at: number): boolean {
    if (this.wanted(connection) === 0) return false;
    const entry = this.#entryFrom(connection << IDS_SHIFT, IDS_A_CONNECTION, FREE);
    const start = entry * CONNECTION_ID_BYTES;
    const id = this.bytes.subarray(start, start + CONNECTION_ID_BYTES);
    let draws = 0;
    do {
      if (draws++ === DRAWS_MAX)
        throw new Error(`${DRAWS_MAX} connection ids in a row that exist: the rng repeats itself`);
      this.#rng.fill(id);
      id[0] = this.#workerNumber;
    } while (this.#table.find(id, 0) >= 0);
    this.#table.set(id, 0, entry);
    this.#state[entry] = SPARE;
    into.set(id, at);
    return true;
  }

  /** Whether an id is the one in use. */
  isInUse(entry: number): boolean {
    return this.#state[entry] === IN_USE;
  }

  /** The client moved under this id: it is in use from now on, the one before is kept, the one before that dropped. */
  adopt(entry: number): void {
    if (this.isInUse(entry)) return;
    const connection = this.connectionOf(entry);
    const former = this.#entryIn(connection, FORMER);
    if (former >= 0 && former !== entry) this.#drop(former);
    const before = this.#entryIn(connection, IN_USE);
    if (before >= 0) this.#state[before] = FORMER;
    this.#state[entry] = IN_USE;
  }

  /** Forgets and wipes every id of a connection. */
  wipe(connection: number): void {
    for (const entry of this.#entriesOf(connection)) this.#drop(entry);
  }

  /** Copies of all of a connection's ids. */
  idsOf(connection: number): readonly Uint8Array[] {
    return this.#entriesOf(connection).map((entry) => {
      const at = entry * CONNECTION_ID_BYTES;
      return this.bytes.slice(at, at + CONNECTION_ID_BYTES);
    });
  }

  /** Writes down those that the client may still use, for another worker: those in use, ours, the latest inherited ones. */
  save(connection: number, writer: ByteWriter): void {
    const all = this.#entriesOf(connection);
    const used = all.filter((entry) => this.#state[entry] !== SPARE);
    const spare = all.filter((entry) => this.#state[entry] === SPARE);
    const entries = [...used, ...spare].slice(0, INHERITED_MAX);
    writer.u8(entries.length);
    for (const entry of entries) {
      const at = entry * CONNECTION_ID_BYTES;
      writer.u8(this.#state[entry]!).bytes(this.bytes.subarray(at, at + CONNECTION_ID_BYTES));
    }
  }

  /** Reads what `save` wrote: the connection inherits them. It must have none. */
  load(connection: number, reader: ByteReader): void {
    const count = reader.u8();
    this.#inherited ??= this.#inherit();
    for (let i = 0; i < count; i++) {
      const entry = this.#inheritedFrom(connection) + i;
      this.#state[entry] = reader.u8();
      this.bytes.set(reader.bytes(CONNECTION_ID_BYTES), entry * CONNECTION_ID_BYTES);
      this.#inherited.set(this.bytes, entry * CONNECTION_ID_BYTES, entry);
    }
  }

  /** Makes room for inherited ids. */
  #inherit(): KeyedTable {
    const inherited = (this.#entries >> IDS_SHIFT) << INHERITED_SHIFT;
    const entries = this.#entries + inherited;
    this.bytes = grown(this.bytes, new Uint8Array(entries * CONNECTION_ID_BYTES));
    this.#state = grown(this.#state, new Uint8Array(entries));
    return new KeyedTable(CONNECTION_ID_BYTES, Math.min(inherited, TABLE_ENTRIES_MAX), this.#rng);
  }

  /** The entries of a connection that are not FREE, its own first. */
  #entriesOf(connection: number): number[] {
    const entries: number[] = [];
    const collect = (start: number, count: number): void => {
      for (let entry = start; entry < start + count; entry++) if (this.#state[entry] !== FREE) entries.push(entry);
    };
    collect(connection << IDS_SHIFT, IDS_A_CONNECTION);
    if (this.#inherited !== null) collect(this.#inheritedFrom(connection), INHERITED_MAX);
    return entries;
  }

  /** The first entry of a connection in `state`, or -1. */
  #entryIn(connection: number, state: number): number {
    const own = this.#entryFrom(connection << IDS_SHIFT, IDS_A_CONNECTION, state);
    if (own >= 0 || this.#inherited === null) return own;
    return this.#entryFrom(this.#inheritedFrom(connection), INHERITED_MAX, state);
  }

  #inheritedFrom(connection: number): number {
    return this.#entries + (connection << INHERITED_SHIFT);
  }

  #entryFrom(start: number, count: number, state: number): number {
    for (let entry = start; entry < start + count; entry++) {
      if (this.#state[entry] === state) return entry;
    }
    return -1;
  }

  #drop(entry: number): void {
    const start = entry * CONNECTION_ID_BYTES;
    (this.isInherited(entry) ? this.#inherited! : this.#table).remove(this.bytes, start);
    this.bytes.fill(0, start, start + CONNECTION_ID_BYTES);
    this.#state[entry] = FREE;
  }
}

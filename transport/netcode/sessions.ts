/**
 * What a session needs on either side to seal and open packets: keys, counters, the replay window, the peer's address, and
 * when it last spoke. A structure of arrays: a server has thousands of rows, a client one.
 *
 * Nothing here is allocated after the constructor. Sequences are two signed 32-bit halves, since a double beyond 32 bits
 * is boxed on its way through a call.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch, type Micros } from '../../sys/api.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { ACCEPTED, DROP_FORGED, DROP_REPLAYED } from './drop-counters.ts';
import {
  CONNECTION_ID_BYTES,
  KEY_BYTES,
  PACKET_KEEP_ALIVE,
  type PacketHeader,
  prefixOf,
  writeHeaderBefore,
} from './packets.ts';
import { ReplayWindows } from './replay-window.ts';
import type { SessionLedger } from './session-ledger.ts';

const NO_KEY = -1;
const TWO_32 = 4294967296;

export class Sessions {
  /** Canonical address of each peer, ADDRESS_BYTES a row. */
  readonly address: Uint8Array;
  readonly lastSentAt: Float64Array;
  readonly lastReceivedAt: Float64Array;
  /** Silence that ends a session; 0: never. */
  readonly timeoutMicros: Float64Array;
  /** Halves of the number that the next packet gets. */
  readonly nextLow: Int32Array;
  readonly nextHigh: Int32Array;
  readonly replay: ReplayWindows;
  /** Element 0: the packet number that was used last. A cell, because a number beyond 32 bits is boxed when returned. */
  readonly writtenNumber: Float64Array = new Float64Array(1);
  readonly #sealKey: Int32Array;
  readonly #openKey: Int32Array;
  readonly #aead: Aead;
  readonly #ledger: SessionLedger | null;

  /**
   * @param rows sessions, 0 .. rows - 1
   * @param windows how many of them, the first, have a replay window
   * @param ledger has as many rows: keys that seal, counters and addresses lie there, where another thread finds them
   */
  constructor(
    rows: number,
    windows: number,
    replayWindowSize: number,
    aead: Aead,
    ledger: SessionLedger | null = null,
  ) {
    this.#ledger = ledger;
    this.address = ledger?.address ?? new Uint8Array(rows * ADDRESS_BYTES);
    this.lastSentAt = new Float64Array(rows);
    this.lastReceivedAt = new Float64Array(rows);
    this.timeoutMicros = new Float64Array(rows);
    this.nextLow = ledger?.nextLow ?? new Int32Array(rows);
    this.nextHigh = ledger?.nextHigh ?? new Int32Array(rows);
    this.replay = new ReplayWindows(windows, replayWindowSize);
    this.#sealKey = new Int32Array(rows).fill(NO_KEY);
    this.#openKey = new Int32Array(rows).fill(NO_KEY);
    this.#aead = aead;
  }

  /** Loads the two keys of a row, in place of those it had. */
  setKeys(row: number, seal: Uint8Array, open: Uint8Array, associatedData: Uint8Array): void {
    this.freeKeys(row);
    this.#sealKey[row] = this.#aead.load(seal, associatedData);
    this.#openKey[row] = this.#aead.load(open, associatedData);
    this.#ledger?.hold(row, seal, open, associatedData);
  }

  /** Forgets and wipes the keys of a row, if it has any. */
  freeKeys(row: number): void {
    if (this.#sealKey[row] !== NO_KEY) this.#aead.free(this.#sealKey[row]!);
    if (this.#openKey[row] !== NO_KEY) this.#aead.free(this.#openKey[row]!);
    this.#sealKey[row] = NO_KEY;
    this.#openKey[row] = NO_KEY;
    this.#ledger?.wipe(row);
  }

  /** Gives row `to` the keys, address and times of row `from`, which has no keys afterwards. */
  move(from: number, to: number): void {
    this.freeKeys(to);
    this.#sealKey[to] = this.#sealKey[from]!;
    this.#openKey[to] = this.#openKey[from]!;
    this.#sealKey[from] = NO_KEY;
    this.#openKey[from] = NO_KEY;
    this.#ledger?.move(from, to);
    this.address.copyWithin(to * ADDRESS_BYTES, from * ADDRESS_BYTES, (from + 1) * ADDRESS_BYTES);
    this.lastSentAt[to] = this.lastSentAt[from]!;
    this.lastReceivedAt[to] = this.lastReceivedAt[from]!;
    this.timeoutMicros[to] = this.timeoutMicros[from]!;
  }

  /** Writes a row down, keys and all, for another endpoint. Needs a ledger: the AEAD does not give keys back. */
  save(row: number, writer: ByteWriter): void {
    const ledger = this.#ledger;
    if (ledger === null) throw new Error('only sessions with a ledger can be handed over');
    const keyAt = row * KEY_BYTES;
    writer.bytes(ledger.sealKey.subarray(keyAt, keyAt + KEY_BYTES));
    writer.bytes(ledger.openKey.subarray(keyAt, keyAt + KEY_BYTES));
    writer.u8(ledger.associated.length).bytes(ledger.associated);
    writer.bytes(this.address.subarray(row * ADDRESS_BYTES, (row + 1) * ADDRESS_BYTES));
    saveRow(writer, row, this.#columns);
    this.replay.save(row, writer);
  }

  /** Reads what `save` wrote into a row. */
  load(row: number, reader: ByteReader): void {
    const seal = reader.bytes(KEY_BYTES).slice();
    const open = reader.bytes(KEY_BYTES).slice();
    this.setKeys(row, seal, open, reader.bytes(reader.u8()).slice());
    seal.fill(0);
    open.fill(0);
    this.address.set(reader.bytes(ADDRESS_BYTES), row * ADDRESS_BYTES);
    loadRow(reader, row, this.#columns);
    this.replay.load(row, reader);
  }

  /** Leaves numbers out that somebody else may have used. */
  leap(row: number, numbers: number): void {
    const low = (this.nextLow[row]! >>> 0) + numbers;
    this.nextLow[row] = low | 0;
    if (low >= TWO_32) this.nextHigh[row] = this.nextHigh[row]! + 1;
  }

  get #columns(): (Float64Array | Int32Array)[] {
    return [this.lastSentAt, this.lastReceivedAt, this.timeoutMicros, this.nextLow, this.nextHigh];
  }

  /**
   * Appends a packet to the batch: `batch.length[batch.count]` bytes of data that lie at the home of slot `batch.count`
   * are sealed in place under the row's next number, the header goes before them, the row's address beside them.
   */
  writePacket(batch: DatagramBatch, row: number, type: number, now: Micros): void {
    const low = this.nextLow[row]!;
    const high = this.nextHigh[row]!;
    this.skipNumber(row);
    this.lastSentAt[row] = now;
    this.writeNumbered(batch, row, type, low, high);
  }

  /** Like `writePacket`, with the connection id at `id[idAt ..]` between header and ciphertext. */
  writePacketWithId(batch: DatagramBatch, row: number, type: number, id: Uint8Array, idAt: number, now: Micros): void {
    const slot = batch.count;
    this.writePacket(batch, row, type, now);
    const { arena } = batch;
    const start = batch.offset[slot]!;
    const end = batch.home(slot) - CONNECTION_ID_BYTES;
    for (let from = start, to = start - CONNECTION_ID_BYTES; to < end; ) arena[to++] = arena[from++]!;
    for (let i = 0; i < CONNECTION_ID_BYTES; i++) arena[end + i] = id[idAt + i]!;
    batch.offset[slot] = start - CONNECTION_ID_BYTES;
    batch.length[slot] = batch.length[slot]! + CONNECTION_ID_BYTES;
  }

  /** Uses up one number, which is then in `writtenNumber`, without a packet. */
  skipNumber(row: number): void {
    const low = this.nextLow[row]!;
    const high = this.nextHigh[row]!;
    this.writtenNumber[0] = (high >>> 0) * TWO_32 + (low >>> 0);
    // High first: whoever reads the ledger between the two leaves numbers out and repeats none.
    if (low === -1) this.nextHigh[row] = high + 1;
    this.nextLow[row] = low + 1;
  }

  /** Like `writePacket`, with a number from elsewhere, and without touching the row's counter and time. */
  writeNumbered(batch: DatagramBatch, row: number, type: number, low: number, high: number): void {
    const slot = batch.count;
    const home = batch.home(slot);
    const prefix = prefixOf(type, low, high);
    batch.offset[slot] = home;
    this.#aead.seal(batch, slot, this.#sealKey[row]!, prefix, low, high);
    const headerBytes = writeHeaderBefore(batch.arena, home, prefix, low, high);
    batch.offset[slot] = home - headerBytes;
    batch.length[slot] = batch.length[slot]! + headerBytes;
    copyAddress(this.address, row * ADDRESS_BYTES, batch.address, slot * ADDRESS_BYTES);
    batch.count = slot + 1;
  }

  /**
   * Opens the packet in `slot`, whose header has been parsed, with the row's key; its plaintext is then in the AEAD's scratch.
   * Types from keep-alive on are tested against the row's replay window first, and marked once they proved authentic.
   * Numbers from 2^63 on (a reason before the connection) have no window.
   *
   * @returns ACCEPTED, DROP_REPLAYED or DROP_FORGED
   */
  openPacket(batch: DatagramBatch, slot: number, header: PacketHeader, row: number): number {
    const low = header.sequenceLow;
    const high = header.sequenceHigh;
    const counted = header.type >= PACKET_KEEP_ALIVE && high >= 0;
    if (counted && !this.replay.isFresh(row, low, high)) return DROP_REPLAYED;
    if (!this.#aead.open(batch, slot, header.headerBytes, this.#openKey[row]!, header.prefix, low, high)) {
      return DROP_FORGED;
    }
    if (counted) this.replay.mark(row, low, high);
    return ACCEPTED;
  }
}

/** Copies one address. 24 bytes: a loop is quicker than a view for `set`. */
export function copyAddress(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < ADDRESS_BYTES; i++) to[toAt + i] = from[fromAt + i]!;
}

/** Puts data into the slot that is written next. */
export function putData(batch: DatagramBatch, data: Uint8Array): void {
  batch.arena.set(data, batch.home(batch.count));
  batch.length[batch.count] = data.length;
}

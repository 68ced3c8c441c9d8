/**
 * Clients that were handed to other workers and whose datagrams still arrive here: by their address, or by an id that
 * we gave them. They are copied and leave together, once a millisecond, for the worker that has the client.
 *
 * Whoever sends from such an address can make us copy, but no more than STRAY_BYTES_MAX wait for a worker; the rest is dropped
 * as if nobody knew it.
 */

import { ADDRESS_BYTES, type DatagramBatch, type Rng } from '../../sys/api.ts';
import { KeyedTable } from '../../transport/keyed-table.ts';
import { CONNECTION_ID_BYTES, PACKET_PATH } from '../../transport/netcode/packets.ts';
import type { Strays } from '../../transport/netcode/server-options.ts';

/** Clients that may be away at once; beyond, nobody is handed over. With twelve ids each a table holds them. */
export const AWAY_MAX = 5_400;
const IDS_MAX = 12;
/** Bytes on their way to one worker that it has not read. */
export const STRAY_BYTES_MAX: number = 1 << 20;
const BUFFER_BYTES: number = 1 << 16;
/** Before each datagram in a bundle: its length (u16) and its source. */
const HEADER_BYTES: number = 2 + ADDRESS_BYTES;

interface Away {
  readonly clientId: bigint;
  readonly worker: number;
  readonly address: Uint8Array;
  readonly ids: readonly Uint8Array[];
}

/** Datagrams for one worker. */
interface Bundle {
  bytes: Uint8Array;
  length: number;
  /** Sent and not yet read there. */
  unread: number;
}

export class StrayTable implements Strays {
  readonly #byAddress: KeyedTable;
  readonly #byId: KeyedTable;
  readonly #away: Map<number, Away> = new Map();
  readonly #serials: Map<bigint, number> = new Map();
  readonly #bundles: Map<number, Bundle> = new Map();

  constructor(rng: Rng) {
    this.#byAddress = new KeyedTable(ADDRESS_BYTES, AWAY_MAX, rng);
    this.#byId = new KeyedTable(CONNECTION_ID_BYTES, AWAY_MAX * IDS_MAX, rng);
  }

  get isFull(): boolean {
    return this.#away.size >= AWAY_MAX;
  }

  /**
   * From now on datagrams from `address` or under one of `ids` are for `worker`. `serial` names this; it is below 2^31. Where the
   * client was sent before counts no more: each worker knows where it last sent a client, so that nothing goes in circles.
   */
  add(serial: number, clientId: bigint, worker: number, address: Uint8Array, ids: readonly Uint8Array[]): void {
    this.removeClient(clientId);
    this.#away.set(serial, { clientId, worker, address, ids });
    this.#serials.set(clientId, serial);
    this.#byAddress.set(address, 0, serial);
    for (const id of ids) this.#byId.set(id, 0, serial);
  }

  /** The client is not there any more. */
  remove(serial: number): void {
    const away = this.#away.get(serial);
    if (away === undefined) return;
    this.#away.delete(serial);
    if (this.#serials.get(away.clientId) === serial) this.#serials.delete(away.clientId);
    // What has passed on to a later client of the same address stays.
    if (this.#byAddress.find(away.address, 0) === serial) this.#byAddress.remove(away.address, 0);
    for (const id of away.ids) if (this.#byId.find(id, 0) === serial) this.#byId.remove(id, 0);
  }

  /** The client is here again. */
  removeClient(clientId: bigint): void {
    const serial = this.#serials.get(clientId);
    if (serial !== undefined) this.remove(serial);
  }

  /** The worker has ended. */
  removeAllOf(worker: number): void {
    for (const [serial, away] of this.#away) if (away.worker === worker) this.remove(serial);
    this.#bundles.delete(worker);
  }

  /** The worker has read so much of what was sent to it. */
  read(worker: number, bytes: number): void {
    const bundle = this.#bundles.get(worker);
    if (bundle !== undefined) bundle.unread -= bytes;
  }

  take(batch: DatagramBatch, slot: number): boolean {
    if (this.#away.size === 0) return false;
    const away = this.#away.get(this.#find(batch, slot));
    if (away === undefined) return false;
    const length = batch.length[slot]!;
    const bundle = this.#bundleFor(away.worker, length + HEADER_BYTES);
    if (bundle === null) return false;
    const { bytes } = bundle;
    let at = bundle.length;
    bytes[at++] = length;
    bytes[at++] = length >> 8;
    for (let i = slot * ADDRESS_BYTES, end = i + ADDRESS_BYTES; i < end; ) bytes[at++] = batch.address[i++]!;
    const start = batch.offset[slot]!;
    for (let i = start; i < start + length; ) bytes[at++] = batch.arena[i++]!;
    bundle.length = at;
    return true;
  }

  /** Calls `send` with what waits for each worker; the bytes are the callee's. */
  flush(send: (worker: number, bundle: Uint8Array) => void): void {
    for (const [worker, bundle] of this.#bundles) {
      if (bundle.length === 0) continue;
      const { length } = bundle;
      bundle.unread += length;
      bundle.length = 0;
      send(worker, bundle.bytes.slice(0, length));
    }
  }

  #find(batch: DatagramBatch, slot: number): number {
    const start = batch.offset[slot]!;
    const prefix = batch.arena[start]!;
    const idAt = start + 1 + (prefix >> 4);
    const named = (prefix & 15) >= PACKET_PATH && idAt + CONNECTION_ID_BYTES <= start + batch.length[slot]!;
    return named ? this.#byId.find(batch.arena, idAt) : this.#byAddress.find(batch.address, slot * ADDRESS_BYTES);
  }

  #bundleFor(worker: number, bytes: number): Bundle | null {
    let bundle = this.#bundles.get(worker);
    if (bundle === undefined) {
      bundle = { bytes: new Uint8Array(BUFFER_BYTES), length: 0, unread: 0 };
      this.#bundles.set(worker, bundle);
    }
    const end = bundle.length + bytes;
    if (bundle.unread + end > STRAY_BYTES_MAX) return null;
    if (end > bundle.bytes.length) {
      const longer = new Uint8Array(bundle.bytes.length * 2);
      longer.set(bundle.bytes);
      bundle.bytes = longer;
    }
    return bundle;
  }
}

/** Puts datagrams of a bundle into an empty batch, from `at` on, until it is full. Returns where the next one starts. */
export function unbundle(bundle: Uint8Array, at: number, batch: DatagramBatch): number {
  while (at < bundle.length && !batch.full) {
    const length = bundle[at]! | (bundle[at + 1]! << 8);
    const slot = batch.count++;
    batch.offset[slot] = batch.home(slot);
    batch.length[slot] = length;
    batch.address.set(bundle.subarray(at + 2, at + HEADER_BYTES), slot * ADDRESS_BYTES);
    batch.arena.set(bundle.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length), batch.home(slot));
    at += HEADER_BYTES + length;
  }
  return at;
}

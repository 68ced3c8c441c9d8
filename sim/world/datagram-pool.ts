/**
 * Datagrams on their way and in receive queues: numbered places in typed arrays, never objects.
 *
 * A datagram is an id. Its bytes lie in the arena of the smallest size class that holds them; a freed id goes back to the
 * free list of its class and keeps its block. Everything about it is a column (`lengthBytes[id]`). Columns and arenas are
 * replaced when they grow: read them from the pool each time, keep none.
 */

import { ADDRESS_BYTES, type DatagramBatch } from '../../sys/api.ts';

/** Block sizes in bytes: inputs and acks, snapshots, a full Ethernet frame, the largest datagram of UDP. */
const CLASS_BYTES = [128, 512, 2_048, 65_536] as const;
/** Datagrams that may be under way at once: 1 Mi of 400 bytes take 0.6 GB. */
const DATAGRAMS_MAX = 1 << 20;
const DATAGRAMS_AT_BIRTH = 256;
/** End of a list. */
export const NONE = -1;

/** All datagrams of a world. */
export class DatagramPool {
  /** Datagrams held now. */
  held = 0;
  /** Payload length. */
  lengthBytes: Uint16Array = new Uint16Array(DATAGRAMS_AT_BIRTH);
  /** Hash of the payload (`hashOf` its bytes), taken while it was copied in. */
  hash: Int32Array = new Int32Array(DATAGRAMS_AT_BIRTH);
  /** World time at which it was sent. */
  sentAt: Float64Array = new Float64Array(DATAGRAMS_AT_BIRTH);
  /** World time at which it arrived. */
  arrivedAt: Float64Array = new Float64Array(DATAGRAMS_AT_BIRTH);
  /** Number of the direction it travels on. */
  direction: Int32Array = new Int32Array(DATAGRAMS_AT_BIRTH);
  /** Its packet index on that direction. */
  index: Uint32Array = new Uint32Array(DATAGRAMS_AT_BIRTH);
  /** Number of the source of cross traffic that it belongs to; NONE: it is for the sockets of its host. */
  source: Int32Array = new Int32Array(DATAGRAMS_AT_BIRTH);
  /** What that source wrote on it: its packet number. */
  mark: Uint32Array = new Uint32Array(DATAGRAMS_AT_BIRTH);
  /** The next one in a receive queue, or NONE. */
  next: Int32Array = new Int32Array(DATAGRAMS_AT_BIRTH);
  /** Canonical addresses, ADDRESS_BYTES each: source, then destination. */
  addresses: Uint8Array = new Uint8Array(DATAGRAMS_AT_BIRTH * 2 * ADDRESS_BYTES);

  #ids = 0;
  #sizeClass: Uint8Array = new Uint8Array(DATAGRAMS_AT_BIRTH);
  #block: Int32Array = new Int32Array(DATAGRAMS_AT_BIRTH);
  readonly #free: number[] = CLASS_BYTES.map(() => NONE);
  readonly #blocks: number[] = CLASS_BYTES.map(() => 0);
  readonly #arenas: DataView[] = CLASS_BYTES.map(() => new DataView(new ArrayBuffer(0)));

  /** Copies the payload of `slot` in and returns the id. Throws RangeError past the limit. Cost: the bytes. */
  take(batch: DatagramBatch, slot: number): number {
    const length = batch.length[slot]!;
    const id = this.#idFor(length);
    this.held++;
    this.lengthBytes[id] = length;
    this.source[id] = NONE;
    this.next[id] = NONE;
    const sizeClass = this.#sizeClass[id]!;
    this.hash[id] = copyAndHash(
      batch.view,
      batch.offset[slot]!,
      this.#arenas[sizeClass]!,
      this.#block[id]! * CLASS_BYTES[sizeClass]!,
      length,
    );
    return id;
  }

  /** A datagram of source `source` with a length and no bytes, whose payload nobody reads. */
  takeBlank(lengthBytes: number, source: number, mark: number): number {
    const id = this.#idFor(0);
    this.held++;
    this.lengthBytes[id] = lengthBytes;
    this.hash[id] = 0;
    this.source[id] = source;
    this.mark[id] = mark;
    this.next[id] = NONE;
    return id;
  }

  /**
   * A second datagram that is equal to `id` in all that was given to it, with room for `roomBytes` more. Cost: the bytes.
   */
  copy(id: number, roomBytes = 0): number {
    const length = this.lengthBytes[id]!;
    const blank = this.source[id] !== NONE;
    const made = blank ? this.takeBlank(length, this.source[id]!, this.mark[id]!) : this.#idFor(length + roomBytes);
    if (!blank) {
      this.held++;
      this.lengthBytes[made] = length;
      this.source[made] = NONE;
      this.next[made] = NONE;
      this.hash[made] = this.hash[id]!;
      const sizeClass = this.#sizeClass[made]!;
      this.copyOut(id, this.#arenas[sizeClass]!, this.#block[made]! * CLASS_BYTES[sizeClass]!);
    }
    this.direction[made] = this.direction[id]!;
    this.index[made] = this.index[id]!;
    this.sentAt[made] = this.sentAt[id]!;
    const from = id * 2 * ADDRESS_BYTES;
    const to = made * 2 * ADDRESS_BYTES;
    for (let i = 0; i < 2 * ADDRESS_BYTES; i++) this.addresses[to + i] = this.addresses[from + i]!;
    return made;
  }

  /** Copies the payload of `id` to `offset` of `to`. */
  copyOut(id: number, to: DataView, offset: number): void {
    const sizeClass = this.#sizeClass[id]!;
    const from = this.#arenas[sizeClass]!;
    const start = this.#block[id]! * CLASS_BYTES[sizeClass]!;
    const length = this.lengthBytes[id]!;
    const words = length & ~3;
    for (let i = 0; i < words; i += 4) to.setInt32(offset + i, from.getInt32(start + i, true), true);
    for (let i = words; i < length; i++) to.setUint8(offset + i, from.getUint8(start + i));
  }

  /** The datagram with room for `roomBytes` more behind its payload: `id`, or a larger one that has taken its place. */
  withRoom(id: number, roomBytes: number): number {
    if (this.lengthBytes[id]! + roomBytes <= CLASS_BYTES[this.#sizeClass[id]!]!) return id;
    const made = this.copy(id, roomBytes);
    this.release(id);
    return made;
  }

  /** Where the payload of `id` lies, until the next `take` or `copy`: from `offsetOf(id)` on. */
  arenaOf(id: number): DataView {
    return this.#arenas[this.#sizeClass[id]!]!;
  }

  offsetOf(id: number): number {
    return this.#block[id]! * CLASS_BYTES[this.#sizeClass[id]!]!;
  }

  /** The payload has been changed in place, and has `lengthBytes` now. */
  changed(id: number, lengthBytes: number): void {
    const arena = this.arenaOf(id);
    const offset = this.offsetOf(id);
    this.lengthBytes[id] = lengthBytes;
    this.hash[id] = copyAndHash(arena, offset, arena, offset, lengthBytes);
  }

  /** Puts `address`, canonical and with a port of 0, in place of the source's; the port stays. */
  sendFrom(id: number, address: Uint8Array): void {
    const at = id * 2 * ADDRESS_BYTES;
    for (let i = 0; i < 16; i++) this.addresses[at + i] = address[i]!;
  }

  /** Gives the id back. */
  release(id: number): void {
    const sizeClass = this.#sizeClass[id]!;
    this.next[id] = this.#free[sizeClass]!;
    this.#free[sizeClass] = id;
    this.held--;
  }

  #idFor(length: number): number {
    let sizeClass = 0;
    while (CLASS_BYTES[sizeClass]! < length) sizeClass++;
    const free = this.#free[sizeClass]!;
    if (free !== NONE) {
      this.#free[sizeClass] = this.next[free]!;
      return free;
    }
    if (this.#ids === this.lengthBytes.length) this.#growColumns();
    const id = this.#ids++;
    const block = this.#blocks[sizeClass]!++;
    const arena = this.#arenas[sizeClass]!;
    const bytes = CLASS_BYTES[sizeClass]!;
    if ((block + 1) * bytes > arena.byteLength) {
      const grown = new Uint8Array(Math.max(bytes * 4, arena.byteLength * 2));
      grown.set(new Uint8Array(arena.buffer));
      this.#arenas[sizeClass] = new DataView(grown.buffer);
    }
    this.#sizeClass[id] = sizeClass;
    this.#block[id] = block;
    return id;
  }

  #growColumns(): void {
    const size = this.#ids * 2;
    if (size > DATAGRAMS_MAX) {
      throw new RangeError(`more than ${DATAGRAMS_MAX} datagrams are under way: lower the rates or the latencies`);
    }
    this.lengthBytes = grown(this.lengthBytes, new Uint16Array(size));
    this.hash = grown(this.hash, new Int32Array(size));
    this.sentAt = grown(this.sentAt, new Float64Array(size));
    this.arrivedAt = grown(this.arrivedAt, new Float64Array(size));
    this.direction = grown(this.direction, new Int32Array(size));
    this.index = grown(this.index, new Uint32Array(size));
    this.source = grown(this.source, new Int32Array(size));
    this.mark = grown(this.mark, new Uint32Array(size));
    this.next = grown(this.next, new Int32Array(size));
    this.addresses = grown(this.addresses, new Uint8Array(size * 2 * ADDRESS_BYTES));
    this.#sizeClass = grown(this.#sizeClass, new Uint8Array(size));
    this.#block = grown(this.#block, new Int32Array(size));
  }
}

/** The hash that a payload has in the pool: FNV-like over little-endian words, then finished; 32 bits. */
export function hashOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return copyAndHash(view, 0, new DataView(new ArrayBuffer(bytes.length)), 0, bytes.length);
}

/**
 * Copies and hashes in one pass of four bytes at a time: a word copy through DataViews allocates nothing, unlike
 * `set(subarray)`, and is about as fast for the sizes of this field.
 */
function copyAndHash(from: DataView, fromOffset: number, to: DataView, toOffset: number, length: number): number {
  let hash = length;
  const words = length & ~3;
  for (let i = 0; i < words; i += 4) {
    const word = from.getInt32(fromOffset + i, true);
    to.setInt32(toOffset + i, word, true);
    hash = Math.imul(hash ^ word, 0x0100_0193);
    hash ^= hash >>> 15; // multiplying moves bits only upwards: fold them back
  }
  for (let i = words; i < length; i++) {
    const byte = from.getUint8(fromOffset + i);
    to.setUint8(toOffset + i, byte);
    hash = Math.imul(hash ^ byte, 0x0100_0193);
    hash ^= hash >>> 15;
  }
  return Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
}

function grown<T extends Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from as never);
  return to;
}

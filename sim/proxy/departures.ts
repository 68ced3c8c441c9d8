/**
 * Datagrams on their last step: from the pool into the batches of their sockets, and out with as few system calls as
 * there are sockets. Measures how late they go out.
 */

import { type DatagramBatch, type Micros, READABLE, WRITABLE } from '../../sys/api.ts';
import type { DatagramPool } from '../world/datagram-pool.ts';
import { LatencyHistogram } from '../world/latency-histogram.ts';
import { ADDRESS_WORDS } from './proxy-clients.ts';
import type { ProxySockets } from './proxy-sockets.ts';

/** Datagrams whose times are noted until the next flush. More than a turn can bring would only make the first ones wait. */
const NOTED_MAX = 512;
/** As long as this a datagram may wait while others are received, so that they go out together. */
const BATCHING_MICROS_MAX = 200;

/** Sends what has arrived at the end of its link. */
export class Departures {
  /** How long after its time each datagram was with the kernel. */
  lateness: LatencyHistogram = new LatencyHistogram();
  /** From the receipt of each datagram until it was with the kernel, by way. */
  readonly latency: readonly [LatencyHistogram, LatencyHistogram] = [new LatencyHistogram(), new LatencyHistogram()];
  latestMicros: Micros = 0;

  readonly #sockets: ProxySockets;
  readonly #pool: DatagramPool;
  readonly #now: () => Micros;
  /** Keys of sockets with something to flush. */
  readonly #dirty: Int32Array;
  readonly #isDirty: Uint8Array;
  #dirtyCount = 0;
  /** Keys of sockets whose kernel buffer was full: they are flushed when it says that it has room. */
  readonly #isBlocked: Uint8Array;
  readonly #dueAt: Float64Array = new Float64Array(NOTED_MAX);
  readonly #sentAt: Float64Array = new Float64Array(NOTED_MAX);
  readonly #way: Uint8Array = new Uint8Array(NOTED_MAX);
  #noted = 0;

  /** @param now world time, read now */
  constructor(sockets: ProxySockets, pool: DatagramPool, now: () => Micros) {
    this.#sockets = sockets;
    this.#pool = pool;
    this.#now = now;
    this.#dirty = new Int32Array(sockets.byKey.length);
    this.#isDirty = new Uint8Array(sockets.byKey.length);
    this.#isBlocked = new Uint8Array(sockets.byKey.length);
  }

  /** Forgets how late datagrams were so far: a program that has just started is compiled while it runs. */
  measureAnew(): void {
    this.lateness = new LatencyHistogram();
    this.latestMicros = 0;
  }

  /**
   * Puts datagram `id`, whose time was `pool.arrivedAt[id]`, into the batch of socket `key`, to the address at
   * `words[at ..]`. False: it found no room. The id stays the caller's.
   */
  put(key: number, id: number, way: number, words: Int32Array, at: number): boolean {
    const pool = this.#pool;
    const tx = this.#sockets.byKey[key]!.tx;
    if (this.#noted === NOTED_MAX || (tx.full && this.#isBlocked[key] === 0)) this.flush();
    if (tx.full) return false;
    const slot = tx.count++;
    const offset = tx.home(slot);
    tx.offset[slot] = offset;
    tx.length[slot] = pool.lengthBytes[id]!;
    pool.copyOut(id, tx.view, offset);
    writeAddress(tx, slot, words, at);
    if (this.#isDirty[key] === 0) {
      this.#isDirty[key] = 1;
      this.#dirty[this.#dirtyCount++] = key;
    }
    const noted = this.#noted++;
    this.#dueAt[noted] = pool.arrivedAt[id]!;
    this.#sentAt[noted] = pool.sentAt[id]!;
    this.#way[noted] = way;
    return true;
  }

  /** Hands everything to the kernel. */
  flush(): void {
    for (let i = 0; i < this.#dirtyCount; i++) {
      const key = this.#dirty[i]!;
      this.#isDirty[key] = 0;
      if (this.#isBlocked[key] === 0) this.#flushSocket(key);
    }
    this.#dirtyCount = 0;
    if (this.#noted > 0) this.#measure();
  }

  /** Hands everything to the kernel when the first of it has waited too long for the others. */
  flushLate(now: Micros): void {
    if (this.#noted > 0 && now - this.#dueAt[0]! > BATCHING_MICROS_MAX) this.flush();
  }

  /** The kernel has room again for socket `key`. */
  unblock(key: number): void {
    if (this.#isBlocked[key] === 1) this.#flushSocket(key);
  }

  /** The socket under `key` is another one now, or none. */
  forget(key: number): void {
    this.#isBlocked[key] = 0;
  }

  #flushSocket(key: number): void {
    const socket = this.#sockets.byKey[key];
    if (!socket) return;
    socket.flush();
    const blocked = socket.tx.count > 0 ? 1 : 0;
    if (blocked === this.#isBlocked[key]) return;
    this.#isBlocked[key] = blocked;
    this.#sockets.poller.modify(socket, key, blocked === 1 ? READABLE | WRITABLE : READABLE);
  }

  #measure(): void {
    const now = this.#now();
    for (let i = 0; i < this.#noted; i++) {
      const late = now - this.#dueAt[i]!;
      if (late > this.latestMicros) this.latestMicros = late;
      this.lateness.add(late);
      this.latency[this.#way[i]!]!.add(now - this.#sentAt[i]!);
    }
    this.#noted = 0;
  }
}

function writeAddress(tx: DatagramBatch, slot: number, words: Int32Array, at: number): void {
  const to = slot * ADDRESS_WORDS;
  for (let i = 0; i < ADDRESS_WORDS; i++) tx.addressWords[to + i] = words[at + i]!;
}

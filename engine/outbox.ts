/** The way out of a server or client: a value, encoded once, queued for one connection or for many. */

import type { Micros } from '../sys/api.ts';
import { LATEST_STATE, TICK_INPUT } from '../transport/channel/channel-set.ts';
import type { Connections } from '../transport/connections.ts';
import type { ChannelTable } from './channel-table.ts';
import type { LatestStateSendOptions, SendResult, TickInputSendOptions } from './channel-types.ts';

/** The options of all kinds. */
export type AnySendOptions = LatestStateSendOptions & TickInputSendOptions;

/** Told of each message that was queued: its bytes are in a block of the connections' pool. */
export type OnQueued = (c: number, id: number, bytes: Uint8Array, offset: number, length: number) => void;

/** What an outbox needs of the drive. */
export interface OutboxDrive {
  readonly now: Micros;
  poke(): void;
}

const RECEIPT_MAX = 0x7fff_ffff;
const TICK_MAX = 0xffff_ffff;
const NO_OPTIONS: AnySendOptions = {};

export class Outbox {
  readonly #connections: Connections;
  readonly #channels: ChannelTable;
  readonly #drive: OutboxDrive;
  readonly #onQueued: OnQueued | null;

  constructor(connections: Connections, channels: ChannelTable, drive: OutboxDrive, onQueued: OnQueued | null) {
    this.#connections = connections;
    this.#channels = channels;
    this.#drive = drive;
    this.#onQueued = onQueued;
  }

  /** Queues a message for a connection. RangeError, TypeError: it is not one that the channel could carry. */
  send(c: number, channel: string, message: unknown, options: AnySendOptions = NO_OPTIONS): SendResult {
    const id = this.#messagesOf(channel);
    const tag = this.#tagOf(c, id, options);
    const receipt = receiptOf(options);
    const ttlMicros = ttlOf(options);
    const block = this.#channels.encode(this.#connections.pool, id, message);
    const queued = this.#queue(c, id, block, this.#channels.encodedBytes, tag, receipt, ttlMicros);
    return this.#finish(block, queued);
  }

  /** Queues one message for each of these that is open and that `filter` accepts. Returns how many could not take it. */
  broadcast<P extends { readonly id: number; readonly isOpen: boolean }>(
    peers: readonly P[],
    channel: string,
    message: unknown,
    options: AnySendOptions = NO_OPTIONS,
    filter?: (peer: P) => boolean,
  ): number {
    const id = this.#messagesOf(channel);
    const ttlMicros = ttlOf(options);
    if (peers.length === 0) return 0;
    const block = this.#channels.encode(this.#connections.pool, id, message);
    const length = this.#channels.encodedBytes;
    let full = 0;
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!;
      if (!peer.isOpen || (filter !== undefined && !filter(peer))) continue;
      if (!this.#queue(peer.id, id, block, length, this.#tagOf(peer.id, id, options), 0, ttlMicros)) full++;
    }
    this.#finish(block, true);
    return full;
  }

  /** Queues what has been written into the table's `scratch` for channel `id`. */
  sendScratch(c: number, id: number): SendResult {
    const block = this.#channels.takeScratch(this.#connections.pool, id);
    return this.#finish(block, this.#queue(c, id, block, this.#channels.encodedBytes, 0, 0, 0));
  }

  /** @param block -1: the memory for messages is full */
  #queue(c: number, id: number, block: number, length: number, tag: number, receipt: number, ttl: number): boolean {
    const connections = this.#connections;
    if (block >= 0) {
      const queued = connections.send(c, id, block, length, tag, receipt, ttl, this.#drive.now);
      if (queued && this.#onQueued !== null) {
        this.#onQueued(c, id, connections.pool.bytesOf(block), connections.pool.offsetOf(block), length);
      }
      return queued;
    }
    connections.outgoing.refusals.add(c * this.#channels.set.count + id);
    return false;
  }

  /** The block is the connections' now, and the drive is told. */
  #finish(block: number, queued: boolean): SendResult {
    if (block >= 0) this.#connections.pool.release(block);
    this.#drive.poke();
    return queued ? 'queued' : 'backlog-full';
  }

  #messagesOf(channel: string): number {
    const id = this.#channels.idOf(channel);
    if (this.#channels.requestsOf(id) !== null) {
      throw new TypeError(`'${channel}' carries requests: use request('${channel}', ...)`);
    }
    return id;
  }

  /** The key, or the tick, or 0. */
  #tagOf(c: number, id: number, options: AnySendOptions): number {
    const { set } = this.#channels;
    const kind = set.kind[id]!;
    if (kind === TICK_INPUT) {
      const last = this.#connections.outgoing.lastTick[c * set.count + id]!;
      const tick = options.tick ?? last + 1;
      if (Number.isInteger(tick) && tick > last && tick <= TICK_MAX) return tick;
      throw new RangeError(`tick ${tick} on '${set.names[id]}' is not a whole number from ${last + 1} to ${TICK_MAX}`);
    }
    const key = options.key ?? 0;
    if (kind !== LATEST_STATE) return 0;
    if (Number.isInteger(key) && key >= 0 && key < set.keysMax[id]!) return key;
    throw new RangeError(`key ${key} on '${set.names[id]}' is not a whole number from 0 to ${set.keysMax[id]! - 1}`);
  }
}

function receiptOf(options: AnySendOptions): number {
  const { receipt } = options;
  if (receipt === undefined) return 0;
  if (Number.isInteger(receipt) && receipt > 0 && receipt <= RECEIPT_MAX) return receipt;
  throw new RangeError(`receipt ${receipt} is not a whole number from 1 to ${RECEIPT_MAX}`);
}

function ttlOf(options: AnySendOptions): number {
  const { ttlMicros } = options;
  if (ttlMicros === undefined) return 0;
  if (ttlMicros > 0) return ttlMicros;
  throw new RangeError(`ttlMicros ${ttlMicros} is not a number above 0`);
}

/**
 * The server's protocol state behind one socket: secure sessions (netcode) below, messages in frames above.
 *
 *     datagram -> NetcodeServer (open, replay, sessions) -> payload -> readFrames -> message
 *     message  -> SendQueue (encoded once) -> pack -> payload -> NetcodeServer (seal, header) -> datagram
 */

import type { Aead, DatagramBatch, Micros, Rng } from '../sys/api.ts';
import { cellBytesFor, SendQueue, type SendResult } from './channel/send-queue.ts';
import { transmitQueued } from './channel/transmit-queued.ts';
import type { DisconnectCode, DisconnectReason, Endpoint } from './endpoint.ts';
import { NetcodeServer, type NetcodeServerOptions, type NetcodeServerSink } from './netcode/netcode-server.ts';
import { type FrameSink, readFrames } from './wire/frames.ts';

/** What a server's endpoint tells. Connections are numbers, 0 .. maxClients - 1, used again after `disconnect`. */
export interface ServerSink {
  /** A client proved its token. Answer with `accept` or `refuse`, now or later. */
  admit(connection: number): void;
  connect(connection: number): void;
  /** `bytes` are borrowed until the callback returns. */
  message(connection: number, channel: number, bytes: Uint8Array, offset: number, length: number): void;
  /** The client has another address from here on: `netcode.addressOf`. */
  path(connection: number): void;
  disconnect(connection: number, reason: DisconnectReason): void;
}

export interface ServerEndpointOptions extends NetcodeServerOptions {
  /** Messages that may wait for one connection; a further one is refused. Default 256. */
  readonly backlogMax?: number;
}

/** Different encoded messages that may wait at once, for each connection. A broadcast counts once. */
const CELLS_PER_CONNECTION = 16;
const CELLS_MIN = 1024;
const BACKLOG_MAX = 256;

/** Spare bytes that the transmit batch of a server's endpoint needs: its messages wait there. */
export function serverSpareBytes(maxClients: number): number {
  return cellBytesFor(Math.max(CELLS_MIN, maxClients * CELLS_PER_CONNECTION));
}

export class ServerEndpoint implements Endpoint<ServerSink> {
  readonly netcode: NetcodeServer;
  readonly queue: SendQueue;
  readonly #ascent: Ascent;

  /** @param tx the batch that `transmit` will be given, with `serverSpareBytes` behind its slots */
  constructor(
    options: ServerEndpointOptions,
    aead: Aead,
    rng: Rng,
    now: Micros,
    unixSeconds: number,
    tx: DatagramBatch,
  ) {
    this.netcode = new NetcodeServer(options, aead, rng, now, unixSeconds);
    const backlogMax = options.backlogMax ?? BACKLOG_MAX;
    this.queue = new SendQueue({ connections: options.maxClients, backlogMax }, tx);
    this.#ascent = new Ascent(this.queue);
  }

  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void {
    this.netcode.receive(batch, now, unixSeconds);
  }

  drain(sink: ServerSink): void {
    this.#ascent.sink = sink;
    this.netcode.drain(this.#ascent);
  }

  advance(now: Micros): void {
    this.netcode.advance(now);
  }

  /** Messages first, so that a payload stands for the keep-alive that would otherwise be due. */
  transmit(batch: DatagramBatch, now: Micros): void {
    transmitQueued(this.queue, this.netcode, batch, now);
    if (!batch.full) this.netcode.transmit(batch, now);
  }

  deadline(): Micros {
    return this.queue.readyCount > 0 ? 0 : this.netcode.deadline();
  }

  /** Queues an encoded message (see SendQueue) for a connection. */
  send(connection: number, cell: number): SendResult {
    if (!this.netcode.isConnected(connection)) return 'not-connected';
    return this.queue.enqueue(connection, cell);
  }

  /** Payloads whose frames could not be read to the end. */
  get malformedPayloads(): number {
    return this.#ascent.malformedPayloads;
  }

  /** Ends a connection; the client is told the code and the text. Acts with the next `transmit`. */
  disconnect(connection: number, code: DisconnectCode, text: string, now: Micros): void {
    this.queue.clear(connection);
    this.netcode.disconnect(connection, code, text, now);
  }
}

/** The way up: what netcode tells becomes what the game is told. */
class Ascent implements NetcodeServerSink, FrameSink {
  sink!: ServerSink;
  malformedPayloads = 0;
  readonly #queue: SendQueue;

  constructor(queue: SendQueue) {
    this.#queue = queue;
  }

  admit(connection: number): void {
    this.sink.admit(connection);
  }

  connect(connection: number): void {
    this.#queue.clear(connection); // the slot may have been another client's
    this.sink.connect(connection);
  }

  payload(connection: number, bytes: Uint8Array, offset: number, length: number): void {
    if (!readFrames(this, connection, bytes, offset, length)) this.malformedPayloads++;
  }

  path(connection: number): void {
    this.sink.path(connection);
  }

  messageFrame(connection: number, channel: number, bytes: Uint8Array, offset: number, length: number): void {
    this.sink.message(connection, channel, bytes, offset, length);
  }

  disconnect(connection: number, reason: DisconnectReason): void {
    this.#queue.clear(connection);
    this.sink.disconnect(connection, reason);
  }
}

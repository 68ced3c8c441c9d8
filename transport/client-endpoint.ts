/**
 * The client's protocol state behind one socket: one secure session (netcode) below, messages in frames above.
 * The mirror of `server-endpoint.ts`, with the single connection 0.
 */

import type { Aead, DatagramBatch, Micros, Rng } from '../sys/api.ts';
import { cellBytesFor, SendQueue, type SendResult } from './channel/send-queue.ts';
import { transmitQueued } from './channel/transmit-queued.ts';
import type { DisconnectCode, DisconnectReason, Endpoint } from './endpoint.ts';
import { NetcodeClient, type NetcodeClientOptions, type NetcodeClientSink } from './netcode/netcode-client.ts';
import { type FrameSink, readFrames } from './wire/frames.ts';

/** What a client's endpoint tells. */
export interface ClientSink {
  /** The server took us in, as number `index` of at most `maxClients`. */
  connect(index: number, maxClients: number): void;
  /** `bytes` are borrowed until the callback returns. */
  message(channel: number, bytes: Uint8Array, offset: number, length: number): void;
  disconnect(reason: DisconnectReason): void;
}

export interface ClientEndpointOptions extends NetcodeClientOptions {
  /** Messages that may wait to be sent; a further one is refused. Default 256. */
  readonly backlogMax?: number;
}

const BACKLOG_MAX = 256;

/** Spare bytes that the transmit batch of a client's endpoint needs: its messages wait there. */
export function clientSpareBytes(backlogMax: number = BACKLOG_MAX): number {
  return cellBytesFor(backlogMax + 1); // one more: it is refused only when it is encoded
}

export class ClientEndpoint implements Endpoint<ClientSink> {
  readonly netcode: NetcodeClient;
  readonly queue: SendQueue;
  readonly #ascent: Ascent;

  /** @param tx the batch that `transmit` will be given, with `clientSpareBytes` behind its slots */
  constructor(options: ClientEndpointOptions, aead: Aead, rng: Rng, tx: DatagramBatch) {
    const backlogMax = options.backlogMax ?? BACKLOG_MAX;
    this.netcode = new NetcodeClient(options, aead, rng);
    this.queue = new SendQueue({ connections: 1, backlogMax }, tx);
    this.#ascent = new Ascent(this.queue);
  }

  /** Starts to connect with a token of 2,048 bytes; `connect` or `disconnect` follows. Ends what was before. */
  connect(token: Uint8Array, now: Micros): void {
    this.queue.clear(0);
    this.netcode.connect(token, now);
  }

  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void {
    this.netcode.receive(batch, now, unixSeconds);
  }

  drain(sink: ClientSink): void {
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

  /** Queues an encoded message (see SendQueue). */
  send(cell: number): SendResult {
    if (!this.netcode.isConnected()) return 'not-connected';
    return this.queue.enqueue(0, cell);
  }

  /** Payloads whose frames could not be read to the end. */
  get malformedPayloads(): number {
    return this.#ascent.malformedPayloads;
  }

  /** Leaves; the server is told the code and the text. Acts with the next `transmit`. */
  disconnect(code: DisconnectCode, text: string, now: Micros): void {
    this.queue.clear(0);
    this.netcode.disconnect(code, text, now);
  }
}

/** The way up: what netcode tells becomes what the game is told. */
class Ascent implements NetcodeClientSink, FrameSink {
  sink!: ClientSink;
  malformedPayloads = 0;
  readonly #queue: SendQueue;

  constructor(queue: SendQueue) {
    this.#queue = queue;
  }

  connect(index: number, maxClients: number): void {
    this.#queue.clear(0);
    this.sink.connect(index, maxClients);
  }

  payload(bytes: Uint8Array, offset: number, length: number): void {
    if (!readFrames(this, 0, bytes, offset, length)) this.malformedPayloads++;
  }

  /** Nothing here knows yet what the path was like. */
  path(): void {}

  messageFrame(_connection: number, channel: number, bytes: Uint8Array, offset: number, length: number): void {
    this.sink.message(channel, bytes, offset, length);
  }

  disconnect(reason: DisconnectReason): void {
    this.#queue.clear(0);
    this.sink.disconnect(reason);
  }
}

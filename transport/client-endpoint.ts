/**
 * The client's protocol state behind one socket: one secure session (netcode) below, messages above.
 * The mirror of `server-endpoint.ts`, with the single connection 0.
 */

import type { Aead, DatagramBatch, Micros, Rng } from '../sys/api.ts';
import type { MessageSink } from './channel/incoming.ts';
import type { OutgoingSink } from './channel/outgoing-events.ts';
import { Connections } from './connections.ts';
import { DrainingConnections } from './draining.ts';
import type { DisconnectCode, DisconnectReason, GameEndpoint } from './endpoint.ts';
import { NetcodeClient, type NetcodeClientOptions, type NetcodeClientSink } from './netcode/netcode-client.ts';
import { type TransportOptions, transportSettings } from './transport-options.ts';

/** What a client's endpoint tells; the connection's number is always 0. */
export interface ClientSink extends MessageSink, OutgoingSink {
  /** The server took us in, as number `index` of at most `maxClients`. */
  connect(index: number, maxClients: number): void;
  disconnect(reason: DisconnectReason): void;
}

export type ClientEndpointOptions = NetcodeClientOptions & TransportOptions;

/** The only connection. */
export const SERVER = 0;
/** Spare bytes that the transmit batch of a client's endpoint needs: messages wait there before they wait elsewhere. */
export const CLIENT_SPARE_BYTES = 65_536;

export class ClientEndpoint implements GameEndpoint<ClientSink> {
  readonly netcode: NetcodeClient;
  readonly connections: Connections;
  readonly #draining: DrainingConnections = new DrainingConnections();
  readonly #ascent: Ascent;

  /** @param tx the batch that `transmit` will be given, with CLIENT_SPARE_BYTES behind its slots */
  constructor(options: ClientEndpointOptions, aead: Aead, rng: Rng, tx: DatagramBatch) {
    this.netcode = new NetcodeClient(options, aead, rng);
    this.connections = new Connections({ ...transportSettings(options), connections: 1 }, this.netcode, rng, tx);
    this.#ascent = new Ascent(this.connections, this.netcode);
  }

  /** Starts to connect with a token of 2,048 bytes; `connect` or `disconnect` follows. Ends what was before. */
  connect(token: Uint8Array, now: Micros): void {
    this.connections.close(SERVER, now);
    this.netcode.connect(token, now);
  }

  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void {
    this.#ascent.now = now;
    this.netcode.receive(batch, now, unixSeconds);
  }

  drain(sink: ClientSink, now: Micros): void {
    this.#ascent.sink = sink;
    this.netcode.drain(this.#ascent, now);
    this.connections.drain(sink, now);
  }

  advance(now: Micros): void {
    this.#ascent.now = now;
    this.netcode.advance(now);
    this.connections.advance(now);
    if (this.#draining.count === 0) return;
    this.#draining.check(
      now,
      (c) => this.connections.isSettled(c),
      ({ code, text }) => this.netcode.disconnect(code, text, now),
    );
  }

  /** Messages first, so that a payload stands for the keep-alive that would otherwise be due. */
  transmit(batch: DatagramBatch, now: Micros): void {
    this.connections.transmit(batch, now);
    if (!batch.full) this.netcode.transmit(batch, now);
  }

  deadline(): Micros {
    return Math.min(this.connections.deadline(), this.netcode.deadline(), this.#draining.deadline());
  }

  get isPressing(): boolean {
    return this.connections.isPressing || this.#draining.count > 0;
  }

  /** Leaves; the server is told the code and the text. Acts with the next `transmit`. */
  disconnect(code: DisconnectCode, text: string, now: Micros): void {
    this.#draining.cancel(SERVER);
    this.netcode.disconnect(code, text, now);
  }

  /** Leaves once everything that was sent has arrived, at `by` at the latest. */
  disconnectSettled(code: DisconnectCode, text: string, by: Micros): void {
    if (this.netcode.isConnected()) this.#draining.start(SERVER, code, text, by);
  }
}

/** The way up: what netcode tells becomes what the game is told. */
class Ascent implements NetcodeClientSink {
  sink!: ClientSink;
  now: Micros = 0;
  readonly #connections: Connections;
  readonly #netcode: NetcodeClient;

  constructor(connections: Connections, netcode: NetcodeClient) {
    this.#connections = connections;
    this.#netcode = netcode;
  }

  connect(index: number, maxClients: number): void {
    this.#connections.open(SERVER, this.now);
    this.sink.connect(index, maxClients);
  }

  payload(bytes: Uint8Array, offset: number, length: number, now: Micros): void {
    const connections = this.#connections;
    if (connections.receive(SERVER, bytes, offset, length, now, this.sink)) return;
    this.#netcode.disconnect('protocol', connections.frames.violationText, now);
  }

  path(hostChanged: boolean): void {
    this.#connections.onPath(SERVER, hostChanged, this.now);
  }

  disconnect(reason: DisconnectReason): void {
    this.#connections.close(SERVER, this.now);
    try {
      this.#connections.drain(this.sink, this.now); // what became of its messages comes before the end
    } finally {
      this.sink.disconnect(reason);
    }
  }
}

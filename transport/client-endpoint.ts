/**
 * The client's protocol state behind one socket: one secure session (netcode) below, messages above.
 * The mirror of `server-endpoint.ts`, with the single connection 0.
 */

import type { Aead, DatagramBatch, Micros, Rng } from '../sys/api.ts';
import type { MessageSink } from './channel/incoming.ts';
import type { OutgoingSink } from './channel/outgoing-events.ts';
import { type ConnectionSink, Connections } from './connections.ts';
import { DrainingConnections } from './draining.ts';
import type { DisconnectCode, DisconnectReason, GameEndpoint } from './endpoint.ts';
import { NetcodeClient, type NetcodeClientOptions, type NetcodeClientSink } from './netcode/netcode-client.ts';
import { type TransportOptions, transportSettings } from './transport-options.ts';
import { Uplink } from './uplink.ts';

/** What a client's endpoint tells; the connection's number is always 0. */
export interface ClientSink extends MessageSink, OutgoingSink {
  /**
   * The server took us in, as number `index` of at most `maxClients`. `resumed`: the connection that had timed out goes on; else
   * it is a new one, and of one that was kept only receipts are still to come.
   */
  connect(index: number, maxClients: number, resumed: boolean): void;
  /**
   * The server is heard, but nothing that leaves from our port seems to reach it: another port may help; then call
   * `netcode.rebind`. At most once a connection.
   */
  swallowed?(): void;
  disconnect(reason: DisconnectReason): void;
}

export interface ClientEndpointOptions extends NetcodeClientOptions, TransportOptions {
  /** Keep what a connection that timed out has sent and received, and go on with it when `connect` finds the server has too. */
  readonly resume?: boolean;
}

/** The only connection. */
export const SERVER = 0;
/** Spare bytes that the transmit batch of a client's endpoint needs: messages wait there before they wait elsewhere. */
export const CLIENT_SPARE_BYTES = 65_536;

export class ClientEndpoint implements GameEndpoint<ClientSink> {
  readonly netcode: NetcodeClient;
  readonly connections: Connections;
  readonly #draining: DrainingConnections = new DrainingConnections();
  readonly #uplink: Uplink;
  readonly #ascent: Ascent;

  /** @param tx the batch that `transmit` will be given, with CLIENT_SPARE_BYTES behind its slots */
  constructor(options: ClientEndpointOptions, aead: Aead, rng: Rng, tx: DatagramBatch) {
    this.netcode = new NetcodeClient(options, aead, rng);
    this.connections = new Connections({ ...transportSettings(options), connections: 1 }, this.netcode, rng, tx);
    this.#uplink = new Uplink(this.connections, this.netcode);
    this.#ascent = new Ascent(this.connections, this.netcode, this.#uplink, options.resume ?? false);
  }

  /**
   * Starts to connect with a token of 2,048 bytes; `connect` or `disconnect` follows. Ends what was before, unless it timed out
   * and is kept.
   */
  connect(token: Uint8Array, now: Micros): void {
    if (!this.#ascent.keeps) this.connections.close(SERVER, now);
    this.netcode.connect(token, now);
  }

  /** Whether a connection has timed out that may still go on: `connect` or `forget` decides. */
  get keeps(): boolean {
    return this.#ascent.keeps;
  }

  /** Gives up a connection that timed out and is kept: its receipts are told here and now. */
  forget(now: Micros): void {
    this.#ascent.forget(now);
  }

  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void {
    this.#ascent.now = now;
    this.netcode.receive(batch, now, unixSeconds);
  }

  drain(sink: ClientSink, now: Micros): void {
    this.#ascent.sink = sink;
    this.netcode.drain(this.#ascent, now);
    this.connections.drain(sink, now);
    if (this.#uplink.takeSwallowed()) sink.swallowed?.();
  }

  advance(now: Micros): void {
    this.#ascent.now = now;
    this.netcode.advance(now);
    this.connections.advance(now);
    this.#uplink.advance(now);
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
    const messages = Math.min(this.connections.deadline(), this.#draining.deadline());
    return Math.min(messages, this.netcode.deadline(), this.#uplink.deadline());
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
class Ascent implements NetcodeClientSink, ConnectionSink {
  sink!: ClientSink;
  now: Micros = 0;
  /** A connection has timed out, and what it had sent and received is still there. */
  keeps = false;
  readonly #connections: Connections;
  readonly #netcode: NetcodeClient;
  readonly #uplink: Uplink;
  readonly #resume: boolean;
  #index = 0;
  #maxClients = 0;

  constructor(connections: Connections, netcode: NetcodeClient, uplink: Uplink, resume: boolean) {
    this.#connections = connections;
    this.#netcode = netcode;
    this.#uplink = uplink;
    this.#resume = resume;
  }

  /** With a connection that is kept only the server's hello, which comes first, can tell whether it goes on. */
  connect(index: number, maxClients: number): void {
    this.#index = index;
    this.#maxClients = maxClients;
    this.#uplink.open(this.now);
    if (this.keeps && this.#connections.rejoin(SERVER, this.now)) return;
    this.keeps = false;
    this.#connections.open(SERVER, this.now);
    this.sink.connect(index, maxClients, false);
  }

  rejoined(_connection: number, anew: boolean): void {
    this.keeps = false;
    if (anew) this.#connections.drain(this.sink, this.now); // what became of the old connection's messages
    this.sink.connect(this.#index, this.#maxClients, !anew);
  }

  message(c: number, channel: number, bytes: Uint8Array, offset: number, length: number, tag: number): void {
    this.sink.message(c, channel, bytes, offset, length, tag);
  }

  forget(now: Micros): void {
    if (!this.keeps) return;
    this.keeps = false;
    this.#connections.close(SERVER, now);
    this.#connections.drain(this.sink, now);
  }

  payload(bytes: Uint8Array, offset: number, length: number, now: Micros): void {
    const connections = this.#connections;
    if (connections.receive(SERVER, bytes, offset, length, now, this)) return;
    this.#netcode.disconnect('protocol', connections.frames.violationText, now);
  }

  path(hostChanged: boolean): void {
    this.#connections.onPath(SERVER, hostChanged, this.now);
  }

  disconnect(reason: DisconnectReason): void {
    // Attempts that fail leave what is kept alone.
    this.keeps ||= this.#resume && reason.code === 'timeout' && this.#connections.isOpen(SERVER);
    if (this.keeps) {
      this.sink.disconnect(reason);
      return;
    }
    this.#connections.close(SERVER, this.now);
    try {
      this.#connections.drain(this.sink, this.now); // what became of its messages comes before the end
    } finally {
      this.sink.disconnect(reason);
    }
  }
}

/**
 * The server's protocol state behind one socket: secure sessions (netcode) below, messages above.
 *
 *     datagram -> NetcodeServer (open, replay, sessions) -> payload -> Connections (acks, channels) -> message
 *     message  -> Connections (queue, pack, pace) -> payload -> NetcodeServer (seal, header) -> datagram
 */

import type { Aead, DatagramBatch, Micros, Rng } from '../sys/api.ts';
import type { MessageSink } from './channel/incoming.ts';
import type { OutgoingSink } from './channel/outgoing-events.ts';
import { Connections } from './connections.ts';
import { type Departure, Departures } from './departures.ts';
import { DrainingConnections } from './draining.ts';
import type { DisconnectCode, DisconnectReason, GameEndpoint } from './endpoint.ts';
import { isQuiet, loadConnection, pause, saveConnection, unpause } from './handover.ts';
import { NetcodeServer, type NetcodeServerOptions, type NetcodeServerSink } from './netcode/netcode-server.ts';
import { type TransportOptions, transportSettings } from './transport-options.ts';
import { ByteReader } from './wire/byte-reader.ts';
import { ByteWriter } from './wire/byte-writer.ts';

/** What a server's endpoint tells. Connections are numbers, 0 .. maxClients - 1, used again after `disconnect`. */
export interface ServerSink extends MessageSink, OutgoingSink {
  /** A client proved its token. Answer with `accept` or `refuse`, now or later. */
  admit(connection: number): void;
  connect(connection: number): void;
  /** The client has another address now. */
  path(connection: number): void;
  /** The client has come back with another token, and goes on where it was; its address may be another one. */
  resume?(connection: number): void;
  disconnect(connection: number, reason: DisconnectReason): void;
}

export type ServerEndpointOptions = NetcodeServerOptions & TransportOptions;

const SPARE_BYTES_PER_CONNECTION = 16_384;
const SPARE_BYTES_MIN = 1 << 20;

/** A connection as bytes: some KiB, and 8 bytes for each key of latest state that its client has written. */
const HANDOVER_BYTES = 4096;
const HANDOVER_BYTES_MAX = 1 << 24;

/** Spare bytes that the transmit batch of a server's endpoint needs: messages wait there before they wait elsewhere. */
export function serverSpareBytes(maxClients: number): number {
  return Math.max(SPARE_BYTES_MIN, maxClients * SPARE_BYTES_PER_CONNECTION);
}

export class ServerEndpoint implements GameEndpoint<ServerSink> {
  readonly netcode: NetcodeServer;
  readonly connections: Connections;
  readonly #draining: DrainingConnections = new DrainingConnections();
  readonly #departures: Departures = new Departures();
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
    const settings = transportSettings(options);
    this.connections = new Connections({ ...settings, connections: options.maxClients }, this.netcode, rng, tx);
    this.#ascent = new Ascent(this.connections, this.netcode, this.#departures);
    this.#ascent.now = now;
  }

  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void {
    this.#ascent.now = now;
    this.netcode.receive(batch, now, unixSeconds);
  }

  drain(sink: ServerSink, now: Micros): void {
    this.#ascent.sink = sink;
    this.netcode.drain(this.#ascent, now);
    this.connections.drain(sink, now);
    this.#departures.check(now, (c) => this.netcode.handovers.isReady(c) && isQuiet(this.connections, c));
  }

  advance(now: Micros): void {
    this.#ascent.now = now;
    this.netcode.advance(now);
    this.connections.advance(now);
    if (this.#draining.count === 0) return;
    this.#draining.check(
      now,
      (c) => this.connections.isSettled(c),
      ({ connection, code, text }) => this.netcode.disconnect(connection, code, text, now),
    );
  }

  /** Messages first, so that a payload stands for the keep-alive that would otherwise be due. */
  transmit(batch: DatagramBatch, now: Micros): void {
    this.connections.transmit(batch, now);
    if (!batch.full) this.netcode.transmit(batch, now);
  }

  deadline(): Micros {
    return Math.min(
      this.connections.deadline(),
      this.netcode.deadline(),
      this.#draining.deadline(),
      this.#departures.deadline(),
    );
  }

  get isPressing(): boolean {
    return this.connections.isPressing || this.#draining.count > 0 || this.#departures.count > 0;
  }

  /** Ends a connection; the client is told the code and the text. Acts with the next `transmit`. */
  disconnect(connection: number, code: DisconnectCode, text: string, now: Micros): void {
    this.#draining.cancel(connection);
    this.netcode.disconnect(connection, code, text, now);
  }

  /** Ends a connection once everything sent to it has arrived, at `by` at the latest. */
  disconnectSettled(connection: number, code: DisconnectCode, text: string, by: Micros): void {
    if (this.netcode.isConnected(connection)) this.#draining.start(connection, code, text, by);
  }

  /**
   * Waits until a connection can be handed over: nothing that was sent to it, and nothing that came from it, is half there. What is
   * sent to it from now on waits, and goes along.
   *
   * @param by how long it may take: a transfer that is under way must end
   * @param isReady asked besides: whether the layer above has come to rest too
   * @param done told in a `drain`; at 'quiet' it calls `handOver`
   */
  depart(connection: number, by: Micros, isReady: () => boolean, done: (departure: Departure) => void): void {
    pause(this.connections, connection);
    this.#departures.start(connection, by, isReady, (departure) => {
      if (departure === 'late') unpause(this.connections, connection, this.#ascent.now);
      done(departure);
    });
  }

  /** A connection that could have gone stays: what has waited may leave. */
  stay(connection: number): void {
    unpause(this.connections, connection, this.#ascent.now);
  }

  /** A connection that is quiet, as bytes for `takeOver` of another endpoint. */
  handOver(connection: number, now: Micros): Uint8Array {
    const writer = new ByteWriter(HANDOVER_BYTES, HANDOVER_BYTES_MAX);
    writer.u32(this.connections.channels.hash);
    this.netcode.handovers.handOver(connection, writer);
    saveConnection(this.connections, connection, writer, now);
    if (!writer.ok) throw new Error(`a connection of more than ${HANDOVER_BYTES_MAX} bytes`);
    return writer.written.slice();
  }

  /** The other endpoint has it: its number is free here. */
  release(connection: number): void {
    this.netcode.handovers.release(connection);
  }

  /**
   * Goes on with a connection that another endpoint has handed over. Nothing is told to the sink. Arguments as those of
   * `ServerHandovers.takeOver`.
   *
   * @returns its number here; -1: other channels, no room, or the client has a connection here
   */
  takeOver(bytes: Uint8Array, taken: number, numbersUsed: number, now: Micros): number {
    const reader = new ByteReader().wrap(bytes, 0, bytes.length);
    if (reader.u32() !== this.connections.channels.hash) return -1;
    const connection = this.netcode.handovers.takeOver(reader, taken, numbersUsed, now);
    if (connection < 0) return -1;
    if (!loadConnection(this.connections, connection, reader, now)) {
      this.netcode.handovers.discard(connection, taken);
      return -1;
    }
    if (!reader.ok || reader.remaining > 0) throw new Error('a connection that was handed over by other code');
    return connection;
  }
}

/** The way up: what netcode tells becomes what the game is told. */
class Ascent implements NetcodeServerSink {
  sink!: ServerSink;
  now: Micros = 0;
  readonly #connections: Connections;
  readonly #netcode: NetcodeServer;
  readonly #departures: Departures;

  constructor(connections: Connections, netcode: NetcodeServer, departures: Departures) {
    this.#connections = connections;
    this.#netcode = netcode;
    this.#departures = departures;
  }

  admit(connection: number): void {
    this.sink.admit(connection);
  }

  connect(connection: number): void {
    this.#connections.open(connection, this.now);
    this.sink.connect(connection);
  }

  payload(connection: number, bytes: Uint8Array, offset: number, length: number, now: Micros): void {
    const connections = this.#connections;
    if (connections.receive(connection, bytes, offset, length, now, this.sink)) return;
    this.#netcode.disconnect(connection, 'protocol', connections.frames.violationText, now);
  }

  path(connection: number, hostChanged: boolean): void {
    this.#connections.onPath(connection, hostChanged, this.now);
    this.sink.path(connection);
  }

  resume(connection: number): void {
    this.#connections.onResume(connection, this.now);
    this.sink.resume?.(connection);
  }

  disconnect(connection: number, reason: DisconnectReason): void {
    this.#connections.close(connection, this.now);
    this.#departures.end(connection);
    try {
      this.#connections.drain(this.sink, this.now); // what became of its messages comes before the end
    } finally {
      this.sink.disconnect(connection, reason);
    }
  }
}

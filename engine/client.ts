/** A game client: one connection to a server, and the same channels. */

import type { EventEmitter } from 'eventemitter3';
import type { DatagramSocket, SocketStats, SocketWay } from '../sys/api.ts';
import { type ClientEndpoint, type ClientSink, SERVER } from '../transport/client-endpoint.ts';
import type { ConnectionStats } from '../transport/connection-stats.ts';
import type { DisconnectReason } from '../transport/endpoint.ts';
import type { ChannelTable } from './channel-table.ts';
import {
  type Answer,
  type Channels,
  FATES,
  type Fate,
  type Incoming,
  type MessageName,
  type Outgoing,
  type Question,
  type RequestName,
  type SendOptionsOf,
  type SendResult,
  type TagOf,
} from './channel-types.ts';
import { type CloseOptions, type Closing, closingOf } from './closing.ts';
import type { EngineContext } from './context.ts';
import { Drive } from './drive.ts';
import { type Drops, dropsOf } from './drops.ts';
import { ConnectError, RequestError } from './errors.ts';
import type { Task } from './executor/task.ts';
import { Gauges } from './gauges.ts';
import { HeldMessages } from './held-messages.ts';
import { MessageEmitter } from './message-emitter.ts';
import { sharedContext } from './open.ts';
import { type ClientParts, openClient, openSocket } from './open-client.ts';
import type { ClientOptions } from './options.ts';
import { type OnQueued, Outbox } from './outbox.ts';
import { Reconnection } from './reconnection.ts';
import type { RequestOptions } from './request-channel.ts';
import { Requests } from './requests.ts';
import { wayOf } from './way.ts';

/**
 * The arguments of a client's `message`, one tuple a channel: test `channel` and the type of `message` is known. The tag is the
 * tick of tick input, the key of latest state.
 */
export type ClientMessage<C extends Channels> = {
  [K in MessageName<C>]: [channel: K, message: Incoming<C[K]>, tag: TagOf<C[K]>];
}[MessageName<C>];

export interface ClientEvents<C extends Channels> {
  /** The message is borrowed: valid until the listener returns (`message.copy()` to keep it). */
  message: (...args: ClientMessage<C>) => void;
  /** What became of a message that was sent with `receipt`. */
  receipt: (receipt: number, fate: Fate) => void;
  /** There is room again on a channel on which `send` answered 'backlog-full'. */
  writable: (channel: MessageName<C>) => void;
  /** A responder threw; the server has been told the error's message. */
  error: (error: unknown) => void;
  tick: (tick: number) => void;
  /** The path to the server swallows packets from `bytes` on: see the server's event of this name. */
  blackhole: (bytes: number) => void;
  /** The connection was lost; attempt number `attempt` (from 1) to get it back begins. */
  reconnecting: (attempt: number, reason: DisconnectReason) => void;
  /** It is back, with a new token. */
  reconnect: () => void;
  /** The end. No further events. */
  disconnect: (reason: DisconnectReason) => void;
}

/** `closing`: `close` was called, and what was sent is still on its way. */
export type ClientState = 'connecting' | 'connected' | 'reconnecting' | 'closing' | 'closed';

export class Client<C extends Channels> extends MessageEmitter<ClientEvents<C>, ClientMessage<C>> {
  readonly #context: EngineContext;
  readonly #reconnection: Reconnection<C>;
  readonly #channels: ChannelTable;
  #socket: DatagramSocket;
  readonly #endpoint: ClientEndpoint;
  readonly #drive: Drive<ClientSink>;
  readonly #task: Task<void>;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #gauges: Gauges;
  readonly #events: EventEmitter;
  readonly #held: HeldMessages;
  #state: ClientState = 'connecting';
  #index = -1;
  /** Why the connection was lost that is to be got back. */
  #lostTo: DisconnectReason | null = null;
  /** Settles the attempt under way: null when it connected, else why not. */
  #settleAttempt: ((failed: DisconnectReason | null) => void) | null = null;
  #closing: Promise<void> | null = null;

  /**
   * Connects and resolves when the server has taken the client in. Rejects with ConnectError (refused, timed out, token
   * invalid or run out), ConfigError or SysError. Messages that arrive before listeners can be attached are kept for them.
   */
  static async connect<C extends Channels>(
    options: ClientOptions<C>,
    context: EngineContext = sharedContext(options.sys),
  ): Promise<Client<C>> {
    const parts = await openClient(options, context);
    const client = new Client(context, options, parts);
    const failed = await client.#attemptWith(parts.token);
    if (failed === null) return client;
    client.#state = 'closed';
    await client.#stop();
    throw new ConnectError(failed);
  }

  private constructor(context: EngineContext, options: ClientOptions<C>, parts: ClientParts) {
    super();
    const { channels, socket, endpoint, ticks } = parts;
    this.#events = this as unknown as EventEmitter;
    this.#context = context;
    this.#reconnection = new Reconnection(options, context);
    this.#channels = channels;
    this.#socket = socket;
    this.#endpoint = endpoint;
    const { tap } = context;
    const receiver = {
      receiveMessage: (channel: string, message: unknown, tag: number | undefined) =>
        void this.#events.emit('message', channel, message, tag),
      receiveEnvelope: (channel: number, bytes: Uint8Array, offset: number, length: number) =>
        this.#requests.receive(SERVER, channel, bytes, offset, length),
    };
    this.#held = new HeldMessages(context.runtime, (channel, bytes, offset, length, tag) =>
      channels.deliver(receiver, channel, bytes, offset, length, tag),
    );
    this.#drive = new Drive({
      runtime: context.runtime,
      clock: context.sys.clock,
      socket,
      endpoint,
      ticks,
      wake: 'arrival',
      game: {
        tick: (tick) => void (this.#state === 'connected' && this.#events.emit('tick', tick)),
        ticked: () => {},
      },
      sink: {
        connect: (index, _maxClients, resumed) => this.#connect(index, resumed),
        message: (_connection, channel, bytes, offset, length, tag) => {
          tap?.arrived(null, channels.tapped[channel]!, bytes, offset, length);
          if (this.#held.holding) this.#held.add(channel, bytes, offset, length, tag);
          else channels.deliver(receiver, channel, bytes, offset, length, tag);
        },
        receipt: (_connection, receipt, fate) => void this.#events.emit('receipt', receipt, FATES[fate]),
        writable: (_connection, channel) => {
          if (this.#state === 'connected' && channels.requestsOf(channel) === null) {
            this.#events.emit('writable', channels.set.names[channel]);
          }
        },
        blackHole: (_connection, bytes) => void this.#events.emit('blackhole', bytes),
        swallowed: () => void this.#changePort(),
        disconnect: (reason) => this.#held.afterwards(() => this.#disconnect(reason)),
      },
    });
    const now = () => this.#drive.now;
    const onQueued: OnQueued = (_, id, bytes, offset, length) =>
      tap?.queued(null, channels.tapped[id]!, bytes, offset, length);
    this.#outbox = new Outbox(endpoint.connections, channels, this.#drive, tap === undefined ? null : onQueued);
    this.#requests = new Requests({
      channels,
      outbox: this.#outbox,
      timers: context.runtime.timers,
      now,
      onError: (error) => void this.#events.emit('error', error),
    });
    this.#gauges = new Gauges(endpoint.connections, ticks.rateHz, now);
    this.#task = context.runtime.spawn(this.#drive.run(), 'client');
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The client's number on the server (its `peer.id`); -1 before it connected. */
  get index(): number {
    return this.#index;
  }

  /** Whether the connection would outlive a change of our address: we have a connection id by which the server knows us then. */
  get canRebind(): boolean {
    return this.#endpoint.netcode.canRebind;
  }

  /** Counters of the socket that is in use; live. */
  get socketStats(): Readonly<SocketStats> {
    return this.#socket.stats;
  }

  /** As of a server, for the socket that is in use. */
  get way(): SocketWay {
    return wayOf(this.#socket, this.#context.sys);
  }

  /** What was dropped, by reason; as on a server, and messages that came before the game could listen. A copy. */
  get drops(): Drops {
    const { netcode, connections } = this.#endpoint;
    const drops = dropsOf(this.#socket, netcode.drops, connections, this.#channels, this.#requests);
    return { ...drops, heldTooMany: this.#held.dropped };
  }

  /**
   * Queues a message; it leaves at once. The bytes are copied before `send` returns. 'backlog-full': too much is waiting, this
   * one was not queued; `writable` follows.
   */
  send<K extends MessageName<C>>(channel: K, message: Outgoing<C[K]>, options?: SendOptionsOf<C[K]>): SendResult {
    if (this.#state !== 'connected') return 'not-connected';
    return this.#outbox.send(SERVER, channel, message, options);
  }

  /** Asks the server, which must `respond`. Rejects with RequestError. */
  request<K extends RequestName<C>>(
    channel: K,
    question: Question<C[K]>,
    options?: RequestOptions,
  ): Promise<Answer<C[K]>> {
    if (this.#state !== 'connected') return Promise.reject(new RequestError('disconnected', 'not connected'));
    return this.#requests.ask(SERVER, channel, question, options) as Promise<Answer<C[K]>>;
  }

  /**
   * Answers the server's questions on a channel of requests, now or later. What it throws refuses: the server is told the
   * message of the error.
   */
  respond<K extends RequestName<C>>(
    channel: K,
    responder: (question: Question<C[K]>) => Answer<C[K]> | Promise<Answer<C[K]>>,
  ): void {
    this.#requests.respond(channel, (_connection, question) => responder(question as Question<C[K]>));
  }

  /** Bytes that messages which are not bulk may have in this tick (see `Peer.budgetBytes`). */
  get budgetBytes(): number {
    return this.#state === 'connected' ? this.#gauges.budgetBytes(SERVER) : 0;
  }

  /** Add it to this client's clock to have the server's, in microseconds; NaN while it is not known. */
  get clockOffsetMicros(): number {
    return this.#state === 'connected' ? this.#gauges.clockOffsetMicros(SERVER) : Number.NaN;
  }

  /** How far `clockOffsetMicros` may be off. */
  get clockErrorMicros(): number {
    return this.#state === 'connected' ? this.#gauges.clockErrorMicros(SERVER) : Number.POSITIVE_INFINITY;
  }

  /** How the connection fares, in a new object or in one that an earlier call made; unchanged while there is none. */
  stats(into?: ConnectionStats): ConnectionStats {
    return this.#gauges.stats(this.#state === 'connected' ? SERVER : -1, into);
  }

  /** What waits leaves now. Clients send at once anyway; this is for symmetry with servers. */
  flush(): void {
    this.#drive.flush();
  }

  /**
   * Leaves, telling the server a text, and closes the socket; with `drain` once what was sent has arrived. `disconnect` is
   * emitted if it was connected. Resolves when the socket is closed.
   */
  close(how: string | CloseOptions = ''): Promise<void> {
    this.#closing ??= this.#close(closingOf(how));
    return this.#closing;
  }

  async #close({ text, drainMicros }: Closing): Promise<void> {
    if (this.#state === 'closed') return this.#stop();
    const wasConnected = this.#state === 'connected';
    if (wasConnected) this.#state = 'closing'; // `disconnect` follows what becomes of its messages
    if (wasConnected && drainMicros > 0) {
      this.#endpoint.disconnectSettled('closed', text, this.#drive.now + drainMicros);
    } else this.#endpoint.disconnect('closed', text, this.#drive.now);
    if (!wasConnected) this.#finish({ code: 'closed', side: 'local', text });
    this.#drive.close(drainMicros);
    await this.#stop();
    if (!this.#isClosed()) this.#finish({ code: 'closed', side: 'local', text });
  }

  #stop(): Promise<void> {
    this.#drive.close();
    return this.#context.runtime.promiseOf(this.#task);
  }

  /** Starts to connect; resolves with null when connected, else with the reason. */
  #attemptWith(token: Uint8Array): Promise<DisconnectReason | null> {
    return new Promise((resolve) => {
      this.#settleAttempt = resolve;
      this.#endpoint.connect(token, this.#drive.now);
      this.#drive.poke();
    });
  }

  #connect(index: number, resumed: boolean): void {
    if (!resumed && this.#lostTo !== null) this.#requests.end(SERVER, this.#lostTo);
    this.#lostTo = null;
    this.#index = index;
    this.#state = 'connected';
    this.#held.hold();
    this.#settle(null);
  }

  #disconnect(reason: DisconnectReason): void {
    // With a connection that may go on, so do its questions; each has a timeout of its own.
    if (!this.#endpoint.keeps) this.#requests.end(SERVER, reason);
    if (this.#settle(reason) || this.#state === 'closed') return;
    if (this.#state !== 'closing' && this.#reconnection.isWanted(reason)) void this.#reconnect(reason);
    else {
      this.#finish(reason);
      this.#drive.close();
    }
  }

  /** Ends the attempt under way; false when there is none. */
  #settle(failed: DisconnectReason | null): boolean {
    const settle = this.#settleAttempt;
    this.#settleAttempt = null;
    settle?.(failed);
    return settle !== null;
  }

  #finish(reason: DisconnectReason): void {
    this.#state = 'closed';
    this.#endpoint.forget(this.#drive.now);
    this.#requests.end(SERVER, reason);
    this.#settle(reason);
    this.#events.emit('disconnect', reason);
  }

  async #reconnect(first: DisconnectReason): Promise<void> {
    this.#state = 'reconnecting';
    this.#lostTo = first;
    const failed = await this.#reconnection.run(
      {
        attemptWith: (token) => this.#attemptWith(token),
        begins: (attempt, reason) => void this.#events.emit('reconnecting', attempt, reason),
        isClosed: () => this.#isClosed(),
      },
      first,
    );
    if (this.#isClosed()) return;
    if (failed === null) this.#events.emit('reconnect');
    else {
      this.#finish(failed);
      this.#drive.close();
    }
  }

  /** Something on the way swallows what we send from our port: tries another one. Without one all is as before, and said. */
  async #changePort(): Promise<void> {
    let socket: DatagramSocket;
    try {
      socket = await openSocket(this.#context, 0);
    } catch (error) {
      this.#context.warn(
        `the server does not hear this client, and there is no other port: ${(error as Error).message}`,
      );
      return;
    }
    if (this.#state !== 'connected') {
      socket.close();
      return;
    }
    this.#socket = socket;
    this.#drive.moveTo(socket);
    this.#endpoint.netcode.rebind(this.#drive.now);
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }
}

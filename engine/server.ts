/** A game server: peers, channels, ticks. Everything of the protocol is below `drive.ts`. */

import type { EventEmitter } from 'eventemitter3';
import { type DatagramSocket, formatAddress, portOf, type SocketStats, type SocketWay } from '../sys/api.ts';
import type { DisconnectCode, DisconnectReason } from '../transport/endpoint.ts';
import type { ServerEndpoint, ServerSink } from '../transport/server-endpoint.ts';
import type { ChannelTable } from './channel-table.ts';
import {
  type Answer,
  type BroadcastOptionsOf,
  type Channels,
  FATES,
  type Fate,
  type Incoming,
  type MessageName,
  type Outgoing,
  type Question,
  type RequestName,
  type TagOf,
} from './channel-types.ts';
import { type CloseOptions, type Closing, closingOf } from './closing.ts';
import type { EngineContext } from './context.ts';
import { Drive } from './drive.ts';
import { type Drops, dropsOf } from './drops.ts';
import { ConfigError } from './errors.ts';
import type { Task } from './executor/task.ts';
import { Gauges } from './gauges.ts';
import { MessageEmitter } from './message-emitter.ts';
import { sharedContext } from './open.ts';
import { openServer, type ServerParts } from './open-server.ts';
import { checkPrivateKeys, type ServerOptions } from './options.ts';
import { type AnySendOptions, type OnQueued, Outbox } from './outbox.ts';
import { Peer, type PeerOwner } from './peer.ts';
import { Peers } from './peers.ts';
import { Requests } from './requests.ts';
import type { TickClock } from './tick-clock.ts';
import { wayOf } from './way.ts';
import type { Handovers, WorkerPlace } from './workers/handovers.ts';

/**
 * The arguments of a server's `message`, one tuple a channel: test `channel` and the type of `message` is known. The tag is the
 * tick of tick input, the key of latest state.
 */
export type ServerMessage<C extends Channels> = {
  [K in MessageName<C>]: [peer: Peer<C>, channel: K, message: Incoming<C[K]>, tag: TagOf<C[K]>];
}[MessageName<C>];

export interface ServerEvents<C extends Channels> {
  connect: (peer: Peer<C>) => void;
  disconnect: (peer: Peer<C>, reason: DisconnectReason) => void;
  /** The message is borrowed: valid until the listener returns (`message.copy()` to keep it). */
  message: (...args: ServerMessage<C>) => void;
  /** What became of a message that was sent with `receipt`. */
  receipt: (peer: Peer<C>, receipt: number, fate: Fate) => void;
  /** The peer has another address: its NAT forgot it, or it went from Wi-Fi to mobile. The connection goes on. */
  path: (peer: Peer<C>) => void;
  /**
   * The path to the peer swallows packets from `bytes` on, which every path should carry: large messages do not arrive. Smaller
   * ones do; a tunnel or a router between is set up wrongly.
   */
  blackhole: (peer: Peer<C>, bytes: number) => void;
  /** A step of the game, numbered from 0. */
  tick: (tick: number) => void;
  /** After a turn with a step: what it took from wake-up to the last send, and how late it started. */
  ticked: (tick: number, durationMicros: number, latenessMicros: number) => void;
  /**
   * `admit` or a responder threw. What `admit` throws goes where uncaught errors go when nobody listens; a responder's message
   * goes to the peer in any case.
   */
  error: (error: unknown) => void;
}

/** Which peers a broadcast is for, besides what `send` may be told. */
export type BroadcastOptions<C extends Channels, K extends MessageName<C>> = BroadcastOptionsOf<C[K]> & {
  /** Only for those for which it answers true. */
  readonly filter?: (peer: Peer<C>) => boolean;
};

export class Server<C extends Channels> extends MessageEmitter<ServerEvents<C>, ServerMessage<C>> {
  readonly #context: EngineContext;
  readonly #options: ServerOptions<C>;
  readonly #channels: ChannelTable;
  readonly #socket: DatagramSocket;
  readonly #endpoint: ServerEndpoint;
  readonly #drive: Drive<ServerSink>;
  readonly #task: Task<void>;
  readonly #ticks: TickClock;
  readonly #peers: Peers<C>;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #owner: PeerOwner;
  readonly #events: EventEmitter;
  /** Null: the server is no worker's of a group. */
  readonly #handovers: Handovers | null;
  /** Which worker of a group serves here, of how many; null: the server is alone. Where its peers may go: `Peer.handTo`. */
  readonly worker: WorkerPlace | null;
  #closing: Promise<void> | null = null;

  /** Binds the socket and starts to serve. Rejects with ConfigError (which option) or SysError (port in use, no right). */
  static async listen<C extends Channels>(
    options: ServerOptions<C>,
    context: EngineContext = sharedContext(options.sys),
  ): Promise<Server<C>> {
    return new Server(context, options, await openServer(options, context));
  }

  private constructor(context: EngineContext, options: ServerOptions<C>, parts: ServerParts) {
    super();
    const { channels, socket, endpoint, ticks, maxClients } = parts;
    this.#events = this as unknown as EventEmitter;
    this.#context = context;
    this.#options = options;
    this.#channels = channels;
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#ticks = ticks;
    this.#peers = new Peers(maxClients);
    this.#drive = new Drive({
      runtime: context.runtime,
      clock: context.sys.clock,
      socket,
      endpoint,
      ticks,
      wake: options.wake ?? (ticks.rateHz > 0 ? 'tick' : 'arrival'),
      game: {
        tick: (tick) => void this.#events.emit('tick', tick),
        ticked: (tick, duration, lateness) => void this.#events.emit('ticked', tick, duration, lateness),
      },
      sink: this.#sink(),
    });
    const now = () => this.#drive.now;
    const { connections } = endpoint;
    const { tap } = context;
    const onQueued: OnQueued = (c, id, bytes, offset, length) =>
      tap?.queued(this.#peers.at(c)!.clientId, channels.tapped[id]!, bytes, offset, length);
    this.#outbox = new Outbox(connections, channels, this.#drive, tap === undefined ? null : onQueued);
    this.#requests = new Requests({
      channels,
      outbox: this.#outbox,
      timers: context.runtime.timers,
      now,
      onError: (error) => void this.#events.emit('error', error),
    });
    this.#owner = {
      outbox: this.#outbox,
      requests: this.#requests,
      gauges: new Gauges(connections, ticks.rateHz, now),
      takeUserData: (id) => {
        const userData = endpoint.netcode.userDataOf(id);
        endpoint.netcode.releaseUserData(id);
        return userData;
      },
      endPeer: (id, code, closing) => this.#endPeer(id, code, closing),
      handPeer: (id, worker, data) => this.#handPeer(id, worker, data),
    };
    this.#task = context.runtime.spawn(this.#drive.run(), 'server');
    this.worker = parts.member?.place ?? null;
    parts.member?.serve(this);
    this.#handovers =
      parts.member?.openHandovers(endpoint, parts.strays!, context.runtime, {
        isReady: (id) => this.#requests.isIdle(id),
        userDataOf: (id) => this.#peers.at(id)!.userData,
        arrived: (id, handedOver, userData) => {
          const { netcode } = endpoint;
          const peer = new Peer<C>(id, netcode.clientIdOf(id), netcode.addressOf(id), this.#owner);
          peer.arrive(handedOver, userData);
          this.#peers.add(peer);
          this.#events.emit('connect', this.#peers.begin(id));
          this.#drive.flush();
        },
        left: (id, worker) => this.#disconnect(id, { code: 'moved', side: 'local', text: `to worker ${worker}` }),
        receive: (batch) => this.#drive.receive(batch),
      }) ?? null;
  }

  /** The bound UDP port. */
  get port(): number {
    return portOf(this.#socket.localAddress);
  }

  /** The bound address, `a.b.c.d:port` or `[ipv6]:port`. */
  get address(): string {
    return formatAddress(this.#socket.localAddress);
  }

  /** The connected peers, in no order. Do not change it; it changes as peers come and go. */
  get peers(): readonly Peer<C>[] {
    return this.#peers.connected;
  }

  /** Steps left out because a turn took too long. */
  get ticksSkipped(): number {
    return this.#ticks.skipped;
  }

  /** Counters of the socket; live. */
  get socketStats(): Readonly<SocketStats> {
    return this.#socket.stats;
  }

  /** Which way its datagrams go now: the backend in use, and, where that is less than was asked for, why. A copy. */
  get way(): SocketWay {
    return wayOf(this.#socket, this.#context.sys);
  }

  /** What was dropped, by reason: datagrams, payloads, messages, answers (`drops.ts`). A copy. */
  get drops(): Drops {
    const { netcode, connections } = this.#endpoint;
    return dropsOf(this.#socket, netcode.drops, connections, this.#channels, this.#requests);
  }

  /**
   * Sends a message to every connected peer, or to those that `filter` accepts; it is encoded once. Returns how many
   * peers could not take it because too much was waiting for them; their `writable` follows.
   */
  broadcast<K extends MessageName<C>>(
    channel: K,
    message: Outgoing<C[K]>,
    options?: BroadcastOptions<C, NoInfer<K>>,
  ): number {
    return this.#outbox.broadcast(this.peers, channel, message, options as AnySendOptions, options?.filter);
  }

  /**
   * Answers the questions of peers on a channel of requests, now or later. What it throws refuses: the peer is told the
   * message of the error, and nothing else of it.
   */
  respond<K extends RequestName<C>>(
    channel: K,
    responder: (peer: Peer<C>, question: Question<C[K]>) => Answer<C[K]> | Promise<Answer<C[K]>>,
  ): void {
    this.#requests.respond(channel, (c, question) => responder(this.#peers.at(c)!, question as Question<C[K]>));
  }

  /** What waits leaves now, not with the next tick. */
  flush(): void {
    this.#drive.flush();
  }

  /** Replaces the private keys: while tokens of the old key are still about, give both, the new one first. */
  setPrivateKeys(...keys: Uint8Array[]): void {
    if (this.#options.insecure) throw new ConfigError('privateKey', 'an insecure server has no keys to replace');
    this.#endpoint.netcode.setPrivateKeys(checkPrivateKeys(keys));
  }

  /**
   * Tells every client that the server stops (with a text), sends the last datagrams, closes the socket; with `drain` once what
   * was sent has arrived. There are no ticks any more, and nobody gets in.
   */
  close(how: string | CloseOptions = ''): Promise<void> {
    this.#closing ??= this.#close(closingOf(how));
    return this.#closing;
  }

  async #close(closing: Closing): Promise<void> {
    this.#handovers?.close();
    this.#peers.forEach((peer) => {
      if (peer.connected) this.#endPeer(peer.id, 'shutdown', closing);
      else this.#endpoint.disconnect(peer.id, 'shutdown', closing.text, this.#drive.now);
    });
    this.#drive.close(closing.drainMicros);
    await this.#context.runtime.promiseOf(this.#task);
  }

  #endPeer(id: number, code: DisconnectCode, { text, drainMicros }: Closing): void {
    const { now } = this.#drive;
    if (drainMicros > 0) this.#endpoint.disconnectSettled(id, code, text, now + drainMicros);
    else this.#endpoint.disconnect(id, code, text, now);
    this.#drive.poke();
  }

  async #handPeer(id: number, worker: number, data: unknown): Promise<void> {
    if (this.#handovers === null) {
      throw new ConfigError('worker', 'this server is alone: only those of `startWorkers` hand peers to each other');
    }
    const peer = this.#peers.at(id);
    const isThere = (): boolean => peer?.connected === true && this.#peers.at(id) === peer;
    await this.#handovers.hand(id, isThere, worker, data);
  }

  /** What the endpoint tells, as events. */
  #sink(): ServerSink {
    const channels = this.#channels;
    const { tap } = this.#context;
    let from = -1;
    const receiver = {
      receiveMessage: (channel: string, message: unknown, tag: number | undefined) =>
        void this.#events.emit('message', this.#peers.at(from), channel, message, tag),
      receiveEnvelope: (channel: number, bytes: Uint8Array, offset: number, length: number) =>
        this.#requests.receive(from, channel, bytes, offset, length),
    };
    return {
      admit: (connection) => this.#admit(connection),
      connect: (connection) => void this.#events.emit('connect', this.#peers.begin(connection)),
      message: (connection, channel, bytes, offset, length, tag) => {
        from = connection;
        const peer = this.#peers.at(connection);
        if (!peer?.connected) return;
        tap?.arrived(peer.clientId, channels.tapped[channel]!, bytes, offset, length);
        channels.deliver(receiver, channel, bytes, offset, length, tag);
      },
      receipt: (connection, receipt, fate) => {
        const peer = this.#peers.at(connection);
        if (peer?.connected) this.#events.emit('receipt', peer, receipt, FATES[fate]);
      },
      writable: (connection, channel) => {
        const peer = this.#peers.at(connection);
        if (peer?.isOpen && channels.requestsOf(channel) === null) {
          peer.emit('writable', channels.set.names[channel] as MessageName<C>);
        }
      },
      blackHole: (connection, bytes) => {
        const peer = this.#peers.at(connection);
        if (peer?.connected) this.#events.emit('blackhole', peer, bytes);
      },
      path: (connection) => this.#path(connection),
      resume: (connection) => this.#path(connection),
      disconnect: (connection, reason) => this.#disconnect(connection, reason),
    };
  }

  #admit(connection: number): void {
    const { netcode } = this.#endpoint;
    const address = netcode.addressOf(connection);
    const peer = new Peer<C>(connection, netcode.clientIdOf(connection), address, this.#owner);
    this.#peers.add(peer);
    const { admit } = this.#options;
    if (this.#closing !== null) {
      this.#settle(peer, 'the server stops');
      return;
    }
    if (admit === undefined) {
      netcode.accept(connection, this.#drive.now);
      return;
    }
    let answer: ReturnType<typeof admit>;
    try {
      answer = admit(peer);
    } catch (error) {
      this.#refuseAfterError(peer, error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (later) => this.#settle(peer, later),
        (error: unknown) => this.#refuseAfterError(peer, error),
      );
    } else {
      this.#settle(peer, answer);
    }
  }

  #settle(peer: Peer<C>, answer: unknown): void {
    if (this.#peers.at(peer.id) !== peer) return; // it left while `admit` was thinking
    const { netcode } = this.#endpoint;
    if (answer === undefined || answer === true) netcode.accept(peer.id, this.#drive.now);
    else netcode.refuse(peer.id, String(answer), this.#drive.now);
    this.#drive.poke();
  }

  #refuseAfterError(peer: Peer<C>, error: unknown): void {
    this.#settle(peer, 'the server could not decide');
    if (!this.#events.emit('error', error)) this.#context.runtime.executor.onError(error);
  }

  #path(connection: number): void {
    const peer = this.#peers.at(connection);
    if (peer === undefined) return;
    peer.moveTo(this.#endpoint.netcode.addressOf(connection));
    if (peer.connected) this.#events.emit('path', peer);
  }

  #disconnect(connection: number, reason: DisconnectReason): void {
    const peer = this.#peers.end(connection);
    if (peer === undefined) return; // refused, or gone before it was let in: the game never saw it connect
    this.#requests.end(connection, reason);
    this.#handovers?.ended(connection);
    this.#events.emit('disconnect', peer, reason);
  }
}

/** A game server: peers, channels, ticks. Everything of the protocol is below `drive.ts`. */

import { EventEmitter } from 'eventemitter3';
import { type DatagramSocket, formatAddress, portOf, type SocketStats } from '../sys/api.ts';
import type { SendResult } from '../transport/channel/send-queue.ts';
import { checkWhole } from '../transport/config-error.ts';
import type { DisconnectReason } from '../transport/endpoint.ts';
import { ServerEndpoint, serverSpareBytes } from '../transport/server-endpoint.ts';
import { type Channels, ChannelTable, type Incoming, type Outgoing } from './channels.ts';
import { type EngineContext, resolveAddress } from './context.ts';
import { Drive } from './drive.ts';
import { ConfigError } from './errors.ts';
import type { Task } from './executor/task.ts';
import { sharedContext } from './open.ts';
import {
  checkMaxClients,
  checkPrivateKeys,
  checkTickRate,
  checkU64Option,
  isDevelopment,
  SERVER_DEFAULTS,
  type ServerOptions,
  spentTokenStore,
} from './options.ts';
import { Peer, type PeerOwner } from './peer.ts';
import { publicAddresses, serverKeys } from './server-identity.ts';
import { TickClock } from './tick-clock.ts';

/** The arguments of a server's `message`, one tuple a channel: test `channel` and the type of `message` is known. */
export type ServerMessage<C extends Channels> = {
  [K in keyof C & string]: [peer: Peer<C>, channel: K, message: Incoming<C[K]>];
}[keyof C & string];

export interface ServerEvents<C extends Channels> {
  connect: (peer: Peer<C>) => void;
  disconnect: (peer: Peer<C>, reason: DisconnectReason) => void;
  /** The message is borrowed: valid until the listener returns (`message.copy()` to keep it). */
  message: (...args: ServerMessage<C>) => void;
  /** A step of the game, numbered from 0. */
  tick: (tick: number) => void;
  /** After a turn with a step: what it took from wake-up to the last send, and how late it started. */
  ticked: (tick: number, durationMicros: number, latenessMicros: number) => void;
  /** `admit` threw. Without a listener it goes where uncaught errors go. */
  error: (error: unknown) => void;
}

/** Datagrams of one receive and of one flush: 256 and 64 cost the same a datagram; a server has the memory. */
const BATCH_SLOTS = 64;
const SLOT_BYTES = 2048;

export class Server<C extends Channels> extends EventEmitter<ServerEvents<C>> {
  readonly #context: EngineContext;
  readonly #options: ServerOptions<C>;
  readonly #channels: ChannelTable;
  readonly #socket: DatagramSocket;
  readonly #endpoint: ServerEndpoint;
  readonly #drive: Drive<unknown>;
  readonly #task: Task<void>;
  readonly #ticks: TickClock;
  /** By connection number; present from `admit` to `disconnect`. */
  readonly #bySlot: (Peer<C> | undefined)[];
  /** The connected ones, in no order, and where each stands in it. */
  readonly #connected: Peer<C>[] = [];
  readonly #position: Int32Array;
  readonly #owner: PeerOwner;
  readonly #events: EventEmitter;
  #receivingFrom: Peer<C> | undefined;
  #closing: Promise<void> | null = null;

  /** Binds the socket and starts to serve. Rejects with ConfigError (which option) or SysError (port in use, no right). */
  static async listen<C extends Channels>(
    options: ServerOptions<C>,
    context: EngineContext = sharedContext(),
  ): Promise<Server<C>> {
    const channels = new ChannelTable(options.channels, options.development ?? isDevelopment());
    const maxClients = checkMaxClients(options.maxClients ?? SERVER_DEFAULTS.maxClients);
    const protocolId = checkU64Option('protocolId', options.protocolId);
    const tickRateHz = checkTickRate(options.tickRateHz ?? SERVER_DEFAULTS.tickRateHz);
    if (options.wake === 'tick' && tickRateHz === 0) {
      throw new ConfigError('wake', "'tick' without ticks would never wake up: give a tickRateHz, or wake: 'arrival'");
    }
    const backlogMax = checkWhole('backlogMax', options.backlogMax ?? 256, 1, 65_536);
    const host = options.host ?? SERVER_DEFAULTS.host;
    checkWhole('port', options.port, 0, 65_535);
    const local = (await resolveAddress(context, 'host', host, options.port))[0]!;
    const privateKeys = serverKeys(options, local, context);
    const listed = await publicAddresses(options, local, context);
    const socket = await context.sys.openUdp(local, {
      rxSlots: BATCH_SLOTS,
      txSlots: BATCH_SLOTS,
      slotBytes: SLOT_BYTES,
      txSpareBytes: serverSpareBytes(maxClients),
      receiveBufferBytes: options.receiveBufferBytes ?? SERVER_DEFAULTS.receiveBufferBytes,
      ...(options.sendBufferBytes === undefined ? {} : { sendBufferBytes: options.sendBufferBytes }),
      reusePort: options.reusePort ?? false,
    });
    const { clock, rng } = context.sys;
    const spentTokens = spentTokenStore(options);
    const endpoint = new ServerEndpoint(
      {
        protocolId,
        privateKeys,
        publicAddresses: listed ?? [socket.localAddress],
        maxClients,
        backlogMax,
        tokenLifetimeMaxSeconds: options.tokenLifetimeMaxSeconds ?? SERVER_DEFAULTS.tokenLifetimeMaxSeconds,
        insecure: options.insecure ?? false,
        ...(spentTokens === undefined ? {} : { spentTokens }),
      },
      context.sys.openAead(socket.rx.slots, SLOT_BYTES),
      rng,
      clock.now(),
      clock.unixSeconds(),
      socket.tx,
    );
    return new Server(context, options, channels, socket, endpoint, maxClients, new TickClock(tickRateHz, clock.now()));
  }

  private constructor(
    context: EngineContext,
    options: ServerOptions<C>,
    channels: ChannelTable,
    socket: DatagramSocket,
    endpoint: ServerEndpoint,
    maxClients: number,
    ticks: TickClock,
  ) {
    super();
    this.#events = this as unknown as EventEmitter;
    this.#context = context;
    this.#options = options;
    this.#channels = channels;
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#ticks = ticks;
    this.#bySlot = new Array<Peer<C> | undefined>(maxClients).fill(undefined);
    this.#position = new Int32Array(maxClients);
    this.#owner = {
      sendTo: (id, channel, message) => this.#sendTo(id, channel, message),
      kick: (id, text) => this.#endpoint.disconnect(id, 'kicked', text, this.#now()),
    };
    const receiver = {
      receiveMessage: (channel: string, message: unknown) =>
        void this.#events.emit('message', this.#receivingFrom, channel, message),
    };
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
      sink: {
        admit: (connection) => this.#admit(connection),
        connect: (connection) => this.#connect(connection),
        message: (connection, channel, bytes, offset, length) => {
          this.#receivingFrom = this.#bySlot[connection];
          if (this.#receivingFrom?.connected) channels.deliver(receiver, channel, bytes, offset, length);
        },
        path: (connection) => this.#bySlot[connection]!.moveTo(endpoint.netcode.addressOf(connection)),
        disconnect: (connection, reason) => this.#disconnect(connection, reason),
      },
    });
    this.#task = context.runtime.spawn(this.#drive.run(), 'server');
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
    return this.#connected;
  }

  /** Steps left out because a turn took too long. */
  get ticksSkipped(): number {
    return this.#ticks.skipped;
  }

  /** Counters of the socket; live. */
  get socketStats(): Readonly<SocketStats> {
    return this.#socket.stats;
  }

  /**
   * What was dropped, by reason: datagrams, payloads with malformed frames, messages that their codec could not read (or
   * threw on). A copy.
   */
  get drops(): Readonly<Record<string, number>> {
    const { netcode, malformedPayloads } = this.#endpoint;
    return { ...netcode.drops, malformedPayloads, undecodable: this.#channels.undecodable };
  }

  /**
   * Sends a message to every connected peer, or to those that `filter` accepts; it is encoded once. Returns how many
   * peers could not take it because too much was waiting for them.
   */
  broadcast<K extends keyof C & string>(
    channel: K,
    message: Outgoing<C[K]>,
    filter?: (peer: Peer<C>) => boolean,
  ): number {
    const peers = this.#connected;
    if (peers.length === 0) return 0;
    const cell = this.#channels.encode(this.#endpoint.queue, channel, message);
    if (cell < 0) return peers.length;
    let full = 0;
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!;
      if (filter !== undefined && !filter(peer)) continue;
      if (this.#endpoint.send(peer.id, cell) === 'backlog-full') full++;
    }
    this.#endpoint.queue.release(cell);
    this.#drive.poke();
    return full;
  }

  /** Replaces the private keys: while tokens of the old key are still about, give both, the new one first. */
  setPrivateKeys(...keys: Uint8Array[]): void {
    if (this.#options.insecure) throw new ConfigError('privateKey', 'an insecure server has no keys to replace');
    this.#endpoint.netcode.setPrivateKeys(checkPrivateKeys(keys));
  }

  /** Tells every client that the server stops (with a text), sends the last datagrams, closes the socket. */
  close(text = ''): Promise<void> {
    this.#closing ??= this.#close(text);
    return this.#closing;
  }

  async #close(text: string): Promise<void> {
    const now = this.#now();
    for (const peer of this.#bySlot) if (peer !== undefined) this.#endpoint.disconnect(peer.id, 'shutdown', text, now);
    this.#drive.close();
    await this.#context.runtime.promiseOf(this.#task);
  }

  #sendTo(id: number, channel: string, message: unknown): SendResult {
    const cell = this.#channels.encode(this.#endpoint.queue, channel, message);
    if (cell < 0) return 'backlog-full';
    const result = this.#endpoint.send(id, cell);
    this.#endpoint.queue.release(cell);
    this.#drive.poke();
    return result;
  }

  #admit(connection: number): void {
    const { netcode } = this.#endpoint;
    const userData = netcode.userDataOf(connection).slice();
    const peer = new Peer<C>(
      connection,
      netcode.clientIdOf(connection),
      userData,
      netcode.addressOf(connection),
      this.#owner,
    );
    this.#bySlot[connection] = peer;
    const { admit } = this.#options;
    if (admit === undefined) {
      netcode.accept(connection, this.#now());
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
    if (this.#bySlot[peer.id] !== peer) return; // it left while `admit` was thinking
    if (answer === undefined || answer === true) this.#endpoint.netcode.accept(peer.id, this.#now());
    else this.#endpoint.netcode.refuse(peer.id, String(answer), this.#now());
    this.#drive.poke();
  }

  #refuseAfterError(peer: Peer<C>, error: unknown): void {
    this.#settle(peer, 'the server could not decide');
    if (!this.#events.emit('error', error)) this.#context.runtime.executor.onError(error);
  }

  #connect(connection: number): void {
    const peer = this.#bySlot[connection]!;
    peer.begin();
    this.#position[connection] = this.#connected.length;
    this.#connected.push(peer);
    this.#events.emit('connect', peer);
  }

  #disconnect(connection: number, reason: DisconnectReason): void {
    const peer = this.#bySlot[connection];
    if (peer === undefined) return;
    this.#bySlot[connection] = undefined;
    if (!peer.connected) return; // refused, or gone before it was let in: the game never saw it connect
    peer.end();
    const last = this.#connected.pop()!;
    if (last !== peer) {
      this.#connected[this.#position[connection]!] = last;
      this.#position[last.id] = this.#position[connection]!;
    }
    this.#events.emit('disconnect', peer, reason);
  }

  #now(): number {
    return this.#context.sys.clock.now();
  }
}

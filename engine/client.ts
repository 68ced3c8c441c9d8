/** A game client: one connection to a server, and the same channels. */

import { EventEmitter } from 'eventemitter3';
import { addressOf, type DatagramSocket, type SocketStats } from '../sys/api.ts';
import type { SendResult } from '../transport/channel/send-queue.ts';
import { ClientEndpoint, clientSpareBytes } from '../transport/client-endpoint.ts';
import { checkWhole } from '../transport/config-error.ts';
import type { DisconnectReason } from '../transport/endpoint.ts';
import { type Channels, ChannelTable, type Incoming, type Outgoing } from './channels.ts';
import type { EngineContext } from './context.ts';
import { Drive } from './drive.ts';
import { ConfigError, ConnectError } from './errors.ts';
import type { Task } from './executor/task.ts';
import { HeldMessages } from './held-messages.ts';
import { sharedContext } from './open.ts';
import {
  type ClientOptions,
  checkTickRate,
  checkU64Option,
  isDevelopment,
  PRIVATE_KEY_BYTES,
  RECONNECT_DEFAULTS,
  type ReconnectOptions,
} from './options.ts';
import { TickClock } from './tick-clock.ts';
import { mintToken } from './token.ts';

/** The arguments of a client's `message`, one tuple a channel: test `channel` and the type of `message` is known. */
export type ClientMessage<C extends Channels> = {
  [K in keyof C & string]: [channel: K, message: Incoming<C[K]>];
}[keyof C & string];

export interface ClientEvents<C extends Channels> {
  /** The message is borrowed: valid until the listener returns (`message.copy()` to keep it). */
  message: (...args: ClientMessage<C>) => void;
  tick: (tick: number) => void;
  /** The connection was lost; attempt number `attempt` (from 1) to get it back begins. */
  reconnecting: (attempt: number, reason: DisconnectReason) => void;
  /** It is back, with a new token. */
  reconnect: () => void;
  /** The end. No further events. */
  disconnect: (reason: DisconnectReason) => void;
}

export type ClientState = 'connecting' | 'connected' | 'reconnecting' | 'closed';

/** A client has one peer; a handful of slots is enough, and a bot farm has many clients. */
const BATCH_SLOTS = 8;
const SLOT_BYTES = 2048;
const RECONNECT_DELAY_MICROS_MAX = 5_000_000;

export class Client<C extends Channels> extends EventEmitter<ClientEvents<C>> {
  readonly #context: EngineContext;
  readonly #options: ClientOptions<C>;
  readonly #channels: ChannelTable;
  readonly #socket: DatagramSocket;
  readonly #endpoint: ClientEndpoint;
  readonly #drive: Drive<unknown>;
  readonly #task: Task<void>;
  readonly #events: EventEmitter;
  readonly #held: HeldMessages;
  #state: ClientState = 'connecting';
  #index = -1;
  #attempt = 0;
  /** Settles the attempt under way: null when it connected, else why not. */
  #settleAttempt: ((failed: DisconnectReason | null) => void) | null = null;
  #closing: Promise<void> | null = null;

  /**
   * Connects and resolves when the server has taken the client in. Rejects with ConnectError (refused, timed out, token
   * invalid or run out), ConfigError or SysError. Messages that arrive before listeners can be attached are kept for them.
   */
  static async connect<C extends Channels>(
    options: ClientOptions<C>,
    context: EngineContext = sharedContext(),
  ): Promise<Client<C>> {
    const channels = new ChannelTable(options.channels, options.development ?? isDevelopment());
    const backlogMax = checkWhole('backlogMax', options.backlogMax ?? 256, 1, 65_536);
    const ticks = new TickClock(checkTickRate(options.tickRateHz ?? 0), context.sys.clock.now());
    const token = await fetchToken(options, context);
    // Dual stack where there is IPv6, so that a token may list servers of both families.
    const any = addressOf(context.sys.capabilities.ipv6 ? '::' : '0.0.0.0', 0)!;
    const socket = await context.sys.openUdp(any, {
      rxSlots: BATCH_SLOTS,
      txSlots: BATCH_SLOTS,
      slotBytes: SLOT_BYTES,
      txSpareBytes: clientSpareBytes(backlogMax),
    });
    const aead = context.sys.openAead(socket.rx.slots, SLOT_BYTES);
    const endpoint = new ClientEndpoint({ backlogMax }, aead, context.sys.rng, socket.tx);
    const client = new Client(context, options, channels, socket, endpoint, ticks);
    const failed = await client.#attemptWith(token);
    if (failed === null) return client;
    client.#state = 'closed';
    await client.#stop();
    throw new ConnectError(failed);
  }

  private constructor(
    context: EngineContext,
    options: ClientOptions<C>,
    channels: ChannelTable,
    socket: DatagramSocket,
    endpoint: ClientEndpoint,
    ticks: TickClock,
  ) {
    super();
    this.#events = this as unknown as EventEmitter;
    this.#context = context;
    this.#options = options;
    this.#channels = channels;
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#held = new HeldMessages(context.runtime, (channel, bytes, offset, length) =>
      channels.deliver(receiver, channel, bytes, offset, length),
    );
    const receiver = {
      receiveMessage: (channel: string, message: unknown) => void this.#events.emit('message', channel, message),
    };
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
        connect: (index) => this.#connect(index),
        message: (channel, bytes, offset, length) => {
          if (this.#held.holding) this.#held.add(channel, bytes, offset, length);
          else channels.deliver(receiver, channel, bytes, offset, length);
        },
        disconnect: (reason) => this.#held.afterwards(() => this.#disconnect(reason)),
      },
    });
    this.#task = context.runtime.spawn(this.#drive.run(), 'client');
  }

  get state(): ClientState {
    return this.#state;
  }

  /** The client's number on the server (its `peer.id`); -1 before it connected. */
  get index(): number {
    return this.#index;
  }

  /** Counters of the socket; live. */
  get socketStats(): Readonly<SocketStats> {
    return this.#socket.stats;
  }

  /** What was dropped, by reason; as on a server, and messages that came before the game could listen. A copy. */
  get drops(): Readonly<Record<string, number>> {
    const { netcode, malformedPayloads } = this.#endpoint;
    const { undecodable } = this.#channels;
    return { ...netcode.drops, malformedPayloads, undecodable, heldTooMany: this.#held.dropped };
  }

  /** Queues a message; it leaves at once. The bytes are copied before `send` returns. */
  send<K extends keyof C & string>(channel: K, message: Outgoing<C[K]>): SendResult {
    if (this.#state !== 'connected') return 'not-connected';
    const cell = this.#channels.encode(this.#endpoint.queue, channel, message);
    if (cell < 0) return 'backlog-full';
    const result = this.#endpoint.send(cell);
    this.#endpoint.queue.release(cell);
    this.#drive.poke();
    return result;
  }

  /** Leaves, telling the server a text, and closes the socket. `disconnect` is emitted if it was connected. */
  close(text = ''): Promise<void> {
    this.#closing ??= this.#close(text);
    return this.#closing;
  }

  async #close(text: string): Promise<void> {
    if (this.#state === 'closed') return this.#stop();
    this.#endpoint.disconnect('closed', text, this.#now());
    this.#finish({ code: 'closed', side: 'local', text });
    return this.#stop();
  }

  #stop(): Promise<void> {
    this.#drive.close();
    return this.#context.runtime.promiseOf(this.#task);
  }

  /** Starts to connect; resolves with null when connected, else with the reason. */
  #attemptWith(token: Uint8Array): Promise<DisconnectReason | null> {
    return new Promise((resolve) => {
      this.#settleAttempt = resolve;
      this.#endpoint.connect(token, this.#now());
      this.#drive.poke();
    });
  }

  #connect(index: number): void {
    this.#index = index;
    this.#state = 'connected';
    this.#held.hold();
    this.#settle(null);
  }

  #disconnect(reason: DisconnectReason): void {
    if (this.#settle(reason) || this.#state === 'closed') return;
    if (this.#mayReconnect(reason)) void this.#reconnect(reason);
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
    this.#settle(reason);
    this.#events.emit('disconnect', reason);
  }

  #mayReconnect(reason: DisconnectReason): boolean {
    const { reconnect, token, insecureAddress } = this.#options;
    const wanted = reconnect !== undefined && reconnect !== false;
    const canFetch = typeof token === 'function' || insecureAddress !== undefined;
    return wanted && canFetch && (reason.code === 'timeout' || reason.code === 'shutdown');
  }

  async #reconnect(first: DisconnectReason): Promise<void> {
    const given: ReconnectOptions = typeof this.#options.reconnect === 'object' ? this.#options.reconnect : {};
    const { attemptsMax, delayMicros } = { ...RECONNECT_DEFAULTS, ...given };
    this.#state = 'reconnecting';
    let reason = first;
    for (this.#attempt = 1; this.#attempt <= attemptsMax; this.#attempt++) {
      this.#events.emit('reconnecting', this.#attempt, reason);
      await this.#context.runtime.sleep(this.#backoff(delayMicros));
      if (this.#isClosed()) return;
      const failed = await this.#tryAgain();
      if (this.#isClosed()) return;
      if (failed === null) {
        this.#events.emit('reconnect');
        return;
      }
      reason = failed;
    }
    this.#finish(reason);
    this.#drive.close();
  }

  async #tryAgain(): Promise<DisconnectReason | null> {
    try {
      const token = await fetchToken(this.#options, this.#context);
      return this.#isClosed() ? null : await this.#attemptWith(token);
    } catch (error) {
      return { code: 'token-invalid', side: 'local', text: `no token: ${(error as Error).message}` };
    }
  }

  /** Doubles with each attempt; between half and all of it, by chance, so that a restarted server is not stampeded. */
  #backoff(delayMicros: number): number {
    const whole = Math.min(delayMicros * 2 ** (this.#attempt - 1), RECONNECT_DELAY_MICROS_MAX);
    return Math.floor(whole / 2 + (whole / 2) * (this.#context.sys.rng.u32() / 2 ** 32));
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #now(): number {
    return this.#context.sys.clock.now();
  }
}

/** The token: given, fetched, or in development made here with the well-known key. */
async function fetchToken<C extends Channels>(options: ClientOptions<C>, context: EngineContext): Promise<Uint8Array> {
  const { token, insecureAddress } = options;
  if ((token === undefined) === (insecureAddress === undefined)) {
    throw new ConfigError(
      'token',
      'give the connect token from your backend (or a function that fetches it), or insecureAddress while developing',
    );
  }
  if (insecureAddress !== undefined) {
    const clientId = (BigInt(context.sys.rng.u32()) << 32n) | BigInt(context.sys.rng.u32());
    const protocolId = checkU64Option('protocolId', options.protocolId);
    return mintToken(
      { privateKey: new Uint8Array(PRIVATE_KEY_BYTES), clientId, addresses: [insecureAddress], protocolId },
      context,
    );
  }
  return typeof token === 'function' ? token() : token!;
}

/** A connected client, as the server's game sees it. */

import { EventEmitter } from 'eventemitter3';
import { formatAddress } from '../sys/api.ts';
import type { ConnectionStats } from '../transport/connection-stats.ts';
import type { DisconnectCode } from '../transport/endpoint.ts';
import type {
  Answer,
  Channels,
  MessageName,
  Outgoing,
  Question,
  RequestName,
  SendOptionsOf,
  SendResult,
} from './channel-types.ts';
import { type CloseOptions, type Closing, closingOf } from './closing.ts';
import type { Gauges } from './gauges.ts';
import type { Outbox } from './outbox.ts';
import { RequestError, type RequestOptions } from './request-channel.ts';
import type { Requests } from './requests.ts';

/** What a peer asks of its server. */
export interface PeerOwner {
  readonly outbox: Outbox;
  readonly requests: Requests;
  readonly gauges: Gauges;
  /** Gives the peer its user data to keep. Once, while it is there. */
  takeUserData(peerId: number): Uint8Array;
  endPeer(peerId: number, code: DisconnectCode, closing: Closing): void;
  handPeer(peerId: number, worker: number, data: unknown): Promise<void>;
}

/** From where a peer has come that another worker of the group had before (`handTo`). */
export interface HandedOver {
  /** The number of that worker. */
  readonly worker: number;
  /** What its game gave the peer to take along. */
  readonly data: unknown;
}

export interface PeerEvents<C extends Channels> {
  /** There is room again on a channel on which `send` or `broadcast` answered 'backlog-full'. */
  writable: (channel: MessageName<C>) => void;
}

/** One client. Seen first in `admit`, connected from `connect` to `disconnect`; else `send` answers 'not-connected'. */
export class Peer<C extends Channels> extends EventEmitter<PeerEvents<C>> {
  /** Number of the client on this server, 0 .. maxClients - 1; used again when it has left. */
  readonly id: number;
  /** Who it is, as the backend wrote into its connect token: 0 .. 2^64 - 1. */
  readonly clientId: bigint;
  readonly #owner: PeerOwner;
  #address: string;
  /** Taken from the transport when the game first asks, or when it leaves: most games ask once, many never. */
  #userData: Uint8Array | null = null;
  #connected = false;
  /** Closed by us, and waiting for what was sent to arrive. */
  #closing = false;
  /** About to go to another worker. */
  #leaving = false;
  #handedOver: HandedOver | null = null;

  /** @internal */
  constructor(id: number, clientId: bigint, address: Uint8Array, owner: PeerOwner) {
    super();
    this.id = id;
    this.clientId = clientId;
    this.#address = formatAddress(address);
    this.#owner = owner;
  }

  /** 256 bytes that the backend wrote into the connect token. */
  get userData(): Uint8Array {
    this.#userData ??= this.#owner.takeUserData(this.id);
    return this.#userData;
  }

  /** Where it is: `a.b.c.d:port` or `[ipv6]:port`. May change while it is connected: the server's `path` tells. */
  get address(): string {
    return this.#address;
  }

  /** Whether it is there: from `connect` to `disconnect`. */
  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Queues a message; it leaves with the packets of this turn. The bytes are copied before `send` returns.
   * 'backlog-full': too much is waiting, this one was not queued; `writable` follows.
   */
  send<K extends MessageName<C>>(channel: K, message: Outgoing<C[K]>, options?: SendOptionsOf<C[K]>): SendResult {
    return this.isOpen ? this.#owner.outbox.send(this.id, channel, message, options) : 'not-connected';
  }

  /** Asks the client, which must `respond`. Rejects with RequestError. */
  request<K extends RequestName<C>>(
    channel: K,
    question: Question<C[K]>,
    options?: RequestOptions,
  ): Promise<Answer<C[K]>> {
    if (!this.isOpen) return Promise.reject(new RequestError('disconnected', 'it has left'));
    return this.#owner.requests.ask(this.id, channel, question, options) as Promise<Answer<C[K]>>;
  }

  /**
   * Bytes that messages which are not bulk may have in this tick, so that the path is not overfilled (without ticks: in a
   * sixtieth of a second). A proposal: what you send beyond it leaves all the same, and queues on the way.
   */
  get budgetBytes(): number {
    return this.#connected ? this.#owner.gauges.budgetBytes(this.id) : 0;
  }

  /** Add it to the server's clock to have the client's, in microseconds; NaN while it is not known. */
  get clockOffsetMicros(): number {
    return this.#connected ? this.#owner.gauges.clockOffsetMicros(this.id) : Number.NaN;
  }

  /** How far `clockOffsetMicros` may be off. */
  get clockErrorMicros(): number {
    return this.#connected ? this.#owner.gauges.clockErrorMicros(this.id) : Number.POSITIVE_INFINITY;
  }

  /** How its connection fares, in a new object or in one that an earlier call made. A peer that has left changes nothing in it. */
  stats(into?: ConnectionStats): ConnectionStats {
    return this.#owner.gauges.stats(this.#connected ? this.id : -1, into);
  }

  /** Throws the client out at once. It is told the text, at most 255 bytes of UTF-8; `disconnect` follows. */
  kick(text = ''): void {
    if (this.#connected) this.#end('kicked', closingOf(text));
  }

  /** Ends the connection without reproach, as a match does that is over; with `drain` once what was sent has arrived. */
  close(how: string | CloseOptions = ''): void {
    if (this.#connected) this.#end('closed', closingOf(how));
  }

  /**
   * Gives the client to another worker of the group (`startWorkers`), whose server tells `connect` with a peer that has `handedOver`.
   * The client notices nothing: it stays connected, no message is lost or comes twice, its address and user data are the same.
   *
   * It goes as soon as nothing is half there, after a round trip or two. Until then what it sends is told here, and what is sent to it
   * waits and goes along; then `disconnect` is told here, with the code `moved`.
   *
   * Resolves when the other worker has it. Rejects with ConfigError (no such worker, no group), or with Error when a transfer or a
   * question was under way for ten seconds, and the peer stays. When the other worker has no room or ends, it comes back by a `connect`
   * of its own, as if that worker had handed it over.
   *
   * @param data for the game there: anything that `structuredClone` copies, or a function that is asked for it as the peer goes, so
   *   that it knows of the last message
   */
  async handTo(worker: number, data?: unknown): Promise<void> {
    if (!this.isOpen || this.#leaving) throw new Error('the peer is not connected, or is leaving');
    this.#leaving = true;
    try {
      await this.#owner.handPeer(this.id, worker, data);
    } finally {
      this.#leaving = false;
    }
  }

  /** Null: it has come by itself. */
  get handedOver(): HandedOver | null {
    return this.#handedOver;
  }

  #end(code: DisconnectCode, closing: Closing): void {
    this.#closing = true;
    this.#owner.endPeer(this.id, code, closing);
  }

  /** @internal Whether a broadcast is for it. */
  get isOpen(): boolean {
    return this.#connected && !this.#closing;
  }

  /** @internal */
  begin(): void {
    this.#connected = true;
  }

  /** @internal Before `begin`: it comes from another worker, whose game may have its user data already. */
  arrive(handedOver: HandedOver, userData: Uint8Array): void {
    this.#handedOver = handedOver;
    this.#userData = userData;
  }

  /** @internal The last moment at which the transport has its user data. */
  end(): void {
    this.#userData ??= this.#owner.takeUserData(this.id);
    this.#connected = false;
  }

  /** @internal */
  moveTo(address: Uint8Array): void {
    this.#address = formatAddress(address);
  }
}

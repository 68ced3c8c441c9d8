/** A connected client, as the server's game sees it. */

import { formatAddress } from '../sys/api.ts';
import type { SendResult } from '../transport/channel/send-queue.ts';
import type { Channels, Outgoing } from './channels.ts';

/** What a peer asks of its server. */
export interface PeerOwner {
  sendTo(peerId: number, channel: string, message: unknown): SendResult;
  kick(peerId: number, text: string): void;
}

/** One client. Seen first in `admit`, connected from `connect` to `disconnect`; else `send` answers 'not-connected'. */
export class Peer<C extends Channels> {
  /** Number of the client on this server, 0 .. maxClients - 1; used again when it has left. */
  readonly id: number;
  /** Who it is, as the backend wrote into its connect token: 0 .. 2^64 - 1. */
  readonly clientId: bigint;
  /** 256 bytes that the backend wrote into the connect token. */
  readonly userData: Uint8Array;
  #address: string;
  readonly #owner: PeerOwner;
  #connected = false;

  /** @internal */
  constructor(id: number, clientId: bigint, userData: Uint8Array, address: Uint8Array, owner: PeerOwner) {
    this.id = id;
    this.clientId = clientId;
    this.userData = userData;
    this.#address = formatAddress(address);
    this.#owner = owner;
  }

  /** Where it is: `a.b.c.d:port` or `[ipv6]:port`. Changes when the client's network does. */
  get address(): string {
    return this.#address;
  }

  /** Whether messages can still reach it. */
  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Queues a message; it leaves with the packets of this turn. The bytes are copied before `send` returns.
   * 'backlog-full': too many are waiting, this one was not queued.
   */
  send<K extends keyof C & string>(channel: K, message: Outgoing<C[K]>): SendResult {
    return this.#connected ? this.#owner.sendTo(this.id, channel, message) : 'not-connected';
  }

  /** Throws the client out. It is told the text, at most 255 bytes of UTF-8; `disconnect` follows. */
  kick(text = ''): void {
    if (this.#connected) this.#owner.kick(this.id, text);
  }

  /** @internal */
  moveTo(address: Uint8Array): void {
    this.#address = formatAddress(address);
  }

  /** @internal */
  begin(): void {
    this.#connected = true;
  }

  /** @internal */
  end(): void {
    this.#connected = false;
  }
}

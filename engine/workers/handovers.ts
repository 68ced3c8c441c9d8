/**
 * Peers on their way from one worker of a group to another.
 *
 *     here: depart (until it is quiet) -> handOver -> hand ------> there: takeOver, `connect` is told
 *           its datagrams go there, behind it -> strays --------->        received as if they had come by the socket
 *           `disconnect` is told
 *           its number is free             <------------ answer
 *           its address is forgotten       <-------------- gone          it has left there
 *
 * For the game here the peer leaves as it goes. Until the answer the bytes of the connection are kept: when the other worker does
 * not take it, or ends, it comes back, as one that the other worker has handed over.
 */

import { DatagramBatch, type Micros } from '../../sys/api.ts';
import { LEAP } from '../../transport/netcode/session-ledger.ts';
import type { ServerEndpoint } from '../../transport/server-endpoint.ts';
import { ConfigError } from '../errors.ts';
import type { Runtime } from '../executor/runtime.ts';
import type { Task, TaskBody } from '../executor/task.ts';
import type { HandedOver } from '../peer.ts';
import type { Link, Mail } from './mail.ts';
import { type StrayTable, unbundle } from './stray-table.ts';
import { PULSE_MICROS } from './timing.ts';

/** What the servers of two workers tell each other. */
export type HandoverMessage =
  | {
      readonly kind: 'hand';
      readonly serial: number;
      readonly bytes: Uint8Array;
      readonly userData: Uint8Array;
      readonly data: unknown;
    }
  | { readonly kind: 'answer'; readonly serial: number; readonly taken: boolean }
  | { readonly kind: 'strays'; readonly bundle: Uint8Array }
  | { readonly kind: 'read'; readonly bytes: number }
  | { readonly kind: 'gone'; readonly serial: number };

/** What is asked of the server whose peers come and go. */
export interface HandoverHost {
  /** Whether no question of a connection, or to it, is open. */
  isReady(connection: number): boolean;
  /** 256 bytes, whoever keeps them: the transport, or the peer. */
  userDataOf(connection: number): Uint8Array;
  /** A connection has come from another worker. */
  arrived(connection: number, handedOver: HandedOver, userData: Uint8Array): void;
  /** A connection goes to another worker. */
  left(connection: number, to: number): void;
  /** Datagrams that another worker has received for us. */
  receive(batch: DatagramBatch): void;
}

/** Which worker, of how many, a server is. */
export interface WorkerPlace {
  readonly number: number;
  readonly workers: number;
}

/** How often another worker's messages are looked for while there is any to talk to. */
const LOOK_MICROS: Micros = 1_000;
/** What is under way with a peer must be over by then: a transfer, an unreliable message of which a fragment is lost. */
const QUIET_MICROS: Micros = 10_000_000;
const STRAY_SLOTS = 64;
const SLOT_BYTES = 2048;

type HandoverLink = Link<HandoverMessage>;

/** A connection that the other worker has not answered for. */
interface Pending {
  readonly connection: number;
  readonly bytes: Uint8Array;
  readonly userData: Uint8Array;
  readonly data: unknown;
  readonly link: HandoverLink;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Who has to be told when a connection has ended that came from elsewhere. */
interface Origin {
  readonly link: HandoverLink;
  readonly serial: number;
}

export class Handovers {
  readonly #place: WorkerPlace;
  readonly #mail: Mail<HandoverMessage>;
  readonly #strays: StrayTable;
  readonly #endpoint: ServerEndpoint;
  readonly #runtime: Runtime;
  readonly #host: HandoverHost;
  readonly #pending: Map<number, Pending> = new Map();
  /** By connection here, and by serial of those that have gone on from here. */
  readonly #origins: Map<number, Origin> = new Map();
  readonly #passedOn: Map<number, Origin> = new Map();
  readonly #watched: WeakSet<HandoverLink> = new WeakSet();
  readonly #task: Task<void>;
  #batch: DatagramBatch | null = null;
  #serial = 0;
  #isClosed = false;

  constructor(
    place: WorkerPlace,
    mail: Mail<HandoverMessage>,
    strays: StrayTable,
    endpoint: ServerEndpoint,
    runtime: Runtime,
    host: HandoverHost,
  ) {
    this.#place = place;
    this.#mail = mail;
    this.#strays = strays;
    this.#endpoint = endpoint;
    this.#runtime = runtime;
    this.#host = host;
    this.#task = runtime.spawn(this.#look(), 'handovers');
  }

  /**
   * Hands a connection to another worker as soon as nothing is under way with it. Rejects when that cannot be; then it is here, or
   * has ended.
   *
   * @param isThere whether the number still means that connection
   * @param data for the game there, or a function that is asked for it as the connection goes; must be cloneable
   */
  async hand(connection: number, isThere: () => boolean, worker: number, data: unknown): Promise<void> {
    const { number, workers } = this.#place;
    if (!Number.isInteger(worker) || worker < 0 || worker >= workers || worker === number) {
      throw new ConfigError('worker', `${worker} is not another worker: give 0 to ${workers - 1}, but not ${number}`);
    }
    const link = await this.#mail.linkTo(worker);
    if (link === null) throw new Error(`worker ${worker} does not run now`);
    if (!isThere()) throw new Error('the peer has left');
    this.#watch(link);
    const by = this.#runtime.now + QUIET_MICROS;
    await new Promise<void>((resolve, reject) => {
      const isReady = (): boolean => this.#host.isReady(connection);
      this.#endpoint.depart(connection, by, isReady, (departure) => {
        if (departure === 'ended') reject(new Error('the peer has left'));
        else if (departure === 'late') {
          reject(
            new Error(`something was under way with the peer for ${QUIET_MICROS / 1e6} s: a transfer, a question`),
          );
        } else {
          try {
            this.#send(connection, link, data, resolve, reject);
          } catch (error) {
            this.#endpoint.stay(connection);
            reject(error as Error);
          }
        }
      });
    });
  }

  /** A message from another worker. */
  take(link: HandoverLink, message: HandoverMessage): void {
    switch (message.kind) {
      case 'hand':
        this.#takeOver(link, message);
        break;
      case 'answer':
        this.#answered(message.serial, message.taken);
        break;
      case 'strays':
        this.#receive(message.bundle);
        link.post({ kind: 'read', bytes: message.bundle.length });
        break;
      case 'read':
        this.#strays.read(link.worker, message.bytes);
        break;
      case 'gone':
        this.#strays.remove(message.serial);
        this.#tellGone(this.#passedOn, message.serial);
    }
  }

  /** A connection is over: nobody need send its datagrams here any more. */
  ended(connection: number): void {
    this.#tellGone(this.#origins, connection);
  }

  /** Takes no more. Call it before the peers are ended. */
  close(): void {
    this.#isClosed = true;
    this.#task.cancel();
    for (const { reject } of this.#pending.values()) reject(new Error('the server stops'));
  }

  *#look(): TaskBody<void> {
    for (;;) {
      this.#mail.poll();
      this.#strays.flush((worker, bundle) => {
        const link = this.#mail.openLinkTo(worker);
        if (link === null) this.#strays.removeAllOf(worker);
        else link.post({ kind: 'strays', bundle }, [bundle.buffer as ArrayBuffer]);
      });
      yield* this.#runtime.sleepUntil(this.#runtime.now + (this.#mail.isOpen ? LOOK_MICROS : PULSE_MICROS));
    }
  }

  /** The connection is quiet, here and now. */
  #send(
    connection: number,
    link: HandoverLink,
    data: unknown,
    resolve: () => void,
    reject: (error: Error) => void,
  ): void {
    const { netcode } = this.#endpoint;
    if (this.#strays.isFull) throw new Error('too many clients are away: wait until some have left');
    const copy: unknown = structuredClone(typeof data === 'function' ? data() : data);
    const serial = ++this.#serial;
    const clientId = netcode.clientIdOf(connection);
    this.#strays.add(serial, clientId, link.worker, netcode.addressOf(connection), netcode.handovers.idsOf(connection));
    const userData = this.#host.userDataOf(connection);
    const bytes = this.#endpoint.handOver(connection, this.#runtime.now);
    this.#pending.set(serial, { connection, bytes, userData, data: copy, link, resolve, reject });
    const origin = this.#origins.get(connection);
    if (origin !== undefined) this.#passedOn.set(serial, origin);
    this.#origins.delete(connection);
    link.post({ kind: 'hand', serial, bytes, userData, data: copy });
    this.#host.left(connection, link.worker);
  }

  #answered(serial: number, taken: boolean): void {
    const pending = this.#pending.get(serial);
    if (pending === undefined) return;
    if (!taken) {
      const why = `worker ${pending.link.worker} has no room for the peer, other channels, or a connection of its client`;
      this.#comeBack(serial, pending, 0, why);
      return;
    }
    this.#pending.delete(serial);
    pending.bytes.fill(0);
    this.#endpoint.release(pending.connection);
    pending.resolve();
  }

  /** The other worker does not have it: it goes on here. `numbersUsed`: packet numbers that it may have used all the same. */
  #comeBack(serial: number, pending: Pending, numbersUsed: number, why: string): void {
    const { connection, bytes, userData, data, link } = pending;
    const origin = this.#passedOn.get(serial);
    this.#pending.delete(serial);
    this.#passedOn.delete(serial);
    this.#strays.remove(serial);
    const isBack = this.#endpoint.takeOver(bytes, connection, numbersUsed, this.#runtime.now) >= 0;
    bytes.fill(0);
    pending.reject(new Error(why));
    if (!isBack) {
      this.#endpoint.release(connection); // its client has come again meanwhile, with another token
      return;
    }
    if (origin !== undefined) this.#origins.set(connection, origin);
    this.#host.arrived(connection, { worker: link.worker, data }, userData);
  }

  #takeOver(link: HandoverLink, { serial, bytes, userData, data }: HandoverMessage & { kind: 'hand' }): void {
    const connection = this.#isClosed ? -1 : this.#endpoint.takeOver(bytes, -1, 0, this.#runtime.now);
    bytes.fill(0);
    link.post({ kind: 'answer', serial, taken: connection >= 0 });
    if (connection < 0) return;
    this.#watch(link);
    this.#origins.set(connection, { link, serial });
    this.#strays.removeClient(this.#endpoint.netcode.clientIdOf(connection));
    this.#host.arrived(connection, { worker: link.worker, data }, userData);
  }

  #receive(bundle: Uint8Array): void {
    this.#batch ??= DatagramBatch.allocate(STRAY_SLOTS, SLOT_BYTES);
    for (let at = 0; at < bundle.length; ) {
      this.#batch.count = 0;
      at = unbundle(bundle, at, this.#batch);
      this.#host.receive(this.#batch);
    }
  }

  #tellGone(origins: Map<number, Origin>, key: number): void {
    const origin = origins.get(key);
    if (origin === undefined) return;
    origins.delete(key);
    origin.link.post({ kind: 'gone', serial: origin.serial });
  }

  /** What is under way to a worker that ends comes back. */
  #watch(link: HandoverLink): void {
    if (this.#watched.has(link)) return;
    this.#watched.add(link);
    link.onClose.push(() => {
      this.#strays.removeAllOf(link.worker);
      for (const [serial, pending] of this.#pending) {
        if (pending.link === link) this.#comeBack(serial, pending, LEAP, `worker ${link.worker} ended`);
      }
    });
  }
}

/**
 * The server's side of netcode 1.02 behind one socket: who may come in, who is there, and their sealed packets.
 * STATE-MACHINE.md says the same in words. The parts, in the order of a packet's way:
 *
 *     ServerIntake with PacketHeader (the clear bytes) -> ServerHandshakes with RequestGate (who may come in) ->
 *     ServerSessions (rows, tables) -> Sessions (keys, replay, open and seal) -> EventQueue (to the game) ...
 *     Outbox -> ServerAnswers (from the endpoint), ServerWelcomes, ServerEndings (how a connection comes and leaves),
 *     ServerPaths (how it moves), ServerHandovers (how it goes to another endpoint)
 *
 * Receiving and sending payloads allocates nothing.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch, type Micros, type Rng } from '../../sys/api.ts';
import { DueWheel } from '../due-wheel.ts';
import type { DisconnectCode, Endpoint } from '../endpoint.ts';
import type { Arrivals } from '../session.ts';
import { ChallengeBook } from './challenge.ts';
import { ConnectionIds } from './connection-ids.ts';
import {
  ACCEPTED,
  countDrop,
  DROP_UNKNOWN_ADDRESS,
  DROP_UNKNOWN_ID,
  type DropCounters,
  dropCounters,
} from './drop-counters.ts';
import {
  EVENT_ADMIT,
  EVENT_CONNECT,
  EVENT_DISCONNECT,
  EVENT_PATH,
  EVENT_PAYLOAD,
  EVENT_RESUME,
  EventQueue,
} from './event-queue.ts';
import { KeepAlives } from './keep-alive.ts';
import { Outbox, OWES_PATH } from './outbox.ts';
import { PACKET_PAYLOAD } from './packets.ts';
import { encodeReason } from './reason.ts';
import { RequestGate } from './request-gate.ts';
import { ServerAnswers } from './server-answers.ts';
import { ServerEndings } from './server-endings.ts';
import { ServerHandovers } from './server-handovers.ts';
import { ServerHandshakes } from './server-handshakes.ts';
import { ServerIntake } from './server-intake.ts';
import { checkPrivateKeys, type NetcodeServerOptions, type Strays, serverSettings } from './server-options.ts';
import { ServerPaths } from './server-paths.ts';
import { CLIENT_ID_BYTES, CONFIRMED, PENDING, ServerSessions, UNCONFIRMED } from './server-sessions.ts';
import { ServerWelcomes, TEXT_SPENT } from './server-welcomes.ts';
import type { NetcodeServerSink } from './sinks.ts';

export type { NetcodeServerOptions, Strays } from './server-options.ts';
export type { NetcodeServerSink } from './sinks.ts';

export class NetcodeServer implements Endpoint<NetcodeServerSink> {
  /** Datagrams that were not taken, by reason. Live. */
  readonly drops: DropCounters = dropCounters();
  /** Datagrams that were taken. With `drops` this makes all that were received. */
  accepted = 0;
  /** Element 0: the packet number of the payload that `drain` is handing over. A cell, so that nothing is boxed. */
  readonly receivedNumber: Float64Array = new Float64Array(1);
  /** Element 0: the packet number that `writePayload` gave last. */
  readonly writtenNumber: Float64Array;
  readonly arrivals: Arrivals;
  readonly maxClients: number;
  /** Connections that go to another endpoint, or come from one. */
  readonly handovers: ServerHandovers;
  readonly #aead: Aead;
  readonly #rows: ServerSessions;
  readonly #gate: RequestGate;
  readonly #handshakes: ServerHandshakes;
  readonly #outbox: Outbox;
  readonly #answers: ServerAnswers;
  readonly #keepAlives: KeepAlives;
  readonly #wheel: DueWheel;
  readonly #events: EventQueue;
  readonly #endings: ServerEndings;
  readonly #welcomes: ServerWelcomes;
  readonly #ids: ConnectionIds;
  readonly #paths: ServerPaths;
  readonly #intake: ServerIntake;
  readonly #strays: Strays | null;
  /** Of the call that is running. 0: `now`. 1: unix seconds. */
  readonly #times: Float64Array = new Float64Array(2);

  /**
   * @param rng for the challenge key, the hash tables' secrets and the first packet numbers
   * @param unixSeconds the calendar at the start: tokens from before it are refused (see tokenLifetimeMaxSeconds)
   * @throws ConfigError for options that cannot work
   */
  constructor(options: NetcodeServerOptions, aead: Aead, rng: Rng, now: Micros, unixSeconds: number) {
    const settings = serverSettings(options);
    this.#aead = aead;
    this.#strays = options.strays ?? null;
    this.maxClients = settings.maxClients;
    const challenges = new ChallengeBook(aead, rng);
    this.#rows = new ServerSessions(settings, aead, rng);
    this.writtenNumber = this.#rows.sessions.writtenNumber;
    this.arrivals = this.#rows.sessions.replay;
    this.#gate = new RequestGate(settings, this.#rows, aead, rng, unixSeconds);
    this.#outbox = new Outbox(this.#rows.rows);
    this.#answers = new ServerAnswers(this.#rows, this.#outbox, challenges, rng);
    this.#wheel = new DueWheel(this.#rows.rows);
    this.#keepAlives = new KeepAlives(this.#rows.sessions, this.#wheel, this.#outbox);
    this.#events = new EventQueue(256);
    this.#handshakes = new ServerHandshakes(
      settings,
      aead,
      this.#rows,
      this.#gate,
      challenges,
      this.#outbox,
      this.#wheel,
    );
    this.#times[0] = now;
    this.#times[1] = unixSeconds;
    this.#ids = new ConnectionIds(settings.maxClients, settings.workerNumber, rng);
    this.#paths = new ServerPaths(
      this.#rows,
      this.#ids,
      this.#handshakes,
      this.#outbox,
      this.#events,
      aead,
      rng,
      this.#times,
    );
    this.#endings = new ServerEndings(this.#rows, this.#paths, this.#outbox, this.#wheel, this.#events);
    this.handovers = new ServerHandovers(
      this.#rows,
      this.#ids,
      this.#paths,
      this.#endings,
      this.#keepAlives,
      this.#outbox,
      this.#wheel,
    );
    this.#welcomes = new ServerWelcomes(
      settings,
      this.#rows,
      this.#gate.history,
      this.#keepAlives,
      this.#paths,
      this.#outbox,
      this.#events,
    );
    this.#intake = new ServerIntake(
      settings,
      aead,
      this.#rows,
      this.#handshakes,
      this.#paths,
      this.#endings,
      this.#welcomes,
      this.#wheel,
      this.#events,
      this.#times,
    );
  }

  /** Replaces the private keys: one, or two while tokens of the old one are about, the newer first. */
  setPrivateKeys(keys: readonly Uint8Array[]): void {
    this.#gate.setPrivateKeys(checkPrivateKeys(keys));
  }

  receive(batch: DatagramBatch, now: Micros, unixSeconds: number): void {
    this.#events.checkDrained(now);
    this.#times[0] = now;
    this.#times[1] = unixSeconds;
    for (let slot = 0; slot < batch.count; slot++) {
      const code = this.#intake.receive(batch, slot);
      if (code === ACCEPTED || this.#passOn(batch, slot, code)) this.accepted++;
      else countDrop(this.drops, code);
    }
  }

  drain(sink: NetcodeServerSink, now: Micros): void {
    const events = this.#events;
    for (let i = events.next(); i >= 0; i = events.next()) {
      const connection = events.connection[i]!;
      switch (events.kind[i]) {
        case EVENT_PAYLOAD:
          this.receivedNumber[0] = events.number[i]!;
          sink.payload(connection, this.#aead.plaintext, events.offset[i]!, events.length[i]!, now);
          break;
        case EVENT_ADMIT:
          // It may have left again in the same turn; then only its end is told.
          sink.admit(connection);
          break;
        case EVENT_CONNECT:
          sink.connect(connection);
          break;
        case EVENT_PATH:
          sink.path(connection, events.length[i] === 1);
          break;
        case EVENT_RESUME:
          sink.resume(connection);
          break;
        case EVENT_DISCONNECT:
          this.#endings.tell(connection);
          sink.disconnect(connection, this.#rows.reason[connection]!);
          this.#endings.freeIfDone(connection);
          break;
      }
    }
  }

  advance(now: Micros): void {
    for (let row = this.#wheel.takeDue(now); row >= 0; row = this.#wheel.takeDue(now)) this.#fire(row, now);
  }

  transmit(batch: DatagramBatch, now: Micros): void {
    const outbox = this.#outbox;
    while (outbox.count > 0 && !batch.full) {
      const row = outbox.first();
      if (outbox.owes[row]! & OWES_PATH) this.#paths.write(batch, row, now);
      this.#answers.write(batch, row, now);
      if (outbox.owes[row] !== 0) return; // no room for the rest
      outbox.shift();
      if (this.#rows.isConnection(row)) this.#endings.freeIfDone(row);
    }
  }

  deadline(): Micros {
    return this.#outbox.count > 0 || this.#events.count > 0 ? 0 : this.#wheel.deadline();
  }

  /** Lets a client in that `admit` named. False when it is gone meanwhile. The token is spent from here on. */
  accept(connection: number, now: Micros): boolean {
    const rows = this.#rows;
    if (rows.state[connection] !== PENDING) return false;
    if (this.#welcomes.accept(connection, now)) return true;
    this.refuse(connection, TEXT_SPENT, now);
    return false;
  }

  /** Sends a client away that `admit` named, with a text for it. False when it is gone meanwhile. */
  refuse(connection: number, text: string, now: Micros): boolean {
    const rows = this.#rows;
    if (rows.state[connection] !== PENDING) return false;
    const handshake = rows.demote(connection);
    if (handshake >= 0) this.#handshakes.refuse(handshake, 'denied', text, now);
    this.#endings.end(connection, { code: 'denied', side: 'local', text });
    return true;
  }

  /** Ends a connection; the client is told code and text (at most 255 bytes of UTF-8). Acts with the next `transmit`. */
  disconnect(connection: number, code: DisconnectCode, text: string, now: Micros): void {
    const rows = this.#rows;
    if (rows.state[connection] === PENDING) {
      this.refuse(connection, text, now);
      return;
    }
    if (!this.isConnected(connection)) return;
    rows.farewell[connection] = encodeReason(code, text);
    this.#endings.end(connection, { code, side: 'local', text });
    this.#answers.sayFarewell(connection);
  }

  /** Ends every connection and refuses those that wait to be admitted. */
  disconnectAll(code: DisconnectCode, text: string, now: Micros): void {
    for (let connection = 0; connection < this.maxClients; connection++) this.disconnect(connection, code, text, now);
  }

  /**
   * Seals the plaintext at `batch.home(batch.count)`, `batch.length[batch.count]` bytes (1 .. 1,200), and appends it to the
   * batch as a payload for a connection. Until the client has confirmed the connection a keep-alive goes before it, where
   * the batch has room for both. False when the connection is not connected; then nothing is appended.
   */
  writePayload(batch: DatagramBatch, connection: number, now: Micros): boolean {
    const state = this.#rows.state[connection]!;
    if (state === UNCONFIRMED) this.#answers.writeKeepAliveBefore(batch, connection, now);
    else if (state !== CONFIRMED) return false;
    this.#rows.sessions.writePacket(batch, connection, PACKET_PAYLOAD, now);
    return true;
  }

  /** Uses up a packet number of a connection, which is then in `writtenNumber`. */
  skipNumber(connection: number): void {
    this.#rows.sessions.skipNumber(connection);
  }

  /**
   * Makes a connection id and writes its 8 bytes at `into[at ..]`, for the layer above to carry to the client (`storeId`).
   * Under it the client is found when its address changes. False when the connection has as many as it may, or is none.
   */
  issueId(connection: number, into: Uint8Array, at: number): boolean {
    return this.isConnected(connection) && this.#ids.issue(connection, into, at);
  }

  /** How many more ids the connection should be given: 3 at first, one more after a move. */
  idsWanted(connection: number): number {
    return this.isConnected(connection) ? this.#ids.wanted(connection) : 0;
  }

  /** Clients offer no ids: what one sends as such is nothing. */
  storeId(_bytes: Uint8Array, _at: number): void {}

  isConnected(connection: number): boolean {
    return this.#rows.state[connection]! >= UNCONFIRMED;
  }

  /** Whether a connection waits for `accept` or `refuse`. */
  isPending(connection: number): boolean {
    return this.#rows.state[connection] === PENDING;
  }

  /** Slots in use, with those that wait to be admitted and those whose farewell is being sent. */
  get connectionsTaken(): number {
    return this.#rows.taken;
  }

  /** Connect tokens opened, forged ones too. */
  get tokenOpens(): number {
    return this.#gate.opens;
  }

  /** Who a connection is, from its token. Valid from `admit` until `disconnect` returns, as all of the following. */
  clientIdOf(connection: number): bigint {
    const at = connection * CLIENT_ID_BYTES;
    return new DataView(this.#rows.clientId.buffer).getBigUint64(at, true);
  }

  /** A copy of the 256 bytes that the backend put into the token, unless they have been released. */
  userDataOf(connection: number): Uint8Array {
    return this.#rows.userData.copyOf(connection);
  }

  /** Nobody will ask for the connection's user data again: their memory is for the next client. */
  releaseUserData(connection: number): void {
    this.#rows.userData.release(connection);
  }

  /** A copy of the client's canonical address. */
  addressOf(connection: number): Uint8Array {
    return this.#rows.sessions.address.slice(connection * ADDRESS_BYTES, (connection + 1) * ADDRESS_BYTES);
  }

  connectedAt(connection: number): Micros {
    return this.#rows.connectedAt[connection]!;
  }

  lastReceivedAt(connection: number): Micros {
    return this.#rows.sessions.lastReceivedAt[connection]!;
  }

  /** Whether a datagram that means nothing here is another worker's, and was passed on to it. */
  #passOn(batch: DatagramBatch, slot: number, code: number): boolean {
    if (this.#strays === null || (code !== DROP_UNKNOWN_ADDRESS && code !== DROP_UNKNOWN_ID)) return false;
    return this.#strays.take(batch, slot);
  }

  /** A row's timer: a connection may owe or miss something, a handshake or a pending connection is given up. */
  #fire(row: number, now: Micros): void {
    const state = this.#rows.state[row]!;
    if (state < PENDING) this.#handshakes.expire(row);
    else if (state === PENDING || !this.#keepAlives.fire(row, now)) {
      this.#endings.end(row, { code: 'timeout', side: 'local', text: '' });
    }
  }
}

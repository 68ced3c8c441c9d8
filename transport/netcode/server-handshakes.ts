/**
 * From a connection request to a connection that waits to be admitted: the handshake rows of a server.
 *
 * A request is answered with a challenge, a response that returns it gets a slot. What authentic clients cannot have is
 * answered with "denied"; what strangers send is not answered at all. No answer is longer than what it answers.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch, type Micros } from '../../sys/api.ts';
import type { DueWheel } from '../due-wheel.ts';
import type { DisconnectCode } from '../endpoint.ts';
import type { ChallengeBook } from './challenge.ts';
import {
  ACCEPTED,
  DROP_REQUEST_FULL,
  DROP_REQUEST_REPEATED,
  DROP_REQUEST_RESTART,
  DROP_REQUEST_TABLE_FULL,
  DROP_RESPONSE_CHALLENGE,
  DROP_RESPONSE_CLIENT_CONNECTED,
  DROP_RESPONSE_FULL,
  DROP_RESPONSE_REPEATED,
} from './drop-counters.ts';
import { type Outbox, OWES_CHALLENGE, OWES_DENIED, OWES_REASON } from './outbox.ts';
import { associatedDataOf, type PacketHeader, REQUEST_TAG_AT, TAG_BYTES } from './packets.ts';
import { encodeReason } from './reason.ts';
import { ANSWER_DENY, ANSWER_NEW, ANSWER_REPEAT, type RequestGate } from './request-gate.ts';
import type { ServerSettings } from './server-options.ts';
import { CHALLENGED, CLIENT_ID_BYTES, REFUSED, type ServerSessions, UNCONFIRMED } from './server-sessions.ts';

/** A handshake is given up after its token's timeout, but not later than this. */
const HANDSHAKE_MICROS_MAX = 30_000_000;
/** Opening a response costs two decryptions; clients repeat theirs every 100 ms. */
const RESPONSE_INTERVAL_MICROS = 10_000;
/** How long a refused client is answered again. */
const REFUSED_MICROS = 1_000_000;
/** A refused client is told again at most this often. */
const REFUSAL_INTERVAL_MICROS = 50_000;
const SECOND_MICROS = 1_000_000;

const TEXT_FULL = 'the server is full';
const TEXT_RESTART = 'the server was started after this token was made: get a new one';
const TEXT_LIFETIME = 'the token lives longer than this server allows';

export class ServerHandshakes {
  /** The connection that the response accepted last has got. */
  promoted = -1;
  /** Whether it had it before: its client has come back with another token. */
  resumed = false;
  readonly #resumes: boolean;
  readonly #aead: Aead;
  readonly #rows: ServerSessions;
  readonly #gate: RequestGate;
  readonly #challenges: ChallengeBook;
  readonly #outbox: Outbox;
  readonly #wheel: DueWheel;
  readonly #associated: Uint8Array;

  constructor(
    settings: ServerSettings,
    aead: Aead,
    rows: ServerSessions,
    gate: RequestGate,
    challenges: ChallengeBook,
    outbox: Outbox,
    wheel: DueWheel,
  ) {
    this.#resumes = settings.resume;
    this.#aead = aead;
    this.#rows = rows;
    this.#gate = gate;
    this.#challenges = challenges;
    this.#outbox = outbox;
    this.#wheel = wheel;
    this.#associated = associatedDataOf(settings.protocolId);
  }

  /** Takes in the request in `slot`. Returns ACCEPTED when it will be answered with a challenge, or why not. */
  receiveRequest(batch: DatagramBatch, slot: number, now: Micros, unixSeconds: number): number {
    const gate = this.#gate;
    const code = gate.read(batch, slot, now, unixSeconds);
    if (gate.answer === ANSWER_DENY) return this.#deny(batch, slot, code, now);
    if (code !== ACCEPTED) return code;
    if (gate.answer === ANSWER_REPEAT && this.#rows.state[gate.repeats] === REFUSED) {
      this.#refuseAgain(gate.repeats, now);
      return DROP_REQUEST_REPEATED;
    }
    const row = gate.answer === ANSWER_NEW ? this.#open(batch, slot, CHALLENGED, now) : gate.repeats;
    if (row < 0) return DROP_REQUEST_TABLE_FULL;
    this.#rows.answeredAt[row] = now;
    this.#extend(row, now);
    this.#outbox.owe(row, OWES_CHALLENGE);
    return ACCEPTED;
  }

  /**
   * Takes in the response in `slot`, whose header has been parsed, for the handshake `row`.
   *
   * @returns ACCEPTED with the new connection in `promoted`, or the reason to drop it
   */
  receiveResponse(batch: DatagramBatch, slot: number, header: PacketHeader, row: number, now: Micros): number {
    const rows = this.#rows;
    const { sessions } = rows;
    if (now - sessions.lastReceivedAt[row]! < RESPONSE_INTERVAL_MICROS) return DROP_RESPONSE_REPEATED;
    const code = sessions.openPacket(batch, slot, header, row);
    if (code !== ACCEPTED) return code;
    sessions.lastReceivedAt[row] = now;
    if (rows.state[row] === REFUSED) {
      this.#refuseAgain(row, now);
      return DROP_RESPONSE_REPEATED;
    }
    const at = slot * this.#aead.plaintextStrideBytes;
    const idAt = row * CLIENT_ID_BYTES;
    if (!this.#challenges.verify(this.#aead.plaintext, at, rows.owner[row]!, rows.clientId, idAt)) {
      return DROP_RESPONSE_CHALLENGE;
    }
    const held = rows.connectionOf(rows.clientId, idAt);
    if (held >= 0) return this.#resume(row, held);
    const connection = rows.promote(row);
    if (connection < 0) {
      rows.state[row] = REFUSED;
      this.refuse(row, 'denied', TEXT_FULL, now);
      return DROP_RESPONSE_FULL;
    }
    this.#forget(row);
    this.promoted = connection;
    this.resumed = false;
    return ACCEPTED;
  }

  /** The client of a connection has proved another token: the connection is the handshake's from here on. */
  #resume(row: number, connection: number): number {
    if (!this.#resumes || this.#rows.state[connection]! < UNCONFIRMED) return DROP_RESPONSE_CLIENT_CONNECTED;
    this.#forget(row);
    this.#rows.resume(row, connection);
    this.promoted = connection;
    this.resumed = true;
    return ACCEPTED;
  }

  /** Makes a REFUSED row answer "denied", now and for a while. */
  refuse(row: number, code: DisconnectCode, text: string, now: Micros): void {
    const rows = this.#rows;
    rows.farewell[row] = encodeReason(code, text);
    rows.answeredAt[row] = now;
    this.#wheel.at[row] = now + REFUSED_MICROS;
    this.#wheel.set(row);
    this.#outbox.settle(row, OWES_CHALLENGE);
    this.#outbox.owe(row, OWES_REASON | OWES_DENIED);
  }

  /** Gives a handshake up. */
  expire(row: number): void {
    this.#forget(row);
    this.#rows.freeHandshake(row);
  }

  /** Nothing is owed to the row any more. */
  #forget(row: number): void {
    this.#outbox.owes[row] = 0;
    this.#wheel.cancel(row);
  }

  /** Opens a row for the token that the gate has opened. -1: no row is free. */
  #open(batch: DatagramBatch, slot: number, state: number, now: Micros): number {
    const rows = this.#rows;
    const { sessions } = rows;
    const { token, expires, scattered } = this.#gate;
    const row = rows.openHandshake(batch.address, slot * ADDRESS_BYTES, state);
    if (row < 0) return -1;
    this.#forget(row);
    sessions.setKeys(row, token.serverToClientKey, token.clientToServerKey, this.#associated);
    sessions.timeoutMicros[row] = token.timeoutSeconds > 0 ? token.timeoutSeconds * SECOND_MICROS : 0;
    sessions.lastReceivedAt[row] = now - RESPONSE_INTERVAL_MICROS;
    rows.clientId.set(token.clientId, row * CLIENT_ID_BYTES);
    rows.userData.put(row, token.userData);
    const tagAt = batch.offset[slot]! + REQUEST_TAG_AT;
    rows.tag.set(batch.arena.subarray(tagAt, tagAt + TAG_BYTES), row * TAG_BYTES);
    rows.tokenExpires[row] = expires;
    rows.scattered[row] = scattered ? 1 : 0;
    return row;
  }

  /** Answers an authentic request with "denied". */
  #deny(batch: DatagramBatch, slot: number, code: number, now: Micros): number {
    const row = this.#open(batch, slot, REFUSED, now);
    if (row < 0) return DROP_REQUEST_TABLE_FULL;
    const text = code === DROP_REQUEST_FULL ? TEXT_FULL : code === DROP_REQUEST_RESTART ? TEXT_RESTART : TEXT_LIFETIME;
    this.refuse(row, code === DROP_REQUEST_FULL ? 'denied' : 'token-invalid', text, now);
    return code;
  }

  #refuseAgain(row: number, now: Micros): void {
    if (now - this.#rows.answeredAt[row]! < REFUSAL_INTERVAL_MICROS) return;
    this.#rows.answeredAt[row] = now;
    this.#outbox.owe(row, OWES_REASON | OWES_DENIED);
  }

  /** The client is there: its handshake may last its timeout from now on. */
  #extend(row: number, now: Micros): void {
    const timeout = this.#rows.sessions.timeoutMicros[row]!;
    this.#wheel.at[row] = now + (timeout > 0 ? Math.min(timeout, HANDSHAKE_MICROS_MAX) : HANDSHAKE_MICROS_MAX);
    this.#wheel.set(row);
  }
}

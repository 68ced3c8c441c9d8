/**
 * The course of a client from its token to its end: which server it tries, what state that has come to, when it gives up.
 *
 *     SENDING_REQUEST -> challenge -> SENDING_RESPONSE -> keep-alive -> CONNECTED -> ended, with a reason
 *     a server that denies or is silent before CONNECTED -> the next one of the token
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { DisconnectReason } from '../endpoint.ts';
import type { ClientPath } from './client-path.ts';
import {
  CLIENT_CONNECTED,
  CLIENT_DISCONNECTED,
  CLIENT_REQUEST_TIMED_OUT,
  CLIENT_RESPONSE_TIMED_OUT,
  CLIENT_SENDING_REQUEST,
  CLIENT_SENDING_RESPONSE,
  CLIENT_TIMED_OUT,
  CLIENT_TOKEN_EXPIRED,
  CLIENT_TOKEN_INVALID,
} from './client-states.ts';
import type { ConnectAttempt } from './connect-attempt.ts';
import { EVENT_CONNECT, EVENT_DISCONNECT, type EventQueue } from './event-queue.ts';
import { associatedDataOf, CHALLENGE_DATA_BYTES, KEEP_ALIVE_DATA_BYTES } from './packets.ts';
import { copyAddress, type Sessions } from './sessions.ts';
import { KEEP_ALIVE_MICROS } from './timing.ts';

const SECOND_MICROS = 1_000_000;
const ROW = 0;

export class ClientCourse {
  /** CLIENT_TOKEN_EXPIRED (-6) .. CLIENT_CONNECTED (3). */
  state: number = CLIENT_DISCONNECTED;
  /** What the server calls us: connection `index` of at most `maxClients`. */
  index = 0;
  maxClients = 0;
  /** Why it ended. */
  reason: DisconnectReason | null = null;
  /** Element 0: when the next request or response is due. */
  readonly retryAt: Float64Array = new Float64Array(1);
  readonly #sessions: Sessions;
  readonly #attempt: ConnectAttempt;
  readonly #path: ClientPath;
  readonly #events: EventQueue;
  /** What the server said last when it sent us away, until the next server is tried. */
  #refusal: DisconnectReason | null = null;

  constructor(sessions: Sessions, attempt: ConnectAttempt, path: ClientPath, events: EventQueue) {
    this.#sessions = sessions;
    this.#attempt = attempt;
    this.#path = path;
    this.#events = events;
  }

  /** Starts with the first server of a token. */
  start(token: Uint8Array, now: Micros): void {
    const sessions = this.#sessions;
    this.#refusal = null;
    this.#path.clear();
    sessions.freeKeys(ROW);
    const newKeys = this.#attempt.begin(token, now);
    const read = this.#attempt.token;
    if (read === null) {
      this.end(CLIENT_TOKEN_INVALID, { code: 'token-invalid', side: 'local', text: '' });
      return;
    }
    if (newKeys) {
      // With the same keys as before the counter goes on, so that no number is used twice with them.
      sessions.nextLow[ROW] = 0;
      sessions.nextHigh[ROW] = 0;
    }
    sessions.setKeys(ROW, read.clientToServerKey, read.serverToClientKey, associatedDataOf(read.protocolId));
    sessions.timeoutMicros[ROW] = read.timeoutSeconds > 0 ? read.timeoutSeconds * SECOND_MICROS : 0;
    this.#tryServer(now);
  }

  /** The server gave us a challenge, `bytes[at ..]`. */
  takeChallenge(bytes: Uint8Array, at: number): void {
    this.#attempt.challenge.set(bytes.subarray(at, at + CHALLENGE_DATA_BYTES));
    this.state = CLIENT_SENDING_RESPONSE;
    this.retryAt[0] = 0; // at once
  }

  /** The server took us in: the keep-alive at `bytes[at ..]` says as whom. */
  takeWelcome(bytes: Uint8Array, at: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, KEEP_ALIVE_DATA_BYTES);
    this.index = view.getUint32(0, true);
    this.maxClients = view.getUint32(4, true);
    this.state = CLIENT_CONNECTED;
    this.#sessions.lastSentAt[ROW] = -KEEP_ALIVE_MICROS; // confirm at once: until then the server doubles what it sends
    this.#events.push(EVENT_CONNECT, ROW);
  }

  /** Gives up what has lasted too long: the token, the server. Only while the course has not ended. */
  advance(now: Micros): void {
    if (this.state < CLIENT_CONNECTED && now >= this.#attempt.expiresAt) {
      this.end(CLIENT_TOKEN_EXPIRED, { code: 'token-expired', side: 'local', text: '' });
      return;
    }
    const timeout = this.#sessions.timeoutMicros[ROW]!;
    if (timeout === 0 || now - this.#sessions.lastReceivedAt[ROW]! <= timeout) return;
    const reason: DisconnectReason = { code: 'timeout', side: 'local', text: '' };
    if (this.state === CLIENT_CONNECTED) this.end(CLIENT_TIMED_OUT, reason);
    else {
      const state = this.state === CLIENT_SENDING_REQUEST ? CLIENT_REQUEST_TIMED_OUT : CLIENT_RESPONSE_TIMED_OUT;
      this.tryNext(state, reason, now);
    }
  }

  /** When `advance` has something to give up, if nothing is heard. */
  deadline(): Micros {
    const timeout = this.#sessions.timeoutMicros[ROW]!;
    const silentAt = timeout > 0 ? this.#sessions.lastReceivedAt[ROW]! + timeout + 1 : NEVER;
    return this.state < CLIENT_CONNECTED ? Math.min(silentAt, this.#attempt.expiresAt) : silentAt;
  }

  /** This server will not have us: the next one, or the end in `state`. */
  tryNext(state: number, reason: DisconnectReason, now: Micros): void {
    if (reason.side === 'remote') this.#refusal = reason;
    if (this.#attempt.next()) this.#tryServer(now);
    else this.end(state, this.#refusal ?? reason);
  }

  /** The end, which is told. */
  end(state: number, reason: DisconnectReason): void {
    this.state = state;
    this.reason = reason;
    this.#path.clear();
    this.#events.push(EVENT_DISCONNECT, ROW);
  }

  /** Starts with the server whose turn it is. The packet counter goes on, since the keys stay the same. */
  #tryServer(now: Micros): void {
    copyAddress(this.#attempt.serverAddress!, 0, this.#sessions.address, 0);
    this.#sessions.replay.reset(ROW);
    this.#sessions.lastReceivedAt[ROW] = now;
    this.state = CLIENT_SENDING_REQUEST;
    this.retryAt[0] = now;
  }
}

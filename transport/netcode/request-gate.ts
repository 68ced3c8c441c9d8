/**
 * Which connection requests a server answers. A request costs its sender nothing and the server a decryption, so what is
 * cheap is checked first, and a token is opened only when nothing else is left to check and the budget allows it.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch, isIPv4, type Micros, type Rng } from '../../sys/api.ts';
import {
  ACCEPTED,
  DROP_REQUEST_BUDGET,
  DROP_REQUEST_CLIENT_CONNECTED,
  DROP_REQUEST_CONNECTED,
  DROP_REQUEST_EXPIRED,
  DROP_REQUEST_FORGED,
  DROP_REQUEST_FULL,
  DROP_REQUEST_LIFETIME,
  DROP_REQUEST_MALFORMED,
  DROP_REQUEST_NOT_LOOPBACK,
  DROP_REQUEST_PROTOCOL,
  DROP_REQUEST_REPEATED,
  DROP_REQUEST_RESTART,
  DROP_REQUEST_SIZE,
  DROP_REQUEST_TABLE_FULL,
  DROP_REQUEST_TOKEN_ELSEWHERE,
  DROP_REQUEST_TOKEN_SPENT,
  DROP_REQUEST_VERSION,
  DROP_REQUEST_WRONG_SERVER,
} from './drop-counters.ts';
import { OpenBudget } from './open-budget.ts';
import {
  associatedDataOf,
  NONCE_BYTES,
  PRIVATE_TOKEN_BYTES,
  REQUEST_BYTES,
  REQUEST_EXPIRE_AT,
  REQUEST_NONCE_AT,
  REQUEST_PROTOCOL_AT,
  REQUEST_TAG_AT,
  REQUEST_TOKEN_AT,
  REQUEST_VERSION_AT,
  TAG_BYTES,
  VERSION_BYTES,
} from './packets.ts';
import type { ServerSettings } from './server-options.ts';
import { type ServerSessions, UNCONFIRMED } from './server-sessions.ts';
import { PrivateToken } from './token.ts';
import { TOKEN_ELSEWHERE, TOKEN_SPENT, TOKEN_UNSEEN, TokenHistory } from './token-history.ts';

/** A request that repeats one answered less than this ago is not answered again: half of the clients' interval. */
const ANSWER_INTERVAL_MICROS = 50_000;
/**
 * How far the backend's clock may be ahead. A token that seems to live up to this much too long is not refused but left
 * unanswered: the client asks again, and after those seconds it fits.
 */
const CLOCK_SKEW_SECONDS = 10;
const TOKEN_ASSOCIATED_BYTES: number = VERSION_BYTES + 16;
const TWO_32 = 4294967296;

/** `answer` for a request that is to be denied with the token's own key. */
export const ANSWER_DENY = 2;
/** `answer` for a request of the handshake row `repeats`, which needs no new handshake. */
export const ANSWER_REPEAT = 1;
export const ANSWER_NEW = 0;

export class RequestGate {
  /** What the request accepted last needs: ANSWER_NEW, ANSWER_REPEAT or ANSWER_DENY. */
  answer: number = ANSWER_NEW;
  /** With ANSWER_REPEAT: the handshake row. */
  repeats = -1;
  /** With ANSWER_NEW and ANSWER_DENY: the opened token. */
  readonly token: PrivateToken = new PrivateToken();
  /** Unix seconds when the token expires; Infinity: never. */
  expires = 0;
  /** Whether the session's packet numbers must start at a random one. */
  scattered = false;
  /** Tokens opened, successfully or not. */
  opens = 0;
  readonly history: TokenHistory;
  readonly budget: OpenBudget;
  readonly #settings: ServerSettings;
  readonly #rows: ServerSessions;
  readonly #aead: Aead;
  readonly #startedSeconds: number;
  readonly #associated: Uint8Array;
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  readonly #tokenAssociated = new Uint8Array(TOKEN_ASSOCIATED_BYTES);
  #privateKeys: readonly Uint8Array[];

  /** @param startedSeconds unix seconds of the server's start: tokens from before it may have been used */
  constructor(settings: ServerSettings, rows: ServerSessions, aead: Aead, rng: Rng, startedSeconds: number) {
    this.#settings = settings;
    this.#rows = rows;
    this.#aead = aead;
    this.#startedSeconds = startedSeconds;
    this.#privateKeys = settings.privateKeys;
    this.#associated = associatedDataOf(settings.protocolId);
    this.history = new TokenHistory(settings.tokenHistoryMax, rng);
    this.budget = new OpenBudget(settings.tokenOpensPerSecondMax, aead, rng);
  }

  /** Replaces the private keys; requests are tried with each in turn. */
  setPrivateKeys(keys: readonly Uint8Array[]): void {
    this.#privateKeys = keys;
  }

  /**
   * Reads the request in `slot`.
   *
   * @returns ACCEPTED with `answer` set to ANSWER_NEW or ANSWER_REPEAT, or the reason to drop it; with `answer`
   *   ANSWER_DENY the reason is to be told to the client
   */
  read(batch: DatagramBatch, slot: number, now: Micros, unixSeconds: number): number {
    this.answer = ANSWER_NEW;
    const bytes = batch.arena;
    const at = batch.offset[slot]!;
    const addressAt = slot * ADDRESS_BYTES;
    if (batch.length[slot] !== REQUEST_BYTES) return DROP_REQUEST_SIZE;
    const clear = this.#checkClear(bytes, at, unixSeconds);
    if (clear !== ACCEPTED) return clear;
    if (this.#settings.insecure && !isLoopback(batch.address, addressAt)) return DROP_REQUEST_NOT_LOOPBACK;
    if (!this.#settings.resume && this.#rows.isConnection(this.#rows.find(batch.address, addressAt))) {
      return DROP_REQUEST_CONNECTED;
    }
    const row = this.#rows.findHandshake(batch.address, addressAt);
    if (row >= 0 && this.#repeats(row, bytes, at + REQUEST_TAG_AT)) return this.#repeat(row, now, unixSeconds);
    const seen = this.history.look(bytes, at + REQUEST_TAG_AT, batch.address, addressAt);
    if (seen === TOKEN_SPENT) return DROP_REQUEST_TOKEN_SPENT;
    if (seen === TOKEN_ELSEWHERE) return DROP_REQUEST_TOKEN_ELSEWHERE;
    const excess = this.expires - unixSeconds - this.#settings.tokenLifetimeMaxSeconds;
    if (excess > 0 && excess <= CLOCK_SKEW_SECONDS) return DROP_REQUEST_LIFETIME;
    if (!this.budget.take(now)) return DROP_REQUEST_BUDGET;
    const opened = this.#open(bytes, at);
    if (opened !== ACCEPTED) return opened;
    return this.#admit(batch, slot, seen === TOKEN_UNSEEN, excess > 0, unixSeconds);
  }

  /** Version, protocol id and expiry, which lie in the clear. */
  #checkClear(bytes: Uint8Array, at: number, unixSeconds: number): number {
    for (let i = 0; i < VERSION_BYTES; i++) {
      if (bytes[at + REQUEST_VERSION_AT + i] !== this.#associated[i]) return DROP_REQUEST_VERSION;
    }
    for (let i = 0; i < 8; i++) {
      if (bytes[at + REQUEST_PROTOCOL_AT + i] !== this.#associated[VERSION_BYTES + i]) return DROP_REQUEST_PROTOCOL;
    }
    const expireAt = at + REQUEST_EXPIRE_AT;
    const seconds = u32(bytes, expireAt) + u32(bytes, expireAt + 4) * TWO_32;
    // 2^64 - 1 means never; what a double cannot hold exactly is further away than any calendar.
    this.expires = seconds > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : seconds;
    return this.expires <= unixSeconds ? DROP_REQUEST_EXPIRED : ACCEPTED;
  }

  #repeats(row: number, bytes: Uint8Array, tagAt: number): boolean {
    for (let i = 0; i < TAG_BYTES; i++) {
      if (this.#rows.tag[row * TAG_BYTES + i] !== bytes[tagAt + i]) return false;
    }
    return true;
  }

  /** The handshake knows this token: it is answered from there and not opened again. */
  #repeat(row: number, now: Micros, unixSeconds: number): number {
    if (this.#rows.tokenExpires[row]! <= unixSeconds) return DROP_REQUEST_EXPIRED;
    const answeredAt = this.#rows.answeredAt[row]!;
    if (answeredAt >= 0 && now - answeredAt < ANSWER_INTERVAL_MICROS) return DROP_REQUEST_REPEATED;
    this.answer = ANSWER_REPEAT;
    this.repeats = row;
    return ACCEPTED;
  }

  /** Opens the token with one of the private keys. */
  #open(bytes: Uint8Array, at: number): number {
    for (let i = 0; i < NONCE_BYTES; i++) this.#nonce[i] = bytes[at + REQUEST_NONCE_AT + i]!;
    for (let i = 0; i < TOKEN_ASSOCIATED_BYTES; i++) this.#tokenAssociated[i] = bytes[at + REQUEST_VERSION_AT + i]!;
    this.token.bytes.set(bytes.subarray(at + REQUEST_TOKEN_AT, at + REQUEST_TOKEN_AT + PRIVATE_TOKEN_BYTES));
    for (let i = 0; i < this.#privateKeys.length; i++) {
      if (i > 0) this.budget.charge();
      this.opens++;
      if (!this.#aead.openOnce(this.#privateKeys[i]!, this.#nonce, this.#tokenAssociated, this.token.bytes)) continue;
      // A timeout of 0 ends a session at once; the reference cannot connect such a token either.
      return this.token.parse() && this.token.timeoutSeconds !== 0 ? ACCEPTED : DROP_REQUEST_MALFORMED;
    }
    return DROP_REQUEST_FORGED;
  }

  /** Decides over an authentic token. */
  #admit(batch: DatagramBatch, slot: number, unseen: boolean, tooLong: boolean, unixSeconds: number): number {
    const { token } = this;
    const settings = this.#settings;
    if (!this.#listsThisServer()) return DROP_REQUEST_WRONG_SERVER;
    const rows = this.#rows;
    const held = rows.connectionOf(token.clientId, 0);
    const holder = rows.find(batch.address, slot * ADDRESS_BYTES);
    if (rows.isConnection(holder) && holder !== held) return DROP_REQUEST_CONNECTED; // somebody else is there
    const tagAt = batch.offset[slot]! + REQUEST_TAG_AT;
    if (settings.spentTokens?.isSpent(batch.arena.subarray(tagAt, tagAt + TAG_BYTES))) return DROP_REQUEST_TOKEN_SPENT;
    if (tooLong) return this.#deny(DROP_REQUEST_LIFETIME);
    // When its life was the longest allowed, the token was made in this second. Shorter lives make it look older.
    const madeAt = this.expires - settings.tokenLifetimeMaxSeconds;
    const store = settings.spentTokens;
    const since = store === null ? this.#startedSeconds : (store.sinceUnixSeconds ?? Number.NEGATIVE_INFINITY);
    const mayBeOld = madeAt < since && !settings.insecure;
    if (mayBeOld) return this.#deny(DROP_REQUEST_RESTART);
    if (held >= 0 && !(settings.resume && rows.state[held]! >= UNCONFIRMED)) return DROP_REQUEST_CLIENT_CONNECTED;
    if (unseen) {
      const addressAt = slot * ADDRESS_BYTES;
      const { arena, address } = batch;
      if (!this.history.record(arena, tagAt, address, addressAt, this.expires, unixSeconds))
        return DROP_REQUEST_TABLE_FULL;
    }
    // The second of the start cannot be split: such a token may have met an earlier server, so no number may repeat.
    const mayHaveMet = madeAt <= this.#startedSeconds && !settings.insecure;
    this.scattered =
      token.addresses.count > 1 || mayHaveMet || (store !== null && store.sinceUnixSeconds === undefined);
    return held < 0 && rows.taken === rows.maxClients ? this.#deny(DROP_REQUEST_FULL) : ACCEPTED;
  }

  #deny(reason: number): number {
    this.answer = ANSWER_DENY;
    return reason;
  }

  /** Whether the token's private list names one of this server's addresses (host and port). */
  #listsThisServer(): boolean {
    const { addresses } = this.token;
    const own = this.#settings.publicAddresses;
    for (let i = 0; i < addresses.count * ADDRESS_BYTES; i += ADDRESS_BYTES) {
      for (let j = 0; j < own.length; j += ADDRESS_BYTES) if (sameHostAndPort(addresses.bytes, i, own, j)) return true;
    }
    return false;
  }
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Tokens have no room for a scope, so only the first 18 bytes are compared. */
function sameHostAndPort(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let i = 0; i < 18; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/** 127.0.0.0/8 or ::1. */
function isLoopback(address: Uint8Array, at: number): boolean {
  if (isIPv4(address, at)) return address[at + 12] === 127;
  for (let i = 0; i < 15; i++) if (address[at + i] !== 0) return false;
  return address[at + 15] === 1;
}

/**
 * Connect tokens: what a game's backend gives to a player so that a server lets them in.
 *
 * A token of 2,048 bytes has a part for the client (addresses, keys) and one of 1,024 bytes that only servers can read,
 * since it is sealed with the private key that backend and servers share. Layout (all little-endian):
 *
 *     public   version 13 | protocol id 8 | created 8 | expires 8 | nonce 24 | private part 1024 | timeout i32 | addresses |
 *              client-to-server key 32 | server-to-client key 32 | zeros
 *     private  client id 8 | timeout i32 | addresses | client-to-server key 32 | server-to-client key 32 | user data 256 |
 *              zeros up to 1008 | tag 16
 *
 * The client dials the public list; a server looks for itself in the private list (they differ behind a translating router).
 */

import type { Aead, Rng } from '../../sys/api.ts';
import { ConfigError, checkBytes, checkU64, checkWhole } from '../config-error.ts';
import {
  KEY_BYTES,
  NONCE_BYTES,
  PRIVATE_TOKEN_BYTES,
  TAG_BYTES,
  tokenAssociatedDataOf,
  USER_DATA_BYTES,
  VERSION,
  VERSION_BYTES,
} from './packets.ts';
import { checkAddresses, TokenAddresses, writeTokenAddresses } from './token-addresses.ts';

export const TOKEN_BYTES = 2048;
/** Default life of a token: long enough to download it and to try some servers. A server's limit must not be below it. */
export const TOKEN_LIFETIME_SECONDS = 30;
/** Default silence after which either side gives a connection up. */
export const TOKEN_TIMEOUT_SECONDS = 5;
/** Expiry of a token that never expires. */
export const TOKEN_EXPIRES_NEVER: bigint = (1n << 64n) - 1n;

const PROTOCOL_AT = 13;
const CREATED_AT = 21;
const EXPIRES_AT = 29;
const NONCE_AT = 37;
const PRIVATE_AT = 61;
const TIMEOUT_AT = 1085;
const ADDRESSES_AT = 1089;

const PRIVATE_CLEAR_BYTES: number = PRIVATE_TOKEN_BYTES - TAG_BYTES;
const PRIVATE_TIMEOUT_AT = 8;
const PRIVATE_ADDRESSES_AT = 12;

const I32_MIN = -(2 ** 31);
const I32_MAX = 2 ** 31 - 1;
const YEAR_SECONDS = 31_536_000;

/** What a backend says when it makes a token. */
export interface ConnectTokenOptions {
  /** Which game and version: servers and tokens of another protocol id do not meet. 0 .. 2^64 - 1. */
  readonly protocolId: bigint;
  /** 32 secret bytes that only the backend and the servers know. */
  readonly privateKey: Uint8Array;
  /** Who the player is. 0 .. 2^64 - 1, one connection each. */
  readonly clientId: bigint;
  /** Canonical addresses of 1 to 32 servers, which the client tries in this order. */
  readonly serverAddresses: readonly Uint8Array[];
  /** The same servers as they know themselves, where that differs. Default `serverAddresses`. */
  readonly internalAddresses?: readonly Uint8Array[];
  /** Seconds of silence that end the connection. Not 0; negative: never. Default 5. */
  readonly timeoutSeconds?: number;
  /**
   * The same for the client, where it is to give up sooner than the server: with the server's option `resume` it has the difference
   * to come back. Default `timeoutSeconds`.
   */
  readonly clientTimeoutSeconds?: number;
  /** Seconds from now on in which the token can be used to connect. Negative: for ever. Default 30. */
  readonly lifetimeSeconds?: number;
  /** Up to 256 bytes that reach the server unseen by the client; padded with zeros. */
  readonly userData?: Uint8Array;
}

/**
 * Makes a connect token of 2,048 bytes, with fresh keys and nonce from `rng`.
 *
 * @param unixSeconds now, on the calendar that the servers have too
 * @throws ConfigError for an option that makes no usable token
 */
export function mintConnectToken(options: ConnectTokenOptions, aead: Aead, rng: Rng, unixSeconds: number): Uint8Array {
  const timeoutSeconds = options.timeoutSeconds ?? TOKEN_TIMEOUT_SECONDS;
  if (timeoutSeconds === 0) {
    throw new ConfigError(
      'timeoutSeconds',
      'with 0 nobody can connect; give seconds, or a negative number for no timeout',
    );
  }
  const lifetimeSeconds = checkWhole(
    'lifetimeSeconds',
    options.lifetimeSeconds ?? TOKEN_LIFETIME_SECONDS,
    I32_MIN,
    100 * YEAR_SECONDS,
  );
  const userData = options.userData ?? new Uint8Array(0);
  if (!(userData instanceof Uint8Array) || userData.length > USER_DATA_BYTES) {
    throw new ConfigError('userData', `give a Uint8Array of at most ${USER_DATA_BYTES} bytes`);
  }
  const internal = options.internalAddresses ?? options.serverAddresses;
  checkAddresses('serverAddresses', options.serverAddresses);
  checkAddresses('internalAddresses', internal);
  const created = BigInt(checkWhole('unixSeconds', unixSeconds, 0, Number.MAX_SAFE_INTEGER));
  const nonce = new Uint8Array(NONCE_BYTES);
  const clientToServerKey = new Uint8Array(KEY_BYTES);
  const serverToClientKey = new Uint8Array(KEY_BYTES);
  rng.fill(nonce);
  rng.fill(clientToServerKey);
  rng.fill(serverToClientKey);
  const common: TokenKeys = {
    timeoutSeconds: checkWhole('timeoutSeconds', timeoutSeconds, I32_MIN, I32_MAX),
    clientToServerKey,
    serverToClientKey,
  };
  const protocolId = checkU64('protocolId', options.protocolId);
  const expires = lifetimeSeconds < 0 ? TOKEN_EXPIRES_NEVER : created + BigInt(lifetimeSeconds);
  const privateToken = writePrivateToken(common, checkU64('clientId', options.clientId), internal, userData);
  const key = checkBytes('privateKey', options.privateKey, KEY_BYTES);
  aead.sealOnce(key, nonce, tokenAssociatedDataOf(protocolId, expires), privateToken);
  const addresses = options.serverAddresses;
  const clientSeconds = options.clientTimeoutSeconds ?? timeoutSeconds;
  return writeConnectToken({
    ...common,
    timeoutSeconds: checkWhole('clientTimeoutSeconds', clientSeconds, I32_MIN, I32_MAX),
    protocolId,
    created,
    expires,
    nonce,
    privateToken,
    addresses,
  });
}

/** Fields that both parts of a token have. */
export interface TokenKeys {
  readonly timeoutSeconds: number;
  readonly clientToServerKey: Uint8Array;
  readonly serverToClientKey: Uint8Array;
}

/** What a client reads in a token. */
export interface ConnectToken extends TokenKeys {
  readonly protocolId: bigint;
  /** Seconds since 1970. */
  readonly created: bigint;
  readonly expires: bigint;
  readonly nonce: Uint8Array;
  /** 1,024 sealed bytes for the server. */
  readonly privateToken: Uint8Array;
  /** Canonical addresses of the servers to try, 1 to 32. */
  readonly addresses: readonly Uint8Array[];
}

/** The 2,048 bytes of a token; `privateToken` is sealed. */
export function writeConnectToken(token: ConnectToken): Uint8Array {
  const bytes = new Uint8Array(TOKEN_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(VERSION);
  view.setBigUint64(PROTOCOL_AT, token.protocolId, true);
  view.setBigUint64(CREATED_AT, token.created, true);
  view.setBigUint64(EXPIRES_AT, token.expires, true);
  bytes.set(token.nonce, NONCE_AT);
  bytes.set(token.privateToken, PRIVATE_AT);
  view.setInt32(TIMEOUT_AT, token.timeoutSeconds, true);
  const end = writeTokenAddresses(bytes, ADDRESSES_AT, token.addresses);
  bytes.set(token.clientToServerKey, end);
  bytes.set(token.serverToClientKey, end + KEY_BYTES);
  return bytes;
}

/** Reads a token as a client does. Null when it is none: wrong length or version, created after it expires, bad addresses. */
export function readConnectToken(bytes: Uint8Array): ConnectToken | null {
  if (bytes.length !== TOKEN_BYTES) return null;
  for (let i = 0; i < VERSION_BYTES; i++) if (bytes[i] !== VERSION[i]) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const created = view.getBigUint64(CREATED_AT, true);
  const expires = view.getBigUint64(EXPIRES_AT, true);
  if (created > expires) return null;
  const list = new TokenAddresses();
  const end = list.read(bytes, ADDRESSES_AT);
  if (end < 0) return null;
  return {
    protocolId: view.getBigUint64(PROTOCOL_AT, true),
    created,
    expires,
    nonce: bytes.slice(NONCE_AT, NONCE_AT + NONCE_BYTES),
    privateToken: bytes.slice(PRIVATE_AT, PRIVATE_AT + PRIVATE_TOKEN_BYTES),
    timeoutSeconds: view.getInt32(TIMEOUT_AT, true),
    addresses: Array.from({ length: list.count }, (_, index) => list.copy(index)),
    clientToServerKey: bytes.slice(end, end + KEY_BYTES),
    serverToClientKey: bytes.slice(end + KEY_BYTES, end + KEY_BYTES * 2),
  };
}

/** The 1,024 bytes of a private token before they are sealed: the last 16 are free for the tag. */
export function writePrivateToken(
  keys: TokenKeys,
  clientId: bigint,
  addresses: readonly Uint8Array[],
  userData: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(PRIVATE_TOKEN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, clientId, true);
  view.setInt32(PRIVATE_TIMEOUT_AT, keys.timeoutSeconds, true);
  const end = writeTokenAddresses(bytes, PRIVATE_ADDRESSES_AT, addresses);
  bytes.set(keys.clientToServerKey, end);
  bytes.set(keys.serverToClientKey, end + KEY_BYTES);
  bytes.set(userData, end + KEY_BYTES * 2);
  return bytes;
}

/** The private token that a server opened last. Reused from request to request. */
export class PrivateToken {
  /** 1,024 bytes; a server copies the sealed token here and opens it in place. */
  readonly bytes: Uint8Array = new Uint8Array(PRIVATE_TOKEN_BYTES);
  readonly addresses: TokenAddresses = new TokenAddresses();
  /** Views of `bytes`, valid after `parse`. */
  readonly clientId: Uint8Array = this.bytes.subarray(0, 8);
  clientToServerKey: Uint8Array = this.bytes;
  serverToClientKey: Uint8Array = this.bytes;
  userData: Uint8Array = this.bytes;
  timeoutSeconds = 0;
  readonly #view = new DataView(this.bytes.buffer);

  /** Reads the opened bytes. False when they are no token, which only a faulty backend can cause. */
  parse(): boolean {
    this.timeoutSeconds = this.#view.getInt32(PRIVATE_TIMEOUT_AT, true);
    const end = this.addresses.read(this.bytes, PRIVATE_ADDRESSES_AT);
    if (end < 0 || end + KEY_BYTES * 2 + USER_DATA_BYTES > PRIVATE_CLEAR_BYTES) return false;
    this.clientToServerKey = this.bytes.subarray(end, end + KEY_BYTES);
    this.serverToClientKey = this.bytes.subarray(end + KEY_BYTES, end + KEY_BYTES * 2);
    this.userData = this.bytes.subarray(end + KEY_BYTES * 2, end + KEY_BYTES * 2 + USER_DATA_BYTES);
    return true;
  }
}

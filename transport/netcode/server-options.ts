/** What a netcode server can be told, with its defaults and limits. */

import { ADDRESS_BYTES, type DatagramBatch } from '../../sys/api.ts';
import { ConfigError, checkBytes, checkU64, checkWhole } from '../config-error.ts';
import { TABLE_ENTRIES_MAX } from '../keyed-table.ts';
import { KEY_BYTES } from './packets.ts';
import { REPLAY_WINDOW_DEFAULT } from './replay-window.ts';
import type { SessionLedger } from './session-ledger.ts';
import { TOKEN_LIFETIME_SECONDS } from './token.ts';
import type { SpentTokenStore } from './token-history.ts';

/** Where datagrams go whose client is another worker's. */
export interface Strays {
  /** Takes a copy of the datagram in `slot`; false: nobody knows it. */
  take(batch: DatagramBatch, slot: number): boolean;
}

export interface NetcodeServerOptions {
  /** 0 .. 2^64 - 1, the same in every token for this server. */
  readonly protocolId: bigint;
  /**
   * 32 bytes each, shared with the backend that makes the tokens: one, or two while a key is being replaced, the newer
   * first. Empty only with `insecure`.
   */
  readonly privateKeys: readonly Uint8Array[];
  /** Canonical addresses under which tokens list this server; one or more. */
  readonly publicAddresses: readonly Uint8Array[];
  /** Connections at once, 1 .. 16,384. */
  readonly maxClients: number;
  /** See ReplayWindows. Default 4,096; the standard has 256. */
  readonly replayWindowSize?: number;
  /** First byte of the connection ids that this server gives, 0 .. 255: which of several workers has the session. Default 0. */
  readonly workerNumber?: number;
  /**
   * The longest life of a token that the backend makes, exactly: tokens that live longer are refused, and after a start so
   * are those that expire within this time, since they may have been used before (unless `spentTokens` knows better). A
   * limit above what the backend really makes therefore keeps everybody out for the difference after each start.
   * Default 30. Infinity needs `spentTokens`.
   */
  readonly tokenLifetimeMaxSeconds?: number;
  /** Default: what takes a quarter of a core with the AEAD in use. */
  readonly tokenOpensPerSecondMax?: number;
  /** Looks at datagrams from unknown addresses and under unknown ids before they are dropped. */
  readonly strays?: Strays;
  /** Keeps keys, counters and addresses where another thread can say goodbye for this server. Has `sessionRows()` rows. */
  readonly ledger?: SessionLedger;
  /** Remembers spent tokens beyond this server's life. */
  readonly spentTokens?: SpentTokenStore;
  /** How long the game may take to accept or refuse a client. Default 10 s; clients give up after their token's timeout. */
  readonly admitTimeoutMicros?: number;
  /** Handshakes at once, before their response. Default a quarter of `maxClients`, at least 256. */
  readonly handshakesMax?: number;
  /** Tokens remembered until they expire. Default 16 for each client, at least 4,096. */
  readonly tokenHistoryMax?: number;
  /**
   * A client that is still connected and proves another token takes its connection over: `resume` is told, nothing is
   * admitted anew. Default false: it is not answered until the old connection is over.
   */
  readonly resume?: boolean;
  /**
   * Development only: no private key (tokens are sealed with zeros, so everybody can make them), loopback addresses only,
   * and tokens from before the start are taken.
   */
  readonly insecure?: boolean;
}

/** The options with every default filled in and every value checked. */
export interface ServerSettings {
  readonly protocolId: bigint;
  readonly privateKeys: readonly Uint8Array[];
  /** ADDRESS_BYTES each, one after the other. */
  readonly publicAddresses: Uint8Array;
  readonly maxClients: number;
  readonly replayWindowSize: number;
  readonly workerNumber: number;
  readonly tokenLifetimeMaxSeconds: number;
  readonly tokenOpensPerSecondMax: number | undefined;
  readonly ledger: SessionLedger | null;
  readonly spentTokens: SpentTokenStore | null;
  readonly admitTimeoutMicros: number;
  readonly handshakesMax: number;
  readonly tokenHistoryMax: number;
  readonly resume: boolean;
  readonly insecure: boolean;
}

export const MAX_CLIENTS = 16_384;
const ADMIT_TIMEOUT_MICROS = 10_000_000;
const HANDSHAKES_MIN = 256;
/**
 * An honest handshake is over after a round trip: with one of 200 ms a server of 4,096 takes in all its clients within a second,
 * and a row costs as much as a tenth of a connection.
 */
const CLIENTS_A_HANDSHAKE = 4;
const HISTORY_MIN = 4096;
const HOUR_MICROS = 3_600_000_000;

/** The key of a server in development mode, which everybody knows. */
export const DEVELOPMENT_KEY: Uint8Array = new Uint8Array(KEY_BYTES);

/** Fills in defaults. Throws ConfigError for values that cannot work, with what to do instead. */
export function serverSettings(options: NetcodeServerOptions): ServerSettings {
  const insecure = options.insecure ?? false;
  const maxClients = checkWhole('maxClients', options.maxClients, 1, MAX_CLIENTS);
  const spentTokens = options.spentTokens ?? null;
  const lifetime = options.tokenLifetimeMaxSeconds ?? TOKEN_LIFETIME_SECONDS;
  if (!(lifetime >= 1)) throw new ConfigError('tokenLifetimeMaxSeconds', `give seconds from 1 on, not ${lifetime}`);
  if (lifetime === Number.POSITIVE_INFINITY && spentTokens === null && !insecure) {
    throw new ConfigError('tokenLifetimeMaxSeconds', 'tokens that never expire need a store: give spentTokens too');
  }
  return {
    protocolId: checkU64('protocolId', options.protocolId),
    privateKeys: insecure ? [DEVELOPMENT_KEY] : checkPrivateKeys(options.privateKeys),
    publicAddresses: joinAddresses(options.publicAddresses),
    maxClients,
    replayWindowSize: options.replayWindowSize ?? REPLAY_WINDOW_DEFAULT,
    workerNumber: checkWhole('workerNumber', options.workerNumber ?? 0, 0, 255),
    tokenLifetimeMaxSeconds: lifetime,
    tokenOpensPerSecondMax: options.tokenOpensPerSecondMax,
    ledger: options.ledger ?? null,
    spentTokens,
    admitTimeoutMicros: checkWhole(
      'admitTimeoutMicros',
      options.admitTimeoutMicros ?? ADMIT_TIMEOUT_MICROS,
      1,
      HOUR_MICROS,
    ),
    handshakesMax: checkWhole(
      'handshakesMax',
      options.handshakesMax ?? handshakesOf(maxClients),
      1,
      TABLE_ENTRIES_MAX - maxClients,
    ),
    tokenHistoryMax: checkWhole(
      'tokenHistoryMax',
      options.tokenHistoryMax ?? Math.min(TABLE_ENTRIES_MAX, Math.max(HISTORY_MIN, maxClients * 16)),
      1,
      TABLE_ENTRIES_MAX,
    ),
    resume: options.resume ?? false,
    insecure,
  };
}

/** How many sessions a server of these options has: those of its clients, then those of handshakes. */
export function sessionRows(options: Pick<NetcodeServerOptions, 'maxClients' | 'handshakesMax'>): number {
  return options.maxClients + (options.handshakesMax ?? handshakesOf(options.maxClients));
}

function handshakesOf(maxClients: number): number {
  return Math.max(HANDSHAKES_MIN, Math.ceil(maxClients / CLIENTS_A_HANDSHAKE));
}

/** Throws ConfigError unless there are one or two keys of 32 bytes that are not all zeros. Returns copies. */
export function checkPrivateKeys(keys: readonly Uint8Array[]): readonly Uint8Array[] {
  if (keys.length < 1 || keys.length > 2) {
    throw new ConfigError('privateKeys', `give one key, or two while one is being replaced, not ${keys.length}`);
  }
  return keys.map((key) => {
    checkBytes('privateKeys', key, KEY_BYTES);
    if (key.every((byte) => byte === 0)) {
      throw new ConfigError('privateKeys', 'a key of zeros protects nothing: make one with randomBytes(32)');
    }
    return key.slice();
  });
}

function joinAddresses(addresses: readonly Uint8Array[]): Uint8Array {
  if (addresses.length === 0) {
    throw new ConfigError('publicAddresses', 'give the address that tokens list for this server, or no token fits');
  }
  const joined = new Uint8Array(addresses.length * ADDRESS_BYTES);
  for (const [index, address] of addresses.entries()) {
    joined.set(checkBytes('publicAddresses', address, ADDRESS_BYTES), index * ADDRESS_BYTES);
  }
  return joined;
}

/** What may be set on a server and a client: meaning, unit, default and why. Checked once, here. */

import type { Backend, BackendOptions } from '../sys/api.ts';
import { ConfigError, checkU64, checkWhole } from '../transport/config-error.ts';
import type { SpentTokenStore } from '../transport/netcode/token-history.ts';
import type { TransportOptions } from '../transport/transport-options.ts';
import type { Channels } from './channel-types.ts';
import type { WakePolicy } from './drive.ts';
import type { Peer } from './peer.ts';

/** Bytes of a private key. */
export const PRIVATE_KEY_BYTES = 32;

/** What `admit` answers: nothing or true lets the peer in, a text refuses it and is shown to it. */
export type Admission = undefined | void | true | string;

/** Limits of memory; what is beyond waits or is refused, and nothing grows without end. */
export interface MemoryOptions {
  /**
   * Messages that may wait to be sent to one peer, those of bulk channels and all others each on their own: a transfer takes no
   * room from the game. Default 1,024; `send` answers 'backlog-full' beyond.
   */
  readonly backlogMax?: number;
  /** Bytes that may wait, the same. Default 4 MiB; a single message may be longer when nothing else of its class waits. */
  readonly backlogBytesMax?: number;
  /** Bytes of messages that wait or are on their way, to all peers together. Default 256 MiB. */
  readonly sendMemoryBytesMax?: number;
  /**
   * Bytes of messages of all peers that are being put together or wait for an earlier one. Default 256 MiB. One peer of several
   * may fill half of it, two a third each, and so on.
   */
  readonly receiveMemoryBytesMax?: number;
  /** The same for one peer, which is told: it begins no more. Default: twice the longest reliable message, at least 256 KiB. */
  readonly windowBytes?: number;
  /** `stats()` counts frames and bytes by family too (`frameFamilies`). Default false: it costs 288 bytes a peer, and time a packet. */
  readonly frameStats?: boolean;
}

export interface ServerOptions<C extends Channels> extends MemoryOptions {
  /** UDP port; 0 lets the system choose (`server.port` tells). */
  readonly port: number;
  /** Address or name to bind. Default 127.0.0.1: a server that strangers can reach is a decision (`0.0.0.0` or `::`). */
  readonly host?: string;
  /**
   * Addresses as players dial them and as their tokens list them (`203.0.113.7:40000`), at most 32. Default: the bound
   * address. Must be given when `host` is a wildcard or the server is behind a NAT: a token for other servers is refused.
   */
  readonly publicAddresses?: readonly string[];
  /** Number of this game and version, 0 .. 2^64 - 1: other games' clients are not heard. Default 0. */
  readonly protocolId?: bigint | number;
  /** The 32 bytes shared with whoever mints tokens. One, or two while a key is being replaced. */
  readonly privateKey?: Uint8Array | readonly [Uint8Array, Uint8Array];
  /** Development only: no private key, anybody on this machine may connect. Refused on other than loopback addresses. */
  readonly insecure?: boolean;
  readonly channels: C;
  /** Steps of the game a second. Default 60; 0: no ticks. */
  readonly tickRateHz?: number;
  /** Clients at once, 1 .. 16,384. Default 256. A further one is told that the server is full. */
  readonly maxClients?: number;
  /**
   * Decides on each client that proved its token. May take its time (a database), the client waits meanwhile, up to its
   * timeout. Return a text to refuse, and the client sees it. An exception refuses too, and goes to `error`.
   */
  readonly admit?: (peer: Peer<C>) => Admission | Promise<Admission>;
  /**
   * When the server wakes up. Default 'tick': cheapest by far under load; 'arrival' answers at once (relays, turn-based), and
   * is the default without ticks.
   */
  readonly wake?: WakePolicy;
  /**
   * Lifetime of tokens in seconds, as the backend mints them. Default 30. For so long after a start nobody gets in with a
   * token that may be older than it, since this process cannot know which of them were used before. `spentTokens` or
   * `freshKey` lift that.
   */
  readonly tokenLifetimeMaxSeconds?: number;
  /** Remembers spent tokens beyond this process (a database, a file): players get in at once after a restart. */
  readonly spentTokens?: SpentTokenStore;
  /** The private key was made for this run, so that no token can be older than it. */
  readonly freshKey?: boolean;
  /**
   * A player who comes back with a new token while the old connection lives goes on with it: nothing reliable is lost or repeated
   * (its side: `reconnect: { resume: true }`). `admit` is not asked again, and no event tells. Default false: it waits until the
   * old connection has timed out. Whoever can get a player's token can take his connection over.
   */
  readonly resume?: boolean;
  /** SO_RCVBUF in bytes. Default 4 MiB: one tick of a full server, with room for a flood. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /**
   * The way to the network: a `Backend`, or one with its options, `{ backend: 'xdp', interface: 'eth0' }`. Default `auto`, or what
   * TICKWIRE_SYS names. A host has its own: leave it out there.
   */
  readonly sys?: Backend | BackendOptions;
  /** Several processes may share the port. Default false. */
  readonly reusePort?: boolean;
  /** Overwrite message bytes after their callback, to find views that were kept. Default: NODE_ENV is 'development'. */
  readonly development?: boolean;
}

/** Try again after a lost connection. */
export interface ReconnectOptions {
  /** Attempts before giving up. Default 10. */
  readonly attemptsMax?: number;
  /** Wait before the first attempt, doubled each time up to 5 s, with a random share so that not all come at once. Default 250,000. */
  readonly delayMicros?: number;
  /**
   * Keep what was sent and received while reconnecting after a timeout, and go on with it when the server still has the
   * connection (its option `resume`). Else a new one begins, and receipts of the old one say 'lost'. Needs a token's function
   * that names the same player each time. Default false.
   */
  readonly resume?: boolean;
}

export interface ClientOptions<C extends Channels> extends MemoryOptions {
  /**
   * The connect token (2,048 bytes) from the game's backend, or a function that fetches one. Reconnecting needs the
   * function: a token that has connected once is spent.
   */
  readonly token?: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
  /** Development only, instead of a token: connect to an `insecure` server at this address. */
  readonly insecureAddress?: string;
  /** Goes with `insecureAddress`: a token brings its own. */
  readonly protocolId?: bigint | number;
  readonly channels: C;
  /** Steps of the game a second; default 0: no ticks. */
  readonly tickRateHz?: number;
  /** As of the server. */
  readonly sys?: Backend | BackendOptions;
  /** Reconnect by itself after a timeout or the server's shutdown. Default: no. */
  readonly reconnect?: boolean | ReconnectOptions;
  readonly development?: boolean;
}

export const SERVER_DEFAULTS: {
  readonly host: string;
  readonly tickRateHz: number;
  readonly maxClients: number;
  readonly tokenLifetimeMaxSeconds: number;
  readonly receiveBufferBytes: number;
} = Object.freeze({
  host: '127.0.0.1',
  tickRateHz: 60,
  maxClients: 256,
  tokenLifetimeMaxSeconds: 30,
  receiveBufferBytes: 4 << 20,
});

const RECONNECT_DEFAULTS: Required<ReconnectOptions> = Object.freeze({
  attemptsMax: 10,
  delayMicros: 250_000,
  resume: false,
});

const CLIENTS_MAX = 16_384;
const TICK_RATE_MAX_HZ = 1000;

const MEMORY_NAMES = [
  'backlogMax',
  'backlogBytesMax',
  'sendMemoryBytesMax',
  'receiveMemoryBytesMax',
  'windowBytes',
  'frameStats',
] as const satisfies readonly (keyof MemoryOptions)[];

/** The limits of memory that were given, as the transport takes them: it knows the defaults, and checks. */
export function memoryOptions(options: MemoryOptions): Omit<TransportOptions, 'channels'> {
  return Object.fromEntries(
    MEMORY_NAMES.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}

/** What a client does about a lost connection, with nothing left out; null: nothing. */
export function reconnectSettings(given: boolean | ReconnectOptions | undefined): Required<ReconnectOptions> | null {
  if (given === undefined || given === false) return null;
  return { ...RECONNECT_DEFAULTS, ...(given === true ? {} : given) };
}

/** A number of 64 bits, given as a bigint or, where it is exact, as a number. */
export function checkU64Option(field: string, given: bigint | number | undefined): bigint {
  if (given === undefined) return 0n;
  return checkU64(field, typeof given === 'number' && Number.isSafeInteger(given) ? BigInt(given) : (given as bigint));
}

export function checkTickRate(rateHz: number): number {
  if (!(rateHz >= 0 && rateHz <= TICK_RATE_MAX_HZ)) {
    throw new ConfigError('tickRateHz', `${rateHz} is not a number from 0 (no ticks) to ${TICK_RATE_MAX_HZ}`);
  }
  return rateHz;
}

export function checkMaxClients(count: number): number {
  return checkWhole('maxClients', count, 1, CLIENTS_MAX);
}

/** The one or two private keys of a server. */
export function checkPrivateKeys(given: Uint8Array | readonly Uint8Array[] | undefined): readonly Uint8Array[] {
  const keys = given === undefined ? [] : given instanceof Uint8Array ? [given] : [...given];
  if (keys.length === 0) {
    throw new ConfigError(
      'privateKey',
      'give the 32 bytes shared with whoever mints tokens (generatePrivateKey() makes them), or insecure: true while developing',
    );
  }
  if (keys.length > 2) throw new ConfigError('privateKey', 'at most two keys are valid at once, the new and the old');
  for (const key of keys) {
    if (key.length !== PRIVATE_KEY_BYTES) {
      throw new ConfigError('privateKey', `a key is ${PRIVATE_KEY_BYTES} bytes, this one is ${key.length}`);
    }
  }
  return keys;
}

/** The store of a server whose key no earlier run has used: nothing can have been spent before. */
const NOTHING_SPENT_BEFORE: SpentTokenStore = { isSpent: () => false, spend: () => {} };

/** The store of spent tokens that the options ask for, if any. */
export function spentTokenStore(options: {
  readonly spentTokens?: SpentTokenStore;
  readonly freshKey?: boolean;
}): SpentTokenStore | undefined {
  return options.spentTokens ?? (options.freshKey ? NOTHING_SPENT_BEFORE : undefined);
}

/** Whether NODE_ENV says so: the default of the option `development`. */
export function isDevelopment(): boolean {
  return process.env.NODE_ENV === 'development';
}

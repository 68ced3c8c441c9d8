/**
 * Why datagrams were not taken, counted by reason. Nothing is thrown or logged for what strangers send.
 *
 * Every datagram that an endpoint receives is either accepted or counted here exactly once. Requests that are answered with
 * "denied" count here too, under the cause.
 */

/** Reasons by number: what the reading functions return. 0 is "accepted". */
export const ACCEPTED = 0;
export const DROP_EMPTY = 1;
export const DROP_TOO_SHORT = 2;
export const DROP_TYPE = 3;
export const DROP_NOT_ALLOWED = 4;
export const DROP_SEQUENCE_BYTES = 5;
export const DROP_SEQUENCE_TOO_LARGE = 6;
export const DROP_SIZE = 7;
export const DROP_UNKNOWN_ADDRESS = 8;
export const DROP_REPLAYED = 9;
export const DROP_FORGED = 10;
export const DROP_WRONG_STATE = 11;
export const DROP_REASON = 12;
export const DROP_REQUEST_SIZE = 13;
export const DROP_REQUEST_VERSION = 14;
export const DROP_REQUEST_PROTOCOL = 15;
export const DROP_REQUEST_EXPIRED = 16;
export const DROP_REQUEST_LIFETIME = 17;
export const DROP_REQUEST_RESTART = 18;
export const DROP_REQUEST_BUDGET = 19;
export const DROP_REQUEST_FORGED = 20;
export const DROP_REQUEST_MALFORMED = 21;
export const DROP_REQUEST_WRONG_SERVER = 22;
export const DROP_REQUEST_CONNECTED = 23;
export const DROP_REQUEST_CLIENT_CONNECTED = 24;
export const DROP_REQUEST_TOKEN_ELSEWHERE = 25;
export const DROP_REQUEST_TOKEN_SPENT = 26;
export const DROP_REQUEST_REPEATED = 27;
export const DROP_REQUEST_FULL = 28;
export const DROP_REQUEST_TABLE_FULL = 29;
export const DROP_REQUEST_NOT_LOOPBACK = 30;
export const DROP_RESPONSE_REPEATED = 31;
export const DROP_RESPONSE_CHALLENGE = 32;
export const DROP_RESPONSE_CLIENT_CONNECTED = 33;
export const DROP_RESPONSE_FULL = 34;
export const DROP_UNKNOWN_ID = 35;
export const DROP_PATH = 36;
export const DROP_PATH_REPEATED = 37;
export const DROP_PATH_LATE = 38;
export const DROP_PATH_RESPONSE = 39;

/** Names by number, in the order of the constants above (a test holds that). */
export const DROP_NAMES = [
  'accepted',
  /** Datagrams of zero bytes. */
  'empty',
  /** Shorter than the smallest packet, or than its own header and tag. */
  'tooShort',
  /** A packet type that does not exist. */
  'type',
  /** A type that this side does not take (a challenge at a server, a request at a client). */
  'notAllowed',
  /** A sequence of 0 or more than 8 bytes. */
  'sequenceBytes',
  /** A packet number above 2^53: no honest peer gets there. */
  'sequenceTooLarge',
  /** Not the size that its type has. */
  'size',
  /** From an address that has no session; at a client, not from its server. */
  'unknownAddress',
  /** Received before, or too old to tell. */
  'replayed',
  /** Did not decrypt: forged, damaged, or of an earlier session. */
  'forged',
  /** A packet that the session does not expect now (a payload before the response, a second challenge). */
  'wrongState',
  /** An authentic reason packet with an unknown code. */
  'reason',
  /** A request that has not 1,078 bytes. */
  'requestSize',
  /** A request of another version of the protocol. */
  'requestVersion',
  /** A request for another protocol id. */
  'requestProtocol',
  /** The token had run out. */
  'requestExpired',
  /** The token lives longer than `tokenLifetimeMaxSeconds`. */
  'requestLifetime',
  /** The token may have been used before this server was started. */
  'requestRestart',
  /** Not opened: token opens are bounded. The client asks again. */
  'requestBudget',
  /** The token did not decrypt: forged, or made with another private key. */
  'requestForged',
  /** The token decrypted but its content is no token. */
  'requestMalformed',
  /** The token does not list this server's address. */
  'requestWrongServer',
  /** The source address is already connected. */
  'requestConnected',
  /** The client id is already connected from another address. */
  'requestClientConnected',
  /** The token was used from another address first. */
  'requestTokenElsewhere',
  /** The token has connected once. */
  'requestTokenSpent',
  /** The same request was answered less than 50 ms ago. */
  'requestRepeated',
  /** No slot free: answered with "denied". */
  'requestFull',
  /** Too many handshakes or too many tokens at once. */
  'requestTableFull',
  /** A server in development mode was asked from another machine. */
  'requestNotLoopback',
  /** A response less than 10 ms after the one before, or for a refused client. */
  'responseRepeated',
  /** The challenge in the response was not given to this client, or is forged. */
  'responseChallenge',
  /** The client id connected meanwhile from another address. */
  'responseClientConnected',
  /** The last slot was taken meanwhile: answered with "denied". */
  'responseFull',
  /** A connection id that no connection has; at a client, not the one that it sends with. */
  'unknownId',
  /** An authentic path packet of an unknown kind, or whose sealed id is not the one in the clear. */
  'path',
  /** A rebind request less than 50 ms after the last answer to this connection. */
  'pathRepeated',
  /** A rebind request from elsewhere, or a challenge, overtaken by newer packets of the session. */
  'pathLate',
  /** A path response that answers no challenge to the address it came from, or one from before the last move. */
  'pathResponse',
] as const;

/** The name of a counter. */
export type DropName = Exclude<(typeof DROP_NAMES)[number], 'accepted'>;

/** Counters of one endpoint by name, live: copy what must not change. */
export type DropCounters = Record<DropName, number>;

/** Counters that start at 0. */
export function dropCounters(): DropCounters {
  return Object.fromEntries(DROP_NAMES.slice(1).map((name) => [name, 0])) as DropCounters;
}

/** Counts one datagram under the reason `code` (1 ..). */
export function countDrop(counters: DropCounters, code: number): void {
  counters[DROP_NAMES[code] as DropName]++;
}

/** All datagrams counted. */
export function dropsTotal(counters: DropCounters): number {
  return Object.values(counters).reduce((sum, count) => sum + count, 0);
}

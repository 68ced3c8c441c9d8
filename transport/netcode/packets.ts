/**
 * The bytes of netcode 1.02 packets: types, sizes, the clear header, the connection request.
 *
 *     request     00 | version 13 | protocol id 8 | expire 8 | nonce 24 | private token 1024        1,078 bytes
 *     all others  prefix 1 | sequence 1..8, little-endian | data, encrypted | tag 16
 *     types 8, 9  prefix 1 | sequence 1..8 | connection id 8 | data, encrypted | tag 16             ours, see path.ts
 *
 * The prefix is type | (sequence bytes << 4) and is authenticated with the data. Writers use the shortest sequence, readers
 * take any of 1 to 8 bytes.
 */

import {
  ACCEPTED,
  DROP_NOT_ALLOWED,
  DROP_SEQUENCE_BYTES,
  DROP_SEQUENCE_TOO_LARGE,
  DROP_SIZE,
  DROP_TOO_SHORT,
  DROP_TYPE,
} from './drop-counters.ts';

export const PACKET_REQUEST = 0;
export const PACKET_DENIED = 1;
export const PACKET_CHALLENGE = 2;
export const PACKET_RESPONSE = 3;
export const PACKET_KEEP_ALIVE = 4;
export const PACKET_PAYLOAD = 5;
export const PACKET_DISCONNECT = 6;
/** Our extension: why a connection ends (see reason.ts). The standard ends at 6, its peers ignore this. */
export const PACKET_REASON = 7;
/** Our extension: where a client is now (see path.ts). */
export const PACKET_PATH = 8;
/** Our extension: a payload that a client's connection id goes before, so that it counts from any address. */
export const PACKET_PAYLOAD_WITH_ID = 9;

/** Types that each side takes, one bit a type. A request (type 0) is recognised before its header is parsed. */
export const SERVER_TAKES: number =
  (1 << PACKET_RESPONSE) |
  (1 << PACKET_KEEP_ALIVE) |
  (1 << PACKET_PAYLOAD) |
  (1 << PACKET_DISCONNECT) |
  (1 << PACKET_REASON) |
  (1 << PACKET_PATH) |
  (1 << PACKET_PAYLOAD_WITH_ID);
export const CLIENT_TAKES: number =
  (1 << PACKET_DENIED) |
  (1 << PACKET_CHALLENGE) |
  (1 << PACKET_KEEP_ALIVE) |
  (1 << PACKET_PAYLOAD) |
  (1 << PACKET_DISCONNECT) |
  (1 << PACKET_REASON) |
  (1 << PACKET_PATH);

/** "NETCODE 1.02" with its zero byte. */
export const VERSION: Uint8Array = Uint8Array.from('NETCODE 1.02\0', (c) => c.charCodeAt(0));
export const VERSION_BYTES = 13;
export const KEY_BYTES = 32;
export const TAG_BYTES = 16;
export const NONCE_BYTES = 24;
export const PRIVATE_TOKEN_BYTES = 1024;
export const CHALLENGE_TOKEN_BYTES = 300;
export const USER_DATA_BYTES = 256;
/** Largest payload of a packet. */
export const PAYLOAD_BYTES_MAX = 1200;
/** Code byte and text of a reason packet. */
export const REASON_BYTES_MAX = 256;
export const CONNECTION_ID_BYTES = 8;
/** Header, connection id and tag around the data, at most. */
export const OVERHEAD_BYTES_MAX = 33;

export const REQUEST_BYTES = 1078;
export const REQUEST_VERSION_AT = 1;
export const REQUEST_PROTOCOL_AT = 14;
export const REQUEST_EXPIRE_AT = 22;
export const REQUEST_NONCE_AT = 30;
export const REQUEST_TOKEN_AT = 54;
/** The tag of the private token: the token's identity. */
export const REQUEST_TAG_AT: number = REQUEST_BYTES - TAG_BYTES;

/** Data bytes of challenge and response: challenge sequence and challenge token. */
export const CHALLENGE_DATA_BYTES = 308;
/** Data bytes of a keep-alive: client index and maximum of clients. */
export const KEEP_ALIVE_DATA_BYTES = 8;
/** Data bytes of a path packet: kind and 8 bytes; a client adds its id and 7 zeros, so that it is never answered at length. */
export const PATH_FROM_SERVER_BYTES = 9;
export const PATH_FROM_CLIENT_BYTES = 24;

/** The smallest packet: prefix, one byte of sequence, tag. */
const PACKET_BYTES_MIN = 18;
/** High halves from here on mean a number of 2^53 or more. */
const NUMBER_HIGH_MAX = 1 << 21;
/** Data bytes of each type at least and at most. */
const DATA_BYTES_MIN: Uint16Array = new Uint16Array([
  0,
  0,
  CHALLENGE_DATA_BYTES,
  CHALLENGE_DATA_BYTES,
  KEEP_ALIVE_DATA_BYTES,
  1,
  0,
  1,
  PATH_FROM_SERVER_BYTES,
  1,
]);
const DATA_BYTES_MAX: Uint16Array = new Uint16Array([
  0,
  0,
  CHALLENGE_DATA_BYTES,
  CHALLENGE_DATA_BYTES,
  KEEP_ALIVE_DATA_BYTES,
  PAYLOAD_BYTES_MAX,
  0,
  REASON_BYTES_MAX,
  PATH_FROM_CLIENT_BYTES,
  PAYLOAD_BYTES_MAX,
]);

/** The clear part of the packet read last. */
export class PacketHeader {
  prefix = 0;
  type = 0;
  /** Bytes before the data: prefix, sequence and, with types 8 and 9, the connection id. 2 .. 17. */
  headerBytes = 0;
  /** Bytes between header and tag. */
  dataBytes = 0;
  /** The sequence's halves as signed 32-bit integers. */
  sequenceLow = 0;
  sequenceHigh = 0;

  /**
   * Reads the header of the `length` bytes at `bytes[offset ..]` and checks everything that can be checked without a key.
   *
   * @param takes the types that this side takes, one bit a type
   * @returns ACCEPTED, or the reason to drop the packet
   */
  parse(bytes: Uint8Array, offset: number, length: number, takes: number): number {
    if (length < PACKET_BYTES_MIN) return DROP_TOO_SHORT;
    const prefix = bytes[offset]!;
    const type = prefix & 15;
    if (type === PACKET_REQUEST || type > PACKET_PAYLOAD_WITH_ID) return DROP_TYPE;
    if (((takes >> type) & 1) === 0) return DROP_NOT_ALLOWED;
    const sequenceBytes = prefix >> 4;
    if (sequenceBytes < 1 || sequenceBytes > 8) return DROP_SEQUENCE_BYTES;
    const headerBytes = 1 + sequenceBytes + (type >= PACKET_PATH ? CONNECTION_ID_BYTES : 0);
    const dataBytes = length - headerBytes - TAG_BYTES;
    if (dataBytes < 0) return DROP_TOO_SHORT;
    if (dataBytes < DATA_BYTES_MIN[type]! || dataBytes > DATA_BYTES_MAX[type]!) return DROP_SIZE;
    let low = 0;
    let high = 0;
    for (let i = 0; i < sequenceBytes; i++) {
      const byte = bytes[offset + 1 + i]!;
      if (i < 4) low |= byte << (8 * i);
      else high |= byte << (8 * (i - 4));
    }
    if (type >= PACKET_KEEP_ALIVE && high >>> 0 >= NUMBER_HIGH_MAX) {
      // Before a session is connected the server numbers what it says from 2^63 on, a reason too.
      if (type !== PACKET_REASON || high >= 0) return DROP_SEQUENCE_TOO_LARGE;
    }
    this.prefix = prefix;
    this.type = type;
    this.headerBytes = headerBytes;
    this.dataBytes = dataBytes;
    this.sequenceLow = low;
    this.sequenceHigh = high;
    return ACCEPTED;
  }
}

/** Bytes of the shortest form of a sequence: 1 .. 8. */
export function sequenceBytesOf(low: number, high: number): number {
  if (high !== 0) return 4 + ((39 - Math.clz32(high)) >> 3);
  return low === 0 ? 1 : (39 - Math.clz32(low)) >> 3;
}

/** The first byte of a packet. */
export function prefixOf(type: number, low: number, high: number): number {
  return type | (sequenceBytesOf(low, high) << 4);
}

/** Writes prefix and sequence so that they end before `bytes[end]`. Returns their number of bytes, 2 .. 9. */
export function writeHeaderBefore(bytes: Uint8Array, end: number, prefix: number, low: number, high: number): number {
  const sequenceBytes = prefix >> 4;
  const start = end - sequenceBytes - 1;
  bytes[start] = prefix;
  for (let i = 0; i < sequenceBytes; i++) {
    bytes[start + 1 + i] = i < 4 ? low >> (8 * i) : high >> (8 * (i - 4));
  }
  return sequenceBytes + 1;
}

/** The 21 bytes that every packet of a protocol id is authenticated with, before its prefix: version and protocol id. */
export function associatedDataOf(protocolId: bigint): Uint8Array {
  const bytes = new Uint8Array(VERSION_BYTES + 8);
  bytes.set(VERSION);
  new DataView(bytes.buffer).setBigUint64(VERSION_BYTES, protocolId, true);
  return bytes;
}

/** The 29 bytes that a private token is authenticated with: version, protocol id and expire. */
export function tokenAssociatedDataOf(protocolId: bigint, expire: bigint): Uint8Array {
  const bytes = new Uint8Array(VERSION_BYTES + 16);
  bytes.set(associatedDataOf(protocolId));
  new DataView(bytes.buffer).setBigUint64(VERSION_BYTES + 8, expire, true);
  return bytes;
}

/** Writes a connection request of REQUEST_BYTES at `bytes[offset ..]`. */
export function writeRequest(
  bytes: Uint8Array,
  offset: number,
  associatedData: Uint8Array,
  nonce: Uint8Array,
  privateToken: Uint8Array,
): void {
  bytes[offset] = PACKET_REQUEST;
  bytes.set(associatedData, offset + REQUEST_VERSION_AT); // version, protocol id and expire lie in the same order
  bytes.set(nonce, offset + REQUEST_NONCE_AT);
  bytes.set(privateToken, offset + REQUEST_TOKEN_AT);
}

/**
 * The list of server addresses in a connect token.
 *
 *     count u32 (1 .. 32), then for each: type u8 (1: IPv4, 2: IPv6) | 4 bytes or 8 groups of u16 | port u16
 *
 * All of it little-endian, the groups of an IPv6 address too: their bytes are swapped against network order.
 */

import { ADDRESS_BYTES, isIPv4 } from '../../sys/api.ts';
import { ConfigError } from '../config-error.ts';

/** Servers in one token at most. */
export const TOKEN_ADDRESSES_MAX = 32;

const TYPE_IPV4 = 1;
const TYPE_IPV6 = 2;
const IPV4_AT = 12; // within the canonical bytes
const PORT_AT = 16;
const IPV4_ENTRY_BYTES = 7;
const IPV6_ENTRY_BYTES = 19;

/** Throws ConfigError unless there are 1 to 32 canonical addresses that a client could dial. */
export function checkAddresses(field: string, addresses: readonly Uint8Array[]): void {
  if (addresses.length < 1 || addresses.length > TOKEN_ADDRESSES_MAX) {
    throw new ConfigError(field, `a token lists 1 to ${TOKEN_ADDRESSES_MAX} servers, not ${addresses.length}`);
  }
  for (const address of addresses) {
    if (!(address instanceof Uint8Array) || address.length !== ADDRESS_BYTES) {
      throw new ConfigError(field, `give canonical addresses of ${ADDRESS_BYTES} bytes (parseAddress makes them)`);
    }
    if (address[PORT_AT] === 0 && address[PORT_AT + 1] === 0) {
      throw new ConfigError(field, 'port 0 cannot be dialled: give the port that the server is bound to');
    }
  }
}

/** Writes count and addresses at `bytes[at ..]`. Returns where they end. */
export function writeTokenAddresses(bytes: Uint8Array, at: number, addresses: readonly Uint8Array[]): number {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, addresses.length, true);
  let next = at + 4;
  for (const address of addresses) next = writeAddress(bytes, next, address);
  return next;
}

function writeAddress(bytes: Uint8Array, at: number, address: Uint8Array): number {
  if (isIPv4(address)) {
    bytes[at] = TYPE_IPV4;
    bytes.set(address.subarray(IPV4_AT, PORT_AT + 2), at + 1); // the port is little-endian in both forms
    return at + IPV4_ENTRY_BYTES;
  }
  bytes[at] = TYPE_IPV6;
  for (let i = 0; i < 16; i++) bytes[at + 1 + i] = address[i ^ 1]!;
  bytes[at + 17] = address[PORT_AT]!;
  bytes[at + 18] = address[PORT_AT + 1]!;
  return at + IPV6_ENTRY_BYTES;
}

/** The list read last, in canonical form. Reused from token to token. */
export class TokenAddresses {
  /** Addresses held: 1 .. 32 after a successful read. */
  count = 0;
  /** ADDRESS_BYTES each. */
  readonly bytes: Uint8Array = new Uint8Array(TOKEN_ADDRESSES_MAX * ADDRESS_BYTES);

  /** Reads count and addresses at `bytes[at ..]`. Returns where they end, or -1 when they are malformed. */
  read(bytes: Uint8Array, at: number): number {
    this.count = 0;
    if (at + 4 > bytes.length) return -1;
    const count = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
    if (count < 1 || count > TOKEN_ADDRESSES_MAX) return -1;
    let next = at + 4;
    for (let i = 0; i < count; i++) {
      next = this.#readAddress(bytes, next, i * ADDRESS_BYTES);
      if (next < 0) return -1;
    }
    this.count = count;
    return next;
  }

  /** A copy of address `index`. */
  copy(index: number): Uint8Array {
    return this.bytes.slice(index * ADDRESS_BYTES, (index + 1) * ADDRESS_BYTES);
  }

  #readAddress(bytes: Uint8Array, at: number, to: number): number {
    const type = bytes[at];
    const entryBytes = type === TYPE_IPV4 ? IPV4_ENTRY_BYTES : type === TYPE_IPV6 ? IPV6_ENTRY_BYTES : -1;
    if (entryBytes < 0 || at + entryBytes > bytes.length) return -1;
    const address = this.bytes;
    address.fill(0, to, to + ADDRESS_BYTES);
    if (type === TYPE_IPV4) {
      address[to + 10] = 0xff;
      address[to + 11] = 0xff;
      for (let i = 0; i < 4; i++) address[to + IPV4_AT + i] = bytes[at + 1 + i]!;
    } else {
      for (let i = 0; i < 16; i++) address[to + i] = bytes[at + 1 + (i ^ 1)]!;
    }
    address[to + PORT_AT] = bytes[at + entryBytes - 2]!;
    address[to + PORT_AT + 1] = bytes[at + entryBytes - 1]!;
    return at + entryBytes;
  }
}

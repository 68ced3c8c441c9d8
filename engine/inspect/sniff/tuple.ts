/**
 * Who speaks to whom in the packet at hand: addresses, ports, protocol as words, compared and hashed without becoming values.
 *
 * Words 0 to 3 are the source's address (IPv4 mapped, as in `sys/address.ts`), 4 to 7 the destination's, 8 and 9 their
 * ports, 10 the protocol. Words are big-endian and signed.
 */

import { ADDRESS_BYTES } from '../../../sys/address.ts';
import { i32 } from '../../../sys/wire/header.ts';
import type { IPv4Header } from '../../../sys/wire/ipv4.ts';
import type { IPv6Header } from '../../../sys/wire/ipv6.ts';

export const TUPLE_WORDS = 11;
export const ADDRESS_WORDS = 4;
export const SOURCE_WORD = 0;
export const DESTINATION_WORD = 4;
export const SOURCE_PORT_WORD = 8;
export const DESTINATION_PORT_WORD = 9;
export const PROTOCOL_WORD = 10;
const MAPPED = 0x0000_ffff;

/** Fills addresses and protocol; ports are 0. */
export function tupleOfIPv4(tuple: Int32Array, ip: IPv4Header): void {
  tuple[0] = 0;
  tuple[1] = 0;
  tuple[2] = MAPPED;
  tuple[3] = i32(ip.bytes, ip.sourceAt);
  tuple[4] = 0;
  tuple[5] = 0;
  tuple[6] = MAPPED;
  tuple[7] = i32(ip.bytes, ip.destinationAt);
  tuple[SOURCE_PORT_WORD] = 0;
  tuple[DESTINATION_PORT_WORD] = 0;
  tuple[PROTOCOL_WORD] = ip.protocol;
}

export function tupleOfIPv6(tuple: Int32Array, ip: IPv6Header): void {
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    tuple[SOURCE_WORD + i] = i32(ip.bytes, ip.sourceAt + 4 * i);
    tuple[DESTINATION_WORD + i] = i32(ip.bytes, ip.destinationAt + 4 * i);
  }
  tuple[SOURCE_PORT_WORD] = 0;
  tuple[DESTINATION_PORT_WORD] = 0;
  tuple[PROTOCOL_WORD] = ip.protocol;
}

/** The canonical address of four words and a port, for people. Allocates. */
export function canonicalOfWords(words: Int32Array, at: number, port: number): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < ADDRESS_WORDS; i++) view.setInt32(4 * i, words[at + i]!);
  view.setUint16(16, port, true);
  return bytes;
}

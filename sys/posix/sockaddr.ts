/**
 * Socket addresses between the kernel's form and our 24 canonical bytes: a few words moved, nothing allocated.
 *
 * Both sides are seen as signed 32-bit words of a little-endian machine, so that no word is ever a boxed number. Systems
 * differ in the first half word only (`SockaddrForm`), so Windows and BSD share this too.
 *
 * | canonical word | field | in sockaddr_in | in sockaddr_in6 |
 * |---|---|---|---|
 * | 0 .. 3 | address, mapped if IPv4 | word 1 | words 2 .. 5 |
 * | 4 | port, little-endian; flags above it | high half of word 0, big-endian | the same |
 * | 5 | scope | none | word 6 |
 */

import { ADDRESS_BYTES } from '../address.ts';

export const AF_INET = 2;
/** Linux. */
export const AF_INET6 = 10;
/** `sizeof(struct sockaddr_in)`. */
export const SOCKADDR_IN_BYTES = 16;
/** `sizeof(struct sockaddr_in6)`. */
export const SOCKADDR_IN6_BYTES = 28;
/** Room for either, a multiple of 8. */
export const SOCKADDR_ROOM_BYTES = 32;
/** Words of one canonical address. */
export const ADDRESS_WORDS: number = ADDRESS_BYTES / 4;
/** Third word of a mapped IPv4 address: bytes 00 00 ff ff. */
export const MAPPED_WORD: number = 0xffff_0000 | 0;

/** How a system starts a `sockaddr`: its first 16 bits, little-endian, by family. */
export interface SockaddrForm {
  readonly inet: number;
  readonly inet6: number;
}

/** Linux: the family. */
export const LINUX_FORM: SockaddrForm = { inet: AF_INET, inet6: AF_INET6 };

/** The words of canonical addresses, over the same bytes. They must start at a multiple of 4. */
export function addressWords(addresses: Uint8Array): Int32Array {
  return new Int32Array(addresses.buffer, addresses.byteOffset, addresses.byteLength >>> 2);
}

/** Writes the canonical form of the `sockaddr` at word `from` to word `to`. Returns false if it is no internet address. */
export function readSockaddr(
  sockaddr: Int32Array,
  from: number,
  canonical: Int32Array,
  to: number,
  form: SockaddrForm = LINUX_FORM,
): boolean {
  const first = sockaddr[from]!;
  const family = first & 0xffff;
  if (family === form.inet) {
    canonical[to] = 0;
    canonical[to + 1] = 0;
    canonical[to + 2] = MAPPED_WORD;
    canonical[to + 3] = sockaddr[from + 1]!;
    canonical[to + 5] = 0;
  } else if (family === form.inet6) {
    canonical[to] = sockaddr[from + 2]!;
    canonical[to + 1] = sockaddr[from + 3]!;
    canonical[to + 2] = sockaddr[from + 4]!;
    canonical[to + 3] = sockaddr[from + 5]!;
    canonical[to + 5] = sockaddr[from + 6]!;
  } else {
    return false;
  }
  canonical[to + 4] = swapPort(first >>> 16);
  return true;
}

/**
 * Writes the canonical address at word `from` as the `sockaddr` of a socket of `family` at word `to`.
 *
 * @param family the first 16 bits of such a `sockaddr`: `form.inet` or `form.inet6`
 * @param form of the system
 *
 * Returns false, with nothing written, where such a socket cannot reach it: an IPv6 address from an IPv4 socket.
 */
export function writeSockaddr(
  canonical: Int32Array,
  from: number,
  family: number,
  sockaddr: Int32Array,
  to: number,
  form: SockaddrForm = LINUX_FORM,
): boolean {
  const port = swapPort(canonical[from + 4]! & 0xffff) << 16;
  if (family === form.inet) {
    if (!isMapped(canonical, from)) return false;
    sockaddr[to] = port | family;
    sockaddr[to + 1] = canonical[from + 3]!;
    sockaddr[to + 2] = 0;
    sockaddr[to + 3] = 0;
    return true;
  }
  sockaddr[to] = port | family;
  sockaddr[to + 1] = 0; // flow label
  sockaddr[to + 2] = canonical[from]!;
  sockaddr[to + 3] = canonical[from + 1]!;
  sockaddr[to + 4] = canonical[from + 2]!;
  sockaddr[to + 5] = canonical[from + 3]!;
  sockaddr[to + 6] = canonical[from + 5]!;
  return true;
}

/** Whether the canonical address at word `at` is an IPv4 one. */
export function isMapped(canonical: Int32Array, at: number): boolean {
  return canonical[at] === 0 && canonical[at + 1] === 0 && canonical[at + 2] === MAPPED_WORD;
}

/** Whether the canonical addresses at words `a` and `b` of one array are the same. */
export function sameWords(canonical: Int32Array, a: number, b: number): boolean {
  return (
    canonical[a + 4] === canonical[b + 4] && // the port first: it differs most often
    canonical[a + 3] === canonical[b + 3] &&
    canonical[a + 2] === canonical[b + 2] &&
    canonical[a + 1] === canonical[b + 1] &&
    canonical[a] === canonical[b] &&
    canonical[a + 5] === canonical[b + 5]
  );
}

function swapPort(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8);
}

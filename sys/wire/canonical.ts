/**
 * Addresses between headers and the 24 canonical bytes of `sys/address.ts`: copied, never made into values.
 *
 * `read` functions fill a whole canonical address, so that equal ones have equal bytes. Loops of a fixed few bytes are
 * cheaper here than `set` and `copyWithin`, which need a view or a call.
 */

import { ADDRESS_BYTES, isIPv4 } from '../address.ts';

const MAPPED_AT = 12;
const PORT_AT = 16;
const SCOPE_AT = 20;

/** Fills the canonical address at `to` with the four bytes at `at`, and `port` (0 where there is none). */
export function readIPv4Address(bytes: Uint8Array, at: number, port: number, canonical: Uint8Array, to: number): void {
  for (let i = 0; i < 10; i++) canonical[to + i] = 0;
  canonical[to + 10] = 0xff;
  canonical[to + 11] = 0xff;
  for (let i = 0; i < 4; i++) canonical[to + MAPPED_AT + i] = bytes[at + i]!;
  writeTail(canonical, to, port, 0);
}

/**
 * Fills the canonical address at `to` with the sixteen bytes at `at`, and `port`.
 *
 * @param scope number of the interface it came in by; kept for link-local addresses (fe80::/10) only, as the kernel does
 */
export function readIPv6Address(
  bytes: Uint8Array,
  at: number,
  port: number,
  scope: number,
  canonical: Uint8Array,
  to: number,
): void {
  for (let i = 0; i < 16; i++) canonical[to + i] = bytes[at + i]!;
  const linkLocal = bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80;
  writeTail(canonical, to, port, linkLocal ? scope : 0);
}

/** Whether the sixteen bytes at `at` are an IPv4 address in IPv6 clothes, which may be written but never received. */
export function isMappedAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && isIPv4(bytes, at); // the first byte answers for nearly all of them
}

/** Writes the IPv4 address of the canonical one at `from`, which must be mapped (`isIPv4`), to `bytes[at .. at + 4)`. */
export function writeIPv4Address(canonical: Uint8Array, from: number, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = canonical[from + MAPPED_AT + i]!;
}

/** Writes the canonical address at `from` to `bytes[at .. at + 16)`. */
export function writeIPv6Address(canonical: Uint8Array, from: number, bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++) bytes[at + i] = canonical[from + i]!;
}

/** A canonical address for display, of four or sixteen bytes. Allocates. */
export function canonicalOf(bytes: Uint8Array, at: number, size: 4 | 16): Uint8Array {
  const canonical = new Uint8Array(ADDRESS_BYTES);
  if (size === 4) readIPv4Address(bytes, at, 0, canonical, 0);
  else readIPv6Address(bytes, at, 0, 0, canonical, 0);
  return canonical;
}

function writeTail(canonical: Uint8Array, to: number, port: number, scope: number): void {
  canonical[to + PORT_AT] = port;
  canonical[to + PORT_AT + 1] = port >>> 8;
  canonical[to + PORT_AT + 2] = 0; // flags
  canonical[to + PORT_AT + 3] = 0;
  for (let i = 0; i < 4; i++) canonical[to + SCOPE_AT + i] = scope >>> (8 * i);
}

/** Values in filters: addresses, nets, ports. Each function reads one word, and returns null where it is something else. */

import { addressOf, isIPv4 } from '../address.ts';
import type { AddressPattern } from './expression.ts';

const IPV4_AT = 12;
const PORT_MAX = 0xffff;

/** A decimal or hexadecimal number of at most 32 bits. */
export function numberOf(word: string): number | null {
  if (!/^(0|[1-9]\d{0,9}|0x[\da-f]{1,8})$/.test(word)) return null;
  const value = Number(word);
  return value <= 0xffff_ffff ? value : null;
}

/** First and last of `40000` or `40000-40010`; turned round where the first is the larger, as tcpdump does. */
export function portsOf(word: string): readonly [first: number, last: number] | null {
  const [low, high, ...more] = word.split('-');
  const first = numberOf(low!);
  const last = high === undefined ? first : numberOf(high);
  if (first === null || last === null || more.length > 0 || first > PORT_MAX || last > PORT_MAX) return null;
  return first <= last ? [first, last] : [last, first];
}

/** A whole address, IPv4 or IPv6; all bits count. */
export function hostOf(word: string): AddressPattern | null {
  const bytes = addressBytes(word);
  return bytes === null ? null : { bytes, mask: new Uint8Array(bytes.length).fill(0xff) };
}

/**
 * A net: `10.0.0.0/8`, `10.0.0.0` with the mask `255.0.0.0`, `fe80::/10`, or the first numbers of an IPv4 one (`10.1`).
 * A whole address without a mask is that address, as in tcpdump.
 *
 * @param mask of the word after `mask`, or null
 */
export function netOf(word: string, mask: string | null): AddressPattern | null {
  const [address, prefix, ...more] = word.split('/');
  if (more.length > 0 || (prefix !== undefined && mask !== null)) return null;
  const short = /^\d+(\.\d+){0,2}$/.test(address!);
  const given = address!.split('.').length;
  const bytes = addressBytes(short ? address! + '.0'.repeat(4 - given) : address!);
  if (bytes === null) return null;
  if (mask !== null) {
    const maskBytes = addressBytes(mask);
    return maskBytes?.length === 4 && bytes.length === 4 ? { bytes, mask: maskBytes } : null;
  }
  const bits = prefix === undefined ? (short ? given * 8 : bytes.length * 8) : numberOf(prefix);
  if (bits === null || bits > bytes.length * 8) return null;
  return { bytes, mask: maskOf(bits, bytes.length) };
}

/** The address without the bits that its mask leaves out; null when it has none of them set. */
export function strayBits({ bytes, mask }: AddressPattern): Uint8Array | null {
  return bytes.every((byte, i) => (byte & ~mask[i]!) === 0) ? null : bytes.map((byte, i) => byte & mask[i]!);
}

function maskOf(bits: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => 0xff00 >>> Math.min(8, Math.max(0, bits - i * 8)));
}

/** Four bytes of an IPv4 address, sixteen of an IPv6 one. */
function addressBytes(word: string): Uint8Array | null {
  const canonical = addressOf(word, 0);
  if (canonical === null) return null;
  return isIPv4(canonical) && !word.includes(':') ? canonical.slice(IPV4_AT, IPV4_AT + 4) : canonical.slice(0, 16);
}

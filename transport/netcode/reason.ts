/**
 * Our extension packet: why a connection ends, in the game's own words.
 *
 *     type 7, sealed like a payload:  code u8 | text, 0 .. 255 bytes of UTF-8
 *
 * It goes out just before the standard's "denied" and "disconnect" packets. Peers of the standard ignore types from 7 on, so
 * they see only those. A peer of ours acts on it at once.
 */

import type { DisconnectCode } from '../endpoint.ts';
import { REASON_BYTES_MAX } from './packets.ts';

/** Codes by number on the wire. Never renumber; 0 and numbers above are unknown and ignored. */
const CODES: readonly (DisconnectCode | undefined)[] = [
  undefined,
  'closed',
  'kicked',
  'denied',
  'shutdown',
  'token-expired',
  'token-invalid',
];

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Code and text as bytes. A code that does not travel becomes `closed`; a long text is cut between characters. */
export function encodeReason(code: DisconnectCode, text: string): Uint8Array {
  const bytes = new Uint8Array(REASON_BYTES_MAX);
  const number = CODES.indexOf(code);
  bytes[0] = number < 1 ? CODES.indexOf('closed') : number;
  const { written } = encoder.encodeInto(text, bytes.subarray(1)); // stops before a character that does not fit
  return bytes.slice(0, 1 + written);
}

/** The code at `bytes[at]`, or null when it is unknown. */
export function decodeReasonCode(bytes: Uint8Array, at: number): DisconnectCode | null {
  return CODES[bytes[at]!] ?? null;
}

/** The text of a reason of `length` bytes at `bytes[at ..]`; what is not UTF-8 becomes U+FFFD. */
export function decodeReasonText(bytes: Uint8Array, at: number, length: number): string {
  return decoder.decode(bytes.subarray(at + 1, at + length));
}

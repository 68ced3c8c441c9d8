/**
 * Our extension packet: why a connection ends, in the game's own words.
 *
 *     type 7, sealed like a payload:  code u8 | text, 0 .. 255 bytes of UTF-8
 *
 * It goes out just before the standard's "denied" and "disconnect" packets. Peers of the standard ignore types from 7 on, so
 * they see only those. A peer of ours acts on it at once.
 */

import type { DisconnectCode, DisconnectReason } from '../endpoint.ts';
import { PACKET_REASON, REASON_BYTES_MAX } from './packets.ts';

/** Codes by number on the wire. Never renumber; 0 and numbers above are unknown and ignored. */
const CODES: readonly (DisconnectCode | undefined)[] = [
  undefined,
  'closed',
  'kicked',
  'denied',
  'shutdown',
  'token-expired',
  'token-invalid',
  'protocol',
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

/**
 * Why the other side ends the connection: what a reason packet says, or "closed" for any other type.
 *
 * @param at where the packet's data of `length` bytes starts in `bytes`
 * @returns null for a reason with an unknown code; what is not UTF-8 in its text becomes U+FFFD
 */
export function readReason(type: number, bytes: Uint8Array, at: number, length: number): DisconnectReason | null {
  if (type !== PACKET_REASON) return { code: 'closed', side: 'remote', text: '' };
  const code = CODES[bytes[at]!];
  return code === undefined
    ? null
    : { code, side: 'remote', text: decoder.decode(bytes.subarray(at + 1, at + length)) };
}

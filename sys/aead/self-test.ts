/**
 * The start-up self-test of an AEAD provider: published answers, packets against them, and everything that must fail.
 *
 * A provider calls internal symbols of a library that may be built without them, with another layout or for another
 * machine. So no provider is used before it has given the right answers here. About a millisecond.
 */

import { type Aead, DatagramBatch } from '../api.ts';
import { BLOCK_BYTES, TAG_BYTES } from './xchacha.ts';

/** RFC 8439 2.8.2: key 80..9f, nonce 07000000 40..47. */
const RFC_ASSOCIATED = '50515253c0c1c2c3c4c5c6c7';
const RFC_TEXT =
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
const RFC_SEALED =
  'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b' +
  '1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
  '3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691';

/** draft-irtf-cfrg-xchacha-03 A.3.1: the same key and text, nonce 40..57. */
const XCHACHA_SEALED =
  'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39' +
  'ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9' +
  '21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49';

/** Sizes of packets tried: none, around Poly1305's 16 bytes, around a block with its key block, and a full datagram. */
const SIZES: readonly number[] = [0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 100, 128, 191, 192, 193, 400, 1200];
const SIZE_MAX = 1200;
/** The halves of a sequence reach the nonce in order: both set, neither, and the top bit of each. */
const SEQUENCES: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 0],
  [0, 1],
  [0x89abcdef, 0x01234567],
  [0xffffffff, 0xffffffff],
];
const HEADER_BYTES = 9;
const PREFIX = 0x85;

/** What the self-test needs room for: `slots` and `slotBytes` of the provider under test must be at least these. */
export const SELF_TEST_SLOTS = 2;
export const SELF_TEST_SLOT_BYTES: number = SIZE_MAX + HEADER_BYTES + TAG_BYTES;

/** Runs a provider against known answers. Returns what it did wrong, or null. */
export function selfTest(aead: Aead, nativeBatch: DatagramBatch | null): string | null {
  const text = new TextEncoder().encode(RFC_TEXT);
  const wrong =
    knownAnswer(aead, 'RFC 8439 2.8.2', '070000004041424344454647', text, RFC_SEALED) ??
    knownAnswer(aead, 'XChaCha A.3.1', range(0x40, 24).toString('hex'), text, XCHACHA_SEALED) ??
    packets(aead, DatagramBatch.allocate(SELF_TEST_SLOTS, SELF_TEST_SLOT_BYTES), 'ordinary memory');
  if (wrong !== null || nativeBatch === null) return wrong;
  return packets(aead, nativeBatch, 'native memory');
}

/** A published vector through the one-shot calls, both ways, and with each part of it changed. */
function knownAnswer(aead: Aead, name: string, nonceHex: string, text: Uint8Array, sealedHex: string): string | null {
  const key = range(0x80, 32);
  const nonce = Buffer.from(nonceHex, 'hex');
  const associated = Buffer.from(RFC_ASSOCIATED, 'hex');
  const expected = Buffer.from(sealedHex, 'hex');
  const bytes = new Uint8Array(text.length + TAG_BYTES);
  bytes.set(text);
  aead.sealOnce(key, nonce, associated, bytes);
  if (expected.compare(bytes) !== 0) return `${name}: sealing gives other bytes`;
  for (const part of [0, text.length - 1, text.length, bytes.length - 1]) {
    const forged = flipped(bytes, part);
    if (aead.openOnce(key, nonce, associated, forged)) return `${name}: a changed byte ${part} is accepted`;
    if (Buffer.compare(forged, flipped(bytes, part)) !== 0) return `${name}: a refused message was changed`;
  }
  if (aead.openOnce(key, nonce, flipped(associated, 3), bytes)) return `${name}: changed associated data is accepted`;
  if (aead.openOnce(flipped(key, 31), nonce, associated, bytes)) return `${name}: another key is accepted`;
  if (aead.openOnce(key, flipped(nonce, nonce.length - 1), associated, bytes)) {
    return `${name}: another nonce is accepted`;
  }
  if (!aead.openOnce(key, nonce, associated, bytes)) return `${name}: the right tag is refused`;
  return Buffer.compare(bytes.subarray(0, text.length), text) === 0 ? null : `${name}: opening gives other bytes`;
}

/** Packets of every size: they must equal what the one-shot calls give, which the published vectors have proved. */
function packets(aead: Aead, batch: DatagramBatch, memory: string): string | null {
  const associated = range(0x10, 21);
  const other = aead.load(range(0x60, 32), associated); // so that the key tried is not number 0
  const keyId = aead.load(range(0x20, 32), associated);
  let wrong: string | null = null;
  for (const size of SIZES) {
    for (const [low, high] of SEQUENCES) wrong ??= packet(aead, batch, keyId, size, low, high);
    wrong ??= forgeries(aead, batch, keyId, other, size);
  }
  aead.free(keyId);
  aead.free(other);
  return wrong === null ? null : `packets in ${memory}: ${wrong}`;
}

/** Seals and opens one packet in slot 1. */
function packet(
  aead: Aead,
  batch: DatagramBatch,
  keyId: number,
  size: number,
  low: number,
  high: number,
): string | null {
  const expected = new Uint8Array(size + TAG_BYTES);
  expected.set(range(size, size));
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(4, low, true);
  new DataView(nonce.buffer).setUint32(8, high, true);
  aead.sealOnce(range(0x20, 32), nonce, Buffer.concat([range(0x10, 21), Uint8Array.of(PREFIX)]), expected);
  sealPacket(aead, batch, keyId, size, low, high);
  const sealed = batch.arena.subarray(batch.offset[1]! + HEADER_BYTES, batch.offset[1]! + batch.length[1]!);
  if (Buffer.compare(sealed, expected) !== 0) return `${size} bytes: sealing gives other bytes`;
  if (!aead.open(batch, 1, HEADER_BYTES, keyId, PREFIX, low, high)) return `${size} bytes: the right tag is refused`;
  if (Buffer.compare(sealed, expected) !== 0) return `${size} bytes: opening changed the datagram`;
  const clear = aead.plaintext.subarray(aead.plaintextStrideBytes, aead.plaintextStrideBytes + size);
  return Buffer.compare(clear, range(size, size)) === 0 ? null : `${size} bytes: opening gives other bytes`;
}

/** Everything that makes a packet a forgery. */
function forgeries(aead: Aead, batch: DatagramBatch, keyId: number, other: number, size: number): string | null {
  sealPacket(aead, batch, keyId, size, 5, 6);
  const start = batch.offset[1]! + HEADER_BYTES;
  const name = `${size} bytes`;
  for (const at of [0, size >> 1, size, size + 7, size + TAG_BYTES - 1]) {
    batch.arena[start + at]! ^= 0x10;
    const accepted = aead.open(batch, 1, HEADER_BYTES, keyId, PREFIX, 5, 6);
    batch.arena[start + at]! ^= 0x10;
    if (accepted) return `${name}: a changed byte ${at} is accepted`;
    if (exposes(aead, size)) return `${name}: plaintext of a forged packet is readable`;
  }
  if (aead.open(batch, 1, HEADER_BYTES, keyId, PREFIX ^ 0x10, 5, 6)) return `${name}: a changed prefix is accepted`;
  if (aead.open(batch, 1, HEADER_BYTES, keyId, PREFIX, 6, 6)) return `${name}: another sequence is accepted`;
  if (aead.open(batch, 1, HEADER_BYTES, keyId, PREFIX, 5, 7)) return `${name}: another upper half is accepted`;
  if (aead.open(batch, 1, HEADER_BYTES, other, PREFIX, 5, 6)) return `${name}: another key is accepted`;
  batch.length[1] = HEADER_BYTES + TAG_BYTES - 1;
  return aead.open(batch, 1, HEADER_BYTES, keyId, PREFIX, 5, 6) ? `${name}: a packet without a tag is accepted` : null;
}

/** Whether slot 1 of `plaintext` shows the packet that `sealPacket` wrote. Sizes below 8 could match by chance. */
function exposes(aead: Aead, size: number): boolean {
  const at = aead.plaintextStrideBytes;
  return size >= 8 && Buffer.compare(aead.plaintext.subarray(at, at + 8), range(size, 8)) === 0;
}

/** Writes `size` plaintext bytes into slot 1 behind a header of 9, seals them, and puts the header back before them. */
function sealPacket(aead: Aead, batch: DatagramBatch, keyId: number, size: number, low: number, high: number): void {
  const home = batch.home(1);
  batch.offset[1] = home;
  batch.length[1] = size;
  batch.arena.set(range(size, size), home);
  // Where forged packets were opened, old plaintext must not pass for exposed plaintext.
  aead.plaintext.fill(0, aead.plaintextStrideBytes, aead.plaintextStrideBytes + Math.min(size, BLOCK_BYTES));
  aead.seal(batch, 1, keyId, PREFIX, low, high);
  batch.offset[1] = home - HEADER_BYTES;
  batch.length[1] = size + TAG_BYTES + HEADER_BYTES;
}

/** `count` bytes counting up from `first`. */
function range(first: number, count: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: count }, (_, i) => (first + i) & 0xff));
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes); // not slice(): a Buffer's would share the bytes
  copy[at]! ^= 1;
  return copy;
}

/**
 * The fast AEAD provider: OpenSSL's own ChaCha20 and Poly1305, called one layer below its EVP interface.
 *
 * EVP spends 350 ns a packet on parameters and method tables; these four functions are what it calls in the end (with the
 * same vector code). They are internal to libcrypto, exported by the Node binaries of nodejs.org and NodeSource but not
 * everywhere, so this provider serves only where they are found and pass `self-test.ts`.
 *
 * ChaCha20-Poly1305 (RFC 8439 2.8) as one run over each: the 64 bytes before the packet hold zeros, so that one ChaCha20
 * call from block 0 leaves the Poly1305 key there and the ciphertext, which starts at block 1, behind it:
 *
 * ```
 *          0        32        64                64 + n
 *  before: zeros    anything  plaintext
 *  ChaCha: key      noise     ciphertext
 *  Poly:            AAD 0..   ciphertext  0..   lengths    one update from 32 on: AAD is 22 bytes padded to exactly 32
 *  after:                     ciphertext        tag
 * ```
 */

import type { Aead, DatagramBatch } from '../api.ts';
import { SysError } from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { type CType, library, libraryFailure } from '../ffi/library.ts';
import { ASSOCIATED_BYTES, KeyTable, RECORD_ASSOCIATED, RECORD_BYTES } from './key-table.ts';
import { checkRoom, checkSlot, copyBytes, nativeKeyMemory, sealedBytes, wholeBlocks } from './native-packet.ts';
import { checkOnce, ONCE_BYTES_MAX } from './once.ts';
import { BLOCK_BYTES, HNONCE_BYTES, NONCE_BYTES, subkeyFromBlock, TAG_BYTES, XNONCE_BYTES } from './xchacha.ts';

type Call2 = (a: number, b: number) => number;
type Call3 = (a: number, b: number, c: number) => number;
type Call5 = (a: number, b: number, c: number, d: number, e: number) => number;

/** The functions of include/crypto/chacha.h and include/crypto/poly1305.h (OpenSSL 1.1 to 3), and memcpy. */
interface Primitives {
  /** (out, in, bytes, key, counter and nonce as four words) */
  readonly chacha: Call5;
  /** (context, key) */
  readonly polyInit: Call2;
  /** (context, in, bytes) */
  readonly polyUpdate: Call3;
  /** (context, tag); wipes the context */
  readonly polyFinal: Call2;
  readonly copy: Call3;
  /** sizeof(POLY1305) */
  readonly polyContextBytes: number;
}

const LENGTHS_BYTES = 16; // two 64-bit lengths close what Poly1305 sees (RFC 8439 2.8)
const ASSOCIATED_PADDED = 32;
const PACKET_ASSOCIATED_BYTES = ASSOCIATED_BYTES + 1;
/** What a seal writes behind the packet: padding to 16 and the lengths, before the tag replaces them. */
const TAIL_BYTES_MAX = 15 + LENGTHS_BYTES;

// The provider's own arena. Fixed part first; then staging of one packet; then the plaintext of every slot.
const NONCE_AT = 0; // block counter and nonce of packets; words 0 and 1 stay zero
const ONCE_NONCE_AT = 16;
const MAC_AT = 32;
const SUBKEY_AT = 64;
const ONCE_KEY_AT = 96;
const BLOCK_AT = 128; // one keystream block
const ZEROS_AT = 192; // 64 zeros that stay zero
const POLY_AT = 256; // POLY1305: 248 bytes in OpenSSL 3.0
const POLY_BYTES_MAX = 512;
const ONCE_AT = POLY_AT + POLY_BYTES_MAX;
const ONCE_AREA_BYTES = ONCE_BYTES_MAX * 2;
const STAGING_AT = ONCE_AT + ONCE_AREA_BYTES;

export class OpensslPrimitivesAead implements Aead {
  readonly name = 'openssl-primitives';
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #calls: Primitives;
  readonly #arena: NativeArena;
  readonly #address: number;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #keys = new KeyTable(nativeKeyMemory);
  readonly #slots: number;
  readonly #slotBytes: number;
  readonly #plaintextAt: number;

  /** @throws SysError ENOSYS where the functions are not exported */
  constructor(slots: number, slotBytes: number) {
    this.#calls = linkPrimitives();
    this.#slots = slots;
    this.#slotBytes = slotBytes;
    const stagingBytes = wholeBlocks(BLOCK_BYTES + slotBytes + TAG_BYTES + TAIL_BYTES_MAX);
    // Each slot's key block lies in the end of the stride before it; the first one's in a block of its own.
    this.plaintextStrideBytes = BLOCK_BYTES + wholeBlocks(slotBytes);
    this.#plaintextAt = STAGING_AT + stagingBytes + BLOCK_BYTES;
    this.#arena = NativeArena.map(this.#plaintextAt + slots * this.plaintextStrideBytes);
    this.#address = this.#arena.address;
    this.#view = this.#arena.view;
    this.#words = this.#arena.i32;
    this.plaintext = this.#arena.bytes.subarray(this.#plaintextAt);
  }

  load(key: Uint8Array, associatedData: Uint8Array): number {
    return this.#keys.load(key, associatedData);
  }

  free(keyId: number): void {
    this.#keys.free(keyId);
  }

  seal(
    batch: DatagramBatch,
    slot: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): void {
    this.#keys.check(keyId);
    checkRoom(batch, slot, BLOCK_BYTES, TAIL_BYTES_MAX);
    const offset = batch.offset[slot]!;
    const length = batch.length[slot]!;
    this.#setSequence(sequenceLow, sequenceHigh);
    if (batch.arenaAddress !== 0) {
      this.#sealAt(batch.view, offset, batch.arenaAddress + offset, length, keyId, prefix);
    } else {
      if (length > this.#slotBytes) throw new RangeError(`${length} bytes exceed the ${this.#slotBytes} of a slot`);
      const at = STAGING_AT + BLOCK_BYTES;
      copyBytes(batch.view, offset, this.#view, at, length);
      this.#sealAt(this.#view, at, this.#address + at, length, keyId, prefix);
      copyBytes(this.#view, at, batch.view, offset, length + TAG_BYTES);
      this.#arena.bytes.fill(0, STAGING_AT, STAGING_AT + 32); // `open` counts on zeros where the key now is
    }
    batch.length[slot] = length + TAG_BYTES;
  }

  open(
    batch: DatagramBatch,
    slot: number,
    headerBytes: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): boolean {
    this.#keys.check(keyId);
    checkSlot(slot, this.#slots);
    checkRoom(batch, slot, 0, 0);
    const length = sealedBytes(batch, slot, headerBytes);
    if (length < 0 || length > this.#slotBytes) return false;
    const from = batch.offset[slot]! + headerBytes;
    const staged = STAGING_AT + BLOCK_BYTES;
    if (batch.arenaAddress !== 0) {
      this.#calls.copy(this.#address + staged, batch.arenaAddress + from, length + TAG_BYTES);
    } else {
      copyBytes(batch.view, from, this.#view, staged, length + TAG_BYTES);
    }
    this.#setSequence(sequenceLow, sequenceHigh);
    return this.#openStaged(slot, length, keyId, prefix);
  }

  /** Encrypts `length` bytes at `view[at ..]` (native address `address`) and puts the tag behind them. */
  #sealAt(view: DataView, at: number, address: number, length: number, keyId: number, prefix: number): void {
    const calls = this.#calls;
    const start = at - BLOCK_BYTES;
    for (let i = 0; i < ASSOCIATED_PADDED; i += 4) view.setInt32(start + i, 0, true);
    const block = address - BLOCK_BYTES;
    const key = this.#keys.address + keyId * RECORD_BYTES;
    calls.chacha(block, block, BLOCK_BYTES + length, key, this.#address + NONCE_AT);
    this.#writeAssociated(view, at - ASSOCIATED_PADDED, keyId, prefix);
    const macBytes = writeTail(view, at, length, PACKET_ASSOCIATED_BYTES);
    const poly = this.#address + POLY_AT;
    calls.polyInit(poly, block);
    calls.polyUpdate(poly, address - ASSOCIATED_PADDED, ASSOCIATED_PADDED + macBytes);
    calls.polyFinal(poly, address + length);
  }

  /** Opens the packet that lies in staging with its tag: `length` bytes into the plaintext of `slot`. */
  #openStaged(slot: number, length: number, keyId: number, prefix: number): boolean {
    const calls = this.#calls;
    const view = this.#view;
    const staged = STAGING_AT + BLOCK_BYTES;
    const tag = staged + length;
    const tag0 = view.getInt32(tag, true);
    const tag1 = view.getInt32(tag + 4, true);
    const tag2 = view.getInt32(tag + 8, true);
    const tag3 = view.getInt32(tag + 12, true);
    this.#writeAssociated(view, staged - ASSOCIATED_PADDED, keyId, prefix);
    const macBytes = writeTail(view, staged, length, PACKET_ASSOCIATED_BYTES);
    const clear = this.#plaintextAt + slot * this.plaintextStrideBytes;
    const block = this.#address + clear - BLOCK_BYTES;
    const key = this.#keys.address + keyId * RECORD_BYTES;
    // Whole blocks: the vector code ends a part of one byte by byte (18 ns). Both areas are made of whole blocks.
    calls.chacha(block, this.#address + STAGING_AT, BLOCK_BYTES + wholeBlocks(length), key, this.#address + NONCE_AT);
    const poly = this.#address + POLY_AT;
    calls.polyInit(poly, block);
    calls.polyUpdate(poly, this.#address + staged - ASSOCIATED_PADDED, ASSOCIATED_PADDED + macBytes);
    calls.polyFinal(poly, this.#address + MAC_AT);
    if (this.#macEquals(tag0, tag1, tag2, tag3)) return true;
    this.#arena.bytes.fill(0, clear - BLOCK_BYTES, clear + wholeBlocks(length));
    return false;
  }

  /** Whether the tag just computed is these four words, in constant time. */
  #macEquals(tag0: number, tag1: number, tag2: number, tag3: number): boolean {
    const words = this.#words;
    const mac = MAC_AT >> 2;
    return (
      ((words[mac]! ^ tag0) | (words[mac + 1]! ^ tag1) | (words[mac + 2]! ^ tag2) | (words[mac + 3]! ^ tag3)) === 0
    );
  }

  #setSequence(low: number, high: number): void {
    this.#words[(NONCE_AT >> 2) + 2] = low;
    this.#words[(NONCE_AT >> 2) + 3] = high;
  }

  /** Writes a key's associated data with the prefix, padded to 32 bytes, at `view[at ..]`. */
  #writeAssociated(view: DataView, at: number, keyId: number, prefix: number): void {
    const words = this.#keys.words;
    const first = (keyId * RECORD_BYTES + RECORD_ASSOCIATED) >> 2;
    for (let i = 0; i < ASSOCIATED_PADDED >> 2; i++) view.setInt32(at + i * 4, words[first + i]!, true);
    view.setUint8(at + ASSOCIATED_BYTES, prefix);
  }

  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    const length = checkOnce(key, nonce, associatedData, bytes);
    if (length < 0) throw new RangeError('sealOnce needs 16 bytes for the tag');
    const data = this.#placeOnce(key, nonce, associatedData, bytes);
    this.#cryptOnce(data, length);
    this.#authenticateOnce(data, length, associatedData.length);
    this.#arena.bytes.copyWithin(data + length, MAC_AT, MAC_AT + TAG_BYTES);
    bytes.set(this.#arena.bytes.subarray(data, data + bytes.length));
    this.#wipeOnce(data, bytes.length);
  }

  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean {
    const length = checkOnce(key, nonce, associatedData, bytes);
    if (length < 0) return false;
    const data = this.#placeOnce(key, nonce, associatedData, bytes);
    const view = this.#view;
    const tag0 = view.getInt32(data + length, true);
    const tag1 = view.getInt32(data + length + 4, true);
    const tag2 = view.getInt32(data + length + 8, true);
    const tag3 = view.getInt32(data + length + 12, true);
    this.#authenticateOnce(data, length, associatedData.length);
    const genuine = this.#macEquals(tag0, tag1, tag2, tag3);
    if (genuine) {
      this.#cryptOnce(data, length); // only now: a flood of forged tokens is refused without decrypting one
      bytes.set(this.#arena.bytes.subarray(data, data + length));
    }
    this.#wipeOnce(data, bytes.length);
    return genuine;
  }

  /**
   * Copies a one-shot message behind its padded associated data, and its key (or XChaCha20's subkey) and nonce to their
   * places. Returns where the message lies in the arena.
   */
  #placeOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): number {
    const own = this.#arena.bytes;
    const padded = (associatedData.length + 15) & ~15;
    own.fill(0, ONCE_AT, ONCE_AT + padded);
    own.set(associatedData, ONCE_AT);
    own.set(bytes, ONCE_AT + padded);
    own.set(key, ONCE_KEY_AT);
    if (nonce.length === XNONCE_BYTES) this.#deriveSubkey(nonce);
    else own.set(nonce, ONCE_NONCE_AT + (HNONCE_BYTES - NONCE_BYTES));
    return ONCE_AT + padded;
  }

  /** HChaCha20: replaces the key by the subkey, and the nonce by four zeros and the rest of the nonce. */
  #deriveSubkey(nonce: Uint8Array): void {
    const own = this.#arena.bytes;
    const base = this.#address;
    for (let i = 0; i < HNONCE_BYTES; i++) own[ONCE_NONCE_AT + i] = nonce[i]!;
    this.#calls.chacha(base + BLOCK_AT, base + ZEROS_AT, BLOCK_BYTES, base + ONCE_KEY_AT, base + ONCE_NONCE_AT);
    subkeyFromBlock(this.#view, BLOCK_AT, nonce, this.#view, SUBKEY_AT);
    own.copyWithin(ONCE_KEY_AT, SUBKEY_AT, SUBKEY_AT + 32);
    this.#words[(ONCE_NONCE_AT >> 2) + 1] = 0;
    for (let i = HNONCE_BYTES; i < XNONCE_BYTES; i++) own[ONCE_NONCE_AT + 8 + i - HNONCE_BYTES] = nonce[i]!;
  }

  /** Encrypts or decrypts `length` bytes at `data`, from block 1 on. */
  #cryptOnce(data: number, length: number): void {
    const base = this.#address;
    this.#words[ONCE_NONCE_AT >> 2] = 1;
    this.#calls.chacha(base + data, base + data, length, base + ONCE_KEY_AT, base + ONCE_NONCE_AT);
  }

  /** Leaves the tag of `length` bytes of ciphertext at `data` in the MAC words; overwrites what is behind them. */
  #authenticateOnce(data: number, length: number, associatedBytes: number): void {
    const base = this.#address;
    this.#words[ONCE_NONCE_AT >> 2] = 0;
    this.#calls.chacha(base + BLOCK_AT, base + ZEROS_AT, BLOCK_BYTES, base + ONCE_KEY_AT, base + ONCE_NONCE_AT);
    const macBytes = writeTail(this.#view, data, length, associatedBytes);
    this.#calls.polyInit(base + POLY_AT, base + BLOCK_AT);
    this.#calls.polyUpdate(base + POLY_AT, base + ONCE_AT, data - ONCE_AT + macBytes);
    this.#calls.polyFinal(base + POLY_AT, base + MAC_AT);
  }

  /** Tokens hold session keys: nothing of them stays in the scratch. */
  #wipeOnce(data: number, bytes: number): void {
    this.#arena.bytes.fill(0, data, data + bytes);
    this.#arena.bytes.fill(0, SUBKEY_AT, ZEROS_AT);
  }
}

/**
 * Writes zeros up to a multiple of 16 and both lengths behind `length` bytes at `view[at ..]`.
 * Returns the bytes from `at` to the end of the lengths.
 */
function writeTail(view: DataView, at: number, length: number, associatedBytes: number): number {
  const end = at + length;
  view.setInt32(end, 0, true);
  view.setInt32(end + 4, 0, true);
  view.setInt32(end + 8, 0, true);
  view.setInt32(end + 12, 0, true);
  const padded = (length + 15) & ~15;
  const lengths = at + padded;
  view.setInt32(lengths, associatedBytes, true);
  view.setInt32(lengths + 4, 0, true);
  view.setInt32(lengths + 8, length, true);
  view.setInt32(lengths + 12, 0, true);
  return padded + LENGTHS_BYTES;
}

let linked: Primitives | null = null;

function linkPrimitives(): Primitives {
  if (linked !== null) return linked;
  const c = library();
  if (c === null) throw new SysError('ENOSYS', 'aead', `koffi cannot load here: ${libraryFailure()}`);
  const link = <F>(name: string, result: CType, args: number): F => {
    const found = c.symbol<never>(name, result, new Array<CType>(args).fill('uintptr_t'));
    if (found === null) throw new SysError('ENOSYS', 'aead', `this Node does not export ${name}`);
    return found;
  };
  const polyContextBytes = link<() => number>('Poly1305_ctx_size', 'uintptr_t', 0)();
  if (polyContextBytes > POLY_BYTES_MAX) {
    throw new SysError(
      'ENOSYS',
      'aead',
      `POLY1305 has ${polyContextBytes} bytes, more than the ${POLY_BYTES_MAX} known`,
    );
  }
  linked = {
    chacha: link<Call5>('ChaCha20_ctr32', 'void', 5),
    polyInit: link<Call2>('Poly1305_Init', 'void', 2),
    polyUpdate: link<Call3>('Poly1305_Update', 'void', 3),
    polyFinal: link<Call2>('Poly1305_Final', 'void', 2),
    copy: link<Call3>('memcpy', 'void', 3),
    polyContextBytes,
  };
  return linked;
}

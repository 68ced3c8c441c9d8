/**
 * The AEAD provider that is always there: node:crypto. 4 to 6 microseconds a packet whatever its size, and objects for
 * each, so it is the last choice: `doctor` says when it is used.
 */

import assert from 'node:assert';
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Aead, DatagramBatch } from '../api.ts';
import {
  ASSOCIATED_BYTES,
  KEY_BYTES,
  KeyTable,
  ordinaryKeyMemory,
  RECORD_ASSOCIATED,
  RECORD_BYTES,
} from './key-table.ts';
import { BLOCK_BYTES, HNONCE_BYTES, NONCE_BYTES, subkeyFromBlock, TAG_BYTES, XNONCE_BYTES } from './xchacha.ts';

const CIPHER = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG_BYTES };
const ZERO_BLOCK: Uint8Array = new Uint8Array(BLOCK_BYTES);

export class NodeCryptoAead implements Aead {
  readonly name = 'node-crypto';
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #slots: number;
  readonly #keys = new KeyTable(ordinaryKeyMemory);
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  readonly #associated = new Uint8Array(ASSOCIATED_BYTES + 1);

  constructor(slots: number, slotBytes: number) {
    this.#slots = slots;
    this.plaintextStrideBytes = slotBytes;
    this.plaintext = new Uint8Array(slots * slotBytes);
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
    const offset = batch.offset[slot]!;
    const end = offset + batch.length[slot]!;
    assert(slot < batch.slots && end + TAG_BYTES <= batch.arena.length, 'the slot has no room for its tag');
    const key = this.#prepare(keyId, prefix, sequenceLow, sequenceHigh);
    const cipher = createCipheriv(CIPHER, key, this.#nonce, OPTIONS);
    cipher.setAAD(this.#associated, { plaintextLength: end - offset });
    batch.arena.set(cipher.update(batch.arena.subarray(offset, end)), offset);
    cipher.final(); // a stream cipher: no bytes are left
    batch.arena.set(cipher.getAuthTag(), end);
    batch.length[slot] = end + TAG_BYTES - offset;
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
    assert(slot < this.#slots, `this AEAD has plaintext for ${this.#slots} slots`);
    const start = batch.offset[slot]! + headerBytes;
    const end = batch.offset[slot]! + batch.length[slot]! - TAG_BYTES;
    if (end < start || end - start > this.plaintextStrideBytes) return false;
    const key = this.#prepare(keyId, prefix, sequenceLow, sequenceHigh);
    const clear = decrypt(
      key,
      this.#nonce,
      this.#associated,
      batch.arena.subarray(start, end),
      batch.arena.subarray(end, end + TAG_BYTES),
    );
    if (clear === null) return false;
    this.plaintext.set(clear, slot * this.plaintextStrideBytes);
    return true;
  }

  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    const end = bytes.length - TAG_BYTES;
    const cipher = createCipheriv(CIPHER, keyFor(key, nonce), nonceFor(nonce), OPTIONS);
    cipher.setAAD(associatedData, { plaintextLength: end });
    bytes.set(cipher.update(bytes.subarray(0, end)));
    cipher.final();
    bytes.set(cipher.getAuthTag(), end);
  }

  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean {
    const end = bytes.length - TAG_BYTES;
    if (end < 0) return false;
    const clear = decrypt(
      keyFor(key, nonce),
      nonceFor(nonce),
      associatedData,
      bytes.subarray(0, end),
      bytes.subarray(end),
    );
    if (clear === null) return false;
    bytes.set(clear);
    return true;
  }

  /** Fills the nonce and the associated data of a packet; returns a view of its key. */
  #prepare(keyId: number, prefix: number, sequenceLow: number, sequenceHigh: number): Uint8Array {
    this.#keys.check(keyId);
    const record = keyId * RECORD_BYTES;
    const bytes = this.#keys.bytes;
    for (let i = 0; i < ASSOCIATED_BYTES; i++) this.#associated[i] = bytes[record + RECORD_ASSOCIATED + i]!;
    this.#associated[ASSOCIATED_BYTES] = prefix;
    this.#nonceView.setInt32(4, sequenceLow | 0, true);
    this.#nonceView.setInt32(8, sequenceHigh | 0, true);
    return bytes.subarray(record, record + KEY_BYTES);
  }
}

/** The plaintext, or null when the tag is wrong. `final` compares in constant time and throws for no other reason here. */
function decrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Uint8Array | null {
  const decipher = createDecipheriv(CIPHER, key, nonce, OPTIONS);
  decipher.setAAD(associatedData, { plaintextLength: ciphertext.length });
  decipher.setAuthTag(tag);
  const clear = decipher.update(ciphertext);
  try {
    decipher.final();
  } catch {
    clear.fill(0);
    return null;
  }
  return clear;
}

/** The key that RFC 8439 is run with: the key itself, or XChaCha20's subkey. */
function keyFor(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  if (nonce.length !== XNONCE_BYTES) return key;
  // node's chacha20 takes 16 bytes: the block counter and the nonce, which is what HChaCha20's state holds there.
  const block = createCipheriv('chacha20', key, nonce.subarray(0, HNONCE_BYTES)).update(ZERO_BLOCK);
  const subkey = new Uint8Array(KEY_BYTES);
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  subkeyFromBlock(view, 0, nonce, new DataView(subkey.buffer), 0);
  return subkey;
}

/** The 12-byte nonce that RFC 8439 is run with. */
function nonceFor(nonce: Uint8Array): Uint8Array {
  if (nonce.length !== XNONCE_BYTES) return nonce;
  const short = new Uint8Array(NONCE_BYTES);
  short.set(nonce.subarray(HNONCE_BYTES), 4);
  return short;
}

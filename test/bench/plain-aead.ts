/**
 * An AEAD that leaves packets as they are, for the plain column of the `tick` bench: the engine with everything but the
 * encryption of packets. Tokens are sealed by a real one.
 */

import type { Aead, DatagramBatch } from '../../sys/api.ts';

const TAG_BYTES = 16;

export class PlainAead implements Aead {
  readonly name = 'none';
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #view: DataView;
  readonly #tokens: Aead;
  #keys = 0;

  constructor(slots: number, slotBytes: number, tokens: Aead) {
    this.plaintextStrideBytes = (slotBytes + 3) & ~3;
    this.plaintext = new Uint8Array(slots * this.plaintextStrideBytes);
    this.#view = new DataView(this.plaintext.buffer);
    this.#tokens = tokens;
  }

  load(): number {
    return this.#keys++;
  }

  free(): void {}

  seal(batch: DatagramBatch, slot: number): void {
    const end = batch.offset[slot]! + batch.length[slot]!;
    for (let i = 0; i < TAG_BYTES; i += 4) batch.view.setInt32(end + i, 0, true);
    batch.length[slot]! += TAG_BYTES;
  }

  open(batch: DatagramBatch, slot: number, headerBytes: number): boolean {
    const from = batch.offset[slot]! + headerBytes;
    const length = batch.length[slot]! - headerBytes - TAG_BYTES;
    if (length < 0 || length > this.plaintextStrideBytes) return false;
    const to = slot * this.plaintextStrideBytes;
    // Whole words: the tag behind them makes room for reading on, the stride for writing.
    for (let i = 0; i < length; i += 4) this.#view.setInt32(to + i, batch.view.getInt32(from + i, true), true);
    return true;
  }

  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    this.#tokens.sealOnce(key, nonce, associatedData, bytes);
  }

  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean {
    return this.#tokens.openOnce(key, nonce, associatedData, bytes);
  }
}

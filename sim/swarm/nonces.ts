/**
 * A lock on nonces: an AEAD that seals and opens as the one inside it, and notices when two different packets are sealed
 * with one key and one nonce. That gives both of them away, and no other promise of the swarm would show it.
 */

import type { Aead, DatagramBatch } from '../../sys/api.ts';
import { hashOf } from '../world/datagram-pool.ts';
import { SimAead } from '../world/sim-aead.ts';
import type { Complain } from './ledger.ts';

/** What all hosts of a world have sealed, by key and nonce: the hash of the plaintext. */
export class Nonces {
  readonly #sealed: Map<string, number> = new Map();
  readonly #complain: Complain;

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  /** An AEAD of one host, watched. */
  openAead(slots: number, slotBytes: number): Aead {
    return new WatchedAead(new SimAead(slots, slotBytes), this);
  }

  note(key: string, low: number, high: number, bytes: Uint8Array): void {
    const nonce = `${key}/${high >>> 0}/${low >>> 0}`;
    const hash = hashOf(bytes);
    const before = this.#sealed.get(nonce);
    if (before === undefined) this.#sealed.set(nonce, hash);
    else if (before !== hash) {
      this.#complain(`a nonce was used twice with one key: packet number ${high * 0x1_0000_0000 + (low >>> 0)}`);
    }
  }
}

class WatchedAead implements Aead {
  readonly name: string;
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #inner: SimAead;
  readonly #nonces: Nonces;
  readonly #keys: string[] = [];

  constructor(inner: SimAead, nonces: Nonces) {
    this.#inner = inner;
    this.#nonces = nonces;
    this.name = inner.name;
    this.plaintext = inner.plaintext;
    this.plaintextStrideBytes = inner.plaintextStrideBytes;
  }

  load(key: Uint8Array, associatedData: Uint8Array): number {
    const id = this.#inner.load(key, associatedData);
    this.#keys[id] = Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return id;
  }

  free(keyId: number): void {
    this.#inner.free(keyId);
  }

  seal(batch: DatagramBatch, slot: number, keyId: number, prefix: number, low: number, high: number): void {
    const at = batch.offset[slot]!;
    this.#nonces.note(this.#keys[keyId]!, low, high, batch.arena.subarray(at, at + batch.length[slot]!));
    this.#inner.seal(batch, slot, keyId, prefix, low, high);
  }

  open(
    batch: DatagramBatch,
    slot: number,
    headerBytes: number,
    keyId: number,
    prefix: number,
    low: number,
    high: number,
  ): boolean {
    return this.#inner.open(batch, slot, headerBytes, keyId, prefix, low, high);
  }

  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    this.#inner.sealOnce(key, nonce, associatedData, bytes);
  }

  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean {
    return this.#inner.openOnce(key, nonce, associatedData, bytes);
  }
}

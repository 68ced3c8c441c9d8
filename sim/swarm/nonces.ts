/**
 * A lock on nonces: an AEAD that seals and opens as the one inside it, and notices when two different packets are sealed
 * with one key and one nonce. That gives both of them away, and no other promise of the swarm would show it.
 *
 * Two packets of one key and nonce are the same if their tags are: a tag follows from every byte. So what is kept of a
 * packet is half of its tag, in blocks of neighbouring packet numbers.
 */

import type { Aead, DatagramBatch } from '../../sys/api.ts';
import { type SimAead, sharedSimAeads } from '../world/sim-aead.ts';
import type { Complain } from './ledger.ts';

/** Packet numbers of a block: a power of two. A connection of some seconds has some hundreds. */
const BLOCK_NUMBERS = 512;
const BLOCK_BITS = 9;
/** Words kept of a tag: by chance two are equal once in 2^64. None has been seen where all are 0. */
const WORDS = 2;

/** What has been sealed with one key. */
class SealedTags {
  readonly #blocks: Map<string, Int32Array> = new Map();
  /** The block of the packets that came last; numbers rise, so nearly always the right one. */
  #block: Int32Array = new Int32Array(0);
  #high = -1;
  #row = -1;

  /** Notes the tag at `view[at ..]` of a packet number. False when another one has it already. */
  note(low: number, high: number, view: DataView, at: number): boolean {
    const row = low >>> BLOCK_BITS;
    if (row !== this.#row || high !== this.#high) this.#open(row, high);
    const block = this.#block;
    const place = (low & (BLOCK_NUMBERS - 1)) * WORDS;
    const first = view.getInt32(at, true);
    const second = view.getInt32(at + 4, true);
    if ((block[place]! | block[place + 1]!) === 0) {
      block[place] = first;
      block[place + 1] = second;
      return true;
    }
    return block[place] === first && block[place + 1] === second;
  }

  #open(row: number, high: number): void {
    const name = `${high}/${row}`;
    let block = this.#blocks.get(name);
    if (block === undefined) {
      block = new Int32Array(BLOCK_NUMBERS * WORDS);
      this.#blocks.set(name, block);
    }
    this.#block = block;
    this.#row = row;
    this.#high = high;
  }
}

/** What all hosts of a world have sealed. */
export class Nonces {
  readonly #keys: Map<string, SealedTags> = new Map();
  readonly #openInner: (slots: number, slotBytes: number) => SimAead = sharedSimAeads();
  readonly #complain: Complain;

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  /** An AEAD of one host, watched. */
  openAead(slots: number, slotBytes: number): Aead {
    return new WatchedAead(this.#openInner(slots, slotBytes), this);
  }

  /** What has been sealed with a key, whoever loaded it. */
  of(key: Uint8Array): SealedTags {
    const name = String.fromCharCode(...key);
    let tags = this.#keys.get(name);
    if (tags === undefined) {
      tags = new SealedTags();
      this.#keys.set(name, tags);
    }
    return tags;
  }

  usedTwice(low: number, high: number): void {
    const number = (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    this.#complain(`a nonce was used twice with one key: packet number ${number}`);
  }
}

class WatchedAead implements Aead {
  readonly name: string;
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #inner: SimAead;
  readonly #nonces: Nonces;
  readonly #sealed: SealedTags[] = [];

  constructor(inner: SimAead, nonces: Nonces) {
    this.#inner = inner;
    this.#nonces = nonces;
    this.name = inner.name;
    this.plaintext = inner.plaintext;
    this.plaintextStrideBytes = inner.plaintextStrideBytes;
  }

  load(key: Uint8Array, associatedData: Uint8Array): number {
    const id = this.#inner.load(key, associatedData);
    this.#sealed[id] = this.#nonces.of(key);
    return id;
  }

  free(keyId: number): void {
    this.#inner.free(keyId);
  }

  seal(batch: DatagramBatch, slot: number, keyId: number, prefix: number, low: number, high: number): void {
    const tagAt = batch.offset[slot]! + batch.length[slot]!;
    this.#inner.seal(batch, slot, keyId, prefix, low, high);
    if (!this.#sealed[keyId]!.note(low, high, batch.view, tagAt)) this.#nonces.usedTwice(low, high);
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

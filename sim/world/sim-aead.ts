/**
 * The simulator's stand-in for ChaCha20-Poly1305: the same layout and the same answers, without cryptography.
 *
 * A simulated minute seals and opens a million packets, so this mixes 32-bit integers (about 100 ns for 100 bytes). It
 * keeps what programs can notice: ciphertext differs from plaintext, the tag depends on key, associated data, prefix,
 * sequence and every byte, the bytes around a sealed slot are overwritten as a real provider may. It keeps out nobody:
 * production code cannot reach it, since only `tickwire/sim` exports it.
 */

import type { Aead, DatagramBatch } from '../../sys/api.ts';

const KEY_BYTES = 32;
const ASSOCIATED_BYTES = 21;
const TAG_BYTES = 16;
/** Bytes that a real provider may overwrite before a sealed packet, and behind it together with the tag. */
const SCRATCH_BEFORE_BYTES = 64;
const SCRATCH_AFTER_BYTES = 32;
const KEYS_AT_BIRTH = 64;

// Odd constants with well spread bits (2^32 / golden ratio; the multipliers of MurmurHash3 and xxHash32).
const GOLDEN = 0x9e3779b9 | 0;
const MULTIPLY_A = 0x85ebca6b | 0;
const MULTIPLY_B = 0xc2b2ae35 | 0;
const MULTIPLY_C = 0x27d4eb2f;

/** Words of a key's state: two lanes that start the tag, one that starts the keystream, one unused. */
const STATE_WORDS = 4;

export class SimAead implements Aead {
  readonly name = 'simulated';
  readonly plaintext: Uint8Array;
  readonly plaintextStrideBytes: number;
  readonly #plaintextView: DataView;
  readonly #slots: number;
  readonly #slotBytes: number;
  /** Per key: its mixed words, or zeros while its number is free. */
  #state = new Int32Array(KEYS_AT_BIRTH * STATE_WORDS);
  #live = new Uint8Array(KEYS_AT_BIRTH);
  readonly #spare: number[] = [];
  #used = 0;
  /** State of the packet being worked on: two lanes and the keystream. */
  readonly #packet = new Int32Array(3);
  readonly #tag = new Int32Array(4);

  /** @param plaintext what packets are opened into, at least `slots` strides; several may share it, as hosts take turns */
  constructor(slots: number, slotBytes: number, plaintext?: Uint8Array) {
    this.#slots = slots;
    this.#slotBytes = slotBytes;
    this.plaintextStrideBytes = strideBytes(slotBytes);
    this.plaintext = plaintext ?? new Uint8Array(slots * this.plaintextStrideBytes);
    this.#plaintextView = new DataView(this.plaintext.buffer);
  }

  load(key: Uint8Array, associatedData: Uint8Array): number {
    if (key.length !== KEY_BYTES || associatedData.length !== ASSOCIATED_BYTES) {
      throw new RangeError(`a key has ${KEY_BYTES} bytes and its associated data ${ASSOCIATED_BYTES}`);
    }
    const id = this.#spare.pop() ?? this.#used++;
    if (id === this.#live.length) this.#grow();
    this.#live[id] = 1;
    const at = id * STATE_WORDS;
    this.#state[at] = mixBytes(mixBytes(MULTIPLY_A, key), associatedData);
    this.#state[at + 1] = mixBytes(mixBytes(MULTIPLY_B, key), associatedData);
    this.#state[at + 2] = mixBytes(GOLDEN, key);
    return id;
  }

  free(keyId: number): void {
    this.#check(keyId);
    this.#live[keyId] = 0;
    this.#state.fill(0, keyId * STATE_WORDS, (keyId + 1) * STATE_WORDS);
    this.#spare.push(keyId);
  }

  seal(
    batch: DatagramBatch,
    slot: number,
    keyId: number,
    prefix: number,
    sequenceLow: number,
    sequenceHigh: number,
  ): void {
    this.#check(keyId);
    const at = batch.offset[slot]!;
    const length = batch.length[slot]!;
    const room = at >= SCRATCH_BEFORE_BYTES && at + length + SCRATCH_AFTER_BYTES <= batch.arena.length;
    if (!(slot < batch.slots) || !room) throw new RangeError(`slot ${slot} has no room for sealing ${length} bytes`);
    this.#begin(keyId, prefix, sequenceLow, sequenceHigh);
    const view = batch.view;
    for (let i = 4; i <= SCRATCH_BEFORE_BYTES; i += 4) view.setInt32(at - i, GOLDEN, true);
    crypt(this.#packet[2]!, view, at, view, at, length);
    this.#authenticate(view, at, length);
    for (let i = 0; i < SCRATCH_AFTER_BYTES; i += 4) view.setInt32(at + length + i, GOLDEN, true);
    for (let i = 0; i < 4; i++) view.setInt32(at + length + i * 4, this.#tag[i]!, true);
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
    this.#check(keyId);
    if (!(slot >= 0 && slot < this.#slots)) throw new RangeError(`slot ${slot} of an AEAD opened for ${this.#slots}`);
    const at = batch.offset[slot]! + headerBytes;
    const length = batch.length[slot]! - headerBytes - TAG_BYTES;
    if (length < 0 || length > this.#slotBytes) return false;
    this.#begin(keyId, prefix, sequenceLow, sequenceHigh);
    const view = batch.view;
    this.#authenticate(view, at, length);
    for (let i = 0; i < 4; i++) if (view.getInt32(at + length + i * 4, true) !== this.#tag[i]!) return false;
    crypt(this.#packet[2]!, view, at, this.#plaintextView, slot * this.plaintextStrideBytes, length);
    return true;
  }

  sealOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): void {
    const length = bytes.length - TAG_BYTES;
    if (length < 0) throw new RangeError('sealOnce needs 16 bytes for the tag');
    const view = this.#beginOnce(key, nonce, associatedData, bytes);
    crypt(this.#packet[2]!, view, 0, view, 0, length);
    this.#authenticate(view, 0, length);
    for (let i = 0; i < 4; i++) view.setInt32(length + i * 4, this.#tag[i]!, true);
  }

  openOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): boolean {
    const length = bytes.length - TAG_BYTES;
    if (length < 0) return false;
    const view = this.#beginOnce(key, nonce, associatedData, bytes);
    this.#authenticate(view, 0, length);
    for (let i = 0; i < 4; i++) if (view.getInt32(length + i * 4, true) !== this.#tag[i]!) return false;
    crypt(this.#packet[2]!, view, 0, view, 0, length);
    return true;
  }

  /** Starts a packet: its lanes depend on the key, the associated data, the prefix and both halves of the sequence. */
  #begin(keyId: number, prefix: number, sequenceLow: number, sequenceHigh: number): void {
    const at = keyId * STATE_WORDS;
    const packet = this.#packet;
    for (let lane = 0; lane < 3; lane++) {
      const keyed = this.#state[at + lane]!;
      packet[lane] = mix(mix(lane === 2 ? keyed : mix(keyed, prefix), sequenceLow), sequenceHigh);
    }
  }

  /** Starts a token: its lanes depend on the key, the nonce and, for the tag, the associated data. */
  #beginOnce(key: Uint8Array, nonce: Uint8Array, associatedData: Uint8Array, bytes: Uint8Array): DataView {
    const packet = this.#packet;
    packet[0] = mixBytes(mixBytes(mixBytes(MULTIPLY_B, key), nonce), associatedData);
    packet[1] = mixBytes(mixBytes(mixBytes(MULTIPLY_C, key), nonce), associatedData);
    packet[2] = mixBytes(mixBytes(MULTIPLY_A, key), nonce);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Leaves the tag of `length` bytes at `view[at ..]` in `#tag`. Each step is a bijection of its word, so a lane misses
   * no single change; two lanes make chance collisions one in 2^64.
   */
  #authenticate(view: DataView, at: number, length: number): void {
    let a = this.#packet[0]! ^ length;
    let b = this.#packet[1]! ^ length;
    const words = length & ~3;
    let i = 0;
    for (; i < words; i += 4) {
      const word = view.getInt32(at + i, true);
      a = Math.imul(rotate(a ^ word, 13), MULTIPLY_A);
      b = Math.imul(rotate(b, 17) ^ word, MULTIPLY_B);
    }
    for (; i < length; i++) {
      const byte = view.getUint8(at + i);
      a = Math.imul(rotate(a ^ byte, 13), MULTIPLY_A);
      b = Math.imul(rotate(b, 17) ^ byte, MULTIPLY_B);
    }
    const tag = this.#tag;
    tag[0] = scatter(a);
    tag[1] = scatter(b);
    tag[2] = scatter(a ^ rotate(b, 16));
    tag[3] = scatter((a + b) | 0);
  }

  #check(keyId: number): void {
    if (this.#live[keyId] !== 1) {
      throw new RangeError(`no key has the number ${keyId}: it was never loaded, or freed`);
    }
  }

  #grow(): void {
    const state = new Int32Array(this.#state.length * 2);
    state.set(this.#state);
    this.#state = state;
    const live = new Uint8Array(this.#live.length * 2);
    live.set(this.#live);
    this.#live = live;
  }
}

/** Exclusive-ors `length` bytes with the keystream that starts at `state`. In place where both views are one. */
function crypt(state: number, from: DataView, fromAt: number, to: DataView, toAt: number, length: number): void {
  let stream = state;
  const words = length & ~3;
  let i = 0;
  for (; i < words; i += 4) {
    stream = (stream + GOLDEN) | 0;
    to.setInt32(toAt + i, from.getInt32(fromAt + i, true) ^ Math.imul(stream ^ (stream >>> 15), MULTIPLY_C), true);
  }
  for (; i < length; i++) {
    stream = (stream + GOLDEN) | 0;
    to.setUint8(toAt + i, from.getUint8(fromAt + i) ^ (Math.imul(stream ^ (stream >>> 15), MULTIPLY_C) >>> 24));
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Spreads every bit over the word (the finaliser of MurmurHash3). */
function scatter(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), MULTIPLY_A);
  h = Math.imul(h ^ (h >>> 13), MULTIPLY_B);
  return h ^ (h >>> 16);
}

function mix(state: number, word: number): number {
  return scatter((Math.imul(state, MULTIPLY_C) + GOLDEN) ^ word);
}

function mixBytes(seed: number, bytes: Uint8Array): number {
  let state = mix(seed, bytes.length);
  for (let i = 0; i < bytes.length; i++) state = mix(state, bytes[i]!);
  return state;
}

function strideBytes(slotBytes: number): number {
  return (slotBytes + 3) & ~3;
}

/**
 * Opens stand-ins that share the memory for plaintexts: what one has opened is valid until any of them opens the next, which a
 * world allows, since the code of a host has read its packets before another host runs.
 */
export function sharedSimAeads(): (slots: number, slotBytes: number) => SimAead {
  const shared = new Map<number, Uint8Array>();
  return (slots, slotBytes) => {
    const bytes = slots * strideBytes(slotBytes);
    const plaintext = shared.get(bytes) ?? new Uint8Array(bytes);
    shared.set(bytes, plaintext);
    return new SimAead(slots, slotBytes, plaintext);
  };
}

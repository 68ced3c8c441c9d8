/**
 * The fingerprint of a run: 128 bits over every event, mixed as they happen.
 *
 * Two runs with the same digest did the same things at the same times in the same order. Four 32-bit words, integer
 * mixing only (the scheme of MurmurHash3 x86_128's body), so that every engine agrees. Not a cryptographic hash: it finds
 * differences, it does not stand against someone who looks for a collision.
 */

import type { Micros } from '../../sys/api.ts';

/** What an event was; part of what is mixed. */
/** A datagram enters its link. Observers are told; never mixed, since what becomes of it is. */
export const EVENT_ENTERED = 0;
export const EVENT_SENT = 1;
export const EVENT_LOST = 2;
export const EVENT_DELIVERED = 3;
export const EVENT_DROPPED = 4;
export const EVENT_TURN = 5;
export const EVENT_TIMER = 6;
export const EVENT_QUEUE_DROP = 7;
export const EVENT_DUPLICATED = 8;
export const EVENT_REBOUND = 9;
export const EVENT_MAPPED = 10;
export const EVENT_TOO_LARGE = 11;
export const EVENT_POLICED = 12;
export const EVENT_CORRUPTED = 13;
/** A datagram came to a direction that was cut. */
export const EVENT_CUT = 14;
/** Something was done to a direction by hand (index: which of `link.ts`' faults). */
export const EVENT_LINK_FAULT = 15;
/** Something was done to a host by hand (index: which of `faults.ts`' faults; length and hash: how much). */
export const EVENT_HOST_FAULT = 16;
/** A stranger on the path sends a copy. */
export const EVENT_REPLAYED = 20;
/** An act of the world (index: its number). */
export const EVENT_ACT = 24;

const TWO_TO_32 = 0x1_0000_0000;

/** Told of an event: what `mix` is told, less the hash. */
export type EventWatch = (time: Micros, kind: number, where: number, index: number, length: number) => void;

/** A digest that grows by events. */
export class Digest {
  /** Events mixed so far. */
  events = 0;
  /**
   * Is told of each event as it is mixed, of datagrams, hosts and ways alike, by numbers alone: of two runs that differ, the
   * first event that differs is where their digests part. Null: nobody is. Bytes of datagrams: `Transit.observer`.
   */
  watch: EventWatch | null = null;
  #a = 0x9747_b28c | 0;
  #b = 0x2c1b_3c6d;
  #c = 0x297a_2d39;
  #d = 0x165a_91e3;

  /**
   * Mixes one event in.
   *
   * @param where number of the direction or host that it happened to
   * @param index packet index or turn number; its low 32 bits count
   * @param hash hash of the payload, or 0
   */
  mix(time: Micros, kind: number, where: number, index: number, length: number, hash: number): void {
    this.events++;
    if (this.watch !== null) this.watch(time, kind, where, index, length);
    const timeHigh = (time / TWO_TO_32) | 0; // below 2^21, so the kind has room above it
    this.#absorb(time | 0, timeHigh ^ (kind << 24), (Math.imul(where, 0x9e37_79b1) + length) | 0, index | 0);
    this.#a = (this.#a + Math.imul(hash, 0xcc9e_2d51)) | 0;
  }

  /** The digest so far as 32 hexadecimal digits. Mixing may go on afterwards. */
  hex(): string {
    // The count of events goes in last, so that a run is never a prefix of another with the same digest.
    let a = this.#a ^ this.events;
    let b = this.#b ^ this.events;
    let c = this.#c ^ this.events;
    let d = this.#d ^ this.events;
    a = (a + b + c + d) | 0;
    b = (b + a) | 0;
    c = (c + a) | 0;
    d = (d + a) | 0;
    return [a, b, c, d].map((word) => (finish(word) >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** MurmurHash3 x86_128, one block of the body. */
  #absorb(k1: number, k2: number, k3: number, k4: number): void {
    let a = this.#a ^ Math.imul(rotate(Math.imul(k1, 0x239b_961b), 15), 0xab0e_9789);
    a = (Math.imul((rotate(a, 19) + this.#b) | 0, 5) + 0x561c_cd1b) | 0;
    let b = this.#b ^ Math.imul(rotate(Math.imul(k2, 0xab0e_9789), 16), 0x38b3_4ae5);
    b = (Math.imul((rotate(b, 17) + this.#c) | 0, 5) + 0x0bca_a747) | 0;
    let c = this.#c ^ Math.imul(rotate(Math.imul(k3, 0x38b3_4ae5), 17), 0xa1e3_8b93);
    c = (Math.imul((rotate(c, 15) + this.#d) | 0, 5) + 0x96cd_1c35) | 0;
    const d = this.#d ^ Math.imul(rotate(Math.imul(k4, 0xa1e3_8b93), 18), 0x239b_961b);
    this.#d = (Math.imul((rotate(d, 13) + a) | 0, 5) + 0x32ac_3b17) | 0;
    this.#a = a;
    this.#b = b;
    this.#c = c;
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function finish(value: number): number {
  let h = value;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85eb_ca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35);
  return h ^ (h >>> 16);
}

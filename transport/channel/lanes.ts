/**
 * Whose turn it is among the channels of a connection: each channel is a lane with a priority and a weight.
 *
 * A higher priority goes first, always. Among lanes of one priority the bytes are shared by weight: a lane's *pass* grows by
 * bytes / weight with what it sends, and the smallest pass goes next (stride scheduling, Waldspurger and Weihl 1995). A lane
 * that was idle starts where its priority stands now, so that it cannot save up.
 */

import { type ChannelSet, PRIORITIES } from './channel-set.ts';

const WORD = 32;

export class Lanes {
  /** Lanes by rank: first by priority, then by channel number. */
  readonly #channelAt: Uint8Array;
  readonly #rankOf: Uint8Array;
  /** Where the lanes of the same priority as a rank end. */
  readonly #groupEnd: Uint16Array;
  readonly #priority: Uint8Array;
  readonly #weight: Uint16Array;
  readonly #words: number;
  readonly #count: number;
  /** Whether no other lane of its priority was ready when `next` chose. */
  alone = false;
  /** One bit a lane that has something to send, by rank. */
  readonly #ready: Int32Array;
  /** Lanes that wait for the pacer. */
  readonly #bulk: Int32Array;
  /** Lanes left out of the packet that is being built. */
  readonly #held: Int32Array;
  readonly #pass: Float64Array;
  /** Pass of the lane served last, for each priority of a connection. */
  readonly #now: Float64Array;

  constructor(connections: number, channels: ChannelSet) {
    const { count, priority } = channels;
    const order = Array.from({ length: count }, (_, channel) => channel).sort(
      (a, b) => priority[a]! - priority[b]! || a - b,
    );
    this.#count = count;
    this.#channelAt = Uint8Array.from(order);
    this.#rankOf = new Uint8Array(count);
    for (const [rank, channel] of order.entries()) this.#rankOf[channel] = rank;
    this.#priority = Uint8Array.from(order, (channel) => priority[channel]!);
    this.#groupEnd = Uint16Array.from(order, (_, rank) => {
      let end = rank + 1;
      while (end < count && this.#priority[end] === this.#priority[rank]) end++;
      return end;
    });
    this.#weight = Uint16Array.from(order, (channel) => channels.weight[channel]!);
    this.#words = Math.ceil(count / WORD);
    this.#ready = new Int32Array(connections * this.#words);
    this.#bulk = new Int32Array(this.#words);
    this.#held = new Int32Array(this.#words);
    for (const [rank, channel] of order.entries()) {
      if (channels.bulk[channel] === 1) this.#bulk[rank >> 5]! |= 1 << (rank & 31);
    }
    this.#pass = new Float64Array(connections * count);
    this.#now = new Float64Array(connections * PRIORITIES);
  }

  /** Forgets what a connection had. */
  reset(c: number): void {
    this.#ready.fill(0, c * this.#words, (c + 1) * this.#words);
    this.#pass.fill(0, c * this.#count, (c + 1) * this.#count);
    this.#now.fill(0, c * PRIORITIES, (c + 1) * PRIORITIES);
  }

  /** The lane has something to send. */
  wake(c: number, channel: number): void {
    const rank = this.#rankOf[channel]!;
    const word = c * this.#words + (rank >> 5);
    const bit = 1 << (rank & 31);
    if ((this.#ready[word]! & bit) !== 0) return;
    this.#ready[word] = this.#ready[word]! | bit;
    const lane = c * this.#count + rank;
    const now = this.#now[c * PRIORITIES + this.#priority[rank]!]!;
    if (this.#pass[lane]! < now) this.#pass[lane] = now;
  }

  /** The lane has nothing to send any more. */
  rest(c: number, channel: number): void {
    const rank = this.#rankOf[channel]!;
    this.#ready[c * this.#words + (rank >> 5)]! &= ~(1 << (rank & 31));
  }

  /** Whether any lane has something to send; with `bulk` false, any real-time lane. */
  isReady(c: number, bulk: boolean): boolean {
    for (let word = 0; word < this.#words; word++) {
      const bits = this.#ready[c * this.#words + word]!;
      if ((bulk ? bits : bits & ~this.#bulk[word]!) !== 0) return true;
    }
    return false;
  }

  /** Whether a bulk lane has something to send. */
  isBulkReady(c: number): boolean {
    for (let word = 0; word < this.#words; word++) {
      if ((this.#ready[c * this.#words + word]! & this.#bulk[word]!) !== 0) return true;
    }
    return false;
  }

  /** A packet is begun: no lane is left out, but bulk ones when `bulk` is false. */
  begin(bulk: boolean): void {
    for (let word = 0; word < this.#words; word++) this.#held[word] = bulk ? 0 : this.#bulk[word]!;
  }

  /** Leaves a lane out of the packet that is being built: it has nothing that may go now. */
  hold(channel: number): void {
    const rank = this.#rankOf[channel]!;
    this.#held[rank >> 5]! |= 1 << (rank & 31);
  }

  /** The channel whose turn it is, or -1. */
  next(c: number): number {
    for (let word = 0; word < this.#words; word++) {
      const bits = this.#ready[c * this.#words + word]! & ~this.#held[word]!;
      if (bits === 0) continue;
      const first = (word << 5) + 31 - Math.clz32(bits & -bits);
      const end = this.#groupEnd[first]!;
      this.alone = end === first + 1;
      return this.#channelAt[this.alone ? first : this.#leastPass(c, first, end)]!;
    }
    return -1;
  }

  /** The lane has sent `bytes`. */
  charge(c: number, channel: number, bytes: number): void {
    const rank = this.#rankOf[channel]!;
    const lane = c * this.#count + rank;
    this.#now[c * PRIORITIES + this.#priority[rank]!] = this.#pass[lane]!;
    this.#pass[lane] = this.#pass[lane]! + bytes / this.#weight[rank]!;
  }

  #leastPass(c: number, first: number, end: number): number {
    let best = first;
    this.alone = true;
    for (let rank = first + 1; rank < end; rank++) {
      const word = rank >> 5;
      if ((((this.#ready[c * this.#words + word]! & ~this.#held[word]!) >>> (rank & 31)) & 1) === 0) continue;
      this.alone = false;
      if (this.#pass[c * this.#count + rank]! < this.#pass[c * this.#count + best]!) best = rank;
    }
    return best;
  }
}

/**
 * What was sent on one channel in one direction, and what of it arrived: the promises of the seven kinds as bookkeeping.
 *
 * A message says where it belongs: the number of its ledger, its own number, then bytes that follow from both. So what
 * arrives is compared byte for byte with what was sent, though nothing but its length was kept.
 */

import type { Kind } from '../../engine/channels.ts';

/** Number of the ledger, number of the message. Shorter messages are known by their place in the order alone. */
export const HEAD_BYTES = 5;

/** Told of each broken promise, in a sentence. */
export type Complain = (text: string) => undefined;

/** One channel in one direction. Numbers of messages count from 0. */
export class Ledger {
  readonly channel: string;
  /** What receipts are numbered from, so that one number tells ledger and message. */
  readonly lane: number;
  readonly kind: Kind;
  /** Messages that the channel took. */
  sent = 0;
  /** Messages that arrived, and of those that nothing lost to a time to live those that must. */
  arrived = 0;
  readonly where: string;
  readonly #complain: Complain;
  readonly #lengths: number[] = [];
  readonly #tags: number[] = [];
  readonly #mayBeMissing: boolean[] = [];
  readonly #times: number[] = [];
  readonly #fates: (string | null | undefined)[] = [];
  /** Newest number that arrived, by key (of latest state; else 0). */
  readonly #newest: Map<number, number> = new Map();
  /** The last number sent, by key. */
  readonly #last: Map<number, number> = new Map();

  constructor(channel: string, kind: Kind, lane: number, where: string, complain: Complain) {
    this.channel = channel;
    this.kind = kind;
    this.lane = lane;
    this.where = `${where} ${channel}`;
    this.#complain = complain;
  }

  /** The next message, of `length` bytes. */
  compose(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#fill(bytes, this.sent);
    return bytes;
  }

  /** The composed message was taken. `mayBeMissing`: it has a time to live. */
  queued(length: number, tag: number, mayBeMissing: boolean, receipt: boolean): void {
    this.#lengths.push(length);
    this.#tags.push(tag);
    this.#mayBeMissing.push(mayBeMissing);
    this.#times.push(0);
    this.#fates.push(receipt ? null : undefined);
    this.#last.set(this.#keyOf(this.sent), this.sent);
    this.sent++;
  }

  /** A message arrived. Whether a later one was there before it. */
  take(bytes: Uint8Array, tag: number | undefined): boolean {
    const number = bytes.length >= HEAD_BYTES ? numberIn(bytes) : this.#next();
    const overtaken = number < this.sent && (this.#newest.get(this.#keyOf(number)) ?? -1) > number;
    this.#check(number, bytes, tag);
    return overtaken;
  }

  #check(number: number, bytes: Uint8Array, tag: number | undefined): undefined {
    if (number >= this.sent) return this.#say(number, 'arrived and was never sent');
    if (this.#times[number]!++ > 0) return this.#say(number, 'arrived twice');
    this.arrived++;
    if (bytes.length !== this.#lengths[number]) {
      return this.#say(number, `arrived with ${bytes.length} bytes instead of ${this.#lengths[number]}`);
    }
    const wanted = new Uint8Array(bytes.length);
    this.#fill(wanted, number);
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] !== wanted[i]) return this.#say(number, `arrived with another byte ${i}`);
    }
    if (tag !== undefined && tag !== this.#tags[number]) this.#say(number, `arrived with the tag ${tag}`);
    this.#checkOrder(number);
  }

  /** A receipt came. */
  receipt(number: number, fate: string): undefined {
    const before = this.#fates[number];
    if (before === undefined) return this.#say(number, 'has a receipt that nobody asked for');
    if (before !== null) return this.#say(number, `has a second receipt, '${fate}' after '${before}'`);
    this.#fates[number] = fate;
  }

  /** Whether all that must arrive has, and every receipt that was asked for has come. */
  get isComplete(): boolean {
    return this.#firstMissing() < 0 && !this.#fates.includes(null);
  }

  /** The end: `settled` if the connection lived until nothing was under way. */
  close(settled: boolean): void {
    if (settled) {
      const missing = this.#firstMissing();
      if (missing >= 0) this.#say(missing, `of ${this.sent} did not arrive`);
      const silent = this.#fates.indexOf(null);
      if (silent >= 0) this.#say(silent, `of ${this.sent} has no receipt`);
    }
    // 'delivered' says that the other side's engine has it. The end of a connection leaves what waits behind a hole in the order:
    // it had arrived, and could not be handed over. The hole itself is a message that nobody was told had arrived.
    let behindHole = false;
    for (let number = 0; number < this.sent; number++) {
      if (this.#times[number]! > 0) continue;
      if (this.#fates[number] !== 'delivered') behindHole ||= !settled && this.kind === 'reliableOrdered';
      else if (!behindHole && !this.#wasOvertaken(number)) {
        this.#say(number, "has the receipt 'delivered' and did not arrive");
      }
    }
  }

  /** Ledger and number as a receipt, from 1. */
  receiptOf(number: number): number {
    return this.lane * MESSAGES_MAX + number + 1;
  }

  /** Of sequenced kinds one that came after a newer one is dropped on arrival: the transport did deliver it. */
  #wasOvertaken(number: number): boolean {
    if (this.kind === 'unreliable' || this.kind === 'reliableOrdered' || this.kind === 'reliableUnordered')
      return false;
    return (this.#newest.get(this.#keyOf(number)) ?? -1) > number;
  }

  #firstMissing(): number {
    const { kind } = this;
    if (kind === 'reliableOrdered' || kind === 'reliableUnordered') {
      return this.#times.findIndex((times, number) => times === 0 && !this.#mayBeMissing[number]);
    }
    if (kind === 'reliableSequenced' || kind === 'latestState') {
      for (const number of this.#last.values()) {
        if (this.#times[number] === 0 && !this.#mayBeMissing[number]) return number;
      }
    }
    return -1;
  }

  #checkOrder(number: number): undefined {
    const { kind } = this;
    const key = this.#keyOf(number);
    const newest = this.#newest.get(key) ?? -1;
    if (newest < number) this.#newest.set(key, number);
    if (kind === 'unreliable' || kind === 'reliableUnordered') return;
    if (newest > number) this.#say(number, `arrived after ${newest}`);
    if (kind !== 'reliableOrdered') return;
    for (let left = newest + 1; left < number; left++) {
      if (!this.#mayBeMissing[left]) return this.#say(left, `was left out before ${number}`);
    }
  }

  #keyOf(number: number): number {
    return this.kind === 'latestState' ? this.#tags[number]! : 0;
  }

  #next(): number {
    return (this.#newest.get(0) ?? -1) + 1;
  }

  #fill(bytes: Uint8Array, number: number): void {
    let state = Math.imul(number + 1, 0x9e37_79b1) ^ this.lane;
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      bytes[i] = state >>> 24;
    }
    if (bytes.length < HEAD_BYTES) return;
    bytes[0] = this.lane;
    for (let i = 1; i < HEAD_BYTES; i++) bytes[i] = number >>> ((i - 1) * 8);
  }

  #say(number: number, what: string): undefined {
    this.#complain(`${this.where}: message ${number} ${what}`);
  }
}

/** Messages of one ledger, so that receipts stay below 2^31 with 64 ledgers. */
const MESSAGES_MAX = 1 << 24;

/** Which ledger and message a receipt is for. */
export function laneOfReceipt(receipt: number): { readonly lane: number; readonly number: number } {
  return { lane: Math.floor((receipt - 1) / MESSAGES_MAX), number: (receipt - 1) % MESSAGES_MAX };
}

function numberIn(bytes: Uint8Array): number {
  return (bytes[1]! | (bytes[2]! << 8) | (bytes[3]! << 16) | (bytes[4]! << 24)) >>> 0;
}

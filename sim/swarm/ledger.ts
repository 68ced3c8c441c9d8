/**
 * What was sent on one channel in one direction, and what of it arrived: the promises of the seven kinds as bookkeeping.
 *
 * A message says where it belongs (`contents.ts`). So what arrives is compared byte for byte with what was sent, though
 * nothing but its length was kept. What is still to come is counted as it changes, since a run asks again and again.
 */

import type { Kind } from '../../engine/channels.ts';
import { fillMessage, firstDifference, HEAD_BYTES, numberIn } from './contents.ts';

/** Told of each broken promise, in a sentence. */
export type Complain = (text: string) => undefined;

/** What is kept of a message besides its length and tag, in the bits of one number: it arrived; */
const ARRIVED = 1;
/** it has a time to live; */
const MAY_BE_MISSING = 2;
/** its sender wants to know what becomes of it. */
const HAS_RECEIPT = 4;

/** One channel in one direction. Numbers of messages count from 0. */
export class Ledger {
  readonly channel: string;
  /** What receipts are numbered from, so that one number tells ledger and message. */
  readonly lane: number;
  readonly kind: Kind;
  /** Messages that the channel took. */
  sent = 0;
  /** Messages that arrived. */
  arrived = 0;
  readonly where: string;
  readonly #complain: Complain;
  /** Whether each message must arrive that may not be missing; of other kinds the last one of each key at most. */
  readonly #isReliable: boolean;
  readonly #lastMustArrive: boolean;
  readonly #lengths: number[] = [];
  readonly #tags: number[] = [];
  readonly #flags: number[] = [];
  /** Fates by number, of messages whose receipt came. */
  readonly #fates: Map<number, string> = new Map();
  /** Messages that must arrive and have not; receipts that have not come. */
  #missing = 0;
  #silent = 0;
  /** Newest number that arrived, and the last one sent, by key (of latest state; else 0). */
  readonly #newest: number[] = [];
  readonly #last: (number | undefined)[] = [];

  constructor(channel: string, kind: Kind, lane: number, where: string, complain: Complain) {
    this.channel = channel;
    this.kind = kind;
    this.lane = lane;
    this.where = `${where} ${channel}`;
    this.#complain = complain;
    this.#isReliable = kind === 'reliableOrdered' || kind === 'reliableUnordered';
    this.#lastMustArrive = kind === 'reliableSequenced' || kind === 'latestState';
  }

  /** Writes the next message into `bytes`, all of it. */
  compose(bytes: Uint8Array): void {
    fillMessage(bytes, this.lane, this.sent);
  }

  /** The composed message was taken. `mayBeMissing`: it has a time to live. */
  queued(length: number, tag: number, mayBeMissing: boolean, receipt: boolean): void {
    this.#lengths.push(length);
    this.#tags.push(tag);
    this.#flags.push((mayBeMissing ? MAY_BE_MISSING : 0) | (receipt ? HAS_RECEIPT : 0));
    this.#last[this.#keyOf(this.sent)] = this.sent;
    if (this.#isReliable && !mayBeMissing) this.#missing++;
    if (receipt) this.#silent++;
    this.sent++;
  }

  /** A message arrived. Whether a later one was there before it. The bytes are only read. */
  take(bytes: Uint8Array, tag: number | undefined): boolean {
    const number = bytes.length >= HEAD_BYTES ? numberIn(bytes) : this.#next();
    const overtaken = number < this.sent && this.#newestOf(number) > number;
    this.#check(number, bytes, tag);
    return overtaken;
  }

  #check(number: number, bytes: Uint8Array, tag: number | undefined): undefined {
    if (number >= this.sent) return this.#say(number, 'arrived and was never sent');
    const flags = this.#flags[number]!;
    if ((flags & ARRIVED) !== 0) return this.#say(number, 'arrived twice');
    this.#flags[number] = flags | ARRIVED;
    this.arrived++;
    if (this.#isReliable && (flags & MAY_BE_MISSING) === 0) this.#missing--;
    if (bytes.length !== this.#lengths[number]) {
      return this.#say(number, `arrived with ${bytes.length} bytes instead of ${this.#lengths[number]}`);
    }
    const wrong = firstDifference(bytes, this.lane, number);
    if (wrong >= 0) return this.#say(number, `arrived with another byte ${wrong}`);
    if (tag !== undefined && tag !== this.#tags[number]) this.#say(number, `arrived with the tag ${tag}`);
    this.#checkOrder(number);
  }

  /** A receipt came. */
  receipt(number: number, fate: string): undefined {
    if (((this.#flags[number] ?? 0) & HAS_RECEIPT) === 0) {
      return this.#say(number, 'has a receipt that nobody asked for');
    }
    const before = this.#fates.get(number);
    if (before !== undefined) return this.#say(number, `has a second receipt, '${fate}' after '${before}'`);
    this.#fates.set(number, fate);
    this.#silent--;
  }

  /** Whether all that must arrive has, and every receipt that was asked for has come. */
  get isComplete(): boolean {
    return this.#missing === 0 && this.#silent === 0 && (!this.#lastMustArrive || this.#firstMissing() < 0);
  }

  /** The end: `settled` if the connection lived until nothing was under way. */
  close(settled: boolean): void {
    if (settled) {
      const missing = this.#firstMissing();
      if (missing >= 0) this.#say(missing, `of ${this.sent} did not arrive`);
      const silent = this.#flags.findIndex((flags, number) => (flags & HAS_RECEIPT) !== 0 && !this.#fates.has(number));
      if (silent >= 0) this.#say(silent, `of ${this.sent} has no receipt`);
    }
    // 'delivered' says that the other side's engine has it. The end of a connection leaves what waits behind a hole in the order:
    // it had arrived, and could not be handed over. The hole itself is a message that nobody was told had arrived.
    let behindHole = false;
    for (let number = 0; number < this.sent; number++) {
      if ((this.#flags[number]! & ARRIVED) !== 0) continue;
      if (this.#fates.get(number) !== 'delivered') behindHole ||= !settled && this.kind === 'reliableOrdered';
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
    return this.kind !== 'unreliable' && !this.#isReliable && this.#newestOf(number) > number;
  }

  #firstMissing(): number {
    if (this.#isReliable) return this.#flags.findIndex((flags) => (flags & (ARRIVED | MAY_BE_MISSING)) === 0);
    if (!this.#lastMustArrive) return -1;
    for (const number of this.#last) {
      if (number !== undefined && (this.#flags[number]! & (ARRIVED | MAY_BE_MISSING)) === 0) return number;
    }
    return -1;
  }

  #checkOrder(number: number): undefined {
    const { kind } = this;
    const newest = this.#newestOf(number);
    if (newest < number) this.#newest[this.#keyOf(number)] = number;
    if (kind === 'unreliable' || kind === 'reliableUnordered') return;
    if (newest > number) this.#say(number, `arrived after ${newest}`);
    if (kind !== 'reliableOrdered') return;
    for (let left = newest + 1; left < number; left++) {
      if ((this.#flags[left]! & MAY_BE_MISSING) === 0) return this.#say(left, `was left out before ${number}`);
    }
  }

  /** The newest number that arrived of those with the key of `number`; -1: none. */
  #newestOf(number: number): number {
    return this.#newest[this.#keyOf(number)] ?? -1;
  }

  #keyOf(number: number): number {
    return this.kind === 'latestState' ? this.#tags[number]! : 0;
  }

  #next(): number {
    return (this.#newest[0] ?? -1) + 1;
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

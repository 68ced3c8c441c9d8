/** One direction of one connection of the swarm: what it says, and what the other side heard. */

import type { SendResult } from '../../engine/channel-types.ts';
import {
  type ByteChannel,
  latestState,
  reliableOrdered,
  reliableSequenced,
  reliableUnordered,
  tickInput,
  unreliable,
  unreliableSequenced,
} from '../../engine/channels.ts';
import type { Stream } from '../world/streams.ts';
import { HEAD_BYTES } from './contents.ts';
import { type Complain, Ledger, laneOfReceipt } from './ledger.ts';
import { SWARM_CHANNELS, SWARM_MESSAGE_BYTES_MAX, type TalkPlan } from './plan.ts';
import type { Sights } from './sights.ts';

const MAX = { messageBytesMax: SWARM_MESSAGE_BYTES_MAX };
const KEYS = 8;
/** What tick input takes at most. */
const INPUT_BYTES_MAX = 1_024;
/** Of ten messages so many are short; of the others most fit one packet. */
const SHORT_OF_TEN = 6;
const SHORT_BYTES = 60;
const TTL_MICROS_MAX = 150_000;

/** Every kind, and one more for bulk. */
export type SwarmChannels = {
  readonly effect: ByteChannel<'unreliable'>;
  readonly aim: ByteChannel<'unreliableSequenced'>;
  readonly chat: ByteChannel<'reliableOrdered'>;
  readonly hit: ByteChannel<'reliableUnordered'>;
  readonly score: ByteChannel<'reliableSequenced'>;
  readonly door: ByteChannel<'latestState'>;
  readonly input: ByteChannel<'tickInput'>;
  readonly map: ByteChannel<'reliableOrdered'>;
};

export const SWARM_DECLARATIONS: SwarmChannels = {
  effect: unreliable(MAX),
  aim: unreliableSequenced(MAX),
  chat: reliableOrdered(MAX),
  hit: reliableUnordered(MAX),
  score: reliableSequenced(MAX),
  door: latestState({ ...MAX, keysMax: KEYS }),
  input: tickInput(),
  map: reliableOrdered({ ...MAX, bulk: true }),
};
const NAMES = Object.keys(SWARM_DECLARATIONS) as (keyof SwarmChannels)[];
/** Where messages are composed: an engine copies what it is given before it returns. */
const SCRATCH = new Uint8Array(SWARM_MESSAGE_BYTES_MAX);

/** The end of a connection that speaks, whichever it is. */
export interface Speaker {
  send(channel: string, message: Uint8Array, options: object): SendResult;
}

/** The options of one message, in an object that is used again; what is undefined is not said. */
interface Said {
  ttlMicros: number | undefined;
  receipt: number | undefined;
  key: number | undefined;
  tick: number | undefined;
}

export class Talk {
  readonly ledgers: readonly Ledger[];
  readonly #said: Said = { ttlMicros: undefined, receipt: undefined, key: undefined, tick: undefined };
  readonly #byName: ReadonlyMap<string, Ledger>;
  readonly #plan: TalkPlan;
  readonly #stream: Stream;
  readonly #shareSum: number;
  readonly #messagesMax: number;
  readonly #sights: Sights;
  #tick = 0;
  #sent = 0;

  /** @param number of this direction in its world: receipts and contents are told apart by it */
  constructor(
    plan: TalkPlan,
    stream: Stream,
    number: number,
    where: string,
    messagesMax: number,
    sights: Sights,
    complain: Complain,
  ) {
    this.#plan = plan;
    this.#messagesMax = messagesMax;
    this.#sights = sights;
    this.#stream = stream;
    this.#shareSum = plan.shares.reduce((sum, share) => sum + share, 0);
    this.ledgers = NAMES.map(
      (name, i) => new Ledger(name, SWARM_DECLARATIONS[name].kind, number * SWARM_CHANNELS + i, where, complain),
    );
    this.#byName = new Map(this.ledgers.map((ledger) => [ledger.channel, ledger]));
  }

  get sent(): number {
    return this.#sent;
  }

  get arrived(): number {
    return this.ledgers.reduce((sum, ledger) => sum + ledger.arrived, 0);
  }

  get isComplete(): boolean {
    return this.ledgers.every((ledger) => ledger.isComplete);
  }

  /** Says some messages, or nothing. */
  speak(speaker: Speaker): void {
    if (this.#shareSum === 0 || this.#sent >= this.#messagesMax) return;
    const count = this.#stream.below(this.#plan.atOnceMax + 1);
    for (let i = 0; i < count; i++) this.#say(speaker, this.ledgers[this.#drawChannel()]!);
  }

  /** The bytes are only read. */
  hear(channel: string, bytes: Uint8Array, tag: number | undefined): void {
    const overtaken = this.#byName.get(channel)!.take(bytes, tag);
    this.#sights.arrived(bytes.length, overtaken);
  }

  receipt(receipt: number, fate: string): void {
    this.#sights.receipt(fate);
    const { lane, number } = laneOfReceipt(receipt);
    this.ledgers.find((ledger) => ledger.lane === lane)?.receipt(number, fate);
  }

  close(settled: boolean): void {
    for (const ledger of this.ledgers) ledger.close(settled);
  }

  #say(speaker: Speaker, ledger: Ledger): void {
    const stream = this.#stream;
    const length = this.#drawLength(ledger);
    const ttl = stream.below(1000) < this.#plan.ttlShare * 1000;
    const receipt = stream.below(1000) < this.#plan.receiptShare * 1000;
    const tag = this.#drawTag(ledger);
    const said = this.#said;
    said.ttlMicros = ttl ? 1 + stream.below(TTL_MICROS_MAX) : undefined;
    said.receipt = receipt ? ledger.receiptOf(ledger.sent) : undefined;
    said.key = ledger.kind === 'latestState' ? tag : undefined;
    said.tick = ledger.kind === 'tickInput' ? tag : undefined;
    const bytes = SCRATCH.subarray(0, length);
    ledger.compose(bytes);
    const answer = speaker.send(ledger.channel, bytes, said);
    this.#sights.see('a full backlog', answer === 'backlog-full');
    if (answer !== 'queued') return;
    ledger.queued(length, tag, ttl, receipt);
    this.#sent++;
    if (ledger.kind === 'tickInput') this.#tick = tag + 1;
  }

  #drawTag(ledger: Ledger): number {
    if (ledger.kind === 'latestState') return this.#stream.below(KEYS);
    if (ledger.kind !== 'tickInput') return 0;
    return this.#tick + (this.#stream.below(10) === 0 ? this.#stream.below(5) : 0);
  }

  /** Messages without a head only where nothing can be missing before them: their place tells which they are. */
  #drawLength(ledger: Ledger): number {
    const stream = this.#stream;
    const { bytesMax, ttlShare } = this.#plan;
    if (ledger.kind === 'reliableOrdered' && ttlShare === 0 && stream.below(10) === 0) return stream.below(HEAD_BYTES);
    const most = ledger.kind === 'tickInput' ? Math.min(bytesMax, INPUT_BYTES_MAX) : bytesMax;
    return HEAD_BYTES + stream.below(Math.min(most, stream.below(10) < SHORT_OF_TEN ? SHORT_BYTES : most) - HEAD_BYTES);
  }

  #drawChannel(): number {
    let at = this.#stream.below(this.#shareSum);
    let channel = 0;
    while (at >= this.#plan.shares[channel]!) at -= this.#plan.shares[channel++]!;
    return channel;
  }
}

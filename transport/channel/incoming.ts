/**
 * The receiving half of the channels: which delivery kind a frame belongs to. The kinds do the work.
 *
 *     frame -> kind -> in turn, or needs no turn            -> sink, straight out of the packet
 *                   -> behind a hole, or a fragment         -> a block of the pool -> sink, when its turn comes
 *
 * No I/O and no clock: bytes in, messages out. Nothing that a peer sends makes this throw. What a sink throws goes through,
 * with everything in order: what it was given is not given again, and what it was not given yet still comes. The packet
 * is then not to be acked, and `expire` is to be called, as `deadline` says.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { BlockPool } from '../block-pool.ts';
import { checkWhole } from '../config-error.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import {
  FRAGMENT_BYTES,
  FRAME_FRAGMENT,
  FRAME_INPUT,
  FRAME_KEYED,
  FRAME_KEYED_FRAGMENT,
  FRAME_MESSAGES,
  FRAME_PLAIN,
  FRAME_SKIP,
  ID_WINDOW,
  MESSAGES_MAX,
  WINDOW_BEFORE_HELLO,
} from '../wire/frame-types.ts';
import {
  type ChannelSet,
  isReliable,
  LATEST_STATE,
  RELIABLE_ORDERED,
  RELIABLE_SEQUENCED,
  RELIABLE_UNORDERED,
  TICK_INPUT,
  UNRELIABLE,
  UNRELIABLE_SEQUENCED,
} from './channel-set.ts';
import { HeldMessages } from './held-messages.ts';
import { Intake, MALFORMED, type MessageSink, TAKEN } from './intake.ts';
import { NewestWins } from './newest-wins.ts';
import { pieceBytes, Reassembler, TOO_FAR_AHEAD } from './reassembler.ts';
import { ReliableOrdered } from './reliable-ordered.ts';
import { ReliableUnordered } from './reliable-unordered.ts';
import { TickInput } from './tick-input.ts';
import { Unreliable } from './unreliable.ts';
import { UnreliableSequenced } from './unreliable-sequenced.ts';

export { MALFORMED, type MessageSink, REFUSED, TAKEN, VIOLATION } from './intake.ts';

/** The frames in which unfragmented messages come, by kind. */
const FAMILY_OF_KIND: readonly number[] = [
  FRAME_PLAIN,
  FRAME_MESSAGES,
  FRAME_MESSAGES,
  FRAME_MESSAGES,
  FRAME_MESSAGES,
  FRAME_KEYED,
  FRAME_INPUT,
];

const WINDOW_MAX = 0xffff_ffff; // u32 in the hello frame

/** What can be done to a stream whatever its kind. */
interface ReceivingKind {
  close(stream: number): void;
  /** Left out: what is known of the stream is all in `save`, or held. */
  isIdle?(stream: number): boolean;
  save(stream: number, writer: ByteWriter): void;
  load(stream: number, reader: ByteReader): void;
}

export interface IncomingOptions {
  readonly connections: number;
  readonly channels: ChannelSet;
  /** Bytes of reliable fragments, unfinished or waiting behind a hole, of one connection: what our hello promises. */
  readonly windowBytes: number;
  /** Where messages wait; its `bytesMax` is the limit of the whole server. */
  readonly pool: BlockPool;
}

export class Incoming {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  readonly #unreliable: Unreliable;
  readonly #unreliableSequenced: UnreliableSequenced;
  readonly #ordered: ReliableOrdered;
  readonly #unordered: ReliableUnordered;
  readonly #newestWins: NewestWins;
  readonly #tickInput: TickInput;
  /** By kind, for what is done to streams as a whole. */
  readonly #kinds: readonly ReceivingKind[];

  constructor(options: IncomingOptions) {
    const windowBytes = checkWhole('windowBytes', options.windowBytes, WINDOW_BEFORE_HELLO, WINDOW_MAX);
    const intake = new Intake(options.connections, options.channels);
    const held = new HeldMessages(intake, options.pool, intake.streamsOf(UNRELIABLE, UNRELIABLE_SEQUENCED));
    const reassembler = new Reassembler(held, windowBytes);
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    this.#unreliable = new Unreliable(intake, held, reassembler);
    this.#unreliableSequenced = new UnreliableSequenced(intake, held, reassembler);
    this.#ordered = new ReliableOrdered(intake, held, reassembler);
    this.#unordered = new ReliableUnordered(intake, held, reassembler);
    this.#newestWins = new NewestWins(intake, held, reassembler);
    this.#tickInput = new TickInput(intake);
    const kinds: ReceivingKind[] = [];
    kinds[UNRELIABLE] = this.#unreliable;
    kinds[UNRELIABLE_SEQUENCED] = this.#unreliableSequenced;
    kinds[RELIABLE_ORDERED] = this.#ordered;
    kinds[RELIABLE_UNORDERED] = this.#unordered;
    kinds[RELIABLE_SEQUENCED] = this.#newestWins;
    kinds[LATEST_STATE] = this.#newestWins;
    kinds[TICK_INPUT] = this.#tickInput;
    this.#kinds = kinds;
  }

  /** Messages, fragments and skips that had come before. */
  get duplicates(): number {
    return this.#intake.duplicates;
  }

  /** Messages and fragments older than the newest of their channel or key; ticks that are over. */
  get stale(): number {
    return this.#intake.stale;
  }

  /** Messages and fragments that found no room; their packet comes again. */
  get refused(): number {
    return this.#intake.refused;
  }

  /** Unreliable messages of which fragments came, but not all, or not in time, or no room was. */
  get unreliableDropped(): number {
    return this.#intake.unreliableDropped;
  }

  /** Fragments that lie in blocks. */
  get fragmentsHeld(): number {
    return this.#held.fragments;
  }

  /** Messages that lie in blocks, finished or not. */
  get messagesHeld(): number {
    return this.#held.count;
  }

  /** How the peer broke the protocol, when VIOLATION was returned. */
  get violationText(): string {
    return this.#intake.violationText;
  }

  /** What counts against the window of a connection: sizes of reliable messages that come in fragments, until they are handed over. */
  bytesHeld(c: number): number {
    return this.#held.bytes[c]!;
  }

  /** Begins a connection: all channels at their first id. */
  open(c: number): void {
    this.close(c);
  }

  /** Forgets a connection and gives everything that it holds back to the pool. */
  close(c: number): void {
    const { count, kind } = this.#intake.channels;
    this.#held.freeAll(c);
    for (let channel = 0; channel < count; channel++) {
      this.#kinds[kind[channel]!]!.close(c * count + channel);
    }
  }

  /** Whether all that has come of a connection has been handed over: nothing is half there, or waits behind a hole. */
  isIdle(c: number): boolean {
    const { count, kind } = this.#intake.channels;
    if (this.#held.holds(c) || this.#ordered.interrupted) return false;
    for (let channel = 0; channel < count; channel++) {
      if (this.#kinds[kind[channel]!]!.isIdle?.(c * count + channel) === false) return false;
    }
    return true;
  }

  /** Writes down how far an idle connection's channels have come. */
  save(c: number, writer: ByteWriter): void {
    const { count, kind } = this.#intake.channels;
    for (let channel = 0; channel < count; channel++) this.#kinds[kind[channel]!]!.save(c * count + channel, writer);
  }

  /** Reads what `save` wrote, into a connection that was opened. */
  load(c: number, reader: ByteReader): void {
    const { count, kind } = this.#intake.channels;
    for (let channel = 0; channel < count; channel++) this.#kinds[kind[channel]!]!.load(c * count + channel, reader);
  }

  /**
   * Reads one frame whose type byte has been read: skip, input, messages, plain, keyed, fragment or keyed fragment.
   *
   * Messages are handed over as they are read: those before the place where a frame turns out malformed count.
   *
   * @param view over `cursor.bytes`, with the same offsets
   * @returns TAKEN or REFUSED: the cursor is at the frame's end, and the next one can be read. MALFORMED or VIOLATION: read no further
   */
  readFrame(c: number, type: number, cursor: FrameCursor, view: DataView, sink: MessageSink, now: Micros): number {
    const { channels } = this.#intake;
    const channel = cursor.u8();
    if (!cursor.ok || channel >= channels.count) return MALFORMED;
    const kind = channels.kind[channel]!;
    if (type === FRAME_FRAGMENT || type === FRAME_KEYED_FRAGMENT) {
      return this.#readFragment(c, channel, type, cursor, view, sink, now);
    }
    if (type === FRAME_SKIP) return this.#readSkip(c, channel, kind, cursor, sink);
    const count = (type & (MESSAGES_MAX - 1)) + 1;
    if (type - count + 1 !== FAMILY_OF_KIND[kind]) return MALFORMED;
    switch (kind) {
      case UNRELIABLE:
        return this.#unreliable.readPlain(c, channel, count, cursor, sink);
      case UNRELIABLE_SEQUENCED:
        return this.#unreliableSequenced.readMessages(c, channel, count, cursor, sink);
      case RELIABLE_ORDERED:
        return this.#ordered.readMessages(c, channel, count, cursor, view, sink);
      case RELIABLE_UNORDERED:
        return this.#unordered.readMessages(c, channel, count, cursor, sink);
      case RELIABLE_SEQUENCED:
        return this.#newestWins.readMessages(c, channel, count, cursor, sink);
      case LATEST_STATE:
        return this.#newestWins.readKeyed(c, channel, count, cursor, sink);
      default:
        return this.#tickInput.readInput(c, channel, count, cursor, sink);
    }
  }

  /** When `expire` has something to do; NEVER. */
  deadline(): Micros {
    if (this.#ordered.interrupted) return 0;
    return this.#held.oldest === -1 ? NEVER : this.#reassembler.deadline();
  }

  /** Drops unreliable messages that waited for a fragment for too long, and goes on where a sink threw. */
  expire(now: Micros, sink: MessageSink): void {
    this.#reassembler.expire(now);
    if (this.#ordered.interrupted) this.#ordered.resume(sink);
  }

  #readSkip(c: number, channel: number, kind: number, cursor: FrameCursor, sink: MessageSink): number {
    const low = cursor.u16();
    const count = cursor.varint();
    if (!cursor.ok || count === 0 || !isReliable(kind)) return MALFORMED;
    if (count > ID_WINDOW) return this.#intake.violation(channel, TOO_FAR_AHEAD);
    switch (kind) {
      case RELIABLE_ORDERED:
        return this.#ordered.skip(c, channel, low, count, sink);
      case RELIABLE_UNORDERED:
        return this.#unordered.skip(c, channel, low, count);
      case RELIABLE_SEQUENCED:
        return this.#newestWins.skip(c, channel, low, count);
      default:
        // Latest state: nothing waits for a value, and without its key nothing can be done about it.
        this.#intake.stale++;
        return TAKEN;
    }
  }

  #readFragment(
    c: number,
    channel: number,
    type: number,
    cursor: FrameCursor,
    view: DataView,
    sink: MessageSink,
    now: Micros,
  ): number {
    const { channels } = this.#intake;
    const kind = channels.kind[channel]!;
    const keyed = type === FRAME_KEYED_FRAGMENT;
    if (keyed !== (kind === LATEST_STATE) || kind === TICK_INPUT) return MALFORMED;
    const low = cursor.u16();
    const key = keyed ? cursor.varint() : 0;
    const size = cursor.varint();
    const index = cursor.varint();
    if (!cursor.ok || size <= FRAGMENT_BYTES || size > channels.messageBytesMax[channel]!) return MALFORMED;
    const length = pieceBytes(size, index);
    if (length < 0 || (keyed && key >= channels.keysMax[channel]!)) return MALFORMED;
    const at = cursor.skip(length);
    if (at < 0) return MALFORMED;
    switch (kind) {
      case UNRELIABLE:
        return this.#unreliable.fragment(c, channel, low, size, index, view, at, length, sink, now);
      case UNRELIABLE_SEQUENCED:
        return this.#unreliableSequenced.fragment(c, channel, low, size, index, view, at, length, sink, now);
      case RELIABLE_ORDERED:
        return this.#ordered.fragment(c, channel, low, size, index, view, at, length, sink);
      case RELIABLE_UNORDERED:
        return this.#unordered.fragment(c, channel, low, size, index, view, at, length, sink);
      default:
        return this.#newestWins.fragment(c, channel, low, key, size, index, view, at, length, sink);
    }
  }
}

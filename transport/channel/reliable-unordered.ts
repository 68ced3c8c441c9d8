/**
 * Receives `messages` frames, fragments and skips of kind reliable unordered: each message once, as soon as it is there.
 *
 * Ids below `next` are done with. Beyond it, a bit for each of the 4,096 ids of the window; the bits are there only while
 * something beyond `next` has come.
 */

import { grown } from '../block-pool.ts';
import { Regions } from '../regions.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { ID_WINDOW, idsAhead } from '../wire/frame-types.ts';
import { RELIABLE_UNORDERED } from './channel-set.ts';
import type { HeldMessages } from './held-messages.ts';
import { EMPTY, IdRings } from './id-rings.ts';
import { type Intake, MALFORMED, type MessageSink, REFUSED, readLength, TAKEN } from './intake.ts';
import {
  BEYOND_WINDOW,
  COMPLETE,
  HAD_IT,
  NO_ROOM,
  OTHER_SIZE,
  type Reassembler,
  TOO_FAR_AHEAD,
  WINDOW_EXCEEDED,
} from './reassembler.ts';

const NONE = -1;
/** log2 of the words of a window: 128 of 32 bits. */
const WORDS_LOG2 = 7;

export class ReliableUnordered {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  /** The first id that is not done with. */
  readonly #next: Float64Array;
  /** Where the window's words are, -1: nothing beyond `next` has come. */
  readonly #base: Int32Array;
  /** Bits set. */
  readonly #count: Int32Array;
  readonly #regions: Regions;
  #words: Int32Array = new Int32Array(0);
  /** Unfinished messages. */
  readonly #rings: IdRings;

  constructor(intake: Intake, held: HeldMessages, reassembler: Reassembler) {
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    const streams = intake.streamsOf(RELIABLE_UNORDERED);
    this.#next = new Float64Array(streams);
    this.#base = new Int32Array(streams).fill(NONE);
    this.#count = new Int32Array(streams);
    this.#rings = new IdRings(streams);
    this.#regions = new Regions((slots) => {
      this.#words = grown(this.#words, new Int32Array(slots));
    });
  }

  /** Forgets the stream. Its unfinished messages are freed with those of the connection. */
  close(stream: number): void {
    this.#next[stream] = 0;
    this.#count[stream] = 0;
    this.#giveWords(stream);
    this.#rings.close(stream);
  }

  readMessages(c: number, channel: number, count: number, cursor: FrameCursor, sink: MessageSink): number {
    const intake = this.#intake;
    const lengthMax = intake.channels.messageBytesMax[channel]!;
    const stream = c * intake.channels.count + channel;
    const first = cursor.u16();
    for (let i = 0; i < count; i++) {
      const length = readLength(cursor, lengthMax);
      if (length < 0) return MALFORMED;
      const low = (first + i) & 0xffff;
      const ahead = idsAhead(low, this.#next[stream]!);
      if (ahead >= ID_WINDOW) return intake.violation(channel, TOO_FAR_AHEAD);
      if (this.#isDone(stream, low, ahead)) {
        intake.duplicates++;
        continue;
      }
      this.#finish(stream, low, ahead);
      sink.message(c, channel, cursor.bytes, cursor.at - length, length, 0);
    }
    return TAKEN;
  }

  fragment(
    c: number,
    channel: number,
    low: number,
    size: number,
    index: number,
    view: DataView,
    at: number,
    length: number,
    sink: MessageSink,
  ): number {
    const intake = this.#intake;
    const held = this.#held;
    const stream = c * intake.channels.count + channel;
    const ahead = idsAhead(low, this.#next[stream]!);
    if (ahead >= ID_WINDOW) return intake.violation(channel, TOO_FAR_AHEAD);
    if (this.#isDone(stream, low, ahead)) {
      intake.duplicates++;
      return TAKEN;
    }
    let m = this.#rings.at(stream, low, ahead);
    if (m === EMPTY) {
      m = this.#reassembler.begin(c, size);
      if (m === BEYOND_WINDOW) return intake.violation(channel, WINDOW_EXCEEDED);
      if (m === NO_ROOM) {
        intake.refused++;
        return REFUSED;
      }
      this.#rings.put(stream, low, ahead, m);
    } else if (held.size[m] !== size) return intake.violation(channel, OTHER_SIZE);
    const added = this.#reassembler.add(m, index, view, at, length);
    if (added === HAD_IT) intake.duplicates++;
    if (added !== COMPLETE) return TAKEN;
    this.#rings.clear(stream, low);
    this.#finish(stream, low, ahead);
    held.handOver(m, channel, 0, sink);
    return TAKEN;
  }

  /** These ids will not come. */
  skip(c: number, channel: number, low: number, count: number): number {
    const intake = this.#intake;
    const stream = c * intake.channels.count + channel;
    const first = idsAhead(low, this.#next[stream]!);
    if (first + count > ID_WINDOW) return intake.violation(channel, TOO_FAR_AHEAD);
    let news = false;
    for (let i = Math.max(0, -first); i < count; i++) {
      const id = (low + i) & 0xffff;
      const ahead = idsAhead(id, this.#next[stream]!);
      if (this.#isDone(stream, id, ahead)) continue;
      this.#finish(stream, id, ahead);
      news = true;
    }
    if (!news) intake.duplicates++;
    return TAKEN;
  }

  #isDone(stream: number, low: number, ahead: number): boolean {
    if (ahead <= 0) return ahead < 0;
    const base = this.#base[stream]!;
    if (base === NONE) return false;
    const bit = low & (ID_WINDOW - 1);
    return ((this.#words[base + (bit >> 5)]! >>> (bit & 31)) & 1) === 1;
  }

  /** The id is done with: what there is of it in fragments goes, and the window moves on when it was the next one. */
  #finish(stream: number, low: number, ahead: number): void {
    if (this.#rings.count[stream]! > 0) {
      const m = this.#rings.at(stream, low, ahead);
      if (m !== EMPTY) {
        this.#rings.clear(stream, low);
        this.#held.free(m);
      }
    }
    const bit = low & (ID_WINDOW - 1);
    if (ahead > 0) {
      if (this.#base[stream] === NONE) this.#takeWords(stream);
      this.#words[this.#base[stream]! + (bit >> 5)]! |= 1 << (bit & 31);
      this.#count[stream]!++;
      return;
    }
    this.#next[stream] = this.#next[stream]! + 1;
    if (this.#count[stream]! > 0) this.#advance(stream, bit + 1);
  }

  /** Moves `next` past the bits that are set from `first` on. */
  #advance(stream: number, first: number): void {
    const words = this.#words;
    const base = this.#base[stream]!;
    let passed = 0;
    for (;;) {
      const bit = (first + passed) & (ID_WINDOW - 1);
      const word = words[base + (bit >> 5)]!;
      if (((word >>> (bit & 31)) & 1) === 0) break;
      words[base + (bit >> 5)] = word & ~(1 << (bit & 31));
      passed++;
    }
    this.#next[stream] = this.#next[stream]! + passed;
    this.#count[stream]! -= passed;
    if (this.#count[stream] === 0) this.#giveWords(stream);
  }

  #takeWords(stream: number): void {
    const base = this.#regions.take(WORDS_LOG2);
    this.#words.fill(0, base, base + (1 << WORDS_LOG2));
    this.#base[stream] = base;
  }

  #giveWords(stream: number): void {
    if (this.#base[stream] === NONE) return;
    this.#regions.give(this.#base[stream]!, WORDS_LOG2);
    this.#base[stream] = NONE;
  }
}

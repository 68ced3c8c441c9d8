/**
 * Receives `messages` frames, fragments and skips of kind reliable unordered: each message once, as soon as it is there.
 *
 * Ids below `next` are done with: delivered or skipped. Beyond it, a bit says so of each id of the window.
 */

import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { ID_WINDOW, idsAhead } from '../wire/frame-types.ts';
import { RELIABLE_UNORDERED } from './channel-set.ts';
import type { HeldMessages } from './held-messages.ts';
import { IdBits } from './id-bits.ts';
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

export class ReliableUnordered {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  /** The first id that is not done with. */
  readonly #next: Float64Array;
  readonly #done: IdBits;
  /** Unfinished messages. */
  readonly #rings: IdRings;

  constructor(intake: Intake, held: HeldMessages, reassembler: Reassembler) {
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    const streams = intake.streamsOf(RELIABLE_UNORDERED);
    this.#next = new Float64Array(streams);
    this.#done = new IdBits(streams);
    this.#rings = new IdRings(streams);
  }

  /** Forgets the stream. Its unfinished messages are freed with those of the connection. */
  close(stream: number): void {
    this.#next[stream] = 0;
    this.#done.close(stream);
    this.#rings.close(stream);
  }

  /** Whether nothing is known beyond the next id. */
  isIdle(stream: number): boolean {
    return this.#rings.count[stream] === 0 && this.#done.count[stream] === 0;
  }

  save(stream: number, writer: ByteWriter): void {
    saveRow(writer, stream, [this.#next]);
  }

  load(stream: number, reader: ByteReader): void {
    loadRow(reader, stream, [this.#next]);
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
    // Those behind are done with.
    const start = Math.max(first, 0);
    const length = first + count - start;
    const id = (low + start - first) & 0xffff;
    if (length <= 0) {
      intake.duplicates++;
      return TAKEN;
    }
    for (let at = start; ; at++) {
      at = this.#rings.find(stream, id + at - start, at, start + length - at);
      if (at < 0) break;
      this.#drop(stream, (id + at - start) & 0xffff, at);
    }
    if (this.#done.set(stream, id, length) === 0) intake.duplicates++;
    if (start === 0) this.#next[stream] = this.#next[stream]! + this.#done.pass(stream, id);
    return TAKEN;
  }

  #isDone(stream: number, low: number, ahead: number): boolean {
    return ahead < 0 || (ahead > 0 && this.#done.has(stream, low));
  }

  /** The id is done with: what there is of it in fragments goes, and the window moves on when it was the next one. */
  #finish(stream: number, low: number, ahead: number): void {
    if (this.#rings.count[stream]! > 0 && this.#rings.at(stream, low, ahead) !== EMPTY) this.#drop(stream, low, ahead);
    if (ahead > 0) this.#done.set(stream, low, 1);
    else this.#next[stream] = this.#next[stream]! + 1 + this.#done.pass(stream, low + 1);
  }

  /** Forgets what there is of a message. */
  #drop(stream: number, low: number, ahead: number): void {
    this.#held.free(this.#rings.at(stream, low, ahead));
    this.#rings.clear(stream, low);
  }
}

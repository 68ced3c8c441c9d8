/**
 * Receives `messages` frames, fragments and skips of kind reliable ordered: each message once, in the order of their ids.
 *
 * A message that is next is handed over straight out of the packet. One behind a hole waits in a block of the pool; one that is
 * put together from fragments waits in the block where that was done. What was skipped leaves a bit that is passed over.
 */

import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { ID_WINDOW, idsAhead } from '../wire/frame-types.ts';
import { RELIABLE_ORDERED } from './channel-set.ts';
import { type HeldMessages, WHOLE } from './held-messages.ts';
import { IdBits } from './id-bits.ts';
import { EMPTY, IdRings } from './id-rings.ts';
import { type Intake, MALFORMED, type MessageSink, REFUSED, readLength, TAKEN, VIOLATION } from './intake.ts';
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

export class ReliableOrdered {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  /** The id that is handed over next. */
  readonly #next: Float64Array;
  /** Held messages: finished ones behind a hole, unfinished ones. */
  readonly #rings: IdRings;
  readonly #skipped: IdBits;
  /** Streams whose sink threw while more was ready: a stack, since frames that are being read are on it for a while. */
  readonly #interrupted: number[] = [];

  constructor(intake: Intake, held: HeldMessages, reassembler: Reassembler) {
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    const streams = intake.streamsOf(RELIABLE_ORDERED);
    this.#next = new Float64Array(streams);
    this.#rings = new IdRings(streams);
    this.#skipped = new IdBits(streams);
  }

  /** Forgets the stream. Its held messages are freed with those of the connection. */
  close(stream: number): void {
    this.#next[stream] = 0;
    this.#rings.close(stream);
    this.#skipped.close(stream);
  }

  /** Whether nothing is known beyond the next id. */
  isIdle(stream: number): boolean {
    return this.#rings.count[stream] === 0 && this.#skipped.count[stream] === 0;
  }

  save(stream: number, writer: ByteWriter): void {
    saveRow(writer, stream, [this.#next]);
  }

  load(stream: number, reader: ByteReader): void {
    loadRow(reader, stream, [this.#next]);
  }

  /** Whether `resume` has something to do. */
  get interrupted(): boolean {
    return this.#interrupted.length > 0;
  }

  readMessages(
    c: number,
    channel: number,
    count: number,
    cursor: FrameCursor,
    view: DataView,
    sink: MessageSink,
  ): number {
    const lengthMax = this.#intake.channels.messageBytesMax[channel]!;
    const stream = c * this.#intake.channels.count + channel;
    const first = cursor.u16();
    let answer = TAKEN;
    for (let i = 0; i < count; i++) {
      const length = readLength(cursor, lengthMax);
      if (length < 0) return MALFORMED;
      const ahead = idsAhead(first + i, this.#next[stream]!);
      if (ahead === 0 && this.#rings.count[stream] === 0 && this.#skipped.count[stream] === 0) {
        this.#next[stream] = this.#next[stream]! + 1;
        sink.message(c, channel, cursor.bytes, cursor.at - length, length, 0);
        continue;
      }
      const took = this.#message(c, channel, (first + i) & 0xffff, ahead, cursor, view, length, sink);
      if (took === VIOLATION) return VIOLATION;
      if (took === REFUSED) answer = REFUSED;
    }
    return answer;
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
    if (this.#isHere(stream, low, ahead)) {
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
    if (added === COMPLETE && ahead === 0) this.#handOverReady(stream, channel, sink);
    return TAKEN;
  }

  /** These ids will not come. What there is of them goes, even when it is complete: the sender counts it as gone. */
  skip(c: number, channel: number, low: number, count: number, sink: MessageSink): number {
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
      const low = (id + at - start) & 0xffff;
      this.#held.free(this.#rings.at(stream, low, at));
      this.#rings.clear(stream, low);
    }
    if (this.#skipped.set(stream, id, length) === 0) intake.duplicates++;
    if (start === 0) this.#handOverReady(stream, channel, sink);
    return TAKEN;
  }

  /** Goes on where a sink threw. */
  resume(sink: MessageSink): void {
    const { count } = this.#intake.channels;
    while (this.#interrupted.length > 0) {
      const stream = this.#interrupted.pop()!;
      this.#handOverReady(stream, stream % count, sink);
    }
  }

  /** A message that ends at the cursor and is not next, or has others that wait behind it. */
  #message(
    c: number,
    channel: number,
    low: number,
    ahead: number,
    cursor: FrameCursor,
    view: DataView,
    length: number,
    sink: MessageSink,
  ): number {
    const intake = this.#intake;
    const held = this.#held;
    const stream = c * intake.channels.count + channel;
    if (ahead >= ID_WINDOW) return intake.violation(channel, TOO_FAR_AHEAD);
    if (this.#isHere(stream, low, ahead)) {
      intake.duplicates++;
      return TAKEN;
    }
    const before = this.#rings.at(stream, low, ahead);
    if (before !== EMPTY) {
      // It was also begun in fragments: whole is sooner.
      held.free(before);
      this.#rings.clear(stream, low);
    }
    const at = cursor.at - length;
    if (ahead === 0) {
      this.#next[stream] = this.#next[stream]! + 1;
      this.#interrupted.push(stream);
      sink.message(c, channel, cursor.bytes, at, length, 0);
      this.#interrupted.pop();
      this.#handOverReady(stream, channel, sink);
      return TAKEN;
    }
    const m = held.take(c, length, WHOLE);
    if (m === NO_ROOM) {
      intake.refused++;
      return REFUSED;
    }
    held.pool.copyIn(held.block[m]!, 0, view, at, length);
    this.#rings.put(stream, low, ahead, m);
    return TAKEN;
  }

  /** Hands over what waits at the front. Each is forgotten before the sink sees it, so that a throw does not repeat it. */
  #handOverReady(stream: number, channel: number, sink: MessageSink): void {
    const held = this.#held;
    this.#interrupted.push(stream);
    for (;;) {
      const low = this.#next[stream]! & 0xffff;
      const m = this.#rings.at(stream, low, 0);
      if (m === EMPTY) {
        const passed = this.#skipped.pass(stream, low);
        if (passed === 0) break;
        this.#next[stream] = this.#next[stream]! + passed;
      } else {
        if (held.missing[m]! > 0) break;
        this.#rings.clear(stream, low);
        this.#next[stream] = this.#next[stream]! + 1;
        held.handOver(m, channel, 0, sink);
      }
    }
    this.#interrupted.pop();
  }

  /** Whether the message has arrived, waits, or was skipped. */
  #isHere(stream: number, low: number, ahead: number): boolean {
    if (ahead < 0 || this.#skipped.has(stream, low)) return true;
    const m = this.#rings.at(stream, low, ahead);
    return m !== EMPTY && this.#held.missing[m] === 0;
  }
}

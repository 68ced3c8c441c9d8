/** Receives `messages` frames and fragments of kind unreliable sequenced: what is older than the newest that arrived is dropped. */

import type { Micros } from '../../sys/api.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { idsAhead } from '../wire/frame-types.ts';
import { UNRELIABLE_SEQUENCED } from './channel-set.ts';
import type { HeldMessages } from './held-messages.ts';
import { type Intake, MALFORMED, type MessageSink, readLength, TAKEN } from './intake.ts';
import { COMPLETE, HAD_IT, NO_ROOM, OTHER_SIZE, type Reassembler } from './reassembler.ts';

export class UnreliableSequenced {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  /** The id after the newest one that arrived. */
  readonly #next: Float64Array;

  constructor(intake: Intake, held: HeldMessages, reassembler: Reassembler) {
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    this.#next = new Float64Array(intake.streamsOf(UNRELIABLE_SEQUENCED));
  }

  close(stream: number): void {
    this.#next[stream] = 0;
  }

  save(stream: number, writer: ByteWriter): void {
    saveRow(writer, stream, [this.#next]);
  }

  load(stream: number, reader: ByteReader): void {
    loadRow(reader, stream, [this.#next]);
  }

  readMessages(c: number, channel: number, count: number, cursor: FrameCursor, sink: MessageSink): number {
    const intake = this.#intake;
    const stream = c * intake.channels.count + channel;
    const lengthMax = intake.channels.messageBytesMax[channel]!;
    const first = cursor.u16();
    for (let i = 0; i < count; i++) {
      const length = readLength(cursor, lengthMax);
      if (length < 0) return MALFORMED;
      const ahead = idsAhead(first + i, this.#next[stream]!);
      if (ahead < 0) {
        intake.stale++;
        continue;
      }
      this.#arrive(stream, ahead);
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
    now: Micros,
  ): number {
    const intake = this.#intake;
    const stream = c * intake.channels.count + channel;
    const ahead = idsAhead(low, this.#next[stream]!);
    if (ahead < 0) {
      intake.stale++;
      return TAKEN;
    }
    let m = this.#held.find(stream, low);
    if (m === -1) {
      m = this.#reassembler.beginUnreliable(c, stream, low, size, now);
      if (m === NO_ROOM) {
        intake.unreliableDropped++;
        return TAKEN;
      }
      this.#held.id[m] = this.#next[stream]! + ahead;
    } else if (this.#held.size[m] !== size) return intake.violation(channel, OTHER_SIZE);
    const added = this.#reassembler.add(m, index, view, at, length);
    if (added === HAD_IT) intake.duplicates++;
    if (added !== COMPLETE) return TAKEN;
    this.#arrive(stream, ahead, m);
    this.#held.handOver(m, channel, 0, sink);
    return TAKEN;
  }

  /** The message `ahead` of the next one arrives: unfinished ones before it are dropped, but for `arriving` itself. */
  #arrive(stream: number, ahead: number, arriving = -1): void {
    const held = this.#held;
    const id = this.#next[stream]! + ahead;
    this.#next[stream] = id + 1;
    let m = held.youngestOf(stream);
    while (m !== -1) {
      const older = held.olderOf(m);
      if (m !== arriving && held.id[m]! <= id) held.drop(m);
      m = older;
    }
  }
}

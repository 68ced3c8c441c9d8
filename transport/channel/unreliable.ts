/**
 * Receives `plain` frames and fragments of kind unreliable: what is there is handed over, nothing is waited for.
 *
 * Only messages that come in fragments have ids. The last 32 ids are remembered, so that a copy of a fragment does not begin a
 * finished message again.
 */

import type { Micros } from '../../sys/api.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { idsAhead } from '../wire/frame-types.ts';
import { UNRELIABLE } from './channel-set.ts';
import type { HeldMessages } from './held-messages.ts';
import { type Intake, MALFORMED, type MessageSink, readLength, TAKEN } from './intake.ts';
import { COMPLETE, HAD_IT, NO_ROOM, OTHER_SIZE, type Reassembler } from './reassembler.ts';

/** Ids remembered: bits of a word. Ids further behind are stale, whatever became of them. */
const REMEMBERED = 32;

export class Unreliable {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  /** Newest id of a fragment. */
  readonly #newest: Float64Array;
  /** Bit n: the message n before the newest is finished. */
  readonly #finished: Int32Array;

  constructor(intake: Intake, held: HeldMessages, reassembler: Reassembler) {
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    this.#newest = new Float64Array(intake.streamsOf(UNRELIABLE)).fill(-1);
    this.#finished = new Int32Array(intake.streamsOf(UNRELIABLE));
  }

  close(stream: number): void {
    this.#newest[stream] = -1;
    this.#finished[stream] = 0;
  }

  save(stream: number, writer: ByteWriter): void {
    saveRow(writer, stream, [this.#newest, this.#finished]);
  }

  load(stream: number, reader: ByteReader): void {
    loadRow(reader, stream, [this.#newest, this.#finished]);
  }

  readPlain(c: number, channel: number, count: number, cursor: FrameCursor, sink: MessageSink): number {
    const lengthMax = this.#intake.channels.messageBytesMax[channel]!;
    for (let i = 0; i < count; i++) {
      const length = readLength(cursor, lengthMax);
      if (length < 0) return MALFORMED;
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
    let m = this.#held.find(stream, low);
    if (m === -1) {
      const ahead = idsAhead(low, this.#newest[stream]!);
      if (ahead <= -REMEMBERED) {
        intake.stale++;
        return TAKEN;
      }
      if (ahead > 0) {
        this.#newest[stream] = this.#newest[stream]! + ahead;
        this.#finished[stream] = ahead < REMEMBERED ? this.#finished[stream]! << ahead : 0;
      } else if ((this.#finished[stream]! & (1 << -ahead)) !== 0) {
        intake.duplicates++;
        return TAKEN;
      }
      m = this.#reassembler.beginUnreliable(c, stream, low, size, now);
      if (m === NO_ROOM) {
        intake.unreliableDropped++;
        return TAKEN;
      }
    } else if (this.#held.size[m] !== size) return intake.violation(channel, OTHER_SIZE);
    const added = this.#reassembler.add(m, index, view, at, length);
    if (added === HAD_IT) intake.duplicates++;
    if (added !== COMPLETE) return TAKEN;
    const behind = -idsAhead(low, this.#newest[stream]!);
    if (behind >= 0 && behind < REMEMBERED) this.#finished[stream]! |= 1 << behind;
    this.#held.handOver(m, channel, 0, sink);
    return TAKEN;
  }
}

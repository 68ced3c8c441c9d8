/** Receives `input` frames: each tick once, rising; those that did not come in time are left out. */

import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { TICK_INPUT } from './channel-set.ts';
import { type Intake, MALFORMED, type MessageSink, readLength, TAKEN } from './intake.ts';

/** Ticks are u32 on the wire. */
const TICK_MAX = 0xffff_ffff;

export class TickInput {
  readonly #intake: Intake;
  /** The tick after the newest one that arrived. */
  readonly #next: Float64Array;

  constructor(intake: Intake) {
    this.#intake = intake;
    this.#next = new Float64Array(intake.streamsOf(TICK_INPUT));
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

  readInput(c: number, channel: number, count: number, cursor: FrameCursor, sink: MessageSink): number {
    const intake = this.#intake;
    const stream = c * intake.channels.count + channel;
    const lengthMax = intake.channels.messageBytesMax[channel]!;
    const first = cursor.u32();
    for (let i = 0; i < count; i++) {
      const length = readLength(cursor, lengthMax);
      const tick = first + i;
      if (length < 0 || tick > TICK_MAX) return MALFORMED;
      if (tick < this.#next[stream]!) {
        intake.stale++;
        continue;
      }
      this.#next[stream] = tick + 1;
      sink.message(c, channel, cursor.bytes, cursor.at - length, length, tick);
    }
    return TAKEN;
  }
}

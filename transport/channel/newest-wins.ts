/**
 * Receives the kinds of which the newest message arrives for certain, and older ones need not: latest state, for each key on its
 * own (`keyed` frames), and reliable sequenced (`messages` frames), which is the same with a single key.
 *
 * Of each key at most one message is unfinished: fragments of a newer one end it, older ones are stale. The sender reckons
 * with that (PROTOCOL.md, section 5).
 *
 * What is known about keys lies in a table for each stream, as long as the highest key that came makes necessary.
 */

import { grown } from '../block-pool.ts';
import { Regions } from '../regions.ts';
import { loadRow, loadSpan, saveRow, saveSpan } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { idsAhead } from '../wire/frame-types.ts';
import { LATEST_STATE, RELIABLE_SEQUENCED } from './channel-set.ts';
import type { HeldMessages } from './held-messages.ts';
import { type Intake, MALFORMED, type MessageSink, REFUSED, readLength, TAKEN } from './intake.ts';
import {
  BEYOND_WINDOW,
  COMPLETE,
  HAD_IT,
  NO_ROOM,
  OTHER_SIZE,
  type Reassembler,
  WINDOW_EXCEEDED,
} from './reassembler.ts';

const NONE = -1;

export class NewestWins {
  readonly #intake: Intake;
  readonly #held: HeldMessages;
  readonly #reassembler: Reassembler;
  /** The id after the newest one that was seen: what 16 bits are expanded by. Ids of keys are compared in full. */
  readonly #next: Float64Array;
  readonly #base: Int32Array;
  readonly #log2: Uint8Array;
  readonly #regions: Regions;
  /** By key: the newest id that arrived, -1: none; and the unfinished message, which is newer. */
  #newest: Float64Array = new Float64Array(0);
  #unfinished: Int32Array = new Int32Array(0);

  constructor(intake: Intake, held: HeldMessages, reassembler: Reassembler) {
    this.#intake = intake;
    this.#held = held;
    this.#reassembler = reassembler;
    const streams = intake.streamsOf(LATEST_STATE, RELIABLE_SEQUENCED);
    this.#next = new Float64Array(streams);
    this.#base = new Int32Array(streams).fill(NONE);
    this.#log2 = new Uint8Array(streams);
    this.#regions = new Regions((slots) => {
      this.#newest = grown(this.#newest, new Float64Array(slots));
      this.#unfinished = grown(this.#unfinished, new Int32Array(slots));
    });
  }

  /** Forgets the stream. Its unfinished messages are freed with those of the connection. */
  close(stream: number): void {
    this.#next[stream] = 0;
    if (this.#base[stream] === NONE) return;
    this.#regions.give(this.#base[stream]!, this.#log2[stream]!);
    this.#base[stream] = NONE;
  }

  /** Nothing may be unfinished. */
  save(stream: number, writer: ByteWriter): void {
    const base = this.#base[stream]!;
    const keys = base === NONE ? 0 : 1 << this.#log2[stream]!;
    saveRow(writer, stream, [this.#next]);
    writer.u32(keys);
    saveSpan(writer, this.#newest, base, keys);
  }

  /** Reads what `save` wrote, into a stream that was closed. */
  load(stream: number, reader: ByteReader): void {
    loadRow(reader, stream, [this.#next]);
    const keys = reader.u32();
    if (keys > 0) loadSpan(reader, this.#newest, this.#slotOf(stream, keys - 1) - keys + 1, keys);
  }

  readMessages(c: number, channel: number, count: number, cursor: FrameCursor, sink: MessageSink): number {
    const lengthMax = this.#intake.channels.messageBytesMax[channel]!;
    const first = cursor.u16();
    for (let i = 0; i < count; i++) {
      const length = readLength(cursor, lengthMax);
      if (length < 0) return MALFORMED;
      this.#message(c, channel, first + i, 0, cursor, length, sink);
    }
    return TAKEN;
  }

  readKeyed(c: number, channel: number, count: number, cursor: FrameCursor, sink: MessageSink): number {
    const lengthMax = this.#intake.channels.messageBytesMax[channel]!;
    const keysMax = this.#intake.channels.keysMax[channel]!;
    for (let i = 0; i < count; i++) {
      const low = cursor.u16();
      const key = cursor.varint();
      const length = readLength(cursor, lengthMax);
      if (length < 0 || key >= keysMax) return MALFORMED;
      this.#message(c, channel, low, key, cursor, length, sink);
    }
    return TAKEN;
  }

  fragment(
    c: number,
    channel: number,
    low: number,
    key: number,
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
    const id = this.#next[stream]! + idsAhead(low, this.#next[stream]!);
    const slot = this.#slotOf(stream, key);
    let m = this.#unfinished[slot]!;
    if (id <= this.#newest[slot]! || (m !== NONE && id < held.id[m]!)) {
      intake.stale++;
      return TAKEN;
    }
    if (id >= this.#next[stream]!) this.#next[stream] = id + 1;
    if (m !== NONE && id > held.id[m]!) {
      this.#end(slot);
      m = NONE;
    }
    if (m === NONE) {
      m = this.#reassembler.begin(c, size);
      if (m === BEYOND_WINDOW) return intake.violation(channel, WINDOW_EXCEEDED);
      if (m === NO_ROOM) {
        intake.refused++;
        return REFUSED;
      }
      held.id[m] = id;
      this.#unfinished[slot] = m;
    } else if (held.size[m] !== size) return intake.violation(channel, OTHER_SIZE);
    const added = this.#reassembler.add(m, index, view, at, length);
    if (added === HAD_IT) intake.duplicates++;
    if (added !== COMPLETE) return TAKEN;
    this.#newest[slot] = id;
    this.#unfinished[slot] = NONE;
    held.handOver(m, channel, key, sink);
    return TAKEN;
  }

  /** A skip of a reliable sequenced channel: these messages, and with them all before, are not waited for. */
  skip(c: number, channel: number, low: number, count: number): number {
    const stream = c * this.#intake.channels.count + channel;
    const last = this.#next[stream]! + idsAhead(low, this.#next[stream]!) + count - 1;
    const slot = this.#slotOf(stream, 0);
    if (last <= this.#newest[slot]!) {
      this.#intake.duplicates++;
      return TAKEN;
    }
    if (last >= this.#next[stream]!) this.#next[stream] = last + 1;
    this.#newest[slot] = last;
    const m = this.#unfinished[slot]!;
    if (m !== NONE && this.#held.id[m]! <= last) this.#end(slot);
    return TAKEN;
  }

  /** A whole message, which ends at the cursor. */
  #message(
    c: number,
    channel: number,
    low: number,
    key: number,
    cursor: FrameCursor,
    length: number,
    sink: MessageSink,
  ): void {
    const stream = c * this.#intake.channels.count + channel;
    const next = this.#next[stream]!;
    const id = next + idsAhead(low, next);
    const slot = this.#slotOf(stream, key);
    if (id <= this.#newest[slot]!) {
      this.#intake.stale++;
      return;
    }
    if (id >= next) this.#next[stream] = id + 1;
    this.#newest[slot] = id;
    const m = this.#unfinished[slot]!;
    if (m !== NONE && this.#held.id[m]! <= id) this.#end(slot);
    sink.message(c, channel, cursor.bytes, cursor.at - length, length, key);
  }

  /** A newer message has come, or this one will not: what there is of it goes. */
  #end(slot: number): void {
    this.#held.free(this.#unfinished[slot]!);
    this.#unfinished[slot] = NONE;
  }

  /** Where the columns of a key are. */
  #slotOf(stream: number, key: number): number {
    const base = this.#base[stream]!;
    return base !== NONE && key < 1 << this.#log2[stream]! ? base + key : this.#grow(stream, key);
  }

  #grow(stream: number, key: number): number {
    const from = this.#base[stream]!;
    let log2 = 0;
    while (key >= 1 << log2) log2++;
    const base = this.#regions.take(log2);
    const end = base + (1 << log2);
    this.#newest.fill(-1, base, end);
    this.#unfinished.fill(NONE, base, end);
    if (from !== NONE) {
      const fromEnd = from + (1 << this.#log2[stream]!);
      this.#newest.copyWithin(base, from, fromEnd);
      this.#unfinished.copyWithin(base, from, fromEnd);
      this.#regions.give(from, this.#log2[stream]!);
    }
    this.#base[stream] = base;
    this.#log2[stream] = log2;
    return base + key;
  }
}

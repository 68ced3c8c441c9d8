/**
 * What has arrived, and when and how that must be said: the receiver's half of acknowledgement (PROTOCOL.md, section 2, ack).
 *
 * The bitmap is not the replay window: a packet that was refused (malformed, or without room for its fragment) counts as
 * received there, and must stay unacked here so that what it carried comes again. Bit `number & 2,047` of a connection's
 * words is that number's; runs are read a word at a time.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import { loadRow, loadSpan, saveRow, saveSpan } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { ACK_DELAY_UNIT_MICROS, ACK_DELAY_UNKNOWN, ACK_GAPS_MAX, FRAME_ACK } from '../wire/frame-types.ts';
import { varintBytes, writeVarint } from '../wire/varint.ts';
import type { SentPackets } from './sent-packets.ts';

/** Numbers that can be told apart: an ack reaches no further down. 256 bytes a connection. */
export const ACK_WINDOW = 2048;
/** type, newest, delay, and a run of one byte. */
export const ACK_BYTES_MIN = 6;
/** Numbers so far below an ack that was heard are still reported, so that late packets are acked too. */
const LATE_ROOM = 32;
/** An ack-eliciting packet is acked so late at most: it is part of the peer's probe timeout. */
export const ACK_DELAY_MAX_MICROS = 25_000;
/** Acks for pairs of packets keep this distance, so that a fast transfer does not cost half a packet each. */
const ACK_SPACING_MICROS = 1_000;
/** So many unacked packets are acked whatever the distance: the sender's window must keep moving. */
const ELICITING_MAX = 32;
/** Of packets that only ack, one in so many asks for an ack itself. */
const PING_EVERY = 64;

const WORDS = ACK_WINDOW / 32;
const MASK = ACK_WINDOW - 1;

export class AckTracker {
  /** When an ack must go out at the latest, NEVER when none must. */
  readonly dueAt: Float64Array;
  /** Element 0: the newest number that the last `write` reported, -1 when it left something out. For the packet's record. */
  readonly reported: Float64Array = new Float64Array(1).fill(-1);
  readonly #received: Float64Array;
  /** Newest number received, -1: none. */
  readonly #newest: Float64Array;
  readonly #newestAt: Float64Array;
  /** Numbers below are not reported any more. */
  readonly #floor: Float64Array;
  readonly #lastAckAt: Float64Array;
  readonly #bits: Int32Array;
  /** Ack-eliciting packets since the last ack, at most ELICITING_MAX. */
  readonly #eliciting: Uint8Array;
  /** Something came since the last ack. */
  readonly #news: Uint8Array;
  /** A gap opened, or a late packet came, since the last ack. */
  readonly #disorder: Uint8Array;
  readonly #ackOnly: Uint8Array;

  /** @param receivedNumber element 0: number of the packet being read, below 2^53 */
  constructor(connections: number, receivedNumber: Float64Array) {
    this.#received = receivedNumber;
    this.dueAt = new Float64Array(connections).fill(NEVER);
    this.#newest = new Float64Array(connections).fill(-1);
    this.#newestAt = new Float64Array(connections);
    this.#floor = new Float64Array(connections);
    this.#lastAckAt = new Float64Array(connections).fill(-ACK_SPACING_MICROS);
    this.#bits = new Int32Array(connections * WORDS);
    this.#eliciting = new Uint8Array(connections);
    this.#news = new Uint8Array(connections);
    this.#disorder = new Uint8Array(connections);
    this.#ackOnly = new Uint8Array(connections);
  }

  /** Forgets everything that `c` has received. */
  reset(c: number): void {
    this.dueAt[c] = NEVER;
    this.#newest[c] = -1;
    this.#newestAt[c] = 0;
    this.#floor[c] = 0;
    this.#lastAckAt[c] = -ACK_SPACING_MICROS;
    this.#bits.fill(0, c * WORDS, (c + 1) * WORDS);
    this.#eliciting[c] = 0;
    this.#news[c] = 0;
    this.#disorder[c] = 0;
    this.#ackOnly[c] = 0;
  }

  save(c: number, writer: ByteWriter): void {
    saveRow(writer, c, this.#columns);
    saveSpan(writer, this.#bits, c * WORDS, WORDS);
  }

  load(c: number, reader: ByteReader): void {
    loadRow(reader, c, this.#columns);
    loadSpan(reader, this.#bits, c * WORDS, WORDS);
  }

  get #columns(): (Float64Array | Uint8Array)[] {
    const { dueAt } = this;
    return [
      dueAt,
      this.#newest,
      this.#newestAt,
      this.#floor,
      this.#lastAckAt,
      this.#eliciting,
      this.#news,
      this.#disorder,
      this.#ackOnly,
    ];
  }

  /** Whether anything came, ack-eliciting or not, that no ack has reported yet. */
  hasNews(c: number): boolean {
    return this.#news[c] !== 0;
  }

  /**
   * A packet came and its frames have been taken. Called once a number, since the replay window has dropped the others; a
   * number older than the bitmap is let go, its sender has long given it up.
   */
  onPacket(c: number, eliciting: boolean, now: Micros): void {
    const number = this.#received[0]!;
    const newest = this.#newest[c]!;
    if (number > newest) {
      if (newest >= 0 && number - newest > 1) {
        this.#disorder[c] = 1;
        this.#clearBelow(c, number & MASK, Math.min(number - newest - 1, ACK_WINDOW));
      }
      this.#newest[c] = number;
      this.#newestAt[c] = now;
    } else {
      if (newest - number >= ACK_WINDOW) return;
      this.#disorder[c] = 1;
    }
    const index = number & MASK;
    this.#bits[c * WORDS + (index >> 5)]! |= 1 << (index & 31);
    this.#news[c] = 1;
    if (eliciting && this.#eliciting[c]! < ELICITING_MAX) this.#eliciting[c]!++;
    this.#schedule(c, now);
  }

  /** The rules of "When". Disorder alone asks for nothing: else two sides that only ack would never come to rest. */
  #schedule(c: number, now: Micros): void {
    const waiting = this.#eliciting[c]!;
    if (waiting === 0) return;
    const dueAt = this.dueAt[c]!;
    if (this.#disorder[c] !== 0 || waiting >= ELICITING_MAX) {
      if (dueAt > now) this.dueAt[c] = now;
    } else if (waiting === 1) {
      if (dueAt === NEVER) this.dueAt[c] = now + ACK_DELAY_MAX_MICROS;
    } else {
      this.dueAt[c] = Math.min(dueAt, Math.max(now, this.#lastAckAt[c]! + ACK_SPACING_MICROS));
    }
  }

  /** Unmarks the `count` places below `index`: their numbers were passed over and may still come. */
  #clearBelow(c: number, index: number, count: number): void {
    const start = c * WORDS;
    if (count >= ACK_WINDOW) {
      this.#bits.fill(0, start, start + WORDS);
      return;
    }
    let at = (index - count) & MASK;
    let left = count;
    while (left > 0) {
      const bit = at & 31;
      const run = Math.min(left, 32 - bit);
      const ones = run === 32 ? -1 : (1 << run) - 1;
      this.#bits[start + (at >> 5)]! &= ~(ones << bit);
      at = (at + run) & MASK;
      left -= run;
    }
  }

  /**
   * Writes an ack frame at `bytes[at ..]` with as many gaps as fit before `end`, the newest first; nothing is owed then.
   * Returns where it ends: `at` when nothing has been received or fewer than 6 bytes are left.
   */
  write(c: number, bytes: Uint8Array, at: number, end: number, now: Micros): number {
    const newest = this.#newest[c]!;
    if (newest < 0 || end - at < ACK_BYTES_MIN) return at;
    const delay = Math.max(0, Math.floor((now - this.#newestAt[c]!) / ACK_DELAY_UNIT_MICROS));
    const wireDelay = delay < ACK_DELAY_UNKNOWN ? delay : ACK_DELAY_UNKNOWN;
    bytes[at + 1] = newest;
    bytes[at + 2] = newest >>> 8;
    bytes[at + 3] = wireDelay;
    bytes[at + 4] = wireDelay >>> 8;

    // Small integers from here on: how many numbers below newest may be reported, and the newest's place.
    let left = Math.min(newest - this.#floor[c]!, newest, MASK);
    let index = newest & MASK;
    let whole = true;
    let run = this.#equalBits(c, index, left + 1, 0) - 1;
    if (varintBytes(run) > end - (at + 5)) {
      run = 0x7f; // 6 bytes: what is not said is said by the next ack
      whole = false;
    }
    let cursor = writeVarint(bytes, at + 5, run);
    index = (index - run - 1) & MASK;
    left -= run;
    let gaps = 0;
    while (whole && left > 0 && gaps < ACK_GAPS_MAX) {
      const gap = this.#equalBits(c, index, left, -1);
      left -= gap;
      if (left === 0) break; // nothing was received below
      index = (index - gap) & MASK;
      run = this.#equalBits(c, index, left, 0);
      if (cursor + varintBytes(gap - 1) + varintBytes(run - 1) > end) {
        whole = false;
        break;
      }
      cursor = writeVarint(bytes, writeVarint(bytes, cursor, gap - 1), run - 1);
      left -= run;
      index = (index - run) & MASK;
      gaps++;
    }
    bytes[at] = FRAME_ACK + gaps;
    // An ack that lacked room for all it had to say must not raise the floor over what it left out.
    this.reported[0] = whole ? newest : -1;
    this.dueAt[c] = NEVER;
    this.#lastAckAt[c] = now;
    this.#eliciting[c] = 0;
    this.#news[c] = 0;
    this.#disorder[c] = 0;
    return cursor;
  }

  /** How many of the `limit` places from `index` downwards are received (`flip` 0) or missing (`flip` -1) in one piece. */
  #equalBits(c: number, index: number, limit: number, flip: number): number {
    const start = c * WORDS;
    let at = index;
    let count = 0;
    while (count < limit) {
      const bit = at & 31;
      // The bits from `bit` down to 0, moved to the top: the zeros shifted in end the run at the word's end.
      const run = Math.clz32(~((this.#bits[start + (at >> 5)]! ^ flip) << (31 - bit)));
      count += run;
      if (run <= bit) break;
      at = (at - run) & MASK;
    }
    return Math.min(count, limit);
  }

  /** The packet in `slot` of `sent` was acked: what the ack in it reported need not be reported again. */
  onAckHeard(c: number, sent: SentPackets, slot: number): void {
    const heard = sent.ackNewest[slot]!;
    if (heard - LATE_ROOM > this.#floor[c]!) this.#floor[c] = heard - LATE_ROOM;
  }

  /** Asked once for each packet that only acks: whether this one should carry a ping, so that the floor keeps rising. */
  wantsPing(c: number): boolean {
    this.#ackOnly[c] = (this.#ackOnly[c]! + 1) % PING_EVERY;
    return this.#ackOnly[c] === 0;
  }
}

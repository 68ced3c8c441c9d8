/**
 * Reads the frames of a payload in order and gives each to the part that it is for (PROTOCOL.md, sections 2 and 6).
 *
 * Total: whatever the bytes are, nothing is thrown, each frame is looked at once, and what could not be taken is counted.
 */

import type { Micros } from '../sys/api.ts';
import { type Incoming, MALFORMED, type MessageSink, REFUSED, TAKEN, VIOLATION } from './channel/incoming.ts';
import type { FrameCounts } from './frame-counts.ts';
import type { PeerClock } from './recovery/peer-clock.ts';
import { FrameCursor } from './wire/frame-cursor.ts';
import {
  FRAME_ACK,
  FRAME_EXTENSION,
  FRAME_HELLO,
  FRAME_IDS,
  FRAME_INPUT,
  FRAME_PADDING,
  FRAME_PING,
  FRAME_SKIP,
  FRAME_TIME,
  ID_BYTES,
  IDS_MAX,
  PROTOCOL_VERSION,
  SKIPS_MAX,
} from './wire/frame-types.ts';

/** Who takes the frames that are not messages. */
export interface FrameTaker {
  /** TAKEN, MALFORMED or VIOLATION; reads the frame's body from the reader's cursor. */
  onAckFrame(c: number, type: number, now: Micros): number;
  /** TAKEN or VIOLATION. `session` is the peer's number of its state, not 0. */
  onHello(c: number, session: number, windowBytes: number): number;
  /** Whether messages do not count yet: the connection has been resumed, and hello has not come. */
  awaitsHello(c: number): boolean;
  onId(c: number, bytes: Uint8Array, at: number): void;
}

export class FrameReader {
  readonly cursor: FrameCursor = new FrameCursor();
  /** Payloads whose frames could not be read to the end; that were not acked for want of memory; extensions skipped. */
  malformed = 0;
  refused = 0;
  extensions = 0;
  /** Why the last payload broke the protocol. */
  violationText = '';
  /** Whether the payload read last asks for an ack. */
  eliciting = false;
  /** Frames by the upper half of their type, for statistics. */
  readonly framesByFamily: Float64Array = new Float64Array(16);
  /** Where frames are counted by connection; null: nowhere. */
  counts: FrameCounts | null = null;
  readonly #incoming: Incoming;
  readonly #clock: PeerClock;
  readonly #channelsHash: number;
  readonly #taker: FrameTaker;
  /** Acks and skips of the payload: few bytes that cost much work, so they are counted. */
  #acks = 0;
  #skips = 0;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #viewOf: Uint8Array = new Uint8Array(0);

  constructor(incoming: Incoming, clock: PeerClock, channelsHash: number, taker: FrameTaker) {
    this.#incoming = incoming;
    this.#clock = clock;
    this.#channelsHash = channelsHash;
    this.#taker = taker;
  }

  /**
   * Reads `length` bytes of frames at `bytes[offset ..]`.
   *
   * @returns TAKEN: the packet may be acked. MALFORMED or REFUSED: it must not be. VIOLATION: the connection must end
   */
  read(c: number, bytes: Uint8Array, offset: number, length: number, sink: MessageSink, now: Micros): number {
    if (bytes !== this.#viewOf) {
      this.#viewOf = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    const cursor = this.cursor.wrap(bytes, offset, length);
    this.eliciting = false;
    this.#acks = 0;
    this.#skips = 0;
    let answer = TAKEN;
    while (answer === TAKEN && cursor.at < cursor.end) {
      const start = cursor.at;
      answer = this.#readFrame(c, cursor, sink, now);
      if (this.counts !== null) this.counts.addReceived(c, bytes[start]!, cursor.at - start);
      if (!cursor.ok && answer !== VIOLATION) answer = MALFORMED;
    }
    if (answer === MALFORMED) this.malformed++;
    else if (answer === REFUSED) this.refused++;
    return answer;
  }

  #readFrame(c: number, cursor: FrameCursor, sink: MessageSink, now: Micros): number {
    const type = cursor.u8();
    const family = type >> 4;
    this.framesByFamily[family]!++;
    if (type >= FRAME_EXTENSION) return this.#skipExtension(cursor);
    if (type >= FRAME_INPUT) {
      this.eliciting = true;
      return this.#readMessages(c, type, cursor, sink, now);
    }
    if (type >= FRAME_ACK) return this.#acks++ > 0 ? MALFORMED : this.#taker.onAckFrame(c, type, now);
    switch (type) {
      case FRAME_PADDING:
        return TAKEN;
      case FRAME_PING:
        this.eliciting = true;
        return TAKEN;
      case FRAME_TIME:
        return this.#clock.onTime(c, cursor, now) ? TAKEN : MALFORMED;
      case FRAME_IDS:
        this.eliciting = true;
        return this.#readIds(c, cursor);
      case FRAME_HELLO:
        this.eliciting = true;
        return this.#readHello(c, cursor);
      default:
        this.eliciting = true;
        if (type === FRAME_SKIP && this.#skips++ === SKIPS_MAX) return MALFORMED;
        return this.#readMessages(c, type, cursor, sink, now); // skip, and what does not exist
    }
  }

  #readMessages(c: number, type: number, cursor: FrameCursor, sink: MessageSink, now: Micros): number {
    if (this.#taker.awaitsHello(c)) return REFUSED;
    const answer = this.#incoming.readFrame(c, type, cursor, this.#view, sink, now);
    if (answer === VIOLATION) this.violationText = this.#incoming.violationText;
    return answer;
  }

  #readHello(c: number, cursor: FrameCursor): number {
    const version = cursor.u8();
    const hash = cursor.u32();
    const windowBytes = cursor.u32();
    const session = cursor.u32();
    if (!cursor.ok || version === 0 || session === 0) return MALFORMED;
    if (version !== PROTOCOL_VERSION) {
      this.violationText = `it speaks version ${version} of the protocol, and we ${PROTOCOL_VERSION}`;
      return VIOLATION;
    }
    if (hash !== this.#channelsHash) {
      this.violationText = 'its channels differ from ours: give both sides the same names, kinds and largest messages';
      return VIOLATION;
    }
    return this.#taker.onHello(c, session, windowBytes);
  }

  #readIds(c: number, cursor: FrameCursor): number {
    const count = cursor.u8();
    if (count < 1 || count > IDS_MAX) return MALFORMED;
    const at = cursor.skip(count * ID_BYTES);
    if (at < 0) return MALFORMED;
    for (let i = 0; i < count; i++) this.#taker.onId(c, cursor.bytes, at + i * ID_BYTES);
    return TAKEN;
  }

  #skipExtension(cursor: FrameCursor): number {
    this.eliciting = true;
    const length = cursor.u16();
    if (cursor.skip(length) < 0) return MALFORMED;
    this.extensions++;
    return TAKEN;
  }
}

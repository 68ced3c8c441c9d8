/**
 * Frames and their bytes by connection and family, both ways: what a connection's packets are made of. Asked for by an option, since
 * the counters take 288 bytes a connection, and a packet that is sent is read once more.
 */

import { FrameCursor } from './wire/frame-cursor.ts';
import {
  FRAGMENT_BYTES,
  FRAME_ACK,
  FRAME_EXTENSION,
  FRAME_FRAGMENT,
  FRAME_HELLO,
  FRAME_IDS,
  FRAME_INPUT,
  FRAME_KEYED,
  FRAME_KEYED_FRAGMENT,
  FRAME_MESSAGES,
  FRAME_SKIP,
  FRAME_TIME,
  ID_BYTES,
  MESSAGES_MAX,
} from './wire/frame-types.ts';

/** By the upper half of a frame's type (PROTOCOL.md, section 2); control is ping, time, ids, hello and skip. */
export const FRAME_FAMILIES: readonly string[] = [
  'control',
  'ack',
  'unassigned',
  'input',
  'messages',
  'plain',
  'keyed',
  'fragment',
  'extension',
];
const FAMILIES: number = FRAME_FAMILIES.length;
const HELLO_BODY_BYTES = 13;
const TIME_BODY_BYTES = 6;

/** Where the counters of one connection are copied to, by family. */
export interface FrameTotals {
  readonly framesSent: Float64Array;
  readonly frameBytesSent: Float64Array;
  readonly framesReceived: Float64Array;
  readonly frameBytesReceived: Float64Array;
}

export class FrameCounts {
  // Columns by connection * FAMILIES + family.
  readonly #framesSent: Float64Array;
  readonly #bytesSent: Float64Array;
  readonly #framesReceived: Float64Array;
  readonly #bytesReceived: Float64Array;
  readonly #cursor: FrameCursor = new FrameCursor();

  constructor(connections: number) {
    this.#framesSent = new Float64Array(connections * FAMILIES);
    this.#bytesSent = new Float64Array(connections * FAMILIES);
    this.#framesReceived = new Float64Array(connections * FAMILIES);
    this.#bytesReceived = new Float64Array(connections * FAMILIES);
  }

  reset(c: number): void {
    const [start, end] = [c * FAMILIES, (c + 1) * FAMILIES];
    this.#framesSent.fill(0, start, end);
    this.#bytesSent.fill(0, start, end);
    this.#framesReceived.fill(0, start, end);
    this.#bytesReceived.fill(0, start, end);
  }

  /** A frame was read, `length` bytes of it. */
  addReceived(c: number, type: number, length: number): void {
    const at = c * FAMILIES + familyOf(type);
    this.#framesReceived[at]!++;
    this.#bytesReceived[at]! += length;
  }

  /** Counts the frames of a payload that we have written. */
  addSent(c: number, bytes: Uint8Array, offset: number, length: number): void {
    const cursor = this.#cursor.wrap(bytes, offset, length);
    while (cursor.at < cursor.end) {
      const start = cursor.at;
      const type = cursor.u8();
      passBody(cursor, type);
      const at = c * FAMILIES + familyOf(type);
      this.#framesSent[at]!++;
      this.#bytesSent[at]! += cursor.at - start;
    }
  }

  copyTo(c: number, totals: FrameTotals): void {
    const [start, end] = [c * FAMILIES, (c + 1) * FAMILIES];
    totals.framesSent.set(this.#framesSent.subarray(start, end));
    totals.frameBytesSent.set(this.#bytesSent.subarray(start, end));
    totals.framesReceived.set(this.#framesReceived.subarray(start, end));
    totals.frameBytesReceived.set(this.#bytesReceived.subarray(start, end));
  }
}

function familyOf(type: number): number {
  return Math.min(type >> 4, FAMILIES - 1);
}

/** Moves past the body of a frame that is well formed: it is our own. */
function passBody(cursor: FrameCursor, type: number): void {
  if (type >= FRAME_EXTENSION) cursor.skip(cursor.u16());
  else if (type >= FRAME_FRAGMENT) passFragment(cursor, type);
  else if (type >= FRAME_INPUT) passMessages(cursor, type);
  else if (type >= FRAME_ACK) {
    cursor.skip(4);
    for (let left = 1 + 2 * (type - FRAME_ACK); left > 0; left--) cursor.varint();
  } else if (type === FRAME_TIME) cursor.skip(TIME_BODY_BYTES);
  else if (type === FRAME_IDS) cursor.skip(cursor.u8() * ID_BYTES);
  else if (type === FRAME_HELLO) cursor.skip(HELLO_BODY_BYTES);
  else if (type === FRAME_SKIP) {
    cursor.skip(3);
    cursor.varint();
  }
}

function passMessages(cursor: FrameCursor, type: number): void {
  const count = (type & (MESSAGES_MAX - 1)) + 1;
  const family = type - count + 1;
  cursor.skip(1);
  if (family === FRAME_MESSAGES) cursor.skip(2);
  else if (family === FRAME_INPUT) cursor.skip(4);
  for (let i = 0; i < count; i++) {
    if (family === FRAME_KEYED) {
      cursor.skip(2);
      cursor.varint();
    }
    cursor.skip(cursor.varint());
  }
}

function passFragment(cursor: FrameCursor, type: number): void {
  cursor.skip(3);
  if (type === FRAME_KEYED_FRAGMENT) cursor.varint();
  const size = cursor.varint();
  const index = cursor.varint();
  cursor.skip(Math.min(FRAGMENT_BYTES, size - index * FRAGMENT_BYTES));
}

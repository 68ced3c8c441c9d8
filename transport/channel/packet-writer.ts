/**
 * Writes frames into the payload of one packet, and joins messages of one channel behind one header where the protocol can.
 *
 * Each `put` returns where the message's bytes go, or -1 when there is no room; then nothing was written.
 */

import type { DatagramBatch } from '../../sys/api.ts';
import { PAYLOAD_BYTES_MAX } from '../netcode/packets.ts';
import {
  FRAGMENT_BYTES,
  FRAME_FRAGMENT,
  FRAME_INPUT,
  FRAME_KEYED,
  FRAME_KEYED_FRAGMENT,
  FRAME_MESSAGES,
  FRAME_PLAIN,
  FRAME_SKIP,
  MESSAGES_MAX,
} from '../wire/frame-types.ts';
import { varintBytes, writeVarint } from '../wire/varint.ts';

const CLOSED = -1;

export class PacketWriter {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Where the next frame goes. */
  at = 0;
  end = 0;
  #start = 0;
  /** The frame that a further message may join: where its type is, its family, channel, and the id that it would need. */
  #openAt = CLOSED;
  #openFamily = 0;
  #openChannel = 0;
  #openNext = 0;

  /** Starts on the next slot of `batch`. */
  begin(batch: DatagramBatch): void {
    this.bytes = batch.arena;
    this.view = batch.view;
    this.#start = batch.home(batch.count);
    this.at = this.#start;
    this.end = this.#start + PAYLOAD_BYTES_MAX;
    this.#openAt = CLOSED;
  }

  /** Bytes written. */
  get length(): number {
    return this.at - this.#start;
  }

  /** Bytes left. */
  get room(): number {
    return this.end - this.at;
  }

  /** Something else was written up to `at`: nothing can join what was before. */
  moveTo(at: number): void {
    this.at = at;
    this.#openAt = CLOSED;
  }

  /** A message with its id, for sequenced and reliable kinds. */
  putMessage(channel: number, id: number, length: number): number {
    if (this.#joins(FRAME_MESSAGES, channel, id) && this.#fits(0, length)) return this.#join(length, id + 1);
    if (!this.#fits(4, length)) return -1;
    this.#open(FRAME_MESSAGES, channel, id + 1);
    this.#u16(id);
    return this.#message(length);
  }

  /** A message without id, for unreliable channels. */
  putPlain(channel: number, length: number): number {
    if (this.#joins(FRAME_PLAIN, channel, 0) && this.#fits(0, length)) return this.#join(length, 0);
    if (!this.#fits(2, length)) return -1;
    this.#open(FRAME_PLAIN, channel, 0);
    return this.#message(length);
  }

  /** A value of a key. */
  putKeyed(channel: number, id: number, key: number, length: number): number {
    const own = 2 + varintBytes(key);
    const joins = this.#joins(FRAME_KEYED, channel, 0);
    if (joins && this.#fits(own, length)) this.bytes[this.#openAt] = this.bytes[this.#openAt]! + 1;
    else if (this.#fits(2 + own, length)) this.#open(FRAME_KEYED, channel, 0);
    else return -1;
    this.#u16(id);
    this.at = writeVarint(this.bytes, this.at, key);
    return this.#message(length);
  }

  /** The input of a tick. */
  putInput(channel: number, tick: number, length: number): number {
    if (this.#joins(FRAME_INPUT, channel, tick) && this.#fits(0, length)) return this.#join(length, tick + 1);
    if (!this.#fits(6, length)) return -1;
    this.#open(FRAME_INPUT, channel, tick + 1);
    this.#u16(tick);
    this.#u16(tick >>> 16);
    return this.#message(length);
  }

  /** One fragment of a message of `size` bytes; `key` -1: the channel has no keys. */
  putFragment(channel: number, id: number, key: number, size: number, index: number): number {
    const length = Math.min(FRAGMENT_BYTES, size - index * FRAGMENT_BYTES);
    const keyBytes = key < 0 ? 0 : varintBytes(key);
    if (4 + keyBytes + varintBytes(size) + varintBytes(index) + length > this.room) return -1;
    this.bytes[this.at++] = key < 0 ? FRAME_FRAGMENT : FRAME_KEYED_FRAGMENT;
    this.bytes[this.at++] = channel;
    this.#u16(id);
    if (key >= 0) this.at = writeVarint(this.bytes, this.at, key);
    this.at = writeVarint(this.bytes, this.at, size);
    this.at = writeVarint(this.bytes, this.at, index);
    this.#openAt = CLOSED;
    const at = this.at;
    this.at += length;
    return at;
  }

  /** `count` messages from `id` on will not come. */
  putSkip(channel: number, id: number, count: number): boolean {
    if (4 + varintBytes(count) > this.room) return false;
    this.bytes[this.at++] = FRAME_SKIP;
    this.bytes[this.at++] = channel;
    this.#u16(id);
    this.moveTo(writeVarint(this.bytes, this.at, count));
    return true;
  }

  /** A frame of its type alone, or with a few bytes that the caller writes at the result; -1: no room. */
  putControl(type: number, bodyBytes: number): number {
    if (1 + bodyBytes > this.room) return -1;
    this.bytes[this.at] = type;
    const body = this.at + 1;
    this.moveTo(body + bodyBytes);
    return body;
  }

  #fits(headerBytes: number, length: number): boolean {
    return headerBytes + varintBytes(length) + length <= this.room;
  }

  #joins(family: number, channel: number, next: number): boolean {
    return (
      this.#openAt !== CLOSED &&
      this.#openFamily === family &&
      this.#openChannel === channel &&
      this.#openNext === next &&
      (this.bytes[this.#openAt]! & 15) < MESSAGES_MAX - 1
    );
  }

  #join(length: number, next: number): number {
    this.bytes[this.#openAt] = this.bytes[this.#openAt]! + 1;
    this.#openNext = next;
    return this.#message(length);
  }

  #open(family: number, channel: number, next: number): void {
    this.#openAt = this.at;
    this.#openFamily = family;
    this.#openChannel = channel;
    this.#openNext = next;
    this.bytes[this.at++] = family;
    this.bytes[this.at++] = channel;
  }

  #message(length: number): number {
    this.at = writeVarint(this.bytes, this.at, length);
    const at = this.at;
    this.at += length;
    return at;
  }

  #u16(value: number): void {
    this.bytes[this.at++] = value;
    this.bytes[this.at++] = value >>> 8;
  }
}

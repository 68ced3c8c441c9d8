/** What tests of the receiving half share: frames as bytes, channels of every kind, and a receiver that writes down what arrives. */

import { BlockPool } from '../../../transport/block-pool.ts';
import {
  ChannelSet,
  type ChannelSpec,
  LATEST_STATE,
  RELIABLE_ORDERED,
  RELIABLE_SEQUENCED,
  RELIABLE_UNORDERED,
  TICK_INPUT,
  UNRELIABLE,
  UNRELIABLE_SEQUENCED,
} from '../../../transport/channel/channel-set.ts';
import { Incoming, MALFORMED, type MessageSink, VIOLATION } from '../../../transport/channel/incoming.ts';
import { FrameCursor } from '../../../transport/wire/frame-cursor.ts';
import {
  FRAGMENT_BYTES,
  FRAME_FRAGMENT,
  FRAME_INPUT,
  FRAME_KEYED,
  FRAME_KEYED_FRAGMENT,
  FRAME_MESSAGES,
  FRAME_PLAIN,
  FRAME_SKIP,
  MESSAGE_BYTES_MAX,
} from '../../../transport/wire/frame-types.ts';
import { varintBytes, writeVarint } from '../../../transport/wire/varint.ts';

const NAMES = ['unreliable', 'unreliableSequenced', 'ordered', 'unordered', 'sequenced', 'latest', 'tick'];

/** One channel of each kind, named in the order of their numbers, so that a channel's number is its kind's. */
export const EVERY_KIND: ChannelSet = new ChannelSet(NAMES.map((name, kind) => spec(`${kind} ${name}`, kind)));

export function spec(name: string, kind: number, messageBytesMax?: number, keysMax = 1024): ChannelSpec {
  const bytes = messageBytesMax ?? (kind === TICK_INPUT ? 1024 : MESSAGE_BYTES_MAX);
  return { name, kind, priority: 0, weight: 1, bulk: false, messageBytesMax: bytes, keysMax, inputs: 4 };
}

export const U: number = UNRELIABLE;
export const US: number = UNRELIABLE_SEQUENCED;
export const RO: number = RELIABLE_ORDERED;
export const RU: number = RELIABLE_UNORDERED;
export const RS: number = RELIABLE_SEQUENCED;
export const LS: number = LATEST_STATE;
export const TI: number = TICK_INPUT;

const u16 = (n: number) => [n & 255, (n >> 8) & 255];
const u32 = (n: number) => [n & 255, (n >>> 8) & 255, (n >>> 16) & 255, n >>> 24];
export function varint(n: number): number[] {
  const bytes = new Uint8Array(varintBytes(n));
  writeVarint(bytes, 0, n);
  return [...bytes];
}

/** Joins numbers and arrays. */
export function join(...parts: (number[] | Uint8Array)[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const counted = (messages: readonly Uint8Array[]) => messages.flatMap((m) => [varint(m.length), m]);

export const plain = (channel: number, ...messages: Uint8Array[]): Uint8Array =>
  join([FRAME_PLAIN + messages.length - 1, channel], ...counted(messages));
export const messages = (channel: number, first: number, ...all: Uint8Array[]): Uint8Array =>
  join([FRAME_MESSAGES + all.length - 1, channel, ...u16(first)], ...counted(all));
export const keyed = (channel: number, ...all: [id: number, key: number, bytes: Uint8Array][]): Uint8Array =>
  join(
    [FRAME_KEYED + all.length - 1, channel],
    ...all.flatMap(([id, key, bytes]) => [u16(id), varint(key), varint(bytes.length), bytes]),
  );
export const input = (channel: number, first: number, ...ticks: Uint8Array[]): Uint8Array =>
  join([FRAME_INPUT + ticks.length - 1, channel, ...u32(first)], ...counted(ticks));
export const skip = (channel: number, first: number, count: number): Uint8Array =>
  join([FRAME_SKIP, channel, ...u16(first)], varint(count));
/** A fragment with whatever is claimed of it. */
export const piece = (channel: number, id: number, size: number, index: number, bytes: Uint8Array): Uint8Array =>
  join([FRAME_FRAGMENT, channel, ...u16(id)], varint(size), varint(index), bytes);
export const keyedPiece = (
  channel: number,
  id: number,
  key: number,
  size: number,
  index: number,
  bytes: Uint8Array,
): Uint8Array => join([FRAME_KEYED_FRAGMENT, channel, ...u16(id)], varint(key), varint(size), varint(index), bytes);

/** All fragments of a message; with a key for latest state. */
export function fragments(channel: number, id: number, bytes: Uint8Array, key = -1): Uint8Array[] {
  const count = Math.ceil(bytes.length / FRAGMENT_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const part = bytes.subarray(index * FRAGMENT_BYTES, (index + 1) * FRAGMENT_BYTES);
    return key < 0
      ? piece(channel, id, bytes.length, index, part)
      : keyedPiece(channel, id, key, bytes.length, index, part);
  });
}

/** `length` bytes that differ by `seed`; the first four are the seed. */
export function content(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = i < 4 ? seed >>> (8 * i) : (seed + i * 7 + (i >> 8)) & 255;
  return bytes;
}

export interface Arrival {
  readonly connection: number;
  readonly channel: number;
  readonly tag: number;
  readonly bytes: Uint8Array;
}

export interface ReceiverOptions {
  readonly channels?: ChannelSet;
  readonly connections?: number;
  readonly windowBytes?: number;
  readonly poolBytes?: number;
}

export class Receiver implements MessageSink {
  readonly pool: BlockPool;
  readonly incoming: Incoming;
  readonly arrived: Arrival[] = [];
  /** Throws instead of taking the message when it is 0; counts down. */
  throwIn: number = Number.POSITIVE_INFINITY;
  now = 1_000_000;
  readonly #cursor = new FrameCursor();

  constructor({ channels, connections = 2, windowBytes = 1 << 20, poolBytes = 1 << 24 }: ReceiverOptions = {}) {
    this.pool = new BlockPool(poolBytes);
    this.incoming = new Incoming({ connections, channels: channels ?? EVERY_KIND, windowBytes, pool: this.pool });
    for (let c = 0; c < connections; c++) this.incoming.open(c);
  }

  message(connection: number, channel: number, bytes: Uint8Array, offset: number, length: number, tag: number): void {
    this.arrived.push({ connection, channel, tag, bytes: bytes.slice(offset, offset + length) });
    if (this.throwIn-- <= 0) throw new Error('the game threw');
  }

  /** Reads frames one after the other, as those of one packet; returns the worst answer. */
  read(frames: Uint8Array | readonly Uint8Array[], c = 0): number {
    const packet = frames instanceof Uint8Array ? frames : join(...frames);
    // Not at the start of its memory, as in a batch.
    const bytes = new Uint8Array(packet.length + 5);
    bytes.set(packet, 3);
    const view = new DataView(bytes.buffer);
    const cursor = this.#cursor.wrap(bytes, 3, packet.length);
    let worst = 0;
    while (cursor.remaining > 0) {
      const answer = this.incoming.readFrame(c, cursor.u8(), cursor, view, this, this.now);
      if (answer === MALFORMED || answer === VIOLATION) return answer;
      worst = Math.max(worst, answer);
    }
    return worst;
  }

  /** What has arrived since the last call: [tag, bytes]. */
  take(): [number, Uint8Array][] {
    return this.arrived.splice(0).map(({ tag, bytes }) => [tag, bytes]);
  }

  /** First bytes of what has arrived since the last call. */
  takeFirst(): (number | undefined)[] {
    return this.arrived.splice(0).map(({ bytes }) => bytes[0]);
  }
}

/** A message of one byte. */
export const one = (n: number): Uint8Array => Uint8Array.of(n);

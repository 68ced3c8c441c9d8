/**
 * Channels: named streams of messages, each with one delivery kind and, if you like, one type.
 *
 * Both sides name the same channels with the same kinds. Names become numbers on the wire in alphabetical order, so the
 * order in which they are written down does not matter.
 */

import type { SendQueue } from '../transport/channel/send-queue.ts';
import { ByteReader } from '../transport/wire/byte-reader.ts';
import { ByteWriter } from '../transport/wire/byte-writer.ts';
import { CHANNELS_MAX, MESSAGE_BYTES_MAX, MESSAGE_HEADER_BYTES, writeMessageHeader } from '../transport/wire/frames.ts';
import { ConfigError } from './errors.ts';

/** A received message: a reader over borrowed bytes, gone when the callback returns (`copy()` to keep it). */
export type Message = ByteReader;

/** How a typed channel turns values into bytes and back. */
export interface Codec<T> {
  /** Writes `value`. A message of more than MESSAGE_BYTES_MAX (1,196) bytes is refused with a RangeError. */
  encode(value: T, writer: ByteWriter): void;
  /** Reads a value. Bytes come from the network: if `reader.ok` is false afterwards, the message is dropped and counted. */
  decode(reader: ByteReader): T;
}

/** A channel's delivery kind and types: `Out` is what `send` takes, `In` what a listener gets. */
export interface Channel<Out, In> {
  readonly kind: 'unreliable';
  readonly codec: Codec<unknown> | null;
  /** Never there; carries the types. */
  readonly types?: { readonly out: Out; readonly in: In };
}

/** The channels of a server or client, by name. */
// biome-ignore lint/suspicious/noExplicitAny: any channel, whatever its types; `unknown` would refuse typed ones
export type Channels = Readonly<Record<string, Channel<any, any>>>;

/** What `send` takes on a channel. */
// biome-ignore lint/suspicious/noExplicitAny: only the other type matters here
export type Outgoing<C> = C extends Channel<infer Out, any> ? Out : never;
/** What a listener of `message` gets on a channel. */
// biome-ignore lint/suspicious/noExplicitAny: only the other type matters here
export type Incoming<C> = C extends Channel<any, infer In> ? In : never;

/**
 * Each message is sent once. It may be lost, arrive twice never, and arrive after one that was sent later. For state
 * that is sent again and again anyway. At most 1,196 bytes.
 */
export function unreliable(): Channel<Uint8Array, Message>;
export function unreliable<T>(codec: Codec<T>): Channel<T, T>;
export function unreliable(codec: Codec<unknown> | null = null): Channel<unknown, unknown> {
  return { kind: 'unreliable', codec };
}

/** A codec for anything JSON can say: easy, and ten times the cost of a hand-written one. */
export function json<T>(): Codec<T> {
  return {
    encode: (value, writer) => void writer.text(JSON.stringify(value)),
    decode: (reader) => {
      const text = reader.text();
      try {
        return JSON.parse(text) as T;
      } catch {
        reader.ok = false; // the peer sent something else: dropped and counted by the caller
        return undefined as T;
      }
    },
  };
}

const NOT_DECODED = Symbol('not decoded');

/** The names, numbers and codecs of one set of channels, and the one reader and writer that they use. */
export class ChannelTable {
  /** Messages that came on an unknown channel or that their codec could not read. */
  undecodable = 0;
  readonly #names: readonly string[];
  readonly #codecs: readonly (Codec<unknown> | null)[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #writer: ByteWriter = new ByteWriter();
  readonly #poison: boolean;
  #reader: ByteReader = new ByteReader();
  #lastName = '';
  #lastId = -1;

  /** @param poison development: bytes are overwritten after the callback, and each message has a reader of its own */
  constructor(channels: Channels, poison: boolean) {
    this.#names = Object.keys(channels).sort();
    if (this.#names.length === 0 || this.#names.length > CHANNELS_MAX) {
      throw new ConfigError('channels', `name 1 to ${CHANNELS_MAX} channels, for example { state: unreliable() }`);
    }
    this.#codecs = this.#names.map((name) => channels[name]!.codec);
    this.#ids = new Map(this.#names.map((name, id) => [name, id]));
    this.#poison = poison;
  }

  /**
   * Encodes a message into a cell of `queue`, frame header included, and returns the cell, or -1 when too much waits.
   * The caller enqueues and then releases it. Throws RangeError when the message is too long, TypeError on an unknown
   * channel.
   */
  encode(queue: SendQueue, channel: string, value: unknown): number {
    const id = channel === this.#lastName ? this.#lastId : this.#idOf(channel);
    if (id < 0) {
      throw new TypeError(`there is no channel '${channel}'; there is ${this.#names.join(', ')}`);
    }
    const cell = queue.acquire();
    if (cell < 0) return -1;
    const at = queue.offsetOf(cell) + MESSAGE_HEADER_BYTES;
    const codec = this.#codecs[id]!;
    const length =
      codec === null ? putRaw(value as Uint8Array, queue.arena, at) : this.#encode(codec, value, queue, cell, at);
    if (length < 0) {
      queue.release(cell);
      throw new RangeError(
        `a message on '${channel}' is longer than ${MESSAGE_BYTES_MAX} bytes: send less, or in parts`,
      );
    }
    writeMessageHeader(queue.arena, at - MESSAGE_HEADER_BYTES, id, length);
    queue.setLength(cell, MESSAGE_HEADER_BYTES + length);
    return cell;
  }

  /** A game sends on one channel many times in a row: to hash its name each time would cost as much as to copy an input. */
  #idOf(channel: string): number {
    this.#lastName = channel;
    this.#lastId = this.#ids.get(channel) ?? -1;
    return this.#lastId;
  }

  /** Length of the message encoded at `at`, -1 when it does not fit. Gives the cell back when the codec throws. */
  #encode(codec: Codec<unknown>, value: unknown, queue: SendQueue, cell: number, at: number): number {
    const writer = this.#writer.wrap(queue.arena, at, at + MESSAGE_BYTES_MAX);
    try {
      codec.encode(value, writer);
    } catch (error) {
      queue.release(cell);
      throw error;
    }
    return writer.ok ? writer.length : -1;
  }

  /** The name of channel `id`, or undefined when the peer made it up. */
  nameOf(id: number): string | undefined {
    return this.#names[id];
  }

  /** Decodes a message and gives it to `deliver`, then ends the loan of its bytes. Drops and counts what is malformed. */
  deliver(to: MessageReceiver, id: number, bytes: Uint8Array, offset: number, length: number): void {
    const name = this.#names[id];
    if (name === undefined) {
      this.undecodable++;
      return;
    }
    const reader = this.#poison ? new ByteReader() : this.#reader;
    const value = this.#decode(this.#codecs[id]!, reader.wrap(bytes, offset, length));
    if (value === NOT_DECODED) {
      this.undecodable++;
      return;
    }
    to.receiveMessage(name, value);
    reader.release();
    if (this.#poison) bytes.fill(POISON, offset, offset + length);
  }

  #decode(codec: Codec<unknown> | null, reader: ByteReader): unknown {
    if (codec === null) return reader;
    try {
      const value = codec.decode(reader);
      return reader.ok ? value : NOT_DECODED;
    } catch {
      return NOT_DECODED; // a codec that throws on the peer's bytes: the wire is wrong, so drop and count
    }
  }
}

/** Copies a message; -1 when it is too long. */
function putRaw(message: Uint8Array, arena: Uint8Array, at: number): number {
  if (message.length > MESSAGE_BYTES_MAX) return -1;
  arena.set(message, at);
  return message.length;
}

/** Where `deliver` puts a message. */
export interface MessageReceiver {
  receiveMessage(channel: string, message: unknown): void;
}

/** What stale views show in development: 0xDB, easy to see in a dump. */
const POISON = 0xdb;

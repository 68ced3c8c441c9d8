/** The channels of one server or client at work: names to numbers, values to blocks of bytes, and back. */

import type { BlockPool } from '../transport/block-pool.ts';
import {
  ChannelSet,
  type ChannelSpec,
  INPUT_BYTES_MAX,
  LATEST_STATE,
  RELIABLE_UNORDERED,
  TICK_INPUT,
} from '../transport/channel/channel-set.ts';
import { ByteReader } from '../transport/wire/byte-reader.ts';
import { ByteWriter } from '../transport/wire/byte-writer.ts';
import type { Channels } from './channel-types.ts';
import { KINDS, type LatestStateOptions, type TickInputOptions } from './channels.ts';
import { type Codec, decodeOr, NOT_DECODED } from './codec.ts';
import { ConfigError } from './errors.ts';
import type { TappedChannel } from './message-tap.ts';
import type { RequestChannel } from './request-channel.ts';

/** By kind's number. */
const PRIORITIES_BY_DEFAULT: readonly number[] = [3, 3, 1, 1, 2, 2, 0];
const WEIGHT_BY_DEFAULT = 100;
const KIB = 1024;
const MESSAGE_BYTES_BY_DEFAULT: readonly number[] = [
  64 * KIB,
  64 * KIB,
  KIB * KIB,
  KIB * KIB,
  KIB * KIB,
  KIB * KIB,
  INPUT_BYTES_MAX,
];
const KEYS_BY_DEFAULT = 1024;
const INPUTS_BY_DEFAULT = 4;

/** Where codecs write before a block of the right size is taken: most messages fit. */
const SCRATCH_BYTES = 4096;
/** A scratch that a large message has made larger than this is not kept. */
const SCRATCH_KEPT_BYTES = 65_536;
/** Up to this length bytes are copied one by one, beyond by a view, which costs an object (`transport/wire/copy.ts`). */
const COPIED_BYTES_MAX = 4096;
/** What stale views show in development: 0xDB, easy to see in a dump. */
const POISON = 0xdb;

/** Where `deliver` puts what has come. */
export interface MessageReceiver {
  /** @param tag the tick (tick input), the key (latest state), else undefined */
  receiveMessage(channel: string, message: unknown, tag: number | undefined): void;
  /** A message of a channel of requests, not decoded. The bytes are borrowed. */
  receiveEnvelope(channel: number, bytes: Uint8Array, offset: number, length: number): void;
}

export class ChannelTable {
  /** What the transport is told. */
  readonly set: ChannelSet;
  /** The channels as a tap sees them, by number. */
  readonly tapped: readonly TappedChannel[];
  /** Messages that their codec could not read. */
  undecodable = 0;
  /** Bytes of the message that `encode` wrote last. */
  encodedBytes = 0;
  readonly #codecs: readonly (Codec<unknown> | null)[];
  readonly #requests: readonly (RequestChannel<unknown, unknown> | null)[];
  /** 1: listeners are given a tag. */
  readonly #isTagged: Uint8Array;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #poison: boolean;
  #writer: ByteWriter = newScratch();
  readonly #reader: ByteReader = new ByteReader();
  #lastName = '';
  #lastId = -1;

  /** @param poison development: bytes are overwritten after the callback, and each message has a reader of its own */
  constructor(channels: Channels, poison: boolean) {
    const names = Object.keys(channels);
    if (names.length === 0) throw new ConfigError('channels', 'name at least one, for example { state: unreliable() }');
    this.set = new ChannelSet(names.map((name) => specOf(name, channels[name]!)));
    const sorted = this.set.names.map((name) => channels[name]!);
    this.tapped = this.set.names.map((name, number) => ({ number, name, kind: sorted[number]!.kind }));
    this.#codecs = sorted.map((channel) => (channel.kind === 'requests' ? null : channel.codec));
    this.#requests = sorted.map((channel) => (channel.kind === 'requests' ? channel : null));
    this.#isTagged = Uint8Array.from(this.set.kind, (kind) => (kind === LATEST_STATE || kind === TICK_INPUT ? 1 : 0));
    this.#ids = new Map(this.set.names.map((name, id) => [name, id]));
    this.#poison = poison;
  }

  /** Number of a channel. Throws TypeError when there is none of that name. */
  idOf(channel: string): number {
    // A game sends on one channel many times in a row: to hash its name each time would cost as much as to copy an input.
    if (channel === this.#lastName) return this.#lastId;
    const id = this.#ids.get(channel);
    if (id === undefined) {
      throw new TypeError(`there is no channel '${channel}'; there is ${this.set.names.join(', ')}`);
    }
    this.#lastName = channel;
    this.#lastId = id;
    return id;
  }

  /** The declaration of a channel of requests; null: it carries messages. */
  requestsOf(id: number): RequestChannel<unknown, unknown> | null {
    return this.#requests[id]!;
  }

  /**
   * Encodes a message into a block of `pool`, whose only user the caller is then; `encodedBytes` is its length. -1: the pool
   * is full. Throws RangeError when the message is longer than the channel allows, and what the codec throws.
   */
  encode(pool: BlockPool, id: number, value: unknown): number {
    const codec = this.#codecs[id]!;
    if (codec !== null) {
      codec.encode(value, this.scratch(id));
      return this.takeScratch(pool, id);
    }
    const message = value as Uint8Array;
    if (!(message instanceof Uint8Array))
      throw new TypeError(`'${this.set.names[id]}' carries bytes: send a Uint8Array`);
    if (message.length > this.set.messageBytesMax[id]!) throw this.#tooLong(id);
    const block = pool.take(message.length);
    if (block < 0) return block;
    pool.bytesOf(block).set(message, pool.offsetOf(block));
    this.encodedBytes = message.length;
    return block;
  }

  /** An empty writer for a message of a channel; `takeScratch` makes a block of what is written. */
  scratch(id: number): ByteWriter {
    return this.#writer.limit(this.set.messageBytesMax[id]!);
  }

  /** The second half of `encode`, for who has written into `scratch` himself. */
  takeScratch(pool: BlockPool, id: number): number {
    const writer = this.#writer;
    if (!writer.ok) {
      this.#writer = newScratch();
      throw this.#tooLong(id);
    }
    const { length } = writer;
    const block = pool.take(length);
    if (block >= 0) {
      if (length <= COPIED_BYTES_MAX) pool.copyIn(block, 0, writer.memory, writer.memoryOffset, length);
      else pool.bytesOf(block).set(writer.written, pool.offsetOf(block));
    }
    this.encodedBytes = length;
    if (length > SCRATCH_KEPT_BYTES) this.#writer = newScratch();
    return block;
  }

  /** Decodes a message and gives it to `to`, then ends the loan of its bytes. Drops and counts what is malformed. */
  deliver(to: MessageReceiver, id: number, bytes: Uint8Array, offset: number, length: number, tag: number): void {
    if (this.#requests[id] !== null) to.receiveEnvelope(id, bytes, offset, length);
    else {
      const codec = this.#codecs[id]!;
      const reader = (this.#poison ? new ByteReader() : this.#reader).wrap(bytes, offset, length);
      const value = codec === null ? reader : decodeOr(codec, reader);
      if (value === NOT_DECODED) this.undecodable++;
      else to.receiveMessage(this.set.names[id]!, value, this.#isTagged[id] === 1 ? tag : undefined);
      reader.release();
    }
    if (this.#poison) bytes.fill(POISON, offset, offset + length);
  }

  #tooLong(id: number): RangeError {
    return new RangeError(
      `a message on '${this.set.names[id]}' is longer than ${this.set.messageBytesMax[id]} bytes: ` +
        "send less, or raise the channel's messageBytesMax on both sides",
    );
  }
}

function newScratch(): ByteWriter {
  return new ByteWriter(SCRATCH_BYTES);
}

/** A channel as the transport sees it: all options, and numbers for names. */
function specOf(name: string, channel: Channels[string]): ChannelSpec {
  const kind = channel.kind === 'requests' ? RELIABLE_UNORDERED : KINDS.indexOf(channel.kind);
  if (kind < 0)
    throw new ConfigError(
      `channels.${name}`,
      `there is no kind '${channel.kind}': declare it as ${KINDS.join('(), ')}()`,
    );
  const options: LatestStateOptions & TickInputOptions = channel.options;
  return {
    name,
    kind,
    priority: options.priority ?? PRIORITIES_BY_DEFAULT[kind]!,
    weight: options.weight ?? WEIGHT_BY_DEFAULT,
    bulk: options.bulk ?? false,
    messageBytesMax: options.messageBytesMax ?? MESSAGE_BYTES_BY_DEFAULT[kind]!,
    keysMax: options.keysMax ?? KEYS_BY_DEFAULT,
    inputs: options.inputs ?? INPUTS_BY_DEFAULT,
  };
}

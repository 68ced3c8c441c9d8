/** Codecs: how a typed channel turns values into bytes and back. */

import type { ByteReader } from '../transport/wire/byte-reader.ts';
import type { ByteWriter } from '../transport/wire/byte-writer.ts';

/** A received message: a reader over borrowed bytes, gone when the callback returns (`copy()` to keep it). */
export type Message = ByteReader;

export interface Codec<T> {
  /** Writes `value`. A message longer than the channel's `messageBytesMax` is refused with a RangeError. */
  encode(value: T, writer: ByteWriter): void;
  /** Reads a value. Bytes come from the network: if `reader.ok` is false afterwards, the message is dropped and counted. */
  decode(reader: ByteReader): T;
}

/** A codec for anything JSON can say: easy, and ten times the cost of a hand-written one. */
export function json<T>(): Codec<T> {
  return {
    encode: (value, writer) => void writer.utf8(JSON.stringify(value)),
    decode: (reader) => {
      const text = reader.utf8();
      try {
        return JSON.parse(text) as T;
      } catch {
        reader.ok = false; // the peer sent something else: dropped and counted by the caller
        return undefined as T;
      }
    },
  };
}

/** A codec for bytes that the receiver may keep: each message is a copy. For requests, which bytes outlive. */
export function bytes(): Codec<Uint8Array> {
  return {
    encode: (value, writer) => void writer.bytes(value),
    decode: (reader) => reader.bytes(reader.remaining).slice(),
  };
}

export const NOT_DECODED: unique symbol = Symbol('not decoded');

/** The value that `codec` reads, or NOT_DECODED when the bytes are not one, also when the codec throws on them. */
export function decodeOr<T>(codec: Codec<T>, reader: ByteReader): T | typeof NOT_DECODED {
  try {
    const value = codec.decode(reader);
    return reader.ok ? value : NOT_DECODED;
  } catch {
    return NOT_DECODED; // the wire is wrong, so drop and count
  }
}

/**
 * Frames: the typed sections inside the payload of a packet (PROTOCOL.md, section 2).
 *
 *     message:  01 | channel u8 | length u16 | bytes
 *
 * A packet's payload is one or more frames, back to back, to its end.
 */

import { PAYLOAD_BYTES_MAX } from '../netcode/packets.ts';

/** type, channel, length. */
export const MESSAGE_HEADER_BYTES = 4;
/** Largest message that fits in one packet. Larger ones need fragments, which are not built yet. */
export const MESSAGE_BYTES_MAX: number = PAYLOAD_BYTES_MAX - MESSAGE_HEADER_BYTES;
/** Channels of one connection: their number is a byte. */
export const CHANNELS_MAX = 256;

export const FRAME_MESSAGE = 1;

/** Receives the frames of one payload. `bytes` are borrowed. */
export interface FrameSink {
  messageFrame(connection: number, channel: number, bytes: Uint8Array, offset: number, length: number): void;
}

/** Writes the header of a message frame at `offset`; the message's bytes follow it. */
export function writeMessageHeader(bytes: Uint8Array, offset: number, channel: number, length: number): void {
  bytes[offset] = FRAME_MESSAGE;
  bytes[offset + 1] = channel;
  bytes[offset + 2] = length & 0xff;
  bytes[offset + 3] = length >>> 8;
}

/**
 * Hands each frame of `bytes[offset .. offset + length)` to the sink, in order.
 *
 * Returns false when the payload is malformed (an unknown type, a length past the end): the frames before that point
 * have been delivered, the rest is dropped. The sender is authenticated, so this is a bug or a newer version of it.
 */
export function readFrames(
  sink: FrameSink,
  connection: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): boolean {
  const end = offset + length;
  let at = offset;
  while (at < end) {
    if (bytes[at] !== FRAME_MESSAGE || at + MESSAGE_HEADER_BYTES > end) return false;
    const messageBytes = bytes[at + 2]! | (bytes[at + 3]! << 8);
    const start = at + MESSAGE_HEADER_BYTES;
    if (start + messageBytes > end) return false;
    sink.messageFrame(connection, bytes[at + 1]!, bytes, start, messageBytes);
    at = start + messageBytes;
  }
  return true;
}

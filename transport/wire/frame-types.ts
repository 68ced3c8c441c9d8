/** The first byte of each frame (PROTOCOL.md, section 2), and the sizes that both ends must agree on. */

export const FRAME_PADDING = 0x00;
export const FRAME_PING = 0x01;
export const FRAME_TIME = 0x02;
export const FRAME_IDS = 0x03;
export const FRAME_HELLO = 0x04;
export const FRAME_SKIP = 0x05;
/** Plus the number of gaps, 0 .. ACK_GAPS_MAX. */
export const FRAME_ACK = 0x10;
/** These four plus the number of messages less one, 0 .. MESSAGES_MAX - 1. */
export const FRAME_INPUT = 0x30;
export const FRAME_MESSAGES = 0x40;
export const FRAME_PLAIN = 0x50;
export const FRAME_KEYED = 0x60;
export const FRAME_FRAGMENT = 0x70;
export const FRAME_KEYED_FRAGMENT = 0x71;
/** From here on: u16 length follows, skipped by who does not know it. */
export const FRAME_EXTENSION = 0x80;

export const ACK_GAPS_MAX = 31;
/** Skips in one packet: each may cost the receiver 4,096 steps. */
export const SKIPS_MAX = 16;
/** Messages behind one header. */
export const MESSAGES_MAX = 16;
/** Bytes of every fragment but the last. */
export const FRAGMENT_BYTES = 1152;
/** type, channel, id, key, size, index in their longest forms. */
export const FRAGMENT_HEADER_BYTES_MAX = 14;
/** Largest message of all. */
export const MESSAGE_BYTES_MAX: number = 1 << 26;
/** Bytes of one connection id. */
export const ID_BYTES = 8;
export const IDS_MAX = 3;
export const PROTOCOL_VERSION = 1;
/** Ids of a reliable channel that may be in flight, and how far ahead of the expected one a receiver takes them. */
export const ID_WINDOW = 4096;
/** What may be sent of reliable fragments before the peer's hello has come. */
export const WINDOW_BEFORE_HELLO = 65_536;
/** Unit of an ack's delay, and the value that means "too long to say". */
export const ACK_DELAY_UNIT_MICROS = 8;
export const ACK_DELAY_UNKNOWN = 0xffff;

/**
 * The number nearest to `expected` whose low 16 bits are `low`: how ids come back to their full length. May be negative
 * when `expected` is small.
 */
export function expandId(low: number, expected: number): number {
  return expected + idsAhead(low, expected);
}

/** How far the id whose low 16 bits are `low` lies before `expected`, to which it is nearest; negative: behind. */
export function idsAhead(low: number, expected: number): number {
  return ((low - expected) << 16) >> 16;
}

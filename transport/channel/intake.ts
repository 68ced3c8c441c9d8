/** What the delivery kinds share on the receiving side: what they answer, what they count, and whom they hand messages to. */

import type { FrameCursor } from '../wire/frame-cursor.ts';
import type { ChannelSet } from './channel-set.ts';

/** The frame is read to its end and done with; duplicates and stale messages among it are counted. */
export const TAKEN = 0;
/** The rest of the packet cannot be read, and the packet must not be acked. */
export const MALFORMED = 1;
/** The frame is read to its end, but something in it found no room: the packet must not be acked, so that it comes again. */
export const REFUSED = 2;
/** The peer breaks the protocol: `violationText` says how. The connection is to be closed. */
export const VIOLATION = 3;

export interface MessageSink {
  /**
   * A message has arrived. `bytes[offset .. offset + length)` are borrowed until this returns. May throw; must not call
   * back into `Incoming`.
   *
   * @param tag the tick (tick input), the key (latest state), else 0
   */
  message(connection: number, channel: number, bytes: Uint8Array, offset: number, length: number, tag: number): void;
}

export class Intake {
  /** Messages, fragments and skips that had come before. */
  duplicates = 0;
  /** Messages and fragments that are older than the newest of their channel or key; ticks that are over. */
  stale = 0;
  /** Messages and fragments that found no room; the packet comes again. */
  refused = 0;
  /** Unreliable messages that did not get all their fragments, in time or at all. */
  unreliableDropped = 0;
  violationText = '';
  readonly connections: number;
  readonly channels: ChannelSet;

  constructor(connections: number, channels: ChannelSet) {
    this.connections = connections;
    this.channels = channels;
  }

  /** Length of columns by stream (`connection * channels.count + channel`) for these kinds; 0 when no channel has one. */
  streamsOf(...kinds: number[]): number {
    return this.channels.kind.some((kind) => kinds.includes(kind)) ? this.connections * this.channels.count : 0;
  }

  violation(channel: number, what: string): number {
    this.violationText = `channel ${this.channels.names[channel]!}: ${what}`;
    return VIOLATION;
  }
}

/** Reads a length and moves past so many bytes, which end at `cursor.at` then. -1: cut off, or longer than `lengthMax`. */
export function readLength(cursor: FrameCursor, lengthMax: number): number {
  const length = cursor.varint();
  cursor.skip(length);
  return cursor.ok && length <= lengthMax ? length : -1;
}

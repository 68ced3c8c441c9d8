/** What both endpoints may be told about messages: channels, backlogs, memory. */

import type { ChannelSet } from './channel/channel-set.ts';
import { isReliable } from './channel/channel-set.ts';
import { ConfigError, checkWhole } from './config-error.ts';
import { WINDOW_BEFORE_HELLO } from './wire/frame-types.ts';

export interface TransportOptions {
  readonly channels: ChannelSet;
  /** Messages that may wait to be sent to one peer, of bulk channels and of all others each; a further one is refused. Default 1,024. */
  readonly backlogMax?: number;
  /** Bytes that may wait, the same. A single message may be longer when nothing else of its class waits. Default 4 MiB. */
  readonly backlogBytesMax?: number;
  /** Bytes of messages that wait or are on their way, to all peers. Default 256 MiB. */
  readonly sendMemoryBytesMax?: number;
  /** Bytes of messages from all peers that are being put together or wait for an earlier one. Default 256 MiB. */
  readonly receiveMemoryBytesMax?: number;
  /** The same for one peer: what it may have begun. Default: twice the longest reliable message of the channels, at least 256 KiB. */
  readonly windowBytes?: number;
  /** Count frames and their bytes by connection and family, for `ConnectionStats`. Default false: 288 bytes a connection, and time. */
  readonly frameStats?: boolean;
}

/** The same, with nothing left out. */
export interface TransportSettings extends Required<TransportOptions> {}

const MIB = 1 << 20;
const WINDOW_BYTES_MIN = 256 << 10;
const WINDOW_BYTES_MAX = 512 * MIB;
const MEMORY_BYTES_MAX: number = 16 * 1024 * MIB;

/** Checks options and fills in defaults. Throws ConfigError. */
export function transportSettings(options: TransportOptions): TransportSettings {
  const { channels } = options;
  const longest = longestReliable(channels);
  const windowBytes = options.windowBytes ?? Math.max(WINDOW_BYTES_MIN, longest * 2);
  // A peer may use so much before it has heard our hello.
  checkWhole('windowBytes', windowBytes, WINDOW_BEFORE_HELLO, WINDOW_BYTES_MAX);
  if (windowBytes < longest) {
    throw new ConfigError(
      'windowBytes',
      `${windowBytes} bytes never hold the longest message of the channels, ${longest}: give at least that`,
    );
  }
  const receiveMemoryBytesMax = options.receiveMemoryBytesMax ?? Math.max(256 * MIB, windowBytes * 2);
  return {
    channels,
    windowBytes,
    frameStats: options.frameStats ?? false,
    backlogMax: checkWhole('backlogMax', options.backlogMax ?? 1024, 1, 32_768),
    backlogBytesMax: checkWhole('backlogBytesMax', options.backlogBytesMax ?? 4 * MIB, 1, MEMORY_BYTES_MAX),
    sendMemoryBytesMax: checkWhole(
      'sendMemoryBytesMax',
      options.sendMemoryBytesMax ?? 256 * MIB,
      65_536,
      MEMORY_BYTES_MAX,
    ),
    receiveMemoryBytesMax: checkWhole('receiveMemoryBytesMax', receiveMemoryBytesMax, 65_536, MEMORY_BYTES_MAX),
  };
}

function longestReliable(channels: ChannelSet): number {
  let longest = 0;
  for (let channel = 0; channel < channels.count; channel++) {
    if (isReliable(channels.kind[channel]!)) longest = Math.max(longest, channels.messageBytesMax[channel]!);
  }
  return longest;
}

/** What the transport's bench and its allocation test have connections say in a tick. Channels are those of `ALL_KINDS`. */

import {
  LATEST_STATE,
  RELIABLE_ORDERED,
  RELIABLE_SEQUENCED,
  RELIABLE_UNORDERED,
  TICK_INPUT,
  UNRELIABLE,
  UNRELIABLE_SEQUENCED,
} from '../../transport/channel/channel-set.ts';
import type { Load, StandEnd } from './transport-stand.ts';

export const CONNECTIONS = 1000;
/** The bulk channel of `ALL_KINDS`. */
const BULK = 7;
/** 57 fragments: as much as may be on its way before hello. */
const BULK_BYTES = 65_536;
const KEYS = 8;
const KINDS = [UNRELIABLE_SEQUENCED, RELIABLE_ORDERED, RELIABLE_UNORDERED, RELIABLE_SEQUENCED, LATEST_STATE] as const;

export const nothing: Load = () => {};

/** `times` messages of `length` bytes to every connection. */
export function each(channel: number, length: number, times = 1): Load {
  return (end, tick, now) => {
    for (let c = 0; c < CONNECTIONS; c++) {
      for (let i = 0; i < times; i++) end.send(c, channel, length, tick, now);
    }
  };
}

/** One message to all, in one block. */
export function broadcast(channel: number, length: number): Load {
  return (end, _tick, now) => {
    const { pool } = end.connections;
    const block = pool.take(length);
    for (let c = 0; c < CONNECTIONS; c++) end.sendBlock(c, channel, block, length, 0, now);
    pool.release(block);
  };
}

/** A transfer to every connection that has none: all of one block, so that memory is not what is measured. */
export function bulk(): Load {
  return (end, _tick, now) => {
    const { pool, outgoing } = end.connections;
    const block = pool.take(BULK_BYTES);
    for (let c = 0; c < CONNECTIONS; c++) {
      if (outgoing.backlog.messagesOf(c) === 0) end.sendBlock(c, BULK, block, BULK_BYTES, 0, now);
    }
    pool.release(block);
  };
}

/** All seven kinds: an unreliable message and an input a tick, and one of the others in turn, of 24 to 63 bytes. */
export const mixed: Load = (end: StandEnd, tick, now) => {
  for (let c = 0; c < CONNECTIONS; c++) {
    end.send(c, UNRELIABLE, 32, 0, now);
    end.send(c, TICK_INPUT, 16, tick, now);
    const kind = KINDS[(tick + c) % KINDS.length]!;
    end.send(c, kind, 24 + ((tick * 7 + c) % 40), kind === LATEST_STATE ? tick % KEYS : 0, now);
  }
};

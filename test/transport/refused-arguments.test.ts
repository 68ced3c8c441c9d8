/** What the application cannot mean is an error at `send`: on the wire it would be corrupt, or wait for ever. */

import { expect, test } from 'vitest';
import { ALL_KINDS, Pair } from './pair.ts';

const [STATE, INPUT] = [5, 6] as const;
const INPUT_BYTES_MAX = 1024;

/** Sends `length` bytes of a block of `room`. */
function send(pair: Pair, channel: number, room: number, length: number, tag: number): boolean {
  const { pool } = pair.a.connections;
  const block = pool.take(room);
  try {
    return pair.a.connections.send(0, channel, block, length, tag, 0, 0, pair.now);
  } finally {
    pool.release(block);
  }
}

test.each([
  [
    'a length that the channel does not allow',
    INPUT,
    4096,
    INPUT_BYTES_MAX + 1,
    1,
    /length 1025 on 'g-input' is not a whole number from 0 to 1024/,
  ],
  ['a length beyond its block', INPUT, 64, 65, 1, /length 65 on 'g-input' is not a whole number from 0 to 64/],
  ['a negative length', INPUT, 64, -1, 1, /length -1 on/],
  ['half a byte', INPUT, 64, 1.5, 1, /length 1.5 on/],
  ['no length', INPUT, 64, Number.NaN, 1, /length NaN on/],
  ['a tick beyond u32', INPUT, 64, 8, 2 ** 32, /tick 4294967296 on 'g-input'/],
  ['a negative tick', INPUT, 64, 8, -1, /tick -1 on 'g-input'/],
  [
    'a key that the channel does not have',
    STATE,
    64,
    8,
    1024,
    /key 1024 on 'f-state' is not a whole number from 0 to 1023/,
  ],
  ['a channel that there is not', ALL_KINDS.length, 64, 8, 0, /there is no channel 8, of 8/],
])('%s is a RangeError, and nothing is queued or kept', (_, channel, room, length, tag, text) => {
  const pair = new Pair();
  expect(() => send(pair, channel, room, length, tag)).toThrow(RangeError);
  expect(() => send(pair, channel, room, length, tag)).toThrow(text);
  expect(pair.a.connections.pool.held).toBe(0);
  expect(pair.a.connections.outgoing.unsettled[0]).toBe(0);
  // What is right goes on as ever.
  pair.latency(10_000);
  expect(send(pair, INPUT, 1024, INPUT_BYTES_MAX, 2 ** 32 - 1)).toBe(true);
  pair.wake(pair.a);
  pair.run(pair.now + 1_000_000);
  expect(pair.b.received.map(({ tag: tick, bytes }) => [tick, bytes.length])).toEqual([[2 ** 32 - 1, INPUT_BYTES_MAX]]);
});

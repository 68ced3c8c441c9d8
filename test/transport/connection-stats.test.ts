/** What `ConnectionStats` says of both ways, and of frames by family. */

import { describe, expect, test } from 'vitest';
import { ChannelSet } from '../../transport/channel/channel-set.ts';
import { ConnectionStats } from '../../transport/connection-stats.ts';
import { FRAME_FAMILIES } from '../../transport/frame-counts.ts';
import { ReplayWindows } from '../../transport/netcode/replay-window.ts';
import { ALL_KINDS, type End, Pair } from './pair.ts';
import { readPayload } from './reference/frames.ts';

const TICK = 16_667;

/** Both ends say something on every channel, also in pieces, for `ticks` ticks. */
function talk(pair: Pair, ticks: number): void {
  for (let tick = 0; tick < ticks; tick++) {
    for (const end of [pair.a, pair.b]) {
      for (let channel = 0; channel < ALL_KINDS.length; channel++) {
        const pieces = tick % 20 === 0 && channel !== 6;
        end.send(pair.now, channel, new Uint8Array(pieces ? 5000 : 30), { tag: channel === 6 ? tick : channel });
      }
      pair.wake(end);
    }
    pair.run(pair.now + TICK);
  }
}

const statsOf = (end: End, now: number): ConnectionStats =>
  new ConnectionStats(end.connections.channels).fill(end.connections, 0, now);

/** Frames and payload bytes by family of what an end has sent, as the reference reads it. */
function countsOf(payloads: readonly Uint8Array[]): Record<string, number> {
  const families: Record<string, string> = {
    ping: 'control',
    time: 'control',
    ids: 'control',
    hello: 'control',
    skip: 'control',
    'keyed fragment': 'fragment',
  };
  const counts: Record<string, number> = Object.fromEntries(FRAME_FAMILIES.map((family) => [family, 0]));
  for (const payload of payloads) {
    for (const { type } of readPayload(payload, ALL_KINDS).frames) counts[families[type] ?? type]!++;
  }
  return counts;
}

const byFamily = (column: Float64Array): Record<string, number> =>
  Object.fromEntries(FRAME_FAMILIES.map((family, i) => [family, column[i]!]));
const sum = (column: Float64Array): number => column.reduce((a, b) => a + b, 0);

describe('frames by family', () => {
  test('are those that the reference reads, and their bytes are all that was sent and received', () => {
    const pair = new Pair({ frameStats: true });
    pair.latency(20_000);
    const sent: Uint8Array[] = [];
    pair.a.session.idsToOffer = 2;
    pair.b.onArrival = (_number, bytes) => void sent.push(bytes);
    talk(pair, 100);
    pair.run(pair.now + 1_000_000);
    const [a, b] = [statsOf(pair.a, pair.now), statsOf(pair.b, pair.now)];
    expect(byFamily(a.framesSent)).toEqual(countsOf(sent));
    expect(b.framesReceived).toEqual(a.framesSent);
    expect(b.frameBytesReceived).toEqual(a.frameBytesSent);
    expect(sum(a.frameBytesSent)).toBe(a.bytesSent);
    expect(sum(a.frameBytesReceived)).toBe(a.bytesReceived);
    for (const family of ['control', 'ack', 'input', 'messages', 'plain', 'keyed', 'fragment']) {
      expect(byFamily(a.frameBytesSent)[family]).toBeGreaterThan(0);
    }
    pair.a.connections.close(0, pair.now);
    pair.a.connections.open(0, pair.now);
    expect(sum(statsOf(pair.a, pair.now).framesSent)).toBe(0);
  });

  test('are not counted unless they are asked for', () => {
    const pair = new Pair();
    talk(pair, 10);
    expect(pair.a.connections.builder.counts).toBe(null);
    expect(sum(statsOf(pair.a, pair.now).framesSent)).toBe(0);
  });
});

describe('packets that are overtaken', () => {
  test('are counted by the acks that tell of them', () => {
    const pair = new Pair();
    pair.b.fate = () => 20_000;
    let held = 0;
    // One packet in ten comes 20 ms later than those before and after it; none is lost.
    pair.a.fate = (index) => (index % 10 === 9 && ++held > 0 ? 40_000 : 20_000);
    talk(pair, 200);
    pair.a.fate = () => 20_000;
    pair.run(pair.now + 1_000_000);
    const stats = statsOf(pair.a, pair.now);
    expect(stats.latePackets).toBeGreaterThan(held * 0.8);
    expect(stats.latePackets).toBeLessThanOrEqual(held);
    expect(statsOf(pair.b, pair.now).latePackets).toBe(0);
  });
});

describe('the way in', () => {
  const windows = (...numbers: number[]): number[] => {
    const w = new ReplayWindows(2, 64);
    for (const number of numbers) w.mark(1, number | 0, Math.floor(number / 2 ** 32));
    expect([w.received[0], w.late[0], w.missing[0]]).toEqual([0, 0, 0]);
    return [w.received[1]!, w.late[1]!, w.missing[1]!];
  };

  test('counts from the first number that came', () => {
    expect(windows(2 ** 40, 2 ** 40 + 1)).toEqual([2, 0, 0]);
  });

  test('counts numbers that are missing, until they come late', () => {
    expect(windows(5, 6, 9)).toEqual([3, 0, 2]);
    expect(windows(5, 6, 9, 7)).toEqual([4, 1, 1]);
    expect(windows(5, 6, 9, 7, 8, 1000, 4000)).toEqual([7, 2, 990 + 2999]);
  });

  test('takes one from before the first for late, and nothing for less than nothing', () => {
    expect(windows(5, 4, 3)).toEqual([3, 2, 0]);
  });

  test('begins anew with a session', () => {
    const w = new ReplayWindows(1, 64);
    for (const number of [1, 5, 3]) w.mark(0, number, 0);
    w.reset(0);
    expect([w.received[0], w.late[0], w.missing[0]]).toEqual([0, 0, 0]);
  });
});

test('the channels of a set name the counters of channels', () => {
  expect(new ConnectionStats(new ChannelSet(ALL_KINDS)).channelNames).toHaveLength(ALL_KINDS.length);
});

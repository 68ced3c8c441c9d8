/** A peer that says nothing of what has arrived for seconds, and then all of it at once; or claims what never arrived. */

import { describe, expect, test } from 'vitest';
import { ChannelSet } from '../../transport/channel/channel-set.ts';
import { ALL_KINDS, Pair } from './pair.ts';
import { type Frame, writePayload } from './reference/frames.ts';
import { Target } from './target.ts';

const [UNRELIABLE, ORDERED, UNORDERED, BULK] = [0, 2, 3, 7] as const;
const SECOND = 1_000_000;
const TICK = 16_667;
const ONE_WAY = 10_000;
const BACKLOG_BYTES = 1 << 20;

/** Numbers its messages, and knows what came of them. */
function stamped(n: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}

describe('acks that are withheld and come at last', () => {
  test.each([2, 10, 40])(
    'after %i s: all is delivered once, memory stays, the window and the round trip are sane',
    (seconds) => {
      const pair = new Pair({ backlogBytesMax: BACKLOG_BYTES });
      pair.latency(ONE_WAY);
      const { a, b } = pair;
      const { flight, pool } = a.connections;
      let sent = 0;
      let most = 0;
      const speak = (micros: number): void => {
        for (const end = pair.now + micros; pair.now < end; ) {
          if (a.send(pair.now, ORDERED, stamped(sent, 40))) sent++;
          a.send(pair.now, UNRELIABLE, new Uint8Array(20));
          a.send(pair.now, BULK, new Uint8Array(20_000));
          pair.wake(a);
          pair.run(pair.now + TICK);
          most = Math.max(most, pool.heldBytes);
        }
      };
      speak(2 * SECOND);
      const before = flight.controller.cwndBytes[0]!;
      b.fate = () => null;
      speak(seconds * SECOND);
      const bulk = b.received.filter(({ channel }) => channel === BULK).length;
      // Blocks are powers of two, so a message may hold twice its length.
      expect(most).toBeLessThanOrEqual(2 * 2 * (BACKLOG_BYTES + before) + 4096 * 64);
      expect(flight.controller.cwndBytes[0]).toBeLessThanOrEqual(before);
      expect(flight.sent.inFlightBytes[0]! - before).toBeLessThan(seconds * 60 * 1300 * 3);
      b.fate = () => ONE_WAY;
      pair.run(pair.now + 100_000); // the next probe or message is acked, and so is all before it
      expect(flight.controller.cwndBytes[0]).toBeLessThanOrEqual(2 * before);
      speak(3 * SECOND);
      expect(flight.controller.cwndBytes[0]).toBeLessThanOrEqual(4 * before);
      expect(flight.rtt.smoothed[0]).toBeLessThan(100_000);
      expect(flight.rtt.min[0]).toBeGreaterThanOrEqual(2 * ONE_WAY);
      pair.run(pair.now + 5 * SECOND);
      expect(b.received.filter(({ channel }) => channel === BULK).length).toBeGreaterThan(bulk);
      const log = b.received.filter(({ channel }) => channel === ORDERED);
      expect(log.map(({ bytes }) => new DataView(bytes.buffer).getUint32(0, true))).toEqual(
        Array.from({ length: sent }, (_, i) => i),
      );
      expect([a.violation, b.violation]).toEqual(['', '']);
      expect(pool.held).toBe(0);
      expect(flight.sent.inFlightPackets[0]).toBe(0);
    },
  );
});

/** Acks of all numbers from `first` to `last` but those left out on purpose, in frames of at most 31 gaps, the newest last. */
function claims(t: Target, first: number, last: number): Frame[] {
  const skipped = new Set(t.skipped.map(({ number }) => number));
  const frames: Frame[] = [];
  for (let newest = first; newest <= last; newest++) {
    if (skipped.has(newest)) continue;
    let end = newest;
    while (end < last && !skipped.has(end + 1) && end - newest < 1000) end++;
    frames.push({ type: 'ack', newest: end % 65_536, delay: 0, run: end - newest, more: [] });
    newest = end;
  }
  return frames;
}

describe('acks of all that was sent, whether it arrived or not, after a long silence', () => {
  test.each([2, 10, 60])('of %i s: nothing comes twice, and neither window nor round trip runs away', (seconds) => {
    const t = new Target({ connections: 1, channels: new ChannelSet(ALL_KINDS), backlogBytesMax: BACKLOG_BYTES });
    const { flight, pool } = t.connections;
    let queued = 0;
    const claim = (): void => {
      for (const frame of claims(t, 0, t.next[0]! - 1)) expect(t.give(0, writePayload([frame]))).toBe('taken');
    };
    const speak = (micros: number): void => {
      for (const end = t.now + micros; t.now < end; ) {
        if (t.send(0, UNORDERED, 40, 0, 1)) queued++;
        if (t.send(0, BULK, 20_000, 0, 1)) queued++;
        t.turn(TICK);
      }
    };
    for (let i = 0; i < 60; i++) {
      speak(TICK);
      claim();
    }
    const before = flight.controller.cwndBytes[0]!;
    const inFlight = flight.sent.inFlightBytes[0]!;
    speak(seconds * SECOND);
    expect(pool.heldBytes).toBeLessThanOrEqual(2 * 2 * (BACKLOG_BYTES + before) + 4096 * 64);
    const claimed = flight.sent.inFlightBytes[0]!;
    expect(claimed).toBeGreaterThan(inFlight);
    claim();
    // One ack of much is no more than the much: the window grows by what is claimed to have arrived at the most.
    expect(flight.controller.cwndBytes[0]).toBeLessThanOrEqual(before + claimed);
    expect(flight.rtt.smoothed[0]).toBeLessThanOrEqual(10 * SECOND);
    for (let i = 0; i < 600; i++) {
      speak(TICK);
      claim();
    }
    expect(flight.controller.cwndBytes[0]).toBeLessThanOrEqual(16 << 20);
    expect(flight.rtt.smoothed[0]).toBeLessThanOrEqual(2 * TICK);
    for (let i = 0; i < 600 && t.receipts < queued; i++) {
      t.turn(TICK);
      claim();
    }
    expect(t.receipts).toBe(queued);
    expect(t.connections.isSettled(0)).toBe(true);
    expect(pool.held).toBe(0);
    expect(t.connections.outgoing.carried.held).toBe(0);
  });
});

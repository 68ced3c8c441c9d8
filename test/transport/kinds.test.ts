/** The seven kinds from end to end: two ends, a bad link, and what each kind promises. */

import { describe, expect, it } from 'vitest';
import type { Micros } from '../../sys/api.ts';
import { DELIVERED, EXPIRED, LOST, REPLACED } from '../../transport/channel/outgoing-events.ts';
import { type End, lcg, Pair } from './pair.ts';

const [UNRELIABLE, SEQUENCED, ORDERED, UNORDERED, NEWEST, STATE, INPUT, BULK] = [0, 1, 2, 3, 4, 5, 6, 7];
const TICK_MICROS = 16_667;
const MILLI = 1000;

/** Delays of 20 to 40 ms in any order, one packet in `lossOneIn` lost, one in 20 twice as late. */
function badLink(end: End, seed: number, lossOneIn: number): void {
  const rng = lcg(seed);
  end.fate = () =>
    rng.u32() % lossOneIn === 0 ? null : 20_000 + (rng.u32() % 20_000) * (rng.u32() % 20 === 0 ? 2 : 1);
}

/** A message that says who it is, of `length` bytes from 8 on. */
function numbered(n: number, length = 8): Uint8Array {
  const bytes = new Uint8Array(length).map((_, i) => (n * 31 + i * 7) & 0xff);
  new DataView(bytes.buffer).setUint32(0, n, true);
  return bytes;
}

function expectSame(a: Uint8Array, b: Uint8Array): void {
  if (Buffer.compare(a, b) !== 0) expect(a).toEqual(b); // the slow comparison only to say where they differ
}

const numberOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);

/** Sends one message a tick on `channel` from a to b, then lets the network heal and the connection fall silent. */
function play(
  channel: number,
  options: { seed: number; ticks?: number; length?: (n: number) => number; tag?: (n: number) => number },
) {
  const { seed, ticks = 600, length = () => 8, tag = () => 0 } = options;
  const pair = new Pair({}, { now: 2 ** 33, number: 2 ** 33 + 7 });
  badLink(pair.a, seed, 8);
  badLink(pair.b, seed + 1, 8);
  const start = pair.now;
  for (let n = 0; n < ticks; n++) {
    pair.at(start + n * TICK_MICROS, () => {
      expect(pair.a.send(pair.now, channel, numbered(n, length(n)), { tag: tag(n), receipt: n + 1 })).toBe(true);
      pair.wake(pair.a);
    });
  }
  pair.run(start + ticks * TICK_MICROS);
  pair.latency(25_000);
  pair.run(pair.now + 7_000_000); // longer than an unfinished unreliable message is kept
  expectIdle(pair);
  for (const { bytes } of pair.b.received) expectSame(bytes, numbered(numberOf(bytes), bytes.length));
  return { pair, numbers: pair.b.received.map(({ bytes }) => numberOf(bytes)), fates: fatesOf(pair.a) };
}

function fatesOf(end: End): Map<number, number> {
  const fates = new Map<number, number>();
  for (const { receipt, fate } of end.receipts) {
    expect(fates.has(receipt), `receipt ${receipt} came twice`).toBe(false);
    fates.set(receipt, fate);
  }
  return fates;
}

/** Nothing is held, and nothing more happens. */
function expectIdle(pair: Pair): void {
  for (const end of [pair.a, pair.b]) {
    const { connections } = end;
    expect(connections.outgoing.carried.held).toBe(0);
    expect(connections.pool.held).toBe(0);
    expect(connections.incoming.messagesHeld).toBe(0);
    expect(connections.flight.sent.inFlightPackets[0]).toBe(0);
    expect(connections.isSettled(0)).toBe(true);
    expect(end.violation).toBe('');
  }
  const packets = pair.a.packets + pair.b.packets;
  pair.run(pair.now + 60_000_000);
  expect(pair.a.packets + pair.b.packets).toBe(packets);
}

const rising = (numbers: number[]) => numbers.every((n, i) => i === 0 || n > numbers[i - 1]!);

describe.each([1, 2, 3, 4, 5])('over a link that loses, repeats and reorders (seed %d)', (seed) => {
  it('unreliable: some arrive, none twice, and receipts say which', () => {
    const { numbers, fates } = play(UNRELIABLE!, { seed });
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(450);
    expect(numbers.length).toBeLessThan(600);
    expect(rising(numbers)).toBe(false);
    for (let n = 0; n < 600; n++) {
      const fate = fates.get(n + 1);
      // An ack may be lost, and then one that arrived counts as lost; never the other way round.
      if (fate === DELIVERED) expect(numbers).toContain(n);
      else expect(fate).toBe(LOST);
    }
  });

  it('unreliable in fragments: whole or not at all', () => {
    const { pair, numbers } = play(UNRELIABLE!, { seed, length: (n) => 2000 + ((n * 37) % 3000) });
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.length).toBeGreaterThan(250);
    for (const { bytes } of pair.b.received) expect(bytes.length).toBe(2000 + ((numberOf(bytes) * 37) % 3000));
  });

  it('unreliable sequenced: never an older one after a newer one', () => {
    const { numbers } = play(SEQUENCED!, { seed });
    expect(rising(numbers)).toBe(true);
    expect(numbers.length).toBeGreaterThan(300);
  });

  it('reliable ordered: each once, in order, whole', () => {
    const { numbers, fates } = play(ORDERED!, { seed, length: (n) => (n % 10 === 0 ? 5000 : 8 + n) });
    expect(numbers).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect([...fates.values()].every((fate) => fate === DELIVERED)).toBe(true);
    expect(fates.size).toBe(600);
  });

  it('reliable unordered: each once', () => {
    const { numbers, fates } = play(UNORDERED!, { seed, length: (n) => (n % 10 === 0 ? 5000 : 8 + n) });
    expect(rising(numbers)).toBe(false);
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect(fates.size).toBe(600);
  });

  it('reliable sequenced: rising, and the newest for certain', () => {
    const { numbers, fates } = play(NEWEST!, { seed, length: (n) => (n % 7 === 0 ? 3000 : 20) });
    expect(rising(numbers)).toBe(true);
    expect(numbers.at(-1)).toBe(599);
    expect(fates.get(600)).toBe(DELIVERED);
    expect(new Set(fates.values())).toEqual(new Set([DELIVERED, REPLACED]));
  });

  it('latest state: rising for each key, and the newest of each for certain', () => {
    const keyOf = (n: number) => (n * 7) % 40;
    const { pair } = play(STATE!, { seed, tag: keyOf, length: (n) => (n % 11 === 0 ? 2500 : 16) });
    const newest = new Map<number, number>();
    for (const { tag, bytes } of pair.b.received) {
      expect(tag).toBe(keyOf(numberOf(bytes)));
      expect(numberOf(bytes)).toBeGreaterThan(newest.get(tag) ?? -1);
      newest.set(tag, numberOf(bytes));
    }
    expect(newest.size).toBe(40);
    for (let n = 560; n < 600; n++) expect(newest.get(keyOf(n))).toBe(n);
  });

  it('tick input: rising, each at most once, hardly one missing', () => {
    const { pair, numbers } = play(INPUT!, { seed, tag: (n) => 100_000 + n });
    expect(rising(numbers)).toBe(true);
    expect(pair.b.received.every(({ tag, bytes }) => tag === 100_000 + numberOf(bytes))).toBe(true);
    expect(numbers.length).toBeGreaterThan(595); // 1/8 lost: all four packets of an input in one of 4,096
  });

  it('bulk: a megabyte arrives whole beside everything else', () => {
    const pair = new Pair();
    badLink(pair.a, seed, 12);
    badLink(pair.b, seed + 1, 12);
    const large = new Uint8Array(1 << 20).map((_, i) => (i * i) >> 3);
    pair.a.send(pair.now, BULK!, large);
    for (let n = 0; n < 300; n++) {
      pair.at(pair.now + n * TICK_MICROS, () => {
        pair.a.send(pair.now, ORDERED!, numbered(n));
        pair.b.send(pair.now, UNRELIABLE!, numbered(n, 400));
        pair.wake(pair.a);
        pair.wake(pair.b);
      });
    }
    pair.wake(pair.a);
    pair.run(pair.now + 40_000_000);
    const bulk = pair.b.received.filter(({ channel }) => channel === BULK);
    expect(bulk).toHaveLength(1);
    expectSame(bulk[0]!.bytes, large);
    expect(pair.b.received.filter(({ channel }) => channel === ORDERED).map(({ bytes }) => numberOf(bytes))).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
    expectIdle(pair);
  });
});

describe('sizes', () => {
  it.each([0, 1, 127, 128, 1151, 1152, 1153, 2304, 2305, 100_000])(
    'a message of %d bytes arrives on every kind',
    (length) => {
      const pair = new Pair();
      pair.latency(5 * MILLI);
      const bytes = new Uint8Array(length).map((_, i) => i * 13);
      const channels = [UNRELIABLE, SEQUENCED, ORDERED, UNORDERED, NEWEST, STATE, BULK];
      for (const channel of channels) expect(pair.a.send(pair.now, channel!, bytes)).toBe(true);
      if (length <= 1024) pair.a.send(pair.now, INPUT!, bytes, { tag: 5 });
      pair.wake(pair.a);
      pair.run(pair.now + 3_000_000);
      expect(pair.b.received.map(({ channel }) => channel).sort()).toEqual(
        (length <= 1024 ? [...channels, INPUT] : channels).sort(),
      );
      for (const message of pair.b.received) expectSame(message.bytes, bytes);
      expectIdle(pair);
    },
  );

  it('a message of 64 MiB arrives', { timeout: 120_000 }, () => {
    const pair = new Pair();
    pair.latency(5 * MILLI);
    const bytes = new Uint8Array(1 << 26);
    for (let i = 0; i < bytes.length; i += 997) bytes[i] = i;
    pair.a.send(pair.now, BULK!, bytes);
    pair.wake(pair.a);
    pair.run(pair.now + 60_000_000);
    expect(pair.b.received).toHaveLength(1);
    expectSame(pair.b.received[0]!.bytes, bytes);
  });
});

describe('time to live', () => {
  it('a message that could not be sent in time is not sent, and those behind it arrive', () => {
    const pair = new Pair();
    pair.a.fate = pair.b.fate = () => null;
    const at = (millis: Micros, act: () => void) => pair.at(1_000_000 + millis * MILLI, act);
    at(0, () => {
      for (const channel of [ORDERED, UNORDERED]) {
        pair.a.send(pair.now, channel!, numbered(1), { ttlMicros: 300 * MILLI, receipt: channel! * 10 + 1 });
        pair.a.send(pair.now, channel!, numbered(2, 4000), { ttlMicros: 300 * MILLI, receipt: channel! * 10 + 2 });
        pair.a.send(pair.now, channel!, numbered(3), { receipt: channel! * 10 + 3 });
      }
      pair.wake(pair.a);
    });
    at(500, () => pair.latency(25 * MILLI));
    pair.run(pair.now + 10_000_000);
    const arrived = pair.b.received.map(({ channel, bytes }) => [channel!, numberOf(bytes)]);
    expect(arrived.sort((a, b) => a[0]! - b[0]!)).toEqual([
      [ORDERED, 3],
      [UNORDERED, 3],
    ]);
    const fates = fatesOf(pair.a);
    for (const channel of [ORDERED!, UNORDERED!]) {
      expect([1, 2, 3].map((n) => fates.get(channel * 10 + n))).toEqual([EXPIRED, EXPIRED, DELIVERED]);
    }
    expectIdle(pair);
  });
});

describe('lanes and backlog', () => {
  it('a real-time message waits for at most one packet of a transfer', () => {
    const pair = new Pair();
    // 10 Mbit/s with a queue: a packet of 1,248 bytes takes a millisecond.
    let busyUntil = 0;
    pair.b.fate = () => 20 * MILLI;
    pair.a.fate = (_index, now, bytes) => {
      busyUntil = Math.max(busyUntil, now) + (bytes + 28) * 0.8;
      return Math.round(busyUntil - now) + 20 * MILLI;
    };
    pair.a.send(pair.now, BULK!, new Uint8Array(4 << 20));
    const delays: number[] = [];
    const start = pair.now;
    for (let n = 0; n < 180; n++) {
      pair.at(start + n * TICK_MICROS, () => {
        pair.a.send(pair.now, UNRELIABLE!, numbered(n));
        const before = pair.a.packets;
        pair.wake(pair.a);
        expect(pair.a.packets).toBeGreaterThan(before); // it left at once, whatever waits
      });
    }
    pair.b.onMessage = (channel, bytes, offset) => {
      if (channel !== UNRELIABLE) return;
      const n = new DataView(bytes.buffer, bytes.byteOffset + offset).getUint32(0, true);
      delays.push(pair.now - (start + n * TICK_MICROS) - 20 * MILLI);
    };
    pair.wake(pair.a);
    pair.run(start + 3_000_000);
    expect(delays).toHaveLength(179);
  });

  it('a transfer that is fed as long as it is taken takes no room from what is not bulk', () => {
    const pair = new Pair({ backlogMax: 100, backlogBytesMax: 100_000 });
    pair.latency(20 * MILLI);
    while (pair.a.send(pair.now, BULK!, new Uint8Array(30_000)));
    for (let n = 0; n < 100; n++) expect(pair.a.send(pair.now, UNRELIABLE!, numbered(n))).toBe(true);
    expect(pair.a.send(pair.now, UNRELIABLE!, numbered(100))).toBe(false);
    const { backlog } = pair.a.connections.outgoing;
    expect([backlog.messagesOf(0), backlog.bytesOf(0)]).toEqual([103, 90_000 + 100 * numbered(0).length]);
    pair.wake(pair.a);
    pair.run(pair.now + 5_000_000);
    expect([...pair.a.writable].sort()).toEqual([UNRELIABLE, BULK]);
    expectIdle(pair);
  });

  it('refuses beyond the backlog, and says when there is room again', () => {
    const pair = new Pair({ backlogMax: 10, backlogBytesMax: 100_000 });
    pair.latency(20 * MILLI);
    let queued = 0;
    while (pair.a.send(pair.now, ORDERED!, numbered(queued))) queued++;
    expect(queued).toBe(10);
    expect(pair.a.send(pair.now, UNRELIABLE!, numbered(1))).toBe(false);
    pair.wake(pair.a);
    expect([...pair.a.writable].sort()).toEqual([]);
    pair.run(pair.now + 1_000_000);
    expect([...pair.a.writable].sort()).toEqual([UNRELIABLE, ORDERED]);
    expect(pair.b.received).toHaveLength(10);
    pair.a.writable.length = 0;
    expect(pair.a.send(pair.now, BULK!, new Uint8Array(500_000))).toBe(true); // one may be longer than the limit
    expect(pair.a.send(pair.now, BULK!, new Uint8Array(10))).toBe(false);
    pair.wake(pair.a);
    pair.run(pair.now + 10_000_000);
    expect(pair.a.writable).toEqual([BULK]);
    expectIdle(pair);
  });

  it.each([NEWEST!, STATE!])(
    'large values that replace each other before they are sent do not fill the window for good (channel %d)',
    (channel) => {
      const pair = new Pair({ windowBytes: 150_000 });
      pair.latency(30 * MILLI);
      for (let n = 0; n < 40; n++) {
        pair.at(pair.now + n * TICK_MICROS, () => {
          pair.a.send(pair.now, channel, numbered(n, 100_000));
          pair.wake(pair.a);
        });
      }
      pair.run(pair.now + 5_000_000);
      expect(numberOf(pair.b.received.at(-1)!.bytes)).toBe(39);
      expect(pair.a.connections.outgoing.windowUsed[0]).toBe(0);
      expectIdle(pair);
    },
  );

  it('holds large messages back until they fit into what the peer holds for us', () => {
    const pair = new Pair({ windowBytes: 100_000 });
    badLink(pair.a, 5, 10);
    badLink(pair.b, 6, 10);
    for (let n = 0; n < 40; n++) pair.a.send(pair.now, n % 2 === 0 ? ORDERED! : UNORDERED!, numbered(n, 30_000));
    pair.wake(pair.a);
    for (let i = 0; i < 200; i++) {
      pair.run(pair.now + 100_000);
      expect(pair.b.connections.incoming.bytesHeld(0)).toBeLessThanOrEqual(100_000);
    }
    expect(pair.b.received).toHaveLength(40);
    expectIdle(pair);
  });
});

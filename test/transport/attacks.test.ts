import { describe, expect, test } from 'vitest';
import { NEVER } from '../../sys/api.ts';
import { ChannelSet } from '../../transport/channel/channel-set.ts';
import { ALL_KINDS } from './pair.ts';
import { type Frame, writePayload } from './reference/frames.ts';
import { Target } from './target.ts';

const channels = new ChannelSet(ALL_KINDS);
const [UNRELIABLE, SEQUENCED, ORDERED, UNORDERED, NEWEST, STATE] = [0, 1, 2, 3, 4, 5] as const;
const PING: Frame = { type: 'ping' };
const TICK = 16_667;

function target(more: Partial<ConstructorParameters<typeof Target>[0]> = {}, start = {}): Target {
  return new Target({ connections: 1, channels, ...more }, start);
}

const give = (t: Target, ...frames: Frame[]): string => t.give(0, writePayload(frames));
const ack = (newest: number, run = 0, delay = 0): Frame => ({
  type: 'ack',
  newest: newest % 65_536,
  delay,
  run,
  more: [],
});
const piece = (channel: number, id: number, size: number, index: number): Frame => ({
  type: 'fragment',
  channel,
  id: id % 65_536,
  size,
  index,
  bytes: '00'.repeat(Math.min(1152, size - index * 1152)),
});
const messages = (channel: number, firstId: number, count = 1, bytes = ''): Frame => ({
  type: 'messages',
  channel,
  firstId: firstId % 65_536,
  messages: Array.from({ length: count }, () => bytes),
});
const lastSent = (t: Target): number => t.next[0]! - 1;

/** What must be true when an attack is over. */
function expectEmpty(t: Target): void {
  for (let c = 0; c < t.next.length; c++) t.connections.close(c, t.now);
  expect(t.connections.pool.held).toBe(0);
  expect(t.connections.receivePool.held).toBe(0);
  expect(t.connections.outgoing.carried.held).toBe(0);
}

describe('acks', () => {
  test.each([0, 2 ** 32 - 1, 2 ** 40])(
    'of a packet that was never sent end the connection (numbers from %i)',
    (number) => {
      const t = target({}, { number });
      t.turn();
      expect(give(t, ack(lastSent(t)))).toBe('taken');
      expect(give(t, ack(t.next[0]!))).toBe('violation');
      expect(t.connections.frames.violationText).toContain('never sent');
      expectEmpty(t);
    },
  );

  test('of everything, whether it came or not, are caught within 1,024 packets', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const t = target({}, { seed });
      let answer = 'taken';
      for (let packets = 0; answer === 'taken'; packets++) {
        expect(packets).toBeLessThanOrEqual(1025);
        t.send(0, UNRELIABLE, 10);
        t.turn(TICK);
        answer = give(t, ack(lastSent(t), Math.min(lastSent(t), 3)));
      }
      expect(answer).toBe('violation');
      expectEmpty(t);
    }
  });

  test('two in one packet are malformed: the work of an ack is not to be had for six bytes', () => {
    const t = target();
    t.turn();
    expect(give(t, ack(lastSent(t)), ack(lastSent(t)))).toBe('malformed');
  });

  test('that reach below 0, or are cut off, change nothing', () => {
    const t = target();
    t.send(0, ORDERED, 100);
    t.turn();
    const before = t.connections.flight.sent.inFlightBytes[0];
    expect(give(t, ack(lastSent(t), lastSent(t) + 1))).toBe('malformed');
    expect(t.give(0, Uint8Array.of(0x1f, 0, 0, 0, 0, 0))).toBe('malformed');
    expect(t.connections.flight.sent.inFlightBytes[0]).toBe(before);
  });

  test.each([0, 1, 5000, 65_534, 65_535])(
    'that claim a delay of %i units talk the round trip neither down nor up',
    (delay) => {
      const t = target();
      for (let i = 0; i < 300; i++) {
        t.send(0, SEQUENCED, 10);
        t.turn();
        const newest = lastSent(t);
        t.turn(50_000);
        if (t.skipped.at(-1)?.number !== newest) expect(give(t, ack(newest, 0, delay))).toBe('taken');
        const { rtt, detector } = t.connections.flight;
        expect(rtt.smoothed[0]).toBeGreaterThanOrEqual(i === 0 ? 0 : 50_000);
        expect(rtt.smoothed[0]).toBeLessThanOrEqual(100_001);
        const probeAt = detector.probeAt[0]!;
        if (probeAt !== NEVER) expect(probeAt - t.now).toBeLessThanOrEqual(1_000_000);
      }
      const { controller } = t.connections.flight;
      expect(controller.budgetBytesPerSecond[0]).toBeGreaterThan(0);
      expect(controller.cwndBytes[0]).toBeLessThanOrEqual(16 << 20);
    },
  );

  test('held back for half a minute leave the timers within a minute', () => {
    const t = target();
    for (let i = 0; i < 40; i++) {
      t.send(0, SEQUENCED, 10);
      t.turn();
      const newest = lastSent(t);
      for (let wait = 0; wait < 30; wait++) t.turn(1_000_000);
      if (t.skipped.at(-1)?.number !== newest) give(t, ack(newest));
      const { rtt, detector } = t.connections.flight;
      expect(rtt.smoothed[0]).toBeLessThanOrEqual(10_000_000);
      const probeAt = detector.probeAt[0]!;
      if (probeAt !== NEVER) expect(probeAt - t.now).toBeLessThanOrEqual(60_000_000);
    }
    expectEmpty(t);
  });

  test('withheld: the backlog fills, numbers stop at 32,768, memory stays', () => {
    const t = target({ backlogMax: 100, backlogBytesMax: 50_000 });
    let full = 0;
    for (let i = 0; i < 40_000; i++) {
      t.send(0, UNRELIABLE, 20);
      if (!t.send(0, ORDERED, 20)) full++;
      t.turn(TICK);
    }
    expect(full).toBeGreaterThan(0);
    const stopped = t.next[0]!;
    expect(stopped).toBeLessThanOrEqual(32_768 + 64);
    expect(t.connections.pool.heldBytes).toBeLessThanOrEqual((4096 + 100) * 64 + (1 << 16));
    // It asks for acks of its own all the while: what answers must not pile up either.
    const { carried } = t.connections.outgoing;
    const held = carried.held;
    for (let i = 0; i < 40_000; i++) {
      give(t, PING);
      give(t, PING);
      t.turn(2000);
    }
    expect(carried.held - held).toBeLessThanOrEqual(1024);
    expectEmpty(t);
  });
});

describe('fragments', () => {
  test.each([UNRELIABLE, SEQUENCED, ORDERED, UNORDERED, NEWEST])(
    'that give a message another size end it (channel %i)',
    (channel) => {
      const t = target();
      expect(give(t, piece(channel, 0, 5000, 0))).toBe('taken');
      expect(give(t, piece(channel, 0, 6000, 1))).toBe('violation');
      expectEmpty(t);
    },
  );

  test.each([UNRELIABLE, SEQUENCED])(
    'of ten thousand unreliable messages that are never finished hold eight (channel %i)',
    (channel) => {
      const t = target();
      for (let id = 0; id < 10_000; id++) {
        expect(give(t, piece(channel, id, 5000, id % 4))).toBe('taken');
        expect(t.connections.incoming.messagesHeld).toBeLessThanOrEqual(8);
      }
      expect(t.connections.incoming.unreliableDropped).toBe(10_000 - 8);
      t.turn(5_100_000);
      expect(t.connections.incoming.messagesHeld).toBe(0);
      expect(t.connections.receivePool.held).toBe(0);
      expect(t.messages).toBe(0);
    },
  );

  test('of reliable messages beyond the window end the connection, and what is held never exceeds it', () => {
    const windowBytes = 1 << 17;
    const t = target({ windowBytes });
    let answer = 'taken';
    for (let id = 0; answer === 'taken'; id++) {
      expect(id).toBeLessThan(100);
      answer = give(t, piece(id % 2 === 0 ? ORDERED : UNORDERED, 1 + (id >> 1), 3000, id % 3));
      expect(t.connections.incoming.bytesHeld(0)).toBeLessThanOrEqual(windowBytes);
      expect(t.connections.receivePool.heldBytes).toBeLessThanOrEqual(windowBytes * 2);
    }
    expect(answer).toBe('violation');
    expectEmpty(t);
  });

  test('again and again, overlapping and interleaved, arrive once', () => {
    const t = target();
    for (let again = 0; again < 50; again++) {
      for (let index = 4; index >= 0; index--) {
        for (let id = 0; id < 10; id++) expect(give(t, piece(UNORDERED, id, 5000, index))).toBe('taken');
      }
    }
    expect(t.messages).toBe(10);
    expect(t.connections.receivePool.held).toBe(0);
  });

  test('of several connections that fill the memory of all: small messages still come, and large ones when it is over', () => {
    const t = target({ connections: 5, windowBytes: 1 << 16, receiveMemoryBytesMax: 1 << 18 });
    for (let c = 1; c < 5; c++) {
      for (let id = 1; id <= 20; id++) t.give(c, writePayload([piece(UNORDERED, id, 3000, 0)]));
    }
    const honest = (index: number): string => t.give(0, writePayload([piece(ORDERED, 1, 60_000, index)]));
    expect(honest(0)).toBe('refused');
    for (let index = 0; index * 1152 < 10_000; index++) {
      expect(t.give(0, writePayload([piece(UNORDERED, 0, 10_000, index)]))).toBe('taken');
    }
    expect(t.messages).toBe(1);
    expect(t.give(0, writePayload([messages(ORDERED, 0)]))).toBe('taken');
    expect(t.messages).toBe(2);
    for (let c = 1; c < 5; c++) t.connections.close(c, t.now);
    for (let index = 0; index * 1152 < 60_000; index++) expect(honest(index)).toBe('taken');
    expect(t.messages).toBe(3);
    expectEmpty(t);
  });

  test.each([
    ['reliable fragments', (id: number) => piece(UNORDERED, 1 + (id % 4000), 3000, 0)],
    ['whole messages behind a hole', (id: number) => messages(ORDERED, 1 + (id % 4000), 1, '00'.repeat(1000))],
  ])('of one that holds all it can, %s, leave half of the memory to the others', (_, hostile) => {
    const receiveMemoryBytesMax = 1 << 20;
    const t = target({ connections: 3, windowBytes: 1 << 24, receiveMemoryBytesMax });
    const { receivePool } = t.connections;
    for (let id = 0; id < 2000; id++) t.give(2, writePayload([hostile(id)]));
    expect(receivePool.heldBytes).toBeGreaterThan(receiveMemoryBytesMax / 4);
    expect(receivePool.heldBytes).toBeLessThanOrEqual(receiveMemoryBytesMax / 2);
    // Both others receive large messages side by side, while it tries on.
    for (let id = 0; id < 20; id++) {
      for (let index = 0; index * 1152 < 60_000; index++) {
        for (const c of [0, 1]) {
          expect(t.give(c, writePayload([piece(UNORDERED, id, 60_000, index)]))).toBe('taken');
          t.give(2, writePayload([hostile(2000 + id)]));
        }
      }
    }
    expect(t.messages).toBe(40);
    expectEmpty(t);
  });
});

describe('numbers and ids', () => {
  test.each([10_000, 2 ** 31, 2 ** 40])('a gap of %i numbers costs one ack, and what is late is let go', (gap) => {
    const t = target();
    t.turn();
    give(t, PING);
    t.turn(50_000);
    expect(t.give(0, writePayload([PING]), gap)).toBe('taken');
    expect(t.turn()).toBeLessThanOrEqual(1);
    for (let late = 1; late < 100; late++) expect(t.give(0, writePayload([PING]), late)).toBe('taken');
    expect(t.turn(30_000)).toBeLessThanOrEqual(1);
  });

  test('the same payload under ten thousand numbers arrives once, and is answered with an ack for 32', () => {
    const t = target();
    t.turn();
    const before = t.packets;
    const payload = writePayload([messages(ORDERED, 0, 3), messages(UNORDERED, 0, 3), messages(NEWEST, 7)]);
    for (let again = 0; again < 10_000; again++) {
      expect(t.give(0, payload)).toBe('taken');
      t.turn();
    }
    expect(t.messages).toBe(7);
    expect(t.connections.incoming.duplicates).toBe(9999 * 6);
    expect(t.packets - before).toBeLessThanOrEqual(10_000 / 32 + 2);
  });

  test.each([ORDERED, UNORDERED])(
    'an id 4,096 ahead ends the connection, in every frame that can name one (channel %i)',
    (channel) => {
      for (const frame of [
        messages(channel, 4096),
        messages(channel, 4095, 2),
        piece(channel, 4096, 2000, 0),
        { type: 'skip', channel, first: 1, count: 4096 } as const,
      ]) {
        const t = target();
        expect(give(t, frame)).toBe('violation');
        expectEmpty(t);
      }
    },
  );

  test('ids that jump half the range at a time hold nothing where the newest wins', () => {
    const t = target();
    for (let i = 0; i < 10_000; i++) give(t, messages(NEWEST, i * 32_767), messages(SEQUENCED, i * 32_767));
    expect(t.messages).toBe(20_000);
    expect(t.connections.incoming.messagesHeld).toBe(0);
  });

  test('a key beyond those of the channel is malformed, also in a fragment', () => {
    const t = target();
    const keyed = (key: number): Frame => ({ type: 'keyed', channel: STATE, messages: [{ id: 0, key, bytes: '' }] });
    expect(give(t, keyed(1023))).toBe('taken');
    expect(give(t, keyed(1024))).toBe('malformed');
    expect(give(t, { ...piece(STATE, 1, 2000, 1), type: 'keyed fragment', key: 1024 } as Frame)).toBe('malformed');
    expect(t.messages).toBe(1);
  });
});

describe('floods', () => {
  const EMPTY = writePayload(
    Array.from({ length: 66 }, () => ({ type: 'plain', channel: UNRELIABLE, messages: Array(16).fill('') }) as Frame),
  );

  test.each<[string, Uint8Array]>([
    ['pings', new Uint8Array(1200).fill(1)],
    ['padding', new Uint8Array(1200)],
    [
      'hellos',
      writePayload(Array(80).fill({ type: 'hello', version: 1, channels: channels.hash, window: 0, session: 7 })),
    ],
    ['ids', writePayload(Array(46).fill({ type: 'ids', ids: Array(3).fill('0102030405060708') }))],
    ['extensions', writePayload(Array(400).fill({ type: 'extension', number: 0x80, bytes: '' }))],
    [
      'wild clocks',
      writePayload(
        Array.from(
          { length: 171 },
          (_, i) => ({ type: 'time', clock: i % 2 === 0 ? i * 2 ** 40 : 2 ** 48 - 1 - i }) as Frame,
        ),
      ),
    ],
    ['messages of no bytes', EMPTY],
    [
      'skips of what is skipped',
      writePayload(Array(16).fill({ type: 'skip', channel: UNORDERED, first: 1, count: 4095 })),
    ],
  ])('of %s are taken, hold nothing, and are answered by one ack for 32 packets', (_, payload) => {
    const t = target();
    t.turn();
    const before = t.packets;
    let peerNow = -1;
    for (let i = 0; i < 1000; i++) {
      expect(t.give(0, payload)).toBe('taken');
      t.turn();
      const shown = t.connections.clock.peerNow(0, t.now);
      expect(Number.isFinite(shown)).toBe(true);
      expect(shown).toBeGreaterThanOrEqual(peerNow);
      peerNow = shown;
    }
    expect(t.packets - before).toBeLessThanOrEqual(1000 / 32 + 2);
    expect(t.connections.incoming.messagesHeld).toBe(0);
    expectEmpty(t);
  });

  test('a seventeenth skip in one packet is malformed', () => {
    const t = target();
    const skips = Array<Frame>(17).fill({ type: 'skip', channel: UNORDERED, first: 1, count: 4095 });
    expect(give(t, ...skips)).toBe('malformed');
  });
});

describe('a hello that promises', () => {
  const hello = (window: number): Frame => ({ type: 'hello', version: 1, channels: channels.hash, window, session: 7 });

  test('no window: large messages wait, small ones go, the backlog fills', () => {
    const t = target({ backlogMax: 50 });
    expect(give(t, hello(0))).toBe('taken');
    for (let i = 0; i < 50; i++) expect(t.send(0, UNORDERED, 3000)).toBe(true);
    expect(t.send(0, UNORDERED, 3000)).toBe(false);
    t.turn();
    const before = t.packets;
    for (let i = 0; i < 100; i++) t.turn(TICK);
    expect(t.packets - before).toBeLessThan(20);
    expect(t.connections.outgoing.windowUsed[0]).toBe(0);
    expectEmpty(t);
  });

  test('4 GiB: what may wait and be on its way stays bounded by our own limits', () => {
    const t = target({ backlogMax: 4000, backlogBytesMax: 1 << 22, sendMemoryBytesMax: 1 << 21 });
    expect(give(t, hello(0xffff_ffff))).toBe('taken');
    let refused = 0;
    for (let i = 0; i < 2000; i++) {
      if (!t.send(0, UNORDERED, 10_000)) refused++;
      t.turn(1000);
      expect(t.connections.pool.heldBytes).toBeLessThanOrEqual(1 << 21);
    }
    expect(refused).toBeGreaterThan(0);
    expectEmpty(t);
  });
});

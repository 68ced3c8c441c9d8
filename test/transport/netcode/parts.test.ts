/** The small parts of netcode, each on its own. */

import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import { DatagramBatch } from '../../../sys/api.ts';
import { DueWheel } from '../../../transport/due-wheel.ts';
import { EVENT_CONNECT, EVENT_PAYLOAD, EventQueue } from '../../../transport/netcode/event-queue.ts';
import { KeepAlives } from '../../../transport/netcode/keep-alive.ts';
import { Outbox, OWES_CHALLENGE, OWES_DENIED, OWES_KEEP_ALIVE } from '../../../transport/netcode/outbox.ts';
import {
  associatedDataOf,
  CLIENT_TAKES,
  PACKET_DISCONNECT,
  PACKET_REASON,
  PacketHeader,
} from '../../../transport/netcode/packets.ts';
import { encodeReason, readReason } from '../../../transport/netcode/reason.ts';
import { putData, Sessions } from '../../../transport/netcode/sessions.ts';
import {
  TOKEN_ELSEWHERE,
  TOKEN_SEEN,
  TOKEN_SPENT,
  TOKEN_UNSEEN,
  TokenHistory,
} from '../../../transport/netcode/token-history.ts';
import { at, START, seededRng } from './world.ts';

describe('TokenHistory', () => {
  const tagOf = (n: number): Uint8Array => new Uint8Array(16).fill(n);
  const here = at('10.0.0.2', 1);
  const there = at('10.0.0.2', 2);

  test('knows a token by its tag, from where it was seen first', () => {
    const history = new TokenHistory(8, seededRng(1));
    expect(history.look(tagOf(1), 0, here, 0)).toBe(TOKEN_UNSEEN);
    expect(history.record(tagOf(1), 0, here, 0, 100, 50)).toBe(true);
    expect(history.look(tagOf(1), 0, here, 0)).toBe(TOKEN_SEEN);
    expect(history.look(tagOf(1), 0, there, 0)).toBe(TOKEN_ELSEWHERE);
    history.spend(tagOf(1), 0);
    expect(history.look(tagOf(1), 0, here, 0)).toBe(TOKEN_SPENT);
    expect(history.look(tagOf(1), 0, there, 0)).toBe(TOKEN_SPENT);
  });

  test('refuses new tokens when it is full, until old ones have expired; it forgets none that could still be used', () => {
    const history = new TokenHistory(4, seededRng(1));
    for (let n = 1; n <= 4; n++) expect(history.record(tagOf(n), 0, here, 0, 100 + n, 50)).toBe(true);
    history.spend(tagOf(4), 0);
    expect(history.record(tagOf(5), 0, here, 0, 200, 60)).toBe(false);
    expect(history.record(tagOf(5), 0, here, 0, 200, 102)).toBe(true);
    expect(history.count).toBe(3);
    expect(history.look(tagOf(4), 0, here, 0)).toBe(TOKEN_SPENT);
    expect(history.look(tagOf(3), 0, here, 0)).toBe(TOKEN_SEEN);
    expect(history.look(tagOf(1), 0, here, 0)).toBe(TOKEN_UNSEEN);
  });

  test('knows every token after it has grown, and takes as many as it may hold', () => {
    const history = new TokenHistory(5000, seededRng(1));
    const tag = (n: number): Uint8Array => new Uint8Array(new Uint32Array([n, n * 7, 3, 4]).buffer);
    for (let n = 0; n < 5000; n++) {
      expect(history.record(tag(n), 0, n % 2 === 0 ? here : there, 0, 100, 50)).toBe(true);
      if (n % 3 === 0) history.spend(tag(n), 0);
    }
    expect(history.record(tag(5000), 0, here, 0, 100, 51)).toBe(false);
    for (let n = 0; n < 5000; n++) {
      const expected = n % 3 === 0 ? TOKEN_SPENT : n % 2 === 0 ? TOKEN_SEEN : TOKEN_ELSEWHERE;
      expect(history.look(tag(n), 0, here, 0)).toBe(expected);
    }
    expect(history.record(tag(5000), 0, here, 0, 200, 100)).toBe(true);
    expect(history.count).toBe(1);
  });
});

describe('Outbox', () => {
  test('keeps rows in order, each once, with everything that they are owed', () => {
    const outbox = new Outbox(4);
    outbox.owe(2, OWES_CHALLENGE);
    outbox.owe(0, OWES_DENIED);
    outbox.owe(2, OWES_KEEP_ALIVE);
    expect(outbox.count).toBe(2);
    expect(outbox.first()).toBe(2);
    expect(outbox.owes[2]).toBe(OWES_CHALLENGE | OWES_KEEP_ALIVE);
    outbox.settle(2, OWES_CHALLENGE);
    expect(outbox.owes[2]).toBe(OWES_KEEP_ALIVE);
    outbox.shift();
    expect(outbox.first()).toBe(0);
  });

  test('holds every row at once and goes round', () => {
    const outbox = new Outbox(3);
    for (let round = 0; round < 5; round++) {
      for (let row = 0; row < 3; row++) outbox.owe((row + round) % 3, 1);
      for (let row = 0; row < 3; row++) {
        expect(outbox.first()).toBe((row + round) % 3);
        outbox.shift();
      }
      expect(outbox.count).toBe(0);
    }
  });
});

describe('EventQueue', () => {
  test('keeps order and numbers beyond 32 bits while it grows', () => {
    const events = new EventQueue(2);
    for (let i = 0; i < 9; i++) {
      events.push(EVENT_CONNECT, i);
      events.pushPayload(i, i * 10, i + 1, i - 3, 5);
    }
    expect(events.count).toBe(18);
    for (let i = 0; i < 9; i++) {
      expect([events.kind[i * 2], events.connection[i * 2]]).toEqual([EVENT_CONNECT, i]);
      expect([events.kind[i * 2 + 1], events.offset[i * 2 + 1], events.length[i * 2 + 1]]).toEqual([
        EVENT_PAYLOAD,
        i * 10,
        i + 1,
      ]);
      expect(events.number[i * 2 + 1]).toBe(5 * 2 ** 32 + ((i - 3) >>> 0));
    }
    expect(() => events.checkDrained(START)).toThrow('9 payloads');
    events.clear();
    events.checkDrained(START);
  });
});

test('an event is out of the queue before it is told, also those that come while others are told', () => {
  const events = new EventQueue(4);
  events.push(EVENT_CONNECT, 1);
  events.pushPayload(1, 0, 5, 0, 0);
  expect(events.next()).toBe(0);
  events.push(EVENT_CONNECT, 2);
  expect(events.next()).toBe(1);
  events.checkDrained(START);
  expect(events.next()).toBe(2);
  expect(events.next()).toBe(-1);
  expect(events.count).toBe(0);
});

describe('KeepAlives', () => {
  test('owes a keep-alive 100 ms after the last packet, and reports the timeout', () => {
    const sessions = new Sessions(1, 1, 256, chooseAead(1, 64));
    const wheel = new DueWheel(1);
    const outbox = new Outbox(1);
    const keepAlives = new KeepAlives(sessions, wheel, outbox);
    wheel.takeDue(START);
    sessions.timeoutMicros[0] = 1_000_000;
    keepAlives.start(0, START);
    sessions.lastSentAt[0] = START + 50_000;
    expect(keepAlives.fire(0, START + 100_000)).toBe(true);
    expect(outbox.count).toBe(0);
    expect(wheel.deadline()).toBeGreaterThanOrEqual(START + 150_000);
    expect(wheel.deadline()).toBeLessThan(START + 152_000);
    expect(keepAlives.fire(0, START + 150_000)).toBe(true);
    expect(outbox.owes[0]).toBe(OWES_KEEP_ALIVE);
    expect(keepAlives.fire(0, START + 999_999)).toBe(true);
    expect(keepAlives.fire(0, START + 1_000_000)).toBe(false);
  });
});

describe('reasons', () => {
  test.each(['closed', 'kicked', 'denied', 'shutdown', 'token-expired', 'token-invalid'] as const)(
    '%s goes through the bytes with its text',
    (code) => {
      const bytes = encodeReason(code, 'grüß dich, 世界');
      const reason = readReason(PACKET_REASON, bytes, 0, bytes.length);
      expect(reason).toEqual({ code, side: 'remote', text: 'grüß dich, 世界' });
    },
  );

  test('a code that does not travel becomes closed, and unknown codes are null', () => {
    expect(readReason(PACKET_REASON, encodeReason('timeout', ''), 0, 1)?.code).toBe('closed');
    for (const code of [0, 8, 255]) expect(readReason(PACKET_REASON, Uint8Array.of(code), 0, 1)).toBeNull();
  });

  test('a disconnect of the standard means closed', () => {
    expect(readReason(PACKET_DISCONNECT, Uint8Array.of(2), 0, 0)).toEqual({ code: 'closed', side: 'remote', text: '' });
  });

  test('bytes that are not UTF-8 become replacement characters', () => {
    expect(readReason(PACKET_REASON, Uint8Array.of(9, 1, 0x61, 0xff, 0x62), 1, 4)?.text).toBe('a\ufffdb');
  });
});

describe('Sessions', () => {
  test('counts across 2^32 and tells the number written', () => {
    const aead = chooseAead(2, 256);
    const sessions = new Sessions(1, 1, 256, aead);
    const key = new Uint8Array(32).fill(1);
    sessions.setKeys(0, key, key, associatedDataOf(1n));
    sessions.nextLow[0] = -2;
    sessions.nextHigh[0] = 6;
    const batch = DatagramBatch.allocate(4, 256);
    const numbers: number[] = [];
    for (let i = 0; i < 4; i++) {
      putData(batch, Uint8Array.of(i));
      sessions.writePacket(batch, 0, 5, START);
      numbers.push(sessions.writtenNumber[0]!);
    }
    const first = 7 * 2 ** 32 - 2;
    expect(numbers).toEqual([first, first + 1, first + 2, first + 3]);
    const header = new PacketHeader();
    for (let slot = 0; slot < 4; slot++) {
      expect(header.parse(batch.arena, batch.offset[slot]!, batch.length[slot]!, CLIENT_TAKES)).toBe(0);
      expect((header.sequenceHigh >>> 0) * 2 ** 32 + (header.sequenceLow >>> 0)).toBe(numbers[slot]);
    }
  });

  test('frees its keys when they are replaced or moved: their number stays what is in use', () => {
    const live = new Set<number>();
    const real = chooseAead(1, 256);
    const load = real.load.bind(real);
    const free = real.free.bind(real);
    real.load = (key, data) => {
      const id = load(key, data);
      live.add(id);
      return id;
    };
    real.free = (id) => {
      live.delete(id);
      free(id);
    };
    const sessions = new Sessions(3, 1, 256, real);
    const key = new Uint8Array(32);
    sessions.setKeys(0, key, key, associatedDataOf(1n));
    sessions.setKeys(0, key, key, associatedDataOf(1n));
    expect(live.size).toBe(2);
    sessions.setKeys(1, key, key, associatedDataOf(1n));
    sessions.move(0, 1);
    expect(live.size).toBe(2);
    sessions.freeKeys(0);
    expect(live.size).toBe(2);
    sessions.freeKeys(1);
    sessions.freeKeys(1);
    expect(live.size).toBe(0);
  });
});

/** The timer wheel, and the queue that becomes one, against a sorted list: never early, at most a tick late, in order, over days and across its own edges. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ROW_TIMERS_MAX, TimerQueue } from '../../../engine/executor/timer-queue.ts';
import { TICK_MICROS, TIMERS_MAX, TimerWheel } from '../../../engine/executor/timer-wheel.ts';
import { NEVER } from '../../../sys/api.ts';

const EPOCH_MICROS = 2 ** 30 * TICK_MICROS;

interface Expiry {
  readonly payload: number;
  readonly at: number;
}

type Timers = TimerWheel | TimerQueue;
type MakeTimers = (now: number, capacity?: number) => Timers;

const KINDS: readonly [name: string, make: MakeTimers][] = [
  ['wheel', (now, capacity) => new TimerWheel(now, capacity)],
  ['queue', (now) => new TimerQueue(now)],
];

function collect(wheel: Timers, now: number): number[] {
  const out: number[] = [];
  wheel.advance(now, (payload) => out.push(payload));
  return out;
}

/** What the wheel promises, written down in the slowest way. */
class SortedList {
  timers: { payload: number; deadline: number; tick: number; order: number }[] = [];
  current: number;
  order = 0;

  constructor(now: number) {
    this.current = Math.floor(now / TICK_MICROS);
  }

  insert(deadline: number, payload: number): void {
    const tick = Math.max(Math.ceil(deadline / TICK_MICROS), this.current);
    this.timers.push({ payload, deadline, tick, order: this.order++ });
  }

  cancel(payload: number): void {
    this.timers = this.timers.filter((timer) => timer.payload !== payload);
  }

  advance(now: number): number[] {
    this.current = Math.max(this.current, Math.floor(now / TICK_MICROS));
    const due = this.timers.filter((timer) => timer.tick <= this.current);
    this.timers = this.timers.filter((timer) => timer.tick > this.current);
    return due.sort((a, b) => a.tick - b.tick || a.order - b.order).map((timer) => timer.payload);
  }
}

/** Distances that meet every level, its edges, and days beyond the last. */
const distance = fc.oneof(
  fc.integer({ min: -500, max: 1_200 * TICK_MICROS }),
  fc.integer({ min: 0, max: 2 ** 20 * TICK_MICROS * 2 }),
  fc.integer({ min: 0, max: 2 ** 32 }),
  fc.maxSafeNat().map((n) => n % (5 * EPOCH_MICROS)),
  fc.constantFrom(1_024, 2 ** 20, 2 ** 30).map((ticks) => ticks * TICK_MICROS),
);

const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('insert' as const), by: distance, which: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), by: distance, which: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rearm' as const), by: distance, which: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('advance' as const), by: distance, which: fc.nat(99) }) },
);

describe.each(KINDS)('timer %s', (_, make) => {
  test('does what a sorted list does, whatever is inserted, cancelled, re-armed and however time goes on', () => {
    const start = fc.oneof(fc.nat(), fc.constantFrom(EPOCH_MICROS - 5_000, 2 ** 20 * TICK_MICROS - 3_000, 2 ** 50));
    fc.assert(
      fc.property(start, fc.array(command, { maxLength: 60 }), (startAt, commands) => {
        let now = startAt;
        let payloads = 0;
        const wheel = make(now, 4);
        const list = new SortedList(now);
        const ids = new Map<number, number>();
        const pick = (which: number): number | undefined => [...ids.keys()][which % Math.max(1, ids.size)];
        for (const { kind, by, which } of commands) {
          const chosen = pick(which);
          const deadline = Math.max(0, now + by);
          if (kind === 'insert') {
            ids.set(payloads, wheel.insert(deadline, payloads));
            list.insert(deadline, payloads++);
          } else if (kind === 'advance') {
            now = Math.max(now, deadline);
            const expired = collect(wheel, now);
            expect(expired).toEqual(list.advance(now));
            for (const payload of expired) ids.delete(payload);
          } else if (chosen !== undefined) {
            list.cancel(chosen);
            if (kind === 'cancel') {
              expect(wheel.cancel(ids.get(chosen) as number)).toBe(true);
              ids.delete(chosen);
            } else {
              wheel.rearm(ids.get(chosen) as number, deadline);
              list.insert(deadline, chosen);
            }
          }
          expect(wheel.count).toBe(list.timers.length);
          const first = Math.min(...list.timers.map((timer) => timer.tick));
          if (list.timers.length > 0) expect(wheel.nextDeadline()).toBeLessThanOrEqual(first * TICK_MICROS);
          else expect(wheel.nextDeadline()).toBe(NEVER);
        }
        // Following nextDeadline() alone, everything comes, not early, at most a tick late, and without spinning.
        for (let looks = 0; wheel.count > 0; looks++) {
          expect(looks).toBeLessThan(600);
          const next = wheel.nextDeadline();
          now = Math.max(now, next);
          const before = new Map(list.timers.map((timer) => [timer.payload, timer]));
          const expired = collect(wheel, now);
          expect(expired).toEqual(list.advance(now));
          for (const payload of expired) expect(before.get(payload)?.deadline ?? NEVER).toBeLessThanOrEqual(now);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('expires a timer never before its deadline and at most one tick after it', () => {
    const wheel = make(0);
    const seen: Expiry[] = [];
    const deadlines = [1, 15, 16, 17, 4_095, 4_096, 4_097, 70_001, 1_048_577, 9_999_999];
    deadlines.forEach((deadline, i) => {
      wheel.insert(deadline, i);
    });
    for (let now = 0; now <= 10_000_100; now++) wheel.advance(now, (payload) => seen.push({ payload, at: now }));
    expect(seen.map((expiry) => expiry.payload)).toEqual(deadlines.map((_, i) => i));
    for (const { payload, at } of seen) {
      const late = at - (deadlines[payload] as number);
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(TICK_MICROS);
    }
  });

  test('names the exact tick of its next deadline when nothing shares its slot', () => {
    fc.assert(
      fc.property(fc.nat(), distance, (now, by) => {
        fc.pre(by > TICK_MICROS && now + by < EPOCH_MICROS);
        const wheel = make(now);
        wheel.insert(now + by, 0);
        expect(wheel.nextDeadline()).toBe(Math.ceil((now + by) / TICK_MICROS) * TICK_MICROS);
      }),
    );
  });

  test('stays exact when its only timer is moved again and again, as a loop does every turn', () => {
    const wheel = make(0);
    const id = wheel.insert(20_000, 1);
    for (let now = 0; now < 1_000_000; now += 777) {
      wheel.rearm(id, now + 16_667);
      expect(wheel.nextDeadline()).toBe(Math.ceil((now + 16_667) / TICK_MICROS) * TICK_MICROS);
      expect(collect(wheel, now)).toEqual([]);
    }
  });

  test('does not expire what a callback cancels in the same tick', () => {
    const wheel = make(0);
    const ids = [0, 1, 2, 3].map((payload) => wheel.insert(100, payload));
    const seen: number[] = [];
    wheel.advance(200, (payload) => {
      seen.push(payload);
      if (payload === 0) {
        expect(wheel.cancel(ids[0] as number)).toBe(false);
        expect(wheel.cancel(ids[1] as number)).toBe(true);
        expect(wheel.cancel(ids[3] as number)).toBe(true);
      }
    });
    expect(seen).toEqual([0, 2]);
    expect(wheel.count).toBe(0);
  });

  test('keeps for the next advance what a callback inserts for a time already past', () => {
    const wheel = make(0);
    wheel.insert(100, 0);
    wheel.insert(5_000, 1);
    const seen: number[] = [];
    const again = (payload: number): void => {
      seen.push(payload);
      if (seen.length < 50) wheel.insert(50, seen.length + 100);
    };
    wheel.advance(10_000, again);
    expect(seen).toEqual([0, 1]);
    expect(wheel.nextDeadline()).toBeLessThanOrEqual(10_000);
    wheel.advance(10_000, again);
    expect(seen).toEqual([0, 1, 101, 102]);
  });

  test('expires in the same advance what a callback inserts for a time between now and the end of the advance', () => {
    const wheel = make(0);
    wheel.insert(100, 0);
    const seen: number[] = [];
    wheel.advance(100_000, (payload) => {
      seen.push(payload);
      if (payload < 5) wheel.insert(100 + (payload + 1) * 10_000, payload + 1);
    });
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('refuses the id of an expired timer even when its place is used again', () => {
    const wheel = make(0, 1);
    const first = wheel.insert(10, 0);
    expect(collect(wheel, 100)).toEqual([0]);
    const second = wheel.insert(1_000, 1);
    expect(wheel.cancel(first)).toBe(false);
    expect(() => wheel.rearm(first, 2_000)).toThrow('rearm of a timer that has expired');
    expect(wheel.armed(second)).toBe(true);
    expect(wheel.armed(-1)).toBe(false);
  });

  test('refuses advance inside a callback, and goes on afterwards', () => {
    const wheel = make(0);
    wheel.insert(10, 0);
    wheel.insert(10, 1);
    expect(() => wheel.advance(100, () => wheel.advance(200, () => {}))).toThrow('advance() inside onExpire');
    expect(collect(wheel, 100)).toEqual([1]);
  });

  test('does nothing when time stands still or goes back', () => {
    const wheel = make(1_000_000);
    wheel.insert(1_000_100, 0);
    expect(collect(wheel, 1_000_000)).toEqual([]);
    expect(collect(wheel, 500)).toEqual([]);
    expect(collect(wheel, 1_000_112)).toEqual([0]);
  });

  test('grows from one timer to 100,000, and says when a million are too many', () => {
    const wheel = make(0, 1);
    for (let i = 0; i < 100_000; i++) wheel.insert(1 + ((i * 7_919) % 1_000_000), i);
    let last = 0;
    let inOrder = true;
    const deadlineOf = (payload: number): number => Math.ceil((1 + ((payload * 7_919) % 1_000_000)) / TICK_MICROS);
    const expired = wheel.advance(1_000_100, (payload) => {
      if (deadlineOf(payload) < last) inOrder = false;
      last = deadlineOf(payload);
    });
    expect(expired).toBe(100_000);
    expect(inOrder).toBe(true);
    for (let i = 0; i < TIMERS_MAX; i++) wheel.insert(2_000_000, i);
    expect(() => wheel.insert(2_000_000, 0)).toThrow('a million timers');
  });
});

describe('a timer queue that has become a wheel', () => {
  test('knows the ids of before, and refuses those of timers that had expired', () => {
    const queue = new TimerQueue(0);
    const gone = queue.insert(10, 0);
    expect(collect(queue, 100)).toEqual([0]);
    const ids = Array.from({ length: ROW_TIMERS_MAX + 1 }, (_, i) => queue.insert(1_000_000 - i * 20_000, i + 1));
    expect(new Set(ids).size).toBe(ids.length);
    expect(queue.cancel(gone)).toBe(false);
    expect(queue.cancel(ids[3] as number)).toBe(true);
    queue.rearm(ids[0] as number, 200);
    expect(collect(queue, 300)).toEqual([1]);
    expect(collect(queue, 1_000_000)).toEqual(Array.from({ length: 16 }, (_, i) => 17 - i).filter((i) => i !== 4));
    const again = Array.from({ length: 40 }, (_, i) => queue.insert(2_000_000, i));
    expect(new Set([...ids, ...again]).size).toBe(ids.length + again.length);
  });

  test('was a row as long as a callback inserted into it, and expires those all the same', () => {
    const queue = new TimerQueue(0);
    queue.insert(10, 0);
    queue.advance(100, () => {
      for (let i = 1; i <= 100; i++) queue.insert(i % 2 === 0 ? 5 : 1_000, i);
    });
    expect(queue.count).toBe(100);
    queue.insert(1_000, 101);
    expect(collect(queue, 200)).toEqual(Array.from({ length: 50 }, (_, i) => (i + 1) * 2));
    expect(collect(queue, 1_008)).toEqual(Array.from({ length: 51 }, (_, i) => i * 2 + 1));
  });
});

import { describe, expect, test } from 'vitest';
import { type Registration, WOKEN } from '../../../engine/executor/reactor.ts';
import { Runtime } from '../../../engine/executor/runtime.ts';
import type { TaskBody } from '../../../engine/executor/task.ts';
import { type Micros, NEVER, type Pollable, READABLE, WRITABLE } from '../../../sys/api.ts';
import { FakeClock, FakePoller } from './fakes.ts';

interface Bench {
  readonly clock: FakeClock;
  readonly poller: FakePoller;
  readonly runtime: Runtime;
  readonly source: Pollable;
  readonly registration: Registration;
  readonly seen: number[];
}

function bench(): Bench {
  const clock = new FakeClock();
  const poller = new FakePoller(clock);
  const runtime = new Runtime({ clock }, poller);
  const source: Pollable = { pollHandle: 3 };
  return { clock, poller, runtime, source, registration: runtime.reactor.register(source), seen: [] };
}

function* listening({ registration, seen }: Bench, deadline: () => Micros): TaskBody<void> {
  for (;;) seen.push(yield* registration.ready(deadline()));
}

const never = (): Micros => NEVER;

describe('registration', () => {
  test('gives the flags that were reported, once', () => {
    const at = bench();
    at.registration.want(READABLE);
    at.runtime.spawn(listening(at, never));
    at.runtime.turn();
    at.poller.signal(at.source, READABLE);
    at.runtime.turn();
    at.runtime.turn();
    expect(at.seen).toEqual([READABLE]);
  });

  test('keeps for the next wait what was reported while nobody waited', () => {
    const at = bench();
    at.registration.want(READABLE | WRITABLE);
    at.poller.signal(at.source, READABLE);
    at.runtime.turn();
    at.poller.signal(at.source, WRITABLE);
    at.runtime.turn();
    at.runtime.spawn(listening(at, never));
    at.runtime.turn();
    expect(at.seen).toEqual([READABLE | WRITABLE]);
  });

  test('changes the interest of the poller only when it differs', () => {
    const at = bench();
    at.registration.want(READABLE);
    at.registration.want(READABLE);
    expect(at.poller.modifications).toBe(1);
    expect(at.poller.interestOf(at.source)).toBe(READABLE);
    at.registration.want(WRITABLE);
    at.registration.want(0);
    at.registration.want(0);
    expect(at.poller.modifications).toBe(3);
    expect(at.poller.interestOf(at.source)).toBe(0);
  });

  test('forgets what is no longer wanted', () => {
    const at = bench();
    at.registration.want(READABLE);
    at.poller.signal(at.source, READABLE);
    at.runtime.turn();
    at.registration.want(WRITABLE);
    at.runtime.spawn(listening(at, never));
    at.runtime.turn();
    expect(at.seen).toEqual([]);
  });

  test('gives 0 when the deadline has passed, not before', () => {
    const at = bench();
    const deadline = at.clock.now() + 1_000;
    at.registration.want(READABLE);
    at.runtime.spawn(listening(at, () => (at.seen.length === 0 ? deadline : NEVER)));
    const next = at.runtime.turn();
    expect(next).toBeGreaterThanOrEqual(deadline);
    expect(next).toBeLessThan(deadline + 16);
    at.clock.micros = deadline - 1;
    at.runtime.turn();
    expect(at.seen).toEqual([]);
    at.clock.micros = next;
    expect(at.runtime.turn()).toBe(NEVER);
    expect(at.seen).toEqual([0]);
  });

  test('treats a deadline already past as the next turn, so that others run between', () => {
    const at = bench();
    let others = 0;
    at.runtime.spawn(listening(at, () => at.clock.now() - 5_000));
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        for (;;) {
          others++;
          yield* at.runtime.yieldNow();
        }
      })(),
    );
    for (let i = 0; i < 10; i++) at.runtime.turn();
    expect(others).toBe(10);
    expect(at.seen).toEqual(new Array(9).fill(0));
  });

  test('moves its one timer when the deadline moves, and keeps none for NEVER', () => {
    const at = bench();
    at.registration.want(READABLE);
    at.runtime.spawn(listening(at, () => (at.seen.length < 3 ? at.clock.now() + 10_000 : NEVER)));
    for (let i = 0; i < 3; i++) {
      at.runtime.turn();
      expect(at.runtime.timers.queue.count).toBe(1);
      at.clock.micros += 100;
      at.poller.signal(at.source, READABLE);
    }
    at.runtime.turn();
    expect(at.seen).toEqual([READABLE, READABLE, READABLE]);
    expect(at.runtime.timers.queue.count).toBe(0);
  });

  test('ends a wait from outside with WOKEN, also when the call came before the wait', () => {
    const at = bench();
    at.registration.wake();
    at.runtime.spawn(listening(at, never));
    at.runtime.turn();
    expect(at.seen).toEqual([WOKEN]);
    at.registration.wake();
    at.registration.wake();
    at.runtime.turn();
    expect(at.seen).toEqual([WOKEN, WOKEN]);
  });

  test('refuses a second task that waits for it', () => {
    const at = bench();
    const errors: unknown[] = [];
    at.runtime.executor.onError = (error) => errors.push(error);
    at.runtime.spawn(listening(at, never));
    at.runtime.spawn(listening(at, never));
    expect(() => at.runtime.turn()).toThrow('two tasks wait for one registration');
  });

  test('is forgotten by poller and timers when closed, and a key used again gets no flags of its predecessor', () => {
    const at = bench();
    at.registration.want(READABLE);
    const task = at.runtime.spawn(listening(at, () => at.clock.now() + 1_000));
    at.runtime.turn();
    at.poller.signal(at.source, READABLE);
    task.cancel();
    at.registration.close();
    at.registration.close();
    expect(at.poller.interestOf(at.source)).toBe(0);
    expect(at.runtime.timers.queue.count).toBe(0);
    const other: Pollable = { pollHandle: 4 };
    const successor = at.runtime.reactor.register(other);
    expect(successor.key).toBe(at.registration.key);
    at.runtime.turn();
    expect(successor.settled).toBe(false);
    expect(at.seen).toEqual([]);
  });
});

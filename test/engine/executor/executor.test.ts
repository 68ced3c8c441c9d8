import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Executor } from '../../../engine/executor/executor.ts';
import { Future } from '../../../engine/executor/future.ts';
import type { TaskBody } from '../../../engine/executor/task.ts';
import { Waker } from '../../../engine/executor/waker.ts';

function* noting(log: string[], name: string, rounds: number, executor: Executor): TaskBody<void> {
  for (let i = 0; i < rounds; i++) {
    log.push(`${name}${i}`);
    yield* executor.yieldNow();
  }
}

describe('order', () => {
  test('steps tasks in the order in which they were spawned, and nothing before a turn', () => {
    const executor = new Executor();
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) executor.spawn(noting(log, name, 1, executor));
    expect(log).toEqual([]);
    expect(executor.hasReady).toBe(true);
    executor.turn(100);
    expect(log).toEqual(['a0', 'b0', 'c0']);
  });

  test('steps what a step wakes in the same turn, behind those who were ready before', () => {
    const executor = new Executor();
    const future = new Future<void>();
    const log: string[] = [];
    executor.spawn(
      (function* (): TaskBody<void> {
        yield* future;
        log.push('woken');
      })(),
    );
    executor.turn(10);
    executor.spawn(
      (function* (): TaskBody<void> {
        future.complete();
        log.push('waking');
        yield* executor.yieldNow();
      })(),
    );
    executor.spawn(noting(log, 'other', 1, executor));
    executor.turn(10);
    expect(log).toEqual(['waking', 'other0', 'woken']);
  });

  test('steps a task that yields in the next turn only, after all others', () => {
    const executor = new Executor();
    const log: string[] = [];
    executor.spawn(noting(log, 'a', 3, executor));
    executor.spawn(noting(log, 'b', 2, executor));
    expect(executor.turn(100)).toBe(2);
    expect(log).toEqual(['a0', 'b0']);
    executor.spawn(noting(log, 'c', 1, executor));
    executor.turn(100);
    expect(log).toEqual(['a0', 'b0', 'c0', 'a1', 'b1']);
  });

  test('gives every task its share whatever the budget: no two differ by more than one round', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(200),
        (tasks, budget, turns) => {
          const executor = new Executor();
          const rounds = new Array<number>(tasks).fill(0);
          for (let i = 0; i < tasks; i++) {
            executor.spawn(
              (function* (): TaskBody<void> {
                for (;;) {
                  rounds[i] = (rounds[i] as number) + 1;
                  yield* executor.yieldNow();
                }
              })(),
            );
          }
          for (let turn = 0; turn < turns; turn++) expect(executor.turn(budget)).toBeLessThanOrEqual(budget);
          expect(Math.max(...rounds) - Math.min(...rounds)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });
});

describe('budget', () => {
  test('steps at most the budget and keeps the rest ready, in order', () => {
    const executor = new Executor();
    const log: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) executor.spawn(noting(log, name, 1, executor));
    expect(executor.turn(2)).toBe(2);
    expect(log).toEqual(['a0', 'b0']);
    expect(executor.hasReady).toBe(true);
    executor.turn(100);
    expect(log).toEqual(['a0', 'b0', 'c0', 'd0', 'e0']);
  });

  test('ends a turn in which two tasks wake each other for ever', () => {
    const executor = new Executor();
    const ping = new Future<void>();
    const pong = new Future<void>();
    function* player(mine: Future<void>, other: Future<void>): TaskBody<void> {
      for (;;) {
        yield* mine;
        mine.reset();
        other.complete();
      }
    }
    executor.spawn(player(ping, pong));
    executor.spawn(player(pong, ping));
    executor.turn(10);
    ping.complete();
    expect(executor.turn(256)).toBe(256);
    expect(executor.hasReady).toBe(true);
  });

  test('grows its queue to 10,000 ready tasks without losing the order', () => {
    const executor = new Executor();
    const order: number[] = [];
    function* numbered(i: number): TaskBody<void> {
      order.push(i);
    }
    for (let i = 0; i < 30; i++) executor.spawn(numbered(i));
    executor.turn(20); // the ring does not begin at its first slot
    for (let i = 30; i < 10_000; i++) executor.spawn(numbered(i));
    while (executor.hasReady) executor.turn(256);
    expect(order).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect(executor.taskCount).toBe(0);
  });
});

describe('turn', () => {
  test('refuses to run inside itself', () => {
    const executor = new Executor();
    const task = executor.spawn(
      (function* (): TaskBody<void> {
        executor.turn(1);
      })(),
    );
    const errors: unknown[] = [];
    executor.onError = (error) => errors.push(error);
    executor.turn(10);
    expect(String(errors[0])).toContain('turn() inside a turn');
    expect(task.done.failed).toBe(true);
    expect(executor.turn(10)).toBe(0); // and goes on afterwards
  });

  test('steps a waker that was woken five times once', () => {
    const executor = new Executor();
    let steps = 0;
    class Once extends Waker {
      override step(): void {
        steps++;
      }
    }
    const waker = new Once(executor.queue);
    for (let i = 0; i < 5; i++) waker.wake();
    waker.wakeNextTurn();
    executor.turn(10);
    expect(steps).toBe(1);
  });
});

describe('errors', () => {
  function* failing(message: string): TaskBody<void> {
    throw new Error(message);
  }

  test('reports the failure of a task that nobody waits for, with the task', () => {
    const executor = new Executor();
    const seen: string[] = [];
    executor.onError = (error, task) => seen.push(`${task?.name}: ${(error as Error).message}`);
    executor.spawn(failing('lost'), 'fragile');
    executor.turn(10);
    expect(seen).toEqual(['fragile: lost']);
  });

  test('throws it out of the turn when nobody listens, and goes on with the others in the next', () => {
    const executor = new Executor();
    const log: string[] = [];
    executor.spawn(failing('boom'));
    executor.spawn(noting(log, 'a', 1, executor));
    expect(() => executor.turn(10)).toThrow('boom');
    expect(log).toEqual([]);
    executor.turn(10);
    expect(log).toEqual(['a0']);
  });

  test('gives the failure to the task that waits for it, and reports nothing', () => {
    const executor = new Executor();
    const reported: unknown[] = [];
    executor.onError = (error) => reported.push(error);
    const gate = new Future<void>();
    const late = executor.spawn(
      (function* (): TaskBody<void> {
        yield* gate;
        throw new Error('awaited');
      })(),
    );
    const waiting = executor.spawn(
      (function* (): TaskBody<void> {
        yield* late.done;
      })(),
    );
    const outer = executor.spawn(
      (function* (): TaskBody<string> {
        try {
          yield* waiting.done;
          return 'nothing';
        } catch (error) {
          return (error as Error).message;
        }
      })(),
    );
    executor.turn(10);
    gate.complete();
    executor.turn(10);
    expect(outer.done.take()).toBe('awaited');
    expect(reported).toEqual([]);
  });

  test('throws all failures that happened outside a turn at the next one', () => {
    const executor = new Executor();
    const never = new Future<void>();
    function* failsWhenCancelled(name: string): TaskBody<void> {
      try {
        yield* never;
      } finally {
        // biome-ignore lint/correctness/noUnsafeFinally: what is tested
        throw new Error(name);
      }
    }
    executor.spawn(failsWhenCancelled('one'));
    executor.spawn(failsWhenCancelled('two'));
    executor.turn(10);
    executor.cancelAll();
    expect(executor.hasReady).toBe(true);
    expect(() => executor.turn(10)).toThrow(AggregateError);
    expect(executor.turn(10)).toBe(0);
  });
});

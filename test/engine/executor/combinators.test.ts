import { describe, expect, test } from 'vitest';
import { all, race, TIMED_OUT, timeout } from '../../../engine/executor/combinators.ts';
import { Future } from '../../../engine/executor/future.ts';
import { Runtime } from '../../../engine/executor/runtime.ts';
import type { TaskBody } from '../../../engine/executor/task.ts';
import { FakeClock, FakePoller } from './fakes.ts';

interface Bench {
  readonly clock: FakeClock;
  readonly runtime: Runtime;
  readonly log: string[];
  readonly reported: unknown[];
}

function bench(): Bench {
  const clock = new FakeClock();
  const runtime = new Runtime({ clock }, new FakePoller(clock));
  const reported: unknown[] = [];
  runtime.executor.onError = (error) => reported.push(error);
  return { clock, runtime, log: [], reported };
}

function* following<T>(at: Bench, future: Future<T>, name: string): TaskBody<T> {
  try {
    return yield* future;
  } finally {
    at.log.push(`${name} out`);
  }
}

function settle(at: Bench): void {
  for (let i = 0; i < 5; i++) at.runtime.turn();
}

describe('race', () => {
  test('gives the first result, and the finally blocks of the losers have run by then', () => {
    const at = bench();
    const slow = new Future<number>();
    const fast = new Future<string>();
    const task = at.runtime.spawn(
      (function* (): TaskBody<string | number> {
        const result: string | number = yield* race(at.runtime.executor, [
          following(at, slow, 'slow'),
          following(at, fast, 'fast'),
        ]);
        at.log.push('race over');
        return result;
      })(),
    );
    settle(at);
    fast.complete('won');
    settle(at);
    expect(task.done.take()).toBe('won');
    expect(at.log).toEqual(['fast out', 'slow out', 'race over']);
    expect(at.runtime.executor.taskCount).toBe(0);
    expect(slow.awaited).toBe(false);
  });

  test('waits for a loser whose finally block waits', () => {
    const at = bench();
    const goodbye = new Future<void>();
    const fast = new Future<number>();
    function* slow(): TaskBody<number> {
      try {
        return yield* new Future<number>();
      } finally {
        yield* goodbye;
        at.log.push('said goodbye');
      }
    }
    const task = at.runtime.spawn(race(at.runtime.executor, [slow(), fast]));
    settle(at);
    fast.complete(1);
    settle(at);
    expect(task.done.settled).toBe(false);
    goodbye.complete();
    settle(at);
    expect(at.log).toEqual(['said goodbye']);
    expect(task.done.take()).toBe(1);
  });

  test('throws when the first to end has failed, and reports a loser that fails in its finally block', () => {
    const at = bench();
    const first = new Future<number>();
    function* clumsy(): TaskBody<number> {
      try {
        return yield* new Future<number>();
      } finally {
        JSON.parse('{');
      }
    }
    const caught: unknown[] = [];
    at.runtime.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* race(at.runtime.executor, [first, clumsy()]);
        } catch (error) {
          caught.push(error);
        }
      })(),
    );
    settle(at);
    const error = new Error('first');
    first.fail(error);
    settle(at);
    expect(caught).toEqual([error]);
    expect(at.reported).toHaveLength(1);
    expect(at.reported[0]).toBeInstanceOf(SyntaxError);
  });

  test('reports a loser that failed in the same turn as the winner came in', () => {
    const at = bench();
    const start = new Future<void>();
    function* winner(): TaskBody<number> {
      yield* start;
      return 1;
    }
    function* loser(): TaskBody<number> {
      yield* start;
      throw new Error('also ran');
    }
    const task = at.runtime.spawn(race(at.runtime.executor, [winner(), loser()]));
    settle(at);
    start.complete();
    settle(at);
    expect(task.done.take()).toBe(1);
    expect(at.reported.map(String)).toEqual(['Error: also ran']);
  });

  test('cancels all its tasks when it is cancelled, and leaves the futures of others alone', () => {
    const at = bench();
    const shared = new Future<number>();
    const task = at.runtime.spawn(
      race(at.runtime.executor, [
        following(at, new Future<number>(), 'a'),
        following(at, new Future<number>(), 'b'),
        shared,
      ]),
    );
    settle(at);
    task.cancel();
    settle(at);
    expect(at.log).toEqual(['a out', 'b out']);
    expect(at.runtime.executor.taskCount).toBe(0);
    expect(shared.settled).toBe(false);
    expect(shared.awaited).toBe(false);
  });
});

describe('all', () => {
  test('gives all results in the order of the list, whatever the order in which they came', () => {
    const at = bench();
    const number = new Future<number>();
    const text = new Future<string>();
    const task = at.runtime.spawn(
      (function* (): TaskBody<[number, string]> {
        return yield* all(at.runtime.executor, [following(at, number, 'number'), text]);
      })(),
    );
    settle(at);
    text.complete('two');
    settle(at);
    number.complete(1);
    settle(at);
    expect(task.done.take()).toEqual([1, 'two']);
  });

  test('throws the first failure without waiting for the rest, which is cancelled', () => {
    const at = bench();
    const failing = new Future<number>();
    const task = at.runtime.spawn(
      all(at.runtime.executor, [following(at, new Future<number>(), 'slow'), following(at, failing, 'failing')]),
    );
    settle(at);
    failing.fail(new Error('broken'));
    settle(at);
    expect(() => task.done.take()).toThrow('broken');
    expect(at.log).toEqual(['failing out', 'slow out']);
    expect(at.reported.map(String)).toEqual(['Error: broken']); // of the spawned `all` itself: nobody waits for it
  });

  test('of nothing is an empty list at once', () => {
    const at = bench();
    const task = at.runtime.spawn(all(at.runtime.executor, []));
    at.runtime.turn();
    expect(task.done.take()).toEqual([]);
  });
});

describe('timeout', () => {
  test('gives the result that comes in time, and leaves no timer behind', () => {
    const at = bench();
    const future = new Future<number>();
    const task = at.runtime.spawn(timeout(at.runtime, at.clock.now() + 1_000, following(at, future, 'body')));
    settle(at);
    expect(at.runtime.timers.queue.count).toBe(1);
    future.complete(3);
    settle(at);
    expect(task.done.take()).toBe(3);
    expect(at.runtime.timers.queue.count).toBe(0);
  });

  test('cancels the body at the deadline, not before', () => {
    const at = bench();
    const task = at.runtime.spawn(
      timeout(at.runtime, at.clock.now() + 1_000, following(at, new Future<number>(), 'body')),
    );
    settle(at);
    at.clock.micros += 999;
    settle(at);
    expect(at.log).toEqual([]);
    at.clock.micros += 17;
    settle(at);
    expect(task.done.take()).toBe(TIMED_OUT);
    expect(at.log).toEqual(['body out']);
  });

  test('prefers a result that comes in the turn of the deadline', () => {
    const at = bench();
    const future = new Future<number>();
    const task = at.runtime.spawn(timeout(at.runtime, at.clock.now() + 1_000, future));
    settle(at);
    future.complete(9);
    at.clock.micros += 2_000;
    settle(at);
    expect(task.done.take()).toBe(9);
  });
});

import { describe, expect, test } from 'vitest';
import { Executor } from '../../../engine/executor/executor.ts';
import { Future } from '../../../engine/executor/future.ts';
import { type Task, type TaskBody, TaskCancelled } from '../../../engine/executor/task.ts';

interface Bench {
  readonly executor: Executor;
  readonly log: string[];
  readonly never: Future<void>;
  readonly reported: unknown[];
}

function bench(): Bench {
  const executor = new Executor();
  const reported: unknown[] = [];
  executor.onError = (error) => reported.push(error);
  return { executor, log: [], never: new Future<void>(), reported };
}

function* guarded({ log, never }: Bench, name: string): TaskBody<void> {
  try {
    log.push(`${name} in`);
    yield* never;
    log.push(`${name} not reached`);
  } finally {
    log.push(`${name} out`);
  }
}

describe('a task', () => {
  test('completes `done` with what its body returns, through nested generators', () => {
    const { executor } = bench();
    const future = new Future<number>();
    function* inner(): TaskBody<number> {
      return (yield* future) * 2;
    }
    const task = executor.spawn(
      (function* (): TaskBody<number> {
        return (yield* inner()) + 1;
      })(),
    );
    executor.turn(10);
    future.complete(20);
    executor.turn(10);
    expect(task.done.take()).toBe(41);
    expect(executor.taskCount).toBe(0);
  });

  test('waits on after a wake that brought nothing', () => {
    const { executor } = bench();
    const future = new Future<number>();
    const task = executor.spawn(
      (function* (): TaskBody<number> {
        return yield* future;
      })(),
    );
    executor.turn(10);
    for (let i = 0; i < 3; i++) {
      task.wake();
      executor.turn(10);
      expect(task.done.settled).toBe(false);
    }
    future.complete(1);
    executor.turn(10);
    expect(task.done.take()).toBe(1);
  });
});

describe('cancel', () => {
  test('runs the finally blocks of a waiting task at once, the inner before the outer', () => {
    const at = bench();
    const task = at.executor.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* guarded(at, 'inner');
        } finally {
          at.log.push('outer out');
        }
      })(),
    );
    at.executor.turn(10);
    task.cancel();
    expect(at.log).toEqual(['inner in', 'inner out', 'outer out']);
    expect(task.wasCancelled).toBe(true);
    expect(at.executor.taskCount).toBe(0);
    expect(at.never.awaited).toBe(false);
    expect(at.reported).toEqual([]);
  });

  test('never lets a task begin that is cancelled before its first step', () => {
    const at = bench();
    const task = at.executor.spawn(guarded(at, 'a'));
    task.cancel();
    at.executor.turn(10);
    expect(at.log).toEqual([]);
    expect(task.wasCancelled).toBe(true);
    expect(at.executor.taskCount).toBe(0);
  });

  test('runs the finally blocks of a task that is ready and not yet stepped, and steps it no more', () => {
    const at = bench();
    const future = new Future<void>();
    const task = at.executor.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* future;
          at.log.push('not reached');
        } finally {
          at.log.push('out');
        }
      })(),
    );
    at.executor.turn(10);
    future.complete();
    task.cancel();
    at.executor.turn(10);
    expect(at.log).toEqual(['out']);
  });

  test('runs the finally blocks of a task that waits for the next turn', () => {
    const at = bench();
    const task = at.executor.spawn(
      (function* (): TaskBody<void> {
        try {
          for (;;) yield* at.executor.yieldNow();
        } finally {
          at.log.push('out');
        }
      })(),
    );
    at.executor.turn(10);
    task.cancel();
    expect(at.log).toEqual(['out']);
    at.executor.turn(10);
    expect(at.executor.hasReady).toBe(false);
  });

  test('waits for finally blocks that wait themselves', () => {
    const at = bench();
    const goodbye = new Future<void>();
    const task = at.executor.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* at.never;
        } finally {
          at.log.push('saying goodbye');
          yield* goodbye;
          at.log.push('gone');
        }
      })(),
    );
    at.executor.turn(10);
    task.cancel();
    task.cancel();
    at.executor.turn(10);
    expect(task.done.settled).toBe(false);
    expect(at.executor.taskCount).toBe(1);
    goodbye.complete();
    at.executor.turn(10);
    expect(at.log).toEqual(['saying goodbye', 'gone']);
    expect(task.wasCancelled).toBe(true);
  });

  test('of itself acts at the next wait of the task', () => {
    const at = bench();
    const own: { task?: Task<void> } = {};
    const self = at.executor.spawn(
      (function* (): TaskBody<void> {
        try {
          own.task?.cancel();
          at.log.push('still here');
          yield* at.never;
          at.log.push('not reached');
        } finally {
          at.log.push('out');
        }
      })(),
    );
    own.task = self;
    at.executor.turn(10);
    expect(at.log).toEqual(['still here', 'out']);
    expect(self.wasCancelled).toBe(true);
    expect(at.never.awaited).toBe(false);
  });

  test('of itself without another wait changes nothing: it ends with its value', () => {
    const at = bench();
    const own: { task?: Task<number> } = {};
    const self = at.executor.spawn(
      (function* (): TaskBody<number> {
        own.task?.cancel();
        return 5;
      })(),
    );
    own.task = self;
    at.executor.turn(10);
    expect(self.done.take()).toBe(5);
  });

  test('of a task that has ended does nothing', () => {
    const at = bench();
    const task = at.executor.spawn(
      (function* (): TaskBody<number> {
        return 5;
      })(),
    );
    at.executor.turn(10);
    task.cancel();
    expect(task.done.take()).toBe(5);
  });

  test('throws TaskCancelled into those who wait for the task', () => {
    const at = bench();
    const child = at.executor.spawn(guarded(at, 'child'), 'child');
    const parent = at.executor.spawn(
      (function* (): TaskBody<unknown> {
        try {
          yield* child.done;
          return 'nothing';
        } catch (error) {
          return error;
        }
      })(),
    );
    at.executor.turn(10);
    child.cancel();
    at.executor.turn(10);
    expect(parent.done.take()).toBeInstanceOf(TaskCancelled);
    expect(at.reported).toEqual([]);
  });

  test('reports what a finally block throws', () => {
    const at = bench();
    const task = at.executor.spawn(
      (function* (): TaskBody<void> {
        try {
          yield* at.never;
        } finally {
          at.executor.taskNames().map((name) => at.log.push(name));
          JSON.parse('{');
        }
      })(),
      'clumsy',
    );
    at.executor.turn(10);
    task.cancel();
    expect(at.reported).toHaveLength(1);
    expect(at.reported[0]).toBeInstanceOf(SyntaxError);
    expect(at.log).toEqual(['clumsy']);
  });

  test('of all tasks goes from the youngest to the oldest', () => {
    const at = bench();
    for (const name of ['first', 'second', 'third']) at.executor.spawn(guarded(at, name));
    at.executor.turn(10);
    at.log.length = 0;
    at.executor.cancelAll();
    expect(at.log).toEqual(['third out', 'second out', 'first out']);
    expect(at.executor.taskCount).toBe(0);
  });

  test('of two tasks whose finally blocks cancel each other ends', () => {
    const at = bench();
    const tasks: Task<void>[] = [];
    function* pair(name: string, other: number): TaskBody<void> {
      try {
        yield* at.never;
      } finally {
        at.log.push(name);
        tasks[other]?.cancel();
      }
    }
    tasks.push(at.executor.spawn(pair('a', 1)), at.executor.spawn(pair('b', 0)));
    at.executor.turn(10);
    tasks[0]?.cancel();
    expect(at.log).toEqual(['a', 'b']);
    expect(at.executor.taskCount).toBe(0);
  });
});

import { expect, test } from 'vitest';
import { Executor } from '../../../engine/executor/executor.ts';
import { Future } from '../../../engine/executor/future.ts';
import type { TaskBody } from '../../../engine/executor/task.ts';
import { Waker } from '../../../engine/executor/waker.ts';

class Counter extends Waker {
  steps = 0;
  override step(): void {
    this.steps++;
  }
}

test('gives a waiting task the value it was completed with', () => {
  const executor = new Executor();
  const future = new Future<string>();
  const seen: string[] = [];
  executor.spawn(
    (function* (): TaskBody<void> {
      seen.push(yield* future);
    })(),
  );
  executor.turn(10);
  expect(seen).toEqual([]);
  future.complete('hello');
  executor.turn(10);
  expect(seen).toEqual(['hello']);
});

test('does not make a task wait when it is settled already', () => {
  const executor = new Executor();
  const future = new Future<number>();
  future.complete(7);
  const task = executor.spawn(
    (function* (): TaskBody<number> {
      return (yield* future) + (yield* future);
    })(),
  );
  expect(executor.turn(10)).toBe(1);
  expect(task.done.take()).toBe(14);
});

test('throws the error it failed with into every waiter', () => {
  const executor = new Executor();
  const future = new Future<number>();
  const caught: unknown[] = [];
  function* waiting(): TaskBody<void> {
    try {
      yield* future;
    } catch (error) {
      caught.push(error);
    }
  }
  executor.spawn(waiting());
  executor.spawn(waiting());
  executor.turn(10);
  const error = new Error('no route');
  future.fail(error);
  executor.turn(10);
  expect(caught).toEqual([error, error]);
  expect(future.failure).toBe(error);
});

test('wakes its waiters in the order in which they began to wait', () => {
  const executor = new Executor();
  const future = new Future<void>();
  const order: number[] = [];
  function* waiting(name: number): TaskBody<void> {
    yield* future;
    order.push(name);
  }
  for (let name = 0; name < 5; name++) executor.spawn(waiting(name));
  executor.turn(10);
  future.complete();
  executor.turn(10);
  expect(order).toEqual([0, 1, 2, 3, 4]);
});

test('can be reset and awaited again, by the same task and by others', () => {
  const executor = new Executor();
  const future = new Future<number>();
  const seen: number[] = [];
  executor.spawn(
    (function* (): TaskBody<void> {
      for (;;) {
        seen.push(yield* future);
        future.reset();
      }
    })(),
  );
  executor.turn(10);
  for (let i = 0; i < 5; i++) {
    future.complete(i);
    executor.turn(10);
  }
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect(future.settled).toBe(false);
});

test('refuses to be settled twice, and to be taken while pending', () => {
  const future = new Future<number>();
  expect(() => future.take()).toThrow('still pending');
  future.complete(1);
  expect(() => future.complete(2)).toThrow('already settled');
  expect(() => future.fail(new Error('late'))).toThrow('already settled');
  expect(future.take()).toBe(1);
});

test('wakes a waker once for one completion however often it polled', () => {
  const executor = new Executor();
  const future = new Future<number>();
  const first = new Counter(executor.queue);
  const second = new Counter(executor.queue);
  for (let i = 0; i < 3; i++) {
    expect(future.poll(first)).toBe(false);
    expect(future.poll(second)).toBe(false);
  }
  future.complete(1);
  executor.turn(10);
  expect([first.steps, second.steps]).toEqual([1, 1]);
  expect(future.poll(first)).toBe(true);
});

test('does not wake who has unsubscribed, wherever in the line', () => {
  for (const leaving of [0, 1, 2]) {
    const executor = new Executor();
    const future = new Future<number>();
    const waiters = [0, 1, 2].map(() => new Counter(executor.queue));
    for (const waiter of waiters) future.subscribe(waiter);
    future.unsubscribe(waiters[leaving] as Counter);
    future.complete(1);
    executor.turn(10);
    expect(waiters.map((waiter) => waiter.steps)).toEqual([0, 1, 2].map((i) => (i === leaving ? 0 : 1)));
  }
});

test('sets nobody free who is told to wait on: a reset before the woken task runs hides the value', () => {
  const executor = new Executor();
  const future = new Future<number>();
  const seen: number[] = [];
  executor.spawn(
    (function* (): TaskBody<void> {
      seen.push(yield* future);
    })(),
  );
  executor.turn(1);
  future.complete(1);
  future.reset();
  executor.turn(1);
  expect(seen).toEqual([]);
  future.complete(2);
  executor.turn(1);
  expect(seen).toEqual([2]);
});

/**
 * Combinators: `race`, `all` and `timeout` over futures and task bodies.
 *
 * A body given here becomes a task of its own and never outlives the combinator: when that is over, fails or is
 * cancelled, the tasks still running are cancelled and their `finally` blocks waited for. A future given here belongs to
 * the caller and goes on. An error that is not thrown to the caller (a loser's) is reported to `executor.onError`.
 */

import type { Micros } from '../../sys/api.ts';
import { assert } from './assert.ts';
import type { Executor } from './executor.ts';
import { Future } from './future.ts';
import type { Task, TaskBody } from './task.ts';
import { Sleep, type Timers } from './timers.ts';
import type { Waitable, Waker, Yieldable } from './waker.ts';

/** What can be combined. */
export type Source<T> = Future<T> | TaskBody<T>;

/** What a source gives. */
export type ResultOf<S> = S extends Source<infer T> ? T : never;

/** The answer of `timeout` when the deadline came first. */
export const TIMED_OUT: unique symbol = Symbol('timed out');

/** The result of whichever is settled first (of several in one turn the first in the list); throws if that failed. */
export function* race<const S extends readonly Source<unknown>[]>(
  executor: Executor,
  sources: S,
): TaskBody<ResultOf<S[number]>> {
  assert(sources.length > 0, 'a race of nothing never ends');
  const runners = new Runners(executor, sources);
  try {
    const winner = yield* new Several(runners.futures, firstSettled);
    return runners.take(winner) as ResultOf<S[number]>;
  } finally {
    yield* runners.end();
  }
}

/** The results of all, in the order of the list; throws the first error, and then cancels the rest. */
export function* all<const S extends readonly Source<unknown>[]>(
  executor: Executor,
  sources: S,
): TaskBody<{ -readonly [K in keyof S]: ResultOf<S[K]> }> {
  const runners = new Runners(executor, sources);
  try {
    const failed = yield* new Several(runners.futures, firstFailedOrAllSettled);
    if (failed < sources.length) runners.take(failed);
    return runners.futures.map((future) => future.take()) as { -readonly [K in keyof S]: ResultOf<S[K]> };
  } finally {
    yield* runners.end();
  }
}

/** The result of `source`, or TIMED_OUT when `deadline` comes first. A result in the same turn counts. */
export function* timeout<T>(
  runtime: { readonly executor: Executor; readonly timers: Timers },
  deadline: Micros,
  source: Source<T>,
): TaskBody<T | typeof TIMED_OUT> {
  const runners = new Runners(runtime.executor, [source]);
  const sleep = new Sleep(runtime.timers, deadline);
  try {
    const first = yield* new Several([...runners.futures, sleep], firstSettled);
    return first === 0 ? (runners.take(0) as T) : TIMED_OUT;
  } finally {
    yield* runners.end();
  }
}

/** The futures of a list of sources, and the tasks that were started for those of them that are bodies. */
class Runners {
  readonly futures: Future<unknown>[];
  private readonly executor: Executor;
  private readonly tasks: Task<unknown>[] = [];
  private taken: Future<unknown> | null = null;

  constructor(executor: Executor, sources: readonly Source<unknown>[]) {
    this.executor = executor;
    this.futures = sources.map((source) => {
      if (source instanceof Future) return source;
      const task = executor.spawn(source, 'combined');
      this.tasks.push(task);
      return task.done;
    });
  }

  /** The result of one; its error is the caller's now. */
  take(index: number): unknown {
    const future = this.futures[index] as Future<unknown>;
    this.taken = future;
    return future.take();
  }

  /** Cancels what still runs and waits for it. */
  *end(): TaskBody<void> {
    for (const task of this.tasks) task.cancel();
    yield* new Several(
      this.tasks.map((task) => task.done),
      allSettled,
    );
    for (const task of this.tasks) {
      if (task.done !== this.taken) this.executor.reportFailure(task);
    }
  }
}

/** Waits until a rule over several waitables says so, and gives the rule's answer. */
class Several<W extends Waitable> implements Waitable, Yieldable<number>, Iterator<Waitable, number, void> {
  private readonly parts: readonly W[];
  private readonly rule: (parts: readonly W[]) => number;
  private waker: Waker | null = null;

  /** @param rule the answer, >= 0, or -1 to wait on */
  constructor(parts: readonly W[], rule: (parts: readonly W[]) => number) {
    this.parts = parts;
    this.rule = rule;
  }

  get settled(): boolean {
    return this.rule(this.parts) >= 0;
  }

  subscribe(waker: Waker): void {
    this.waker = waker;
    for (const part of this.parts) if (!part.settled) part.subscribe(waker);
  }

  unsubscribe(waker: Waker): void {
    for (const part of this.parts) part.unsubscribe(waker);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<Waitable, number> {
    const answer = this.rule(this.parts);
    if (answer < 0) return { done: false, value: this };
    if (this.waker !== null) this.unsubscribe(this.waker);
    return { done: true, value: answer };
  }
}

function firstSettled(parts: readonly Waitable[]): number {
  return parts.findIndex((part) => part.settled);
}

/** The index of one that failed; the number of parts when all are settled without failure. */
function firstFailedOrAllSettled(parts: readonly Future<unknown>[]): number {
  const failed = parts.findIndex((part) => part.failed);
  return failed >= 0 ? failed : allSettled(parts);
}

function allSettled(parts: readonly Waitable[]): number {
  return parts.every((part) => part.settled) ? parts.length : -1;
}

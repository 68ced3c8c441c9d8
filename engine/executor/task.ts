/**
 * Task: a generator that the executor steps. It waits with `yield*`: on futures, sleeps, sockets, other generators.
 *
 * ```ts
 * function* echo(registration: Registration): TaskBody<void> {
 *   try {
 *     for (;;) answer(yield* registration.ready(NEVER));
 *   } finally {
 *     registration.close(); // runs when the task ends, fails or is cancelled, wherever it stands
 *   }
 * }
 * ```
 *
 * Declare the `function*` once and not inside the function that spawns it: a literal that is made anew for every spawn
 * costs a microsecond and 925 bytes.
 */

import { assert } from './assert.ts';
import { Future } from './future.ts';
import { type ReadyQueue, type Waitable, Waker } from './waker.ts';

/** What a task runs: yields what it waits for, returns its value. */
export type TaskBody<T> = Generator<Waitable, T, void>;

/** What `yield* task.done` throws when the task was cancelled. */
export class TaskCancelled extends Error {
  override readonly name = 'TaskCancelled';
}

/** Whom a task tells that it has ended. */
export interface TaskOwner {
  readonly queue: ReadyQueue;
  /** Once for each task. `unhandled` is whether it failed and nobody waited for it: then `error` must be reported. */
  ended(task: Task<unknown>, unhandled: boolean, error: unknown): void;
}

/** A running generator. Made by `Executor.spawn`. */
export class Task<T> extends Waker {
  readonly name: string;
  /** Completes with what the body returns, fails with what it throws, fails with `TaskCancelled` after `cancel()`. */
  readonly done: Future<T> = new Future<T>();
  /** Whether its failure has gone to `Executor.onError`. */
  failureReported = false;
  private readonly owner: TaskOwner;
  private readonly body: TaskBody<T>;
  private waitingOn: Waitable | null = null;
  private stepping = false;
  private cancelled = false;
  /** Whether cancelling has entered the finally blocks. */
  private unwound = false;

  constructor(owner: TaskOwner, body: TaskBody<T>, name: string) {
    super(owner.queue);
    this.owner = owner;
    this.body = body;
    this.name = name;
  }

  /** Whether it has ended by `cancel()`, and not in its own way. */
  get wasCancelled(): boolean {
    return this.done.failed && this.done.failure instanceof TaskCancelled;
  }

  /**
   * Ends the task where it stands. Its `finally` blocks run before this returns, except in two cases: when they wait
   * themselves, the task goes on until they are through; when a task cancels itself, they run at its next wait.
   * Nothing happens when it has ended or was cancelled before.
   */
  cancel(): void {
    if (this.done.settled || this.cancelled) return;
    this.cancelled = true;
    if (!this.stepping) this.unwind();
  }

  /** Runs the body to its next wait or its end. */
  override step(): void {
    if (this.done.settled) return; // it was cancelled while it stood in the queue
    assert(!this.stepping, 'a task is stepped from inside its own step');
    this.waitingOn = null;
    this.stepping = true;
    let result: IteratorResult<Waitable, T>;
    try {
      result = this.body.next();
    } catch (error) {
      this.fail(error);
      return;
    }
    this.stepping = false;
    if (result.done === true) this.finish(result.value);
    else this.wait(result.value);
  }

  private wait(on: Waitable): void {
    this.waitingOn = on;
    // A task that cancelled itself in this step: its finally blocks are still to run.
    if (this.cancelled && !this.unwound) this.unwind();
    else on.subscribe(this);
  }

  private unwind(): void {
    this.unwound = true;
    this.waitingOn?.unsubscribe(this);
    this.waitingOn = null;
    this.stepping = true;
    let result: IteratorResult<Waitable, T>;
    try {
      result = this.body.return(undefined as T);
    } catch (error) {
      this.fail(error);
      return;
    }
    this.stepping = false;
    if (result.done === true) this.finish(result.value);
    else this.wait(result.value);
  }

  private finish(value: T): void {
    if (this.unwound) this.done.fail(new TaskCancelled(`task '${this.name}' was cancelled`));
    else this.done.complete(value);
    this.owner.ended(this as Task<unknown>, false, undefined);
  }

  private fail(error: unknown): void {
    this.stepping = false;
    const unhandled = !this.done.awaited;
    this.failureReported = unhandled;
    this.done.fail(error);
    this.owner.ended(this as Task<unknown>, unhandled, error);
  }
}

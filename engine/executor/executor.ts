/** Executor: steps tasks in the order in which they became ready, a bounded number in one turn. */

import { assert } from './assert.ts';
import { Task, type TaskBody, type TaskOwner } from './task.ts';
import { ReadyQueue, type Waitable, type Waker, type Yieldable } from './waker.ts';

/** Live tasks of one executor. Far above one task a socket; reaching it means that tasks are spawned and never end. */
export const TASKS_MAX: number = 1 << 20;

/** Runs tasks. Belongs to one thread. */
export class Executor implements TaskOwner {
  readonly queue: ReadyQueue = new ReadyQueue();
  /**
   * Told about every task that failed while nobody waited for it. By default `turn()` throws the error after the step in
   * which it happened: never is it lost.
   */
  onError: (error: unknown, task?: Task<unknown>) => void = (error) => this.throwLater(error);
  private readonly tasks = new Set<Task<unknown>>();
  private readonly unreported: unknown[] = [];
  private readonly pauses = new PausePool();
  private inTurn = false;

  /** Live tasks. */
  get taskCount(): number {
    return this.tasks.size;
  }

  /** Whether a turn would do something now. */
  get hasReady(): boolean {
    return this.queue.count > 0 || this.unreported.length > 0;
  }

  /** Starts a task; its first step comes in this turn, or in the next when it is spawned outside of one. */
  spawn<T>(body: TaskBody<T>, name: string = 'task'): Task<T> {
    assert(this.tasks.size < TASKS_MAX, 'a million tasks: they are spawned and never end');
    const task = new Task<T>(this, body, name);
    this.tasks.add(task as Task<unknown>);
    task.wake();
    return task;
  }

  /**
   * Steps ready tasks, first come first served, at most `budgetSteps`; what is left stays ready. Tasks woken meanwhile
   * are stepped in the same turn, those who asked for the next turn are not. Returns the number of steps.
   */
  turn(budgetSteps: number): number {
    assert(!this.inTurn, 'turn() inside a turn: a task must wait with yield*, not run the executor');
    this.inTurn = true;
    const queue = this.queue;
    let steps = 0;
    try {
      queue.admitDeferred();
      while (steps < budgetSteps && queue.readyCount > 0) {
        steps++;
        queue.shift().step();
        if (this.unreported.length > 0) break;
      }
    } finally {
      this.inTurn = false;
    }
    if (this.unreported.length > 0) this.throwUnreported();
    return steps;
  }

  /**
   * `yield* executor.yieldNow()` lets all others go first: sockets are polled and timers fired before the task goes on.
   * For a task that has more work and must not starve the rest.
   */
  yieldNow(): Yieldable<void> {
    return this.pauses;
  }

  /** Cancels every live task, the youngest first; `taskCount` is then the number of those whose `finally` still waits. */
  cancelAll(): void {
    const tasks = [...this.tasks];
    for (let i = tasks.length - 1; i >= 0; i--) tasks[i]?.cancel();
  }

  /** Names of the live tasks, oldest first (diagnosis). */
  taskNames(): string[] {
    return [...this.tasks].map((task) => task.name);
  }

  ended(task: Task<unknown>, unhandled: boolean, error: unknown): void {
    this.tasks.delete(task);
    if (unhandled) this.onError(error, task);
  }

  /** Reports the failure of an ended task whose waiter drops it, unless it was reported before or is a cancellation. */
  reportFailure(task: Task<unknown>): void {
    if (task.failureReported || !task.done.failed || task.wasCancelled) return;
    task.failureReported = true;
    this.onError(task.done.failure, task);
  }

  private throwLater(error: unknown): void {
    this.unreported.push(error);
    this.queue.onOutsideWake?.();
  }

  private throwUnreported(): never {
    const errors = this.unreported.splice(0);
    if (errors.length === 1) throw errors[0];
    throw new AggregateError(errors, `${errors.length} tasks failed`);
  }
}

/** One stay until the next turn; taken from a pool, so that yielding allocates nothing. */
class Pause implements Waitable, Iterator<Waitable, void, void> {
  private readonly pool: Pause[];
  private readonly result: { done: boolean; value: unknown } = { done: false, value: this };
  private waited = false;

  constructor(pool: Pause[]) {
    this.pool = pool;
  }

  get settled(): boolean {
    return this.waited;
  }

  subscribe(waker: Waker): void {
    waker.wakeNextTurn();
  }

  unsubscribe(_waker: Waker): void {
    // It stays in the queue; the step of a task that has ended does nothing.
  }

  next(): IteratorResult<Waitable, void> {
    const { result, waited } = this;
    result.done = waited;
    result.value = waited ? undefined : this;
    if (waited) this.giveBack();
    else this.waited = true;
    return result as IteratorResult<Waitable, void>;
  }

  /** The task was cancelled. */
  return(): IteratorResult<Waitable, void> {
    this.giveBack();
    return { done: true, value: undefined };
  }

  private giveBack(): void {
    this.waited = false;
    this.pool.push(this);
  }
}

/** What `yieldNow` gives out: each `yield*` on it takes a pause of its own. */
class PausePool implements Yieldable<void> {
  private readonly free: Pause[] = [];

  [Symbol.iterator](): Iterator<Waitable, void, void> {
    return this.free.pop() ?? new Pause(this.free);
  }
}

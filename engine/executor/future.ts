/**
 * Future: a value that comes later, awaited again and again without allocation.
 *
 * In a task: `const value = yield* future;`. The future is its own iterator and hands out one result object for its whole
 * life, so a wait allocates nothing. (`yield future` would be untyped, a generator method `future.wait()` would allocate a
 * generator for each wait.) In a hand-written `Waker`: `if (future.poll(this)) use(future.take())`.
 */

import { assert } from './assert.ts';
import type { Waitable, Waker, Yieldable } from './waker.ts';

const PENDING = 0;
const COMPLETED = 1;
const FAILED = 2;

/**
 * A value or an error, set once by its owner, then seen by all who wait; after `reset()` it can be set again.
 *
 * A number beyond 31 bits that passes through here is boxed by the engine (16 bytes).
 */
export class Future<T> implements Waitable, Yieldable<T>, Iterator<Waitable, T, void> {
  private state = PENDING;
  private value: T | undefined = undefined;
  private error: unknown = undefined;
  /** The first waiter; more than one is rare, and only then is there a list. */
  private waiter: Waker | null = null;
  private others: Waker[] | null = null;
  /** The one iterator result, reused: `yield*` reads it at once. */
  private readonly result: { done: boolean; value: unknown } = { done: false, value: this };

  /** Whether it has been completed or failed (and not reset). */
  get settled(): boolean {
    return this.state !== PENDING;
  }

  get failed(): boolean {
    return this.state === FAILED;
  }

  /** What it failed with; undefined unless `failed`. */
  get failure(): unknown {
    return this.error;
  }

  /** Whether somebody waits now. */
  get awaited(): boolean {
    return this.waiter !== null;
  }

  /** Sets the value and wakes all who wait, in the order in which they began to. Must be pending. */
  complete(value: T): void {
    assert(this.state === PENDING, 'complete() of a future that is already settled');
    this.state = COMPLETED;
    this.value = value;
    if (this.waiter !== null) this.wakeAll();
  }

  /** Sets the error that every waiter's `yield*` (or `take()`) throws. Must be pending. */
  fail(error: unknown): void {
    assert(this.state === PENDING, 'fail() of a future that is already settled');
    this.state = FAILED;
    this.error = error;
    if (this.waiter !== null) this.wakeAll();
  }

  /**
   * Makes it pending again. A waiter that was woken and has not yet run will wait on, and not see the old value: reset
   * from the task that took the value.
   */
  reset(): void {
    this.state = PENDING;
    this.value = undefined;
    this.error = undefined;
  }

  /** True when settled (then `take()`); else `waker` is woken once when it is. */
  poll(waker: Waker): boolean {
    if (this.state !== PENDING) return true;
    this.subscribe(waker);
    return false;
  }

  /** The value; throws the error of a failed future. Must be settled. */
  take(): T {
    assert(this.state !== PENDING, 'take() of a future that is still pending');
    if (this.state === FAILED) throw this.error;
    return this.value as T;
  }

  subscribe(waker: Waker): void {
    if (this.waiter === null) this.waiter = waker;
    else if (this.waiter !== waker) this.subscribeOther(waker);
  }

  unsubscribe(waker: Waker): void {
    if (this.waiter === waker) {
      this.waiter = this.others?.shift() ?? null;
      return;
    }
    const at = this.others?.indexOf(waker) ?? -1;
    if (at >= 0) this.others?.splice(at, 1);
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** For `yield*` only. */
  next(): IteratorResult<Waitable, T> {
    const result = this.result;
    if (this.state === PENDING) {
      result.done = false;
      result.value = this;
    } else {
      result.done = true;
      result.value = this.take();
    }
    return result as IteratorResult<Waitable, T>;
  }

  private subscribeOther(waker: Waker): void {
    this.others ??= [];
    if (!this.others.includes(waker)) this.others.push(waker);
  }

  private wakeAll(): void {
    const first = this.waiter as Waker;
    this.waiter = null;
    first.wake();
    const others = this.others;
    if (others === null) return;
    this.others = null;
    for (const other of others) other.wake();
  }
}

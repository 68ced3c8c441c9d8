/** The door between futures and promises: for what happens once (listen, connect, close), never on the data path. */

import type { Micros } from '../../sys/api.ts';
import { Future } from './future.ts';
import { Alarm, type AlarmTarget, type Timers } from './timers.ts';
import { type ReadyQueue, Waker } from './waker.ts';

/** Settles a promise when a future is settled; one step of the executor. */
class PromiseSettler<T> extends Waker {
  private readonly future: Future<T>;
  private readonly resolve: (value: T) => void;
  private readonly reject: (error: unknown) => void;

  constructor(queue: ReadyQueue, future: Future<T>, resolve: (value: T) => void, reject: (error: unknown) => void) {
    super(queue);
    this.future = future;
    this.resolve = resolve;
    this.reject = reject;
  }

  override step(): void {
    if (!this.future.poll(this)) return;
    let value: T;
    try {
      value = this.future.take();
    } catch (error) {
      this.reject(error);
      return;
    }
    this.resolve(value);
  }
}

/** A promise of what the future becomes. Counts as a waiter: a failure is now the promise's to report. */
export function promiseOfFuture<T>(queue: ReadyQueue, future: Future<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const settler = new PromiseSettler(queue, future, resolve, reject);
    if (future.settled) settler.wake();
    else future.subscribe(settler);
  });
}

/** A future of what the promise becomes, for tasks: `yield* futureOf(fetchToken())`. */
export function futureOf<T>(promise: Promise<T>): Future<T> {
  const future = new Future<T>();
  promise.then(
    (value) => future.complete(value),
    (error) => future.fail(error),
  );
  return future;
}

/** Resolves a promise at a deadline. */
export class PromiseSleep implements AlarmTarget {
  private readonly timer: Alarm;
  private readonly resolve: () => void;

  constructor(timers: Timers, resolve: () => void) {
    this.timer = new Alarm(timers, this);
    this.resolve = resolve;
  }

  set(deadline: Micros): void {
    this.timer.set(deadline);
  }

  alarm(): void {
    this.timer.release();
    this.resolve();
  }
}

/**
 * Reactor: tells tasks which sockets have something to do. One poller, one registration for each socket, no allocation
 * for a wait.
 *
 * Sockets are watched edge-triggered: the kernel reports a change once, the registration keeps it until `ready()` hands it
 * over. So a task that has been told READABLE must read until nothing is left, or come back by itself (`yieldNow`)
 * before it waits again; and a task that does not listen for a while makes nobody spin.
 */

import { EDGE, type Micros, type Pollable, type Poller, READABLE, WRITABLE } from '../../sys/api.ts';
import { assert } from './assert.ts';
import { Alarm, type AlarmTarget, type Timers } from './timers.ts';
import type { Waitable, Waker, Yieldable } from './waker.ts';

/** In the answer of `ready()`: somebody called `wake()`. Beside READABLE (1) and WRITABLE (2), above the poller's own bits. */
export const WOKEN = 16;

/** Sockets of one reactor. Far above what one thread can serve; reaching it means that registrations are not closed. */
export const REGISTRATIONS_MAX: number = 1 << 20;

/** All sockets of one runtime. */
export class Reactor {
  readonly poller: Poller;
  private readonly timers: Timers;
  private readonly registrations: (Registration | null)[] = [];
  private readonly freeKeys: number[] = [];

  constructor(poller: Poller, timers: Timers) {
    this.poller = poller;
    this.timers = timers;
  }

  /** Watches `source`, silently until `want()`. One registration a source. */
  register(source: Pollable): Registration {
    const key = this.freeKeys.pop() ?? this.registrations.length;
    assert(key < REGISTRATIONS_MAX, 'a million registrations: they are made and never closed');
    const registration = new Registration(this, this.timers, source, key);
    this.poller.add(source, key, 0);
    this.registrations[key] = registration;
    return registration;
  }

  /** Passes on what the poller has just reported: `count` is what `Poller.wait` returned. */
  dispatch(count: number): void {
    const { keys, flags } = this.poller;
    for (let i = 0; i < count; i++) {
      // null: closed after the kernel reported it.
      const registration = this.registrations[keys[i] as number] ?? null;
      if (registration !== null) registration.report(flags[i] as number);
    }
  }

  /** Called by `Registration.close` only. */
  forget(registration: Registration): void {
    this.poller.remove(registration.source);
    this.registrations[registration.key] = null;
    this.freeKeys.push(registration.key);
  }
}

/**
 * One socket in a reactor. One task waits for it at a time: `const flags = yield* registration.ready(deadline);`.
 *
 * Flags are hints: a wake-up may find nothing to read.
 */
export class Registration implements Waitable, Yieldable<number>, Iterator<Waitable, number, void>, AlarmTarget {
  readonly source: Pollable;
  /** The poller's name for it. */
  readonly key: number;
  private readonly reactor: Reactor;
  private readonly deadline: Alarm;
  private interest = 0;
  /** Reported and not yet handed over. */
  private pending = 0;
  private late = false;
  private closed = false;
  private waiter: Waker | null = null;
  private readonly result: { done: boolean; value: unknown } = { done: false, value: this };

  constructor(reactor: Reactor, timers: Timers, source: Pollable, key: number) {
    this.reactor = reactor;
    this.source = source;
    this.key = key;
    this.deadline = new Alarm(timers, this);
  }

  /** Whether `ready()` would go on at once. */
  get settled(): boolean {
    return this.pending !== 0 || this.late;
  }

  /**
   * What to be told of: READABLE, WRITABLE, both or 0. Costs a system call only when it differs. What is then ready
   * already is reported in the next turn; what is no longer wanted is forgotten.
   */
  want(flags: number): void {
    if (flags === this.interest || this.closed) return;
    assert((flags & ~(READABLE | WRITABLE)) === 0, 'want() takes READABLE and WRITABLE');
    this.interest = flags;
    this.pending &= flags | WOKEN;
    this.reactor.poller.modify(this.source, this.key, flags === 0 ? 0 : flags | EDGE);
  }

  /**
   * `yield*` on it waits for what is wanted, for `wake()` or for the deadline (NEVER: none), and gives the flags, WOKEN
   * among them; 0 when the deadline passed. Flags that are given are forgotten. A deadline already past means the next
   * turn, so that even then the sockets are looked at. Allocates nothing.
   */
  ready(deadline: Micros): this {
    assert(!this.closed, 'ready() of a closed registration');
    this.late = false;
    this.deadline.set(deadline);
    return this;
  }

  /** Ends a wait from outside (the game has queued something to send). Not lost when nobody waits just now. */
  wake(): void {
    this.report(WOKEN);
  }

  /** Stops watching; the source itself stays open. Twice is once. A task still waiting here gets WOKEN. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.deadline.release();
    this.reactor.forget(this);
    this.report(WOKEN);
  }

  /** Called by the reactor, and by `wake`. */
  report(flags: number): void {
    this.pending |= flags & (this.interest | WOKEN);
    if (this.pending !== 0) this.wakeWaiter();
  }

  alarm(): void {
    this.late = true;
    this.wakeWaiter();
  }

  subscribe(waker: Waker): void {
    assert(this.waiter === null || this.waiter === waker, 'two tasks wait for one registration');
    this.waiter = waker;
  }

  unsubscribe(waker: Waker): void {
    if (this.waiter === waker) this.waiter = null;
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** For `yield*` only. */
  next(): IteratorResult<Waitable, number> {
    const result = this.result;
    if (this.pending !== 0 || this.late) {
      result.done = true;
      result.value = this.pending;
      this.pending = 0;
    } else {
      result.done = false;
      result.value = this;
    }
    return result as IteratorResult<Waitable, number>;
  }

  private wakeWaiter(): void {
    const waiter = this.waiter;
    if (waiter === null) return;
    this.waiter = null;
    waiter.wake();
  }
}

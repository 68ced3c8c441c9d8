/**
 * Waker: a thing that can be woken, and is then stepped by the executor; and the ring queue in which it waits for that.
 *
 * A waker may be woken any number of times before its step: it stands in the queue once. Waking is a hint: a step that
 * finds nothing to do is no error, so wakes may be spurious everywhere.
 */

import { assert } from './assert.ts';

/** Something a task can wait for. `yield*` on it stands in the task until it is settled. */
export interface Waitable {
  /** Whether a waiter would go on at once. */
  readonly settled: boolean;
  /** Wakes `waker` once when settled. Subscribing the same waker twice is the same as once. */
  subscribe(waker: Waker): void;
  /** Undoes `subscribe`; nothing happens when it is not subscribed. */
  unsubscribe(waker: Waker): void;
}

/** What `yield*` takes: an iterable whose iterator yields what is waited for, and returns a `T`. */
export interface Yieldable<T> {
  [Symbol.iterator](): Iterator<Waitable, T, void>;
}

/** Anything the executor can step. Engine internals that must not cost a generator extend it: 7 to 12 ns a step. */
export abstract class Waker {
  /** Whether this stands in the ready queue. Written by the queue only. */
  queued = false;
  protected readonly queue: ReadyQueue;

  constructor(queue: ReadyQueue) {
    this.queue = queue;
  }

  /** Puts this at the end of the ready queue unless it stands there already. Allocates nothing. */
  wake(): void {
    if (this.queued) return;
    this.queued = true;
    this.queue.push(this);
  }

  /** Puts this into the queue of the *next* turn: sockets are polled and timers fired before it is stepped again. */
  wakeNextTurn(): void {
    if (this.queued) return;
    this.queued = true;
    this.queue.defer(this);
  }

  /** Does what there is to do; called by the executor, once for each time it left the queue. */
  abstract step(): void;
}

/** First size of a ring; it doubles when full. Every waker stands in it at most once, so tasks bound it. */
const RING_SLOTS = 64;

/** Who is ready to be stepped, in the order of waking; and who wants to be stepped only in the next turn. */
export class ReadyQueue {
  /**
   * Called after something became ready from outside a turn; null while nobody must be told (inside a turn, and when the
   * loop looks at the queue anyway).
   */
  onOutsideWake: (() => void) | null = null;
  private readonly ready = new Ring();
  private readonly deferred = new Ring();

  /** How many are ready now, those of the next turn included. */
  get count(): number {
    return this.ready.count + this.deferred.count;
  }

  /** Appends; called by `Waker.wake` only. */
  push(waker: Waker): void {
    this.ready.push(waker);
    if (this.onOutsideWake !== null) this.onOutsideWake();
  }

  /** Appends to the queue of the next turn; called by `Waker.wakeNextTurn` only. */
  defer(waker: Waker): void {
    this.deferred.push(waker);
    if (this.onOutsideWake !== null) this.onOutsideWake();
  }

  /** A turn begins: those who waited for it line up behind those who are ready. */
  admitDeferred(): void {
    while (this.deferred.count > 0) this.ready.push(this.deferred.shift());
  }

  /** How many a turn may step now. */
  get readyCount(): number {
    return this.ready.count;
  }

  /** Takes the first out. The queue must not be empty. */
  shift(): Waker {
    const waker = this.ready.shift();
    waker.queued = false;
    return waker;
  }
}

/** A ring of wakers that doubles when full and never shrinks. */
class Ring {
  count = 0;
  private slots: (Waker | null)[] = new Array(RING_SLOTS).fill(null);
  private head = 0;

  push(waker: Waker): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = waker;
    this.count++;
  }

  shift(): Waker {
    const waker = this.slots[this.head] as Waker | null;
    assert(waker !== null, 'shift from an empty ready queue');
    this.slots[this.head] = null; // a task that has ended must not be held by the ring
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.count--;
    return waker;
  }

  private grow(): void {
    const grown: (Waker | null)[] = new Array(this.slots.length * 2).fill(null);
    for (let i = 0; i < this.count; i++) {
      grown[i] = this.slots[(this.head + i) & (this.slots.length - 1)] as Waker | null;
    }
    this.slots = grown;
    this.head = 0;
  }
}

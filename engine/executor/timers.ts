/** Timers: their queue and who is told when a timer expires. `Alarm` is one reusable timer, `Sleep` one to `yield*` on. */

import { type Micros, NEVER } from '../../sys/api.ts';
import { NO_TIMER } from './timer-id.ts';
import { TimerQueue } from './timer-queue.ts';
import type { Waitable, Waker, Yieldable } from './waker.ts';

/** Told when an alarm goes off. It must only wake or note something: tasks run later in the turn. */
export interface AlarmTarget {
  alarm(): void;
}

/** All timers of one runtime. */
export class Timers {
  readonly queue: TimerQueue;
  /** Called after a timer was set from outside a turn; null while nobody must be told. */
  onOutsideSet: (() => void) | null = null;
  private readonly targets: (AlarmTarget | null)[] = [];
  private readonly freeSlots: number[] = [];

  constructor(now: Micros) {
    this.queue = new TimerQueue(now);
  }

  /** Lets every alarm due at `now` go off; returns how many did. */
  advance(now: Micros): number {
    return this.queue.advance(now, this.onExpire);
  }

  /** When `advance()` must be called next, or NEVER. */
  nextDeadline(): Micros {
    return this.queue.nextDeadline();
  }

  /** A place in the table of targets: the payload of the target's timers. Given back with `releaseSlot`. */
  claimSlot(target: AlarmTarget): number {
    const slot = this.freeSlots.pop() ?? this.targets.length;
    this.targets[slot] = target;
    return slot;
  }

  releaseSlot(slot: number): void {
    this.targets[slot] = null;
    this.freeSlots.push(slot);
  }

  private readonly onExpire = (payload: number, _id: number): void => {
    (this.targets[payload] as AlarmTarget).alarm();
  };
}

/** One timer, set and cleared as often as wanted without allocation. `release()` it when its owner goes. */
export class Alarm {
  private readonly timers: Timers;
  private readonly slot: number;
  private id = NO_TIMER;
  private deadline: Micros = NEVER;

  constructor(timers: Timers, target: AlarmTarget) {
    this.timers = timers;
    this.slot = timers.claimSlot(target);
  }

  get armed(): boolean {
    return this.timers.queue.armed(this.id);
  }

  /** Goes off at `deadline`, in place of when it was set to before; NEVER clears. Free of cost when nothing changes. */
  set(deadline: Micros): void {
    const queue = this.timers.queue;
    if (queue.armed(this.id)) {
      if (deadline === this.deadline) return;
      if (deadline >= NEVER) queue.cancel(this.id);
      else queue.rearm(this.id, deadline);
    } else if (deadline >= NEVER) return;
    else this.id = queue.insert(deadline, this.slot);
    this.deadline = deadline;
    if (this.timers.onOutsideSet !== null) this.timers.onOutsideSet();
  }

  clear(): void {
    this.timers.queue.cancel(this.id);
    this.id = NO_TIMER;
  }

  /** Clears for ever. Must be the last call. */
  release(): void {
    this.clear();
    this.timers.releaseSlot(this.slot);
  }
}

/**
 * Waits until a deadline: `yield* sleep`. Holds a timer only while somebody waits, so one that nobody waits for costs
 * nothing. May be used again with `until(deadline)`; one waiter at a time. A deadline already past means the next turn.
 */
export class Sleep implements Waitable, Yieldable<void>, Iterator<Waitable, void, void>, AlarmTarget {
  private readonly timers: Timers;
  private deadline: Micros;
  private timer = NO_TIMER;
  private slot = -1;
  private waiter: Waker | null = null;
  private over = false;
  private readonly result: { done: boolean; value: unknown } = { done: false, value: this };

  constructor(timers: Timers, deadline: Micros) {
    this.timers = timers;
    this.deadline = deadline;
  }

  /** Whether the deadline has passed (as of the last turn, and only if somebody waited). */
  get settled(): boolean {
    return this.over;
  }

  /** Sets another deadline and returns this: `yield* sleep.until(deadline)` allocates nothing. */
  until(deadline: Micros): this {
    this.drop();
    this.deadline = deadline;
    this.over = false;
    return this;
  }

  subscribe(waker: Waker): void {
    this.waiter = waker;
    if (this.slot >= 0) return;
    if (this.deadline >= NEVER) return;
    this.slot = this.timers.claimSlot(this);
    this.timer = this.timers.queue.insert(this.deadline, this.slot);
    if (this.timers.onOutsideSet !== null) this.timers.onOutsideSet();
  }

  unsubscribe(waker: Waker): void {
    if (this.waiter === waker) this.drop();
  }

  alarm(): void {
    const waiter = this.waiter;
    this.drop();
    this.over = true;
    if (waiter !== null) waiter.wake();
  }

  [Symbol.iterator](): this {
    return this;
  }

  /** For `yield*` only. */
  next(): IteratorResult<Waitable, void> {
    this.result.done = this.over;
    this.result.value = this.over ? undefined : this;
    return this.result as IteratorResult<Waitable, void>;
  }

  private drop(): void {
    this.waiter = null;
    if (this.slot < 0) return;
    this.timers.queue.cancel(this.timer);
    this.timers.releaseSlot(this.slot);
    this.slot = -1;
    this.timer = NO_TIMER;
  }
}

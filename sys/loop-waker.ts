/** How a poller lives as a guest in Node's loop where no descriptor stands for it: node:dgram and completion ports. */

import type { Micros } from './api.ts';
import { NEVER } from './api.ts';

/** The longest delay of a Node timer (2^31 - 1 ms, 24 days); later deadlines are armed again when it fires. */
const TIMER_MILLIS_MAX = 0x7fff_ffff;

/** Calls one `wake` from Node's loop, for news and for a deadline. */
export class LoopWaker {
  private readonly now: () => Micros;
  private readonly hasNews: () => boolean;
  private wake: (() => void) | null = null;
  private keepAlive: NodeJS.Timeout | null = null;
  private immediate: NodeJS.Immediate | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** When `timer` fires, as far as its whole milliseconds can tell. */
  private timerAt: Micros = NEVER;
  private deadline: Micros = NEVER;

  /** @param hasNews whether there is a reason to wake other than the deadline */
  constructor(now: () => Micros, hasNews: () => boolean) {
    this.now = now;
    this.hasNews = hasNews;
  }

  get attached(): boolean {
    return this.wake !== null;
  }

  attach(wake: () => void): void {
    if (this.wake !== null) throw new Error('this poller is attached already: detach() it first');
    this.wake = wake;
    // Sockets and timers here are unreferenced, as descriptors are: only an attached poller keeps a process alive.
    this.keepAlive = setInterval(() => {}, TIMER_MILLIS_MAX);
    if (this.deadline !== NEVER) this.startTimer();
    this.schedule();
  }

  detach(): void {
    this.wake = null;
    this.deadline = NEVER;
    this.stopTimer();
    if (this.keepAlive !== null) clearInterval(this.keepAlive);
    this.keepAlive = null;
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.immediate = null;
  }

  arm(deadline: Micros): void {
    this.deadline = deadline;
    // A timer that fires too early finds out and starts again; only one that would be late must be replaced. So an engine
    // that moves its deadline outwards each turn costs nothing here.
    if (this.wake !== null && deadline < this.timerAt) this.startTimer();
  }

  /** Wakes after this phase of the loop, if there is reason to: what else arrives in it comes with the same wake-up. */
  schedule(): void {
    if (this.wake === null || this.immediate !== null || !this.due()) return;
    this.immediate = setImmediate(() => {
      this.immediate = null;
      this.fire();
    });
  }

  private due(): boolean {
    return this.deadline <= this.now() || this.hasNews();
  }

  private fire(): void {
    if (this.wake === null) return;
    if (this.due()) {
      if (this.deadline <= this.now()) this.deadline = NEVER; // this is its wake-up
      this.wake();
    }
    this.schedule();
  }

  private startTimer(): void {
    this.stopTimer();
    const left = this.deadline - this.now();
    if (left <= 0) {
      this.schedule();
      return;
    }
    const millis = Math.min(Math.ceil(left / 1000), TIMER_MILLIS_MAX);
    this.timerAt = this.deadline;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.timerAt = NEVER;
      // Node counts from the start of the loop's turn, in whole milliseconds: it may be up to one too early.
      if (this.deadline > this.now()) {
        if (this.deadline !== NEVER) this.startTimer();
        return;
      }
      // Not at once: timers come before sockets in Node's loop. After a pause of the process, a connection would be timed
      // out while the datagrams that kept it alive lie unread.
      this.schedule();
    }, millis);
    this.timer.unref();
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.timerAt = NEVER;
  }
}

/**
 * Runtime: one thread's executor, timers and sockets, and the three ways to drive them.
 *
 * - `turn()`: one pass, never blocks. The simulator calls nothing else.
 * - `attach()`: shares Node's loop. Http, databases, promises and timers of the same thread go on working.
 * - `run()`: owns the thread (a worker's): blocks in the kernel between turns, may spin before.
 *
 * One pass: sockets -> timers -> tasks.
 */

import { type Clock, type Micros, NEVER, type Notifier, type Poller } from '../../sys/api.ts';
import { assert } from './assert.ts';
import { Executor } from './executor.ts';
import { drainMicrotasks, microtasksDrain } from './microtasks.ts';
import { PromiseSleep, promiseOfFuture } from './promises.ts';
import { Reactor } from './reactor.ts';
import { StopSignal } from './stop-signal.ts';
import type { Task, TaskBody } from './task.ts';
import { Sleep, Timers } from './timers.ts';
import type { Yieldable } from './waker.ts';

/** Steps of tasks in one turn before sockets and timers are looked at again. */
const BUDGET_STEPS = 256;

/**
 * Longest time in the kernel, and between two looks at Node's own loop, while `run()` owns the thread. So whatever needs that
 * loop (a database that `admit` asks, `console.log`, `process.exit()` of the main thread) is late by this much at most at
 * each step. A look costs some 85 us when code and data of that loop have left the cache: 20 a second, a five-hundredth of a core.
 */
const OWNED_MICROS_MAX: Micros = 50_000;

/** How long tasks may take for their `finally` blocks after `stop()`. */
const STOP_MICROS_MAX: Micros = 2_000_000;

/** What a runtime needs of a `Sys`. */
export interface RuntimeSys {
  readonly clock: Clock;
}

export interface RunOptions {
  /**
   * Looks for datagrams this long before it blocks: cuts latency to a third, costs up to a whole core. Halved as long as
   * nothing comes, whole again when something does. Default 0. Only with cores to spare.
   */
  readonly spinMicros?: Micros;
  /** Asked after every turn; true ends `run()` and leaves the tasks as they are. */
  readonly until?: () => boolean;
}

export interface AttachOptions {
  /** Whether the process stays alive though there is neither a task nor a timer. Default true. */
  readonly keepAlive?: boolean;
}

type Mode = 'stepped' | 'attached' | 'owned' | 'closed';

/** Belongs to one thread; of `stop()` see there. */
export class Runtime {
  readonly executor: Executor = new Executor();
  readonly timers: Timers;
  readonly reactor: Reactor;
  /** By which other threads ask this runtime to end; they call `notifier` afterwards. */
  readonly stopSignal: StopSignal = new StopSignal();
  private readonly clock: Clock;
  private readonly poller: Poller;
  /** Wakes the poller; by its handle other threads do. */
  readonly notifier: Notifier;
  private mode: Mode = 'stepped';
  private inTurn = false;
  /** When the last turn read the clock. */
  private turnAt: Micros;
  /** After `stop()`: when tasks must have ended. */
  private stopBy: Micros = NEVER;
  private armedFor: Micros = NEVER;
  private kicked = false;
  private keepAlive = true;
  /** Attached, but the poller is not: nothing is left to wait for. */
  private parked = false;
  private onEnd: ((error: unknown) => void) | null = null;
  private until: (() => boolean) | null = null;
  private spinMicros: Micros = 0;
  private spinNowMicros: Micros = 0;

  constructor(sys: RuntimeSys, poller: Poller) {
    this.clock = sys.clock;
    this.poller = poller;
    this.notifier = poller.notifier();
    this.turnAt = this.clock.now();
    this.timers = new Timers(this.turnAt);
    this.reactor = new Reactor(poller, this.timers);
  }

  /** Monotonic time, read now. */
  get now(): Micros {
    return this.clock.now();
  }

  /** Starts a task. See `Executor.spawn`. */
  spawn<T>(body: TaskBody<T>, name?: string): Task<T> {
    return this.executor.spawn(body, name);
  }

  /** `yield* runtime.sleepUntil(deadline)`. One object; `Sleep.until` uses it again. */
  sleepUntil(deadline: Micros): Sleep {
    return new Sleep(this.timers, deadline);
  }

  /** `yield* runtime.yieldNow()`: sockets, timers and all other tasks come first. Allocates nothing. */
  yieldNow(): Yieldable<void> {
    return this.executor.yieldNow();
  }

  /** Resolves after a duration in microseconds, never early; never after `stop()`. For the door; tasks use `sleepUntil`. */
  sleep(micros: Micros): Promise<void> {
    const deadline = this.clock.now() + micros;
    return new Promise((resolve) => new PromiseSleep(this.timers, resolve).set(deadline));
  }

  /** A promise of a task's result; rejects with what it throws, or `TaskCancelled`. */
  promiseOf<T>(task: Task<T>): Promise<T> {
    return promiseOfFuture(this.executor.queue, task.done);
  }

  /**
   * One pass over what is ready now; never blocks. Returns when the next is due: a time not after now when work is left,
   * the next timer's, or NEVER. Sockets may make it sooner.
   */
  turn(): Micros {
    this.pass(this.poller.wait(0));
    return this.deadline();
  }

  /** What `turn()` returned, as of now: something woken or set meanwhile counts. */
  deadline(): Micros {
    return this.executor.hasReady ? this.turnAt : this.timers.nextDeadline();
  }

  /**
   * Lets Node's loop drive this runtime. Returns at once; keeps the process alive until `stop()` or `detach()`.
   *
   * With `keepAlive: false` it does so only while there are tasks or timers, as a socket of Node's does; other threads
   * then cannot wake it while there are none.
   */
  attach(options: AttachOptions = {}): void {
    assert(this.mode === 'stepped', 'attach() of a runtime that is driven already');
    this.mode = 'attached';
    this.keepAlive = options.keepAlive ?? true;
    this.parked = true;
    this.listenOutside(this.kick);
    this.kick();
  }

  /** Undoes `attach()`; tasks stay as they are. */
  detach(): void {
    if (this.mode !== 'attached') return;
    this.listenOutside(null);
    if (!this.parked) this.poller.detach();
    this.mode = 'stepped';
  }

  /**
   * Owns this thread from the next turn of Node's loop on, until `stop()`, or until `until` says so; resolves then, and
   * rejects when a turn throws. Promises settle after each turn; the rest of Node's loop gets a look in twenty times a second.
   * Where the thread cannot be owned (no blocking poller, no way to settle promises) it shares Node's loop instead.
   */
  run(options: RunOptions = {}): Promise<void> {
    assert(this.mode === 'stepped', 'run() of a runtime that is driven already');
    this.until = options.until ?? null;
    this.spinMicros = options.spinMicros ?? 0;
    this.spinNowMicros = this.spinMicros;
    return new Promise<void>((resolve, reject) => {
      this.onEnd = (error) => (error === undefined ? resolve() : reject(error));
      this.mode = 'owned';
      // From a root that is no microtask: inside one, microtasks cannot be drained.
      setImmediate(() => {
        if (this.poller.canBlock && microtasksDrain()) this.ownedSlice();
        else {
          this.mode = 'stepped';
          this.attach();
        }
      });
    });
  }

  /**
   * Asks for the end: every task is cancelled in the next turn, `finally` blocks get two seconds, then `run()` resolves,
   * or the runtime detaches. From other threads use `stopSignal` and `notifier`.
   */
  stop(): void {
    this.stopSignal.request();
    this.notifier.notify();
    if (this.mode === 'attached') this.kick();
  }

  /** Whether `stop()` was asked for and every task has ended. */
  get stopped(): boolean {
    return this.stopBy !== NEVER && this.executor.taskCount === 0;
  }

  /** Detaches and closes the poller. Cancels what still runs. */
  close(): void {
    if (this.mode === 'closed') return;
    assert(!this.inTurn && this.mode !== 'owned', 'close() of a running runtime: stop() it first');
    this.executor.cancelAll();
    this.detach();
    this.mode = 'closed';
    this.poller.close();
  }

  /** Sockets, timers, tasks. `ready` is what the poller has just reported. */
  private pass(ready: number): void {
    assert(!this.inTurn, 'turn() inside a turn: a task must wait with yield*, not drive the runtime');
    this.inTurn = true;
    if (this.mode === 'attached') this.listenOutside(null);
    try {
      this.reactor.dispatch(ready);
      this.turnAt = this.clock.now();
      this.timers.advance(this.turnAt);
      if (this.stopSignal.requested && this.stopBy === NEVER) this.beginStop();
      this.executor.turn(BUDGET_STEPS);
    } finally {
      this.inTurn = false;
      if (this.mode === 'attached') this.listenOutside(this.kick);
    }
  }

  private beginStop(): void {
    this.stopBy = this.turnAt + STOP_MICROS_MAX;
    this.executor.cancelAll();
  }

  /** Whether a loop ends here. Tasks that do not end are reported, not waited for. */
  private finished(): boolean {
    if (this.until?.() === true) return true;
    if (this.stopBy === NEVER) return false;
    if (this.executor.taskCount === 0) return true;
    if (this.turnAt < this.stopBy) return false;
    const names = this.executor.taskNames().slice(0, 10).join(', ');
    throw new Error(`stopped, but ${this.executor.taskCount} tasks still wait in their finally blocks: ${names}`);
  }

  private listenOutside(listener: (() => void) | null): void {
    this.executor.queue.onOutsideWake = listener;
    this.timers.onOutsideSet = listener;
  }

  // Sharing Node's loop

  /** Something became ready, or a timer was set, while no turn ran: have a turn soon. */
  private readonly kick = (): void => {
    // Also when a kick is under way: the poller may have had a turn since, and parked.
    if (this.parked) this.unpark();
    if (this.kicked) return;
    this.kicked = true;
    setImmediate(this.kickedTurn);
  };

  private readonly kickedTurn = (): void => {
    this.kicked = false;
    if (this.mode === 'attached') this.hostedTurn();
  };

  private readonly hostedTurn = (): void => {
    let error: unknown;
    let over = false;
    try {
      this.pass(this.poller.wait(0));
      over = this.finished();
    } catch (thrown) {
      error = thrown;
      over = this.onEnd !== null;
      // Not from here: what calls us is native code. An attached runtime goes on; Node decides about the process.
      if (!over) setImmediate(rethrow, thrown);
    }
    if (over) {
      this.detach();
      this.end(error);
    } else if (this.mode === 'attached') this.armHost();
  };

  /** Work left: after Node's own. Else at the next deadline; a host armed for earlier is left so, it wakes for nothing once. */
  private armHost(): void {
    const now = this.turnAt;
    const deadline = Math.min(this.deadline(), this.stopBy);
    if (!this.keepAlive && deadline === NEVER && this.executor.taskCount === 0) {
      this.park();
      return;
    }
    if (deadline <= now) {
      this.kick();
      return;
    }
    if (deadline >= this.armedFor && this.armedFor > now) return;
    this.armedFor = deadline;
    this.poller.arm(deadline);
  }

  /** Nothing to do and nothing to wait for: lets the process end. The next spawn or timer comes through `kick`. */
  private park(): void {
    this.parked = true;
    this.poller.detach();
  }

  private unpark(): void {
    this.parked = false;
    this.armedFor = NEVER;
    this.poller.attach(this.hostedTurn);
  }

  private end(error: unknown): void {
    const onEnd = this.onEnd;
    this.onEnd = null;
    this.until = null;
    onEnd?.(error);
  }

  // Owning the thread

  /** Turns until it is over, or until Node's loop is due for a look. */
  private readonly ownedSlice = (): void => {
    try {
      const sliceEnd = this.clock.now() + OWNED_MICROS_MAX;
      do {
        this.pass(this.waitForWork(sliceEnd));
        drainMicrotasks();
        if (this.finished()) {
          this.mode = 'stepped';
          this.end(undefined);
          return;
        }
      } while (this.turnAt < sliceEnd);
    } catch (error) {
      this.mode = 'stepped';
      this.end(error);
      return;
    }
    setImmediate(this.ownedSlice);
  };

  /** Looks, spins or blocks, as there is work, until something is ready, a timer is due or `latest`. */
  private waitForWork(latest: Micros): number {
    if (this.stopSignal.requested && this.stopBy === NEVER) return this.poller.wait(0);
    const until = Math.min(this.deadline(), this.stopBy, latest);
    let now = this.clock.now();
    if (until <= now) return this.poller.wait(0);
    if (this.spinNowMicros > 0) {
      const ready = this.spin(now, Math.min(until, now + this.spinNowMicros));
      if (ready > 0) return ready;
      now = this.clock.now();
      if (until <= now) return 0;
    }
    return this.poller.wait(until - now);
  }

  private spin(start: Micros, until: Micros): number {
    for (let now = start; now < until; now = this.clock.now()) {
      const ready = this.poller.wait(0);
      if (ready > 0 || this.stopSignal.requested) {
        this.spinNowMicros = this.spinMicros;
        return ready;
      }
    }
    this.spinNowMicros = Math.max(this.spinNowMicros / 2, this.spinMicros / 16);
    return 0;
  }
}

function rethrow(error: unknown): never {
  throw error;
}

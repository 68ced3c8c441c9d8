/**
 * The poller of Windows: a list of sockets that say themselves when something of theirs is done, and the completion port of
 * the `Sys` to wait at.
 */

import { type Micros, NEVER, type Notifier, type Pollable, type Poller } from '../api.ts';
import { sysError } from '../errno.ts';
import { LoopWaker } from '../loop-waker.ts';
import { type Watchable, WatchList } from '../watch-list.ts';
import { type CompletionPort, type CompletionTarget, millisOf } from './completion-port.ts';
import { CLOSED, type IocpHandle, IocpNotifier, PENDING, WRITERS } from './iocp-notifier.ts';

/** A wait this long is without end (about 31 years). */
const LONGEST_MICROS = 1e15;
/** Turns that `close()` gives a thread in the middle of `notify()`. */
const CLOSE_SPINS_MAX = 1_000_000;

/** Watches sockets of the same `WindowsSys`. */
export class IocpPoller implements Poller, CompletionTarget {
  readonly canBlock = true;
  readonly keys: Int32Array;
  readonly flags: Uint8Array;

  private readonly now: () => Micros;
  private readonly port: CompletionPort;
  private readonly watched: WatchList;
  private readonly waker: LoopWaker;
  private readonly shared: IocpHandle;
  private notified = false;
  private open = true;

  /** @param sockets the open sockets of the Sys by `pollHandle`, live */
  constructor(now: () => Micros, port: CompletionPort, sockets: ReadonlyMap<number, Watchable>) {
    this.now = now;
    this.port = port;
    this.watched = new WatchList(sockets, () => this.waker.schedule());
    this.waker = new LoopWaker(now, () => this.notified || this.watched.hasReady());
    this.keys = this.watched.keys;
    this.flags = this.watched.flags;
    const key = port.enlist(this);
    this.shared = { kind: 'iocp', port: port.number, key, state: new Int32Array(new SharedArrayBuffer(12)) };
  }

  add(source: Pollable, key: number, interest: number): void {
    this.watched.add(source, key, interest);
  }

  modify(source: Pollable, key: number, interest: number): void {
    this.watched.modify(source, key, interest);
  }

  remove(source: Pollable): void {
    this.watched.remove(source);
  }

  wait(timeoutMicros: Micros): number {
    if (!this.open) throw sysError('EBADF', 'wait');
    this.port.pump(0);
    let ready = this.watched.collect();
    const deadline = timeoutMicros >= LONGEST_MICROS ? NEVER : this.now() + timeoutMicros;
    let left = timeoutMicros;
    while (ready === 0 && !this.notified && left > 0) {
      // Whole milliseconds, rounded up; and the system counts ticks, so it may be early: then once more.
      this.port.pump(millisOf(left, LONGEST_MICROS));
      ready = this.watched.collect();
      if (deadline !== NEVER) left = deadline - this.now();
    }
    this.notified = false;
    return ready;
  }

  attach(wake: () => void): void {
    if (!this.open) throw sysError('EBADF', 'attach');
    this.waker.attach(wake);
    this.port.hold();
  }

  detach(): void {
    if (this.waker.attached) this.port.release();
    this.waker.detach();
  }

  arm(deadline: Micros): void {
    this.waker.arm(deadline);
  }

  notifier(): Notifier {
    return new IocpNotifier(this.shared);
  }

  /** A packet of `notify()`. */
  completed(): void {
    // Before the caller looks at what was sent to it: what comes after that wakes again.
    Atomics.store(this.shared.state, PENDING, 0);
    this.notified = true;
    this.waker.schedule();
  }

  close(): void {
    if (!this.open) return;
    this.detach();
    this.open = false;
    this.watched.clear();
    const { state, key } = this.shared;
    Atomics.store(state, CLOSED, 1);
    let spins = 0;
    while (Atomics.load(state, WRITERS) !== 0 && spins < CLOSE_SPINS_MAX) spins++;
    // A thread that was ended inside notify() never leaves it: then the port must stay open.
    if (spins < CLOSE_SPINS_MAX) this.port.dismiss(key);
  }
}

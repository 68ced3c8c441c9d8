/**
 * The poller of Linux: one epoll set that holds the sockets, an eventfd for `notify()` and a timerfd for `arm()`.
 *
 * Because the timer and the notifier are in the set, Node's loop needs to watch one descriptor only (`attach`), and a
 * deadline comes 30 us late instead of the millisecond of `setTimeout`. Both are edge-triggered, so they are never read.
 */

import {
  EDGE,
  type Micros,
  NEVER,
  type Notifier,
  ONESHOT,
  type Pollable,
  type Poller,
  READABLE,
  WRITABLE,
} from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { type DescriptorWatch, library } from '../ffi/library.ts';
import { StructArray } from '../ffi/struct.ts';
import { lastErrno, must } from '../ffi/syscall.ts';
import * as abi from './abi.ts';
import { type LinuxCalls, linuxCalls } from './calls.ts';
import { CLOSED, type EventfdHandle, EventfdNotifier, PENDING, WRITERS } from './eventfd-notifier.ts';

/** Sockets that one `wait()` reports; the rest come with the next. 256 are 3 KiB of events, one page. */
const EVENTS_MAX = 256;
/** Keys of our own descriptors, beyond those a caller may choose. */
const NOTIFY_KEY = 0xffff_ffff;
const TIMER_KEY = 0xffff_fffe;
/** Turns that `close()` gives a thread in the middle of `notify()` before it leaves the descriptor open instead. */
const CLOSE_SPINS_MAX = 1_000_000;
/** A timer this far away is as good as none, and keeps the seconds of a timespec small (about 31 years). */
const LONGEST_MICROS = 1e15;

const EINTR: number = errnoOf('EINTR');
const ENOENT: number = errnoOf('ENOENT');
const ENOSYS: number = errnoOf('ENOSYS');
const EBADF: number = errnoOf('EBADF');

// One page: events from byte 0, then the structs of single calls.
const CONTROL_AT: number = EVENTS_MAX * 16;
const TIMEOUT_AT: number = CONTROL_AT + 16;
const TIMER_AT: number = TIMEOUT_AT + 16;
const ARENA_BYTES: number = TIMER_AT + 32;

/** Watches sockets by `epoll(7)`. Made by `LinuxSys.openPoller`. */
export class EpollPoller implements Poller {
  readonly canBlock = true;
  readonly keys: Int32Array = new Int32Array(EVENTS_MAX);
  readonly flags: Uint8Array = new Uint8Array(EVENTS_MAX);

  private readonly calls: LinuxCalls;
  private readonly arena: NativeArena = NativeArena.map(ARENA_BYTES);
  private readonly events: StructArray = new StructArray(this.arena, abi.EpollEvent, 0, EVENTS_MAX);
  private readonly control: StructArray = new StructArray(this.arena, abi.EpollEvent, CONTROL_AT, 1);
  private readonly timeout: StructArray = new StructArray(this.arena, abi.Timespec, TIMEOUT_AT, 1);
  private readonly timer: StructArray = new StructArray(this.arena, abi.Itimerspec, TIMER_AT, 1);
  private readonly now: () => Micros;
  private readonly epollFd: number;
  private readonly eventFd: number;
  private readonly timerFd: number;
  private readonly shared: EventfdHandle;
  private precise: boolean;
  private slackSet = false;
  private notified = false;
  private armedAt: Micros = NEVER;
  private watch: DescriptorWatch | null = null;
  private open = true;

  /**
   * @param now the clock that deadlines of `arm` are on: CLOCK_MONOTONIC in microseconds
   * @param calls other than this system's: for tests of what an old one lacks
   */
  constructor(now: () => Micros, calls: LinuxCalls = linuxCalls()) {
    this.now = now;
    this.calls = calls;
    this.precise = calls.epoll_pwait2 !== null;
    this.epollFd = must('epoll_create1', () => calls.epoll_create1(abi.EPOLL_CLOEXEC));
    this.eventFd = must('eventfd', () => calls.eventfd(0, abi.EFD_NONBLOCK_CLOEXEC));
    this.timerFd = must('timerfd_create', () => calls.timerfd_create(abi.CLOCK_MONOTONIC, abi.TFD_NONBLOCK_CLOEXEC));
    this.shared = { kind: 'eventfd', fd: this.eventFd, state: new Int32Array(new SharedArrayBuffer(12)) };
    this.register(abi.EPOLL_CTL_ADD, this.eventFd, NOTIFY_KEY, READABLE | EDGE);
    this.register(abi.EPOLL_CTL_ADD, this.timerFd, TIMER_KEY, READABLE | EDGE);
  }

  add(source: Pollable, key: number, interest: number): void {
    assertKey(key);
    if (interest === 0) return; // the kernel reports errors even of a silent socket: so it does not learn of it yet
    const errno = this.register(abi.EPOLL_CTL_ADD, source.pollHandle, key, interest);
    if (errno !== 0) throw sysError(errnoName(errno), 'epoll_ctl');
  }

  modify(source: Pollable, key: number, interest: number): void {
    assertKey(key);
    if (interest === 0) {
      this.remove(source);
      return;
    }
    let errno = this.register(abi.EPOLL_CTL_MOD, source.pollHandle, key, interest);
    if (errno === ENOENT) errno = this.register(abi.EPOLL_CTL_ADD, source.pollHandle, key, interest);
    if (errno !== 0) throw sysError(errnoName(errno), 'epoll_ctl');
  }

  remove(source: Pollable): void {
    const errno = this.register(abi.EPOLL_CTL_DEL, source.pollHandle, 0, 0);
    // Silent or already closed: nothing to forget.
    if (errno !== 0 && errno !== ENOENT && errno !== EBADF) throw sysError(errnoName(errno), 'epoll_ctl');
  }

  wait(timeoutMicros: Micros): number {
    if (!this.open) throw sysError('EBADF', 'epoll_wait');
    if (timeoutMicros <= 0) return this.collect(this.waitOnce(0));
    if (!this.slackSet) this.cutSlack();
    const deadline = timeoutMicros >= LONGEST_MICROS ? NEVER : this.now() + timeoutMicros;
    let left = timeoutMicros;
    for (;;) {
      const ready = this.collect(this.waitOnce(left));
      if (ready > 0 || this.notified) return ready;
      // Nothing for the caller: the time is up, or a signal or a timer armed for `attach` has woken us.
      if (deadline !== NEVER) {
        left = deadline - this.now();
        if (left <= 0) return 0;
      }
    }
  }

  attach(wake: () => void): void {
    if (this.watch !== null) throw new Error('this poller is attached already: detach() it first');
    this.watch = library()!.watchReadable(this.epollFd, wake);
  }

  detach(): void {
    this.arm(NEVER);
    this.watch?.close();
    this.watch = null;
  }

  arm(deadline: Micros): void {
    if (deadline === this.armedAt) return;
    this.armedAt = deadline;
    // All zeros disarm; a deadline in the past fires at once, but 0 itself must not look like "disarm".
    const at = deadline >= LONGEST_MICROS ? 0 : Math.max(1, Math.ceil(deadline));
    const seconds = Math.floor(at / 1_000_000);
    this.timer.setU64(0, abi.Itimerspec.seconds, seconds);
    this.timer.setU64(0, abi.Itimerspec.nanoseconds, (at - seconds * 1_000_000) * 1000);
    if (this.calls.timerfd_settime(this.timerFd, abi.TFD_TIMER_ABSTIME, this.timer.address(0), 0) < 0) {
      throw sysError(errnoName(lastErrno()), 'timerfd_settime');
    }
  }

  notifier(): Notifier {
    return new EventfdNotifier(this.shared);
  }

  close(): void {
    if (!this.open) return;
    this.detach();
    this.open = false;
    const { state } = this.shared;
    Atomics.store(state, CLOSED, 1);
    let spins = 0;
    while (Atomics.load(state, WRITERS) !== 0 && spins < CLOSE_SPINS_MAX) spins++;
    // A thread that was ended inside notify() never leaves it: then the number must stay taken.
    if (spins < CLOSE_SPINS_MAX) this.calls.close(this.eventFd);
    this.calls.close(this.timerFd);
    this.calls.close(this.epollFd);
  }

  /** epoll_ctl; returns 0 or the errno. */
  private register(operation: number, fd: number, key: number, interest: number): number {
    let events = 0;
    if (interest & READABLE) events |= abi.EPOLLIN;
    if (interest & WRITABLE) events |= abi.EPOLLOUT;
    if (interest & EDGE) events |= abi.EPOLLET;
    if (interest & ONESHOT) events |= abi.EPOLLONESHOT;
    this.control.setU32(0, abi.EpollEvent.events, events);
    this.control.setU32(0, abi.EpollEvent.key, key);
    this.control.setU32(0, abi.EpollEvent.interest, interest);
    return this.calls.epoll_ctl(this.epollFd, operation, fd, this.control.address(0)) < 0 ? lastErrno() : 0;
  }

  /** One system call: the number of raw events; 0 when the time is up or a signal came. */
  private waitOnce(micros: Micros): number {
    let count: number;
    if (micros <= 0) {
      count = this.calls.epoll_wait(this.epollFd, this.arena.address, EVENTS_MAX, 0);
    } else if (this.precise) {
      count = this.waitPrecisely(micros);
    } else {
      // Rounded up: waking early would be a promise broken, waking late is a hint late.
      const millis = micros >= LONGEST_MICROS ? -1 : Math.min(Math.ceil(micros / 1000), 0x7fff_ffff);
      count = this.calls.epoll_wait(this.epollFd, this.arena.address, EVENTS_MAX, millis);
    }
    if (count >= 0) return count;
    const errno = lastErrno();
    if (errno === EINTR) return 0;
    if (errno === ENOSYS && this.precise) {
      this.precise = false; // glibc knows epoll_pwait2, this kernel does not
      return this.waitOnce(micros);
    }
    throw sysError(errnoName(errno), 'epoll_wait');
  }

  private waitPrecisely(micros: Micros): number {
    let timeout = 0; // a null pointer: for ever
    if (micros < LONGEST_MICROS) {
      const seconds = Math.floor(micros / 1_000_000);
      this.timeout.setU64(0, abi.Timespec.seconds, seconds);
      this.timeout.setU64(0, abi.Timespec.nanoseconds, Math.ceil(micros - seconds * 1_000_000) * 1000);
      timeout = this.timeout.address(0);
    }
    return this.calls.epoll_pwait2!(this.epollFd, this.arena.address, EVENTS_MAX, timeout, 0, 0);
  }

  /** Moves what concerns the caller to `keys` and `flags`; notes whether it was notified. */
  private collect(raw: number): number {
    const { events } = this;
    let ready = 0;
    this.notified = false;
    for (let i = 0; i < raw; i++) {
      const key = events.u32(i, abi.EpollEvent.key);
      if (key >= TIMER_KEY) {
        if (key === NOTIFY_KEY) {
          this.notified = true;
          // Before the caller looks at what was sent to it: what comes after that wakes again.
          Atomics.store(this.shared.state, PENDING, 0);
        } else {
          this.armedAt = NEVER; // it has fired, so arming the same deadline again is a new wish
        }
        continue;
      }
      this.keys[ready] = key;
      this.flags[ready] = flagsOf(events.u32(i, abi.EpollEvent.events), events.u32(i, abi.EpollEvent.interest));
      ready++;
    }
    return ready;
  }

  /** Lets the kernel wake this thread within a nanosecond of the time asked for, not 50 us (PR_SET_TIMERSLACK). */
  private cutSlack(): void {
    this.slackSet = true;
    if (this.calls.prctl(abi.PR_SET_TIMERSLACK, 1) < 0) throw sysError(errnoName(lastErrno()), 'prctl');
  }
}

/** An error or a hang-up concerns whoever listens: the next call tells. */
function flagsOf(events: number, interest: number): number {
  if (events & (abi.EPOLLERR | abi.EPOLLHUP)) return interest & (READABLE | WRITABLE);
  return (events & abi.EPOLLIN ? READABLE : 0) | (events & abi.EPOLLOUT ? WRITABLE : 0);
}

function assertKey(key: number): void {
  if (!Number.isInteger(key) || key < 0 || key > 0x7fff_ffff)
    throw new RangeError(`key ${key} is not in 0 .. 2^31 - 1`);
}

/**
 * The poller of macOS and BSD: one kqueue that holds the sockets, a user event for `notify()` and a timer for `arm()`, so
 * that Node's loop needs to watch one descriptor only.
 *
 * A kqueue knows the two directions of a socket as two events. They leave together: as one entry with both bits.
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
import { type BsdCalls, bsdCalls } from './calls.ts';
import { KeventList } from './kevent-list.ts';
import { CLOSED, type KqueueHandle, KqueueNotifier, PENDING, USER_IDENT, WRITERS } from './kqueue-notifier.ts';

/** Events that one call takes; the rest come with the next. */
const EVENTS_MAX = 256;
/** Ident of the timer of `arm()`. */
const TIMER_IDENT = 1;
/** Turns that `close()` gives a thread in the middle of `notify()` before it leaves the descriptor open instead. */
const CLOSE_SPINS_MAX = 1_000_000;
/** A wait this long is without end (about 31 years). */
const LONGEST_MICROS = 1e15;

const EINTR: number = errnoOf('EINTR');
const ENOENT: number = errnoOf('ENOENT');
const EBADF: number = errnoOf('EBADF');

/** Watches sockets by `kqueue(2)`. Made by `BsdSys.openPoller`. */
export class KqueuePoller implements Poller {
  readonly canBlock = true;
  readonly keys: Int32Array = new Int32Array(EVENTS_MAX);
  readonly flags: Uint8Array = new Uint8Array(EVENTS_MAX);

  private readonly now: () => Micros;
  private readonly calls: BsdCalls = bsdCalls();
  private readonly dialect: abi.Dialect;
  private readonly kq: number;
  private readonly events: KeventList;
  private readonly change: KeventList;
  private readonly timeout: StructArray;
  private readonly shared: KqueueHandle;
  /** By descriptor: the entry that its event in this round went to, as `round * EVENTS_MAX + entry`. */
  private entryOf: Float64Array = new Float64Array(256);
  private round = 0;
  private notified = false;
  private armedAt: Micros = NEVER;
  private watch: DescriptorWatch | null = null;
  private open = true;

  /** @param now the clock that deadlines of `arm` are on */
  constructor(now: () => Micros, dialect: abi.Dialect) {
    this.now = now;
    this.dialect = dialect;
    const bytes = dialect.kevent.SIZE;
    const arena = NativeArena.map((EVENTS_MAX + 1) * bytes + abi.Timespec.SIZE);
    this.events = new KeventList(arena, dialect.kevent, 0, EVENTS_MAX);
    this.change = new KeventList(arena, dialect.kevent, EVENTS_MAX * bytes, 1);
    this.timeout = new StructArray(arena, abi.Timespec, (EVENTS_MAX + 1) * bytes, 1);
    this.kq = must('kqueue', () => this.calls.kqueue());
    this.shared = { kind: 'kqueue', fd: this.kq, state: new Int32Array(new SharedArrayBuffer(12)) };
    this.mustChange(USER_IDENT, dialect.userFilter, abi.EV_ADD | abi.EV_CLEAR, 0, 0, 0, 0);
  }

  add(source: Pollable, key: number, interest: number): void {
    if (!Number.isInteger(key) || key < 0 || key > 0x7fff_ffff)
      throw new RangeError(`key ${key} is not in 0 .. 2^31 - 1`);
    const fd = source.pollHandle;
    const mode =
      abi.EV_ADD | abi.EV_ENABLE | (interest & EDGE ? abi.EV_CLEAR : 0) | (interest & ONESHOT ? abi.EV_ONESHOT : 0);
    if (interest & READABLE) this.mustChange(fd, abi.EVFILT_READ, mode, 0, 0, key, interest);
    if (interest & WRITABLE) this.mustChange(fd, abi.EVFILT_WRITE, mode, 0, 0, key, interest);
  }

  modify(source: Pollable, key: number, interest: number): void {
    // Anew: EV_ADD on what is there changes neither edge nor one-shot, and does not report what is ready already.
    this.remove(source);
    this.add(source, key, interest);
  }

  remove(source: Pollable): void {
    this.forget(source.pollHandle, abi.EVFILT_READ);
    this.forget(source.pollHandle, abi.EVFILT_WRITE);
  }

  wait(timeoutMicros: Micros): number {
    if (!this.open) throw sysError('EBADF', 'kevent');
    if (timeoutMicros <= 0) return this.collect(this.waitOnce(0));
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
    this.watch = library()!.watchReadable(this.kq, wake);
  }

  detach(): void {
    this.arm(NEVER);
    this.watch?.close();
    this.watch = null;
  }

  arm(deadline: Micros): void {
    if (deadline === this.armedAt) return;
    if (this.armedAt !== NEVER) this.forget(TIMER_IDENT, abi.EVFILT_TIMER);
    this.armedAt = deadline;
    if (deadline >= LONGEST_MICROS) return;
    // A timer counts from now, and 0 may mean "never".
    const micros = Math.max(1, Math.ceil(deadline - this.now()));
    this.mustChange(TIMER_IDENT, abi.EVFILT_TIMER, abi.EV_ADD | abi.EV_ONESHOT, this.dialect.noteMicros, micros, 0, 0);
  }

  notifier(): Notifier {
    return new KqueueNotifier(this.shared, this.dialect);
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
    if (spins < CLOSE_SPINS_MAX) this.calls.close(this.kq);
  }

  private mustChange(
    ident: number,
    filter: number,
    flags: number,
    fflags: number,
    data: number,
    key: number,
    interest: number,
  ): void {
    this.change.set(0, ident, filter, flags, fflags, data, key, interest);
    must('kevent', () => this.calls.kevent(this.kq, this.change.address(0), 1, 0, 0, 0));
  }

  private forget(ident: number, filter: number): void {
    this.change.set(0, ident, filter, abi.EV_DELETE, 0, 0, 0, 0);
    if (this.calls.kevent(this.kq, this.change.address(0), 1, 0, 0, 0) >= 0) return;
    const errno = lastErrno();
    // Silent, reported once, or already closed: nothing to forget.
    if (errno !== ENOENT && errno !== EBADF) throw sysError(errnoName(errno), 'kevent');
  }

  /** One system call: the number of raw events; 0 when the time is up or a signal came. */
  private waitOnce(micros: Micros): number {
    let timeout = 0; // a null pointer: for ever
    if (micros < LONGEST_MICROS) {
      const seconds = Math.floor(micros / 1_000_000);
      this.timeout.setU64(0, abi.Timespec.seconds, seconds);
      this.timeout.setU64(0, abi.Timespec.nanoseconds, Math.ceil(micros - seconds * 1_000_000) * 1000);
      timeout = this.timeout.address(0);
    }
    const count = this.calls.kevent(this.kq, 0, 0, this.events.address(0), EVENTS_MAX, timeout);
    if (count >= 0) return count;
    const errno = lastErrno();
    if (errno === EINTR) return 0;
    throw sysError(errnoName(errno), 'kevent');
  }

  /** Moves what concerns the caller to `keys` and `flags`; notes whether it was notified. */
  private collect(raw: number): number {
    const { events } = this;
    let ready = 0;
    this.notified = false;
    this.round++;
    for (let i = 0; i < raw; i++) {
      const filter = events.filter(i);
      if (filter === this.dialect.userFilter) {
        this.notified = true;
        // Before the caller looks at what was sent to it: what comes after that wakes again.
        Atomics.store(this.shared.state, PENDING, 0);
      } else if (filter === abi.EVFILT_TIMER) {
        this.armedAt = NEVER; // it has fired, so arming the same deadline again is a new wish
      } else {
        const bit = filter === abi.EVFILT_READ ? READABLE : WRITABLE;
        if (this.note(events.ident(i), events.key(i), bit, ready)) ready++;
      }
    }
    this.disarmOthers(raw);
    return ready;
  }

  /** Notes `bit` of descriptor `fd`; true where that is a new entry. */
  private note(fd: number, key: number, bit: number, entry: number): boolean {
    if (fd >= this.entryOf.length) {
      const larger = new Float64Array(2 ** Math.ceil(Math.log2(fd + 1)));
      larger.set(this.entryOf);
      this.entryOf = larger;
    }
    const known = this.entryOf[fd]! - this.round * EVENTS_MAX;
    if (known >= 0) {
      this.flags[known]! |= bit;
      return false;
    }
    this.entryOf[fd] = this.round * EVENTS_MAX + entry;
    this.keys[entry] = key;
    this.flags[entry] = bit;
    return true;
  }

  /** One-shot means both directions: where one was reported alone, the other is taken back. */
  private disarmOthers(raw: number): void {
    const { events } = this;
    const both = READABLE | WRITABLE;
    for (let i = 0; i < raw; i++) {
      const filter = events.filter(i);
      if (filter !== abi.EVFILT_READ && filter !== abi.EVFILT_WRITE) continue;
      const interest = events.interest(i);
      if ((interest & ONESHOT) === 0 || (interest & both) !== both) continue;
      this.forget(events.ident(i), filter === abi.EVFILT_READ ? abi.EVFILT_WRITE : abi.EVFILT_READ);
    }
  }
}

/**
 * Waking an epoll from any thread: an eventfd that the poller watches under EPOLLET, so that it is never read.
 *
 * The number of a descriptor outlives the descriptor: after the poller has closed, the same number may be somebody's
 * database connection. So threads share three words that say whether it is still ours, and who is writing just now.
 */

import type { Notifier } from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { type LinuxCalls, linuxCalls } from './calls.ts';

/** What passes through `postMessage`. */
export interface EventfdHandle {
  readonly kind: 'eventfd';
  readonly fd: number;
  /** PENDING, CLOSED, WRITERS. */
  readonly state: Int32Array;
}

/** 1: written, and the poller has not woken since. Further writes are saved (0.4 us each). */
export const PENDING = 0;
/** 1: the poller is closed, `fd` may belong to somebody else. */
export const CLOSED = 1;
/** Threads between looking at CLOSED and having written. */
export const WRITERS = 2;

const EAGAIN: number = errnoOf('EAGAIN');
const EINTR: number = errnoOf('EINTR');

/** Whether `handle` came from an `EventfdNotifier`. */
export function isEventfdHandle(handle: unknown): handle is EventfdHandle {
  return (
    typeof handle === 'object' && handle !== null && 'kind' in handle && handle.kind === 'eventfd' && 'state' in handle
  );
}

/** Wakes one poller. Cheap to call again before it has woken. */
export class EventfdNotifier implements Notifier {
  readonly handle: EventfdHandle;
  readonly transfer: readonly [] = [];
  private readonly calls: LinuxCalls = linuxCalls();
  private readonly one: NativeArena;

  constructor(handle: EventfdHandle) {
    this.handle = handle;
    this.one = NativeArena.map(8);
    this.one.u32[0] = 1;
  }

  notify(): void {
    const { state, fd } = this.handle;
    if (Atomics.exchange(state, PENDING, 1) === 1) return;
    Atomics.add(state, WRITERS, 1);
    try {
      while (Atomics.load(state, CLOSED) === 0) {
        if (this.calls.write(fd, this.one.address, 8) >= 0) return;
        const errno = lastErrno();
        if (errno === EAGAIN) return; // the counter is full, so the poller has been woken 2^64 times and will look
        if (errno !== EINTR) throw sysError(errnoName(errno), 'write', 'eventfd');
      }
    } finally {
      Atomics.sub(state, WRITERS, 1);
    }
  }
}

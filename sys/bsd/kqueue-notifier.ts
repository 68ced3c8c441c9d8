/**
 * Waking a kqueue from any thread: a user event (EVFILT_USER) that is triggered.
 *
 * The number of a descriptor outlives the descriptor, so threads share three words, as with an eventfd.
 */

import type { Notifier } from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { type Dialect, dialectOf, NOTE_TRIGGER } from './abi.ts';
import { bsdCalls } from './calls.ts';
import { KeventList } from './kevent-list.ts';

/** What passes through `postMessage`. */
export interface KqueueHandle {
  readonly kind: 'kqueue';
  readonly fd: number;
  /** PENDING, CLOSED, WRITERS. */
  readonly state: Int32Array;
}

/** 1: triggered, and the poller has not woken since. */
export const PENDING = 0;
/** 1: the poller is closed, `fd` may belong to somebody else. */
export const CLOSED = 1;
/** Threads between looking at CLOSED and having triggered. */
export const WRITERS = 2;

/** Ident of the user event: there is one. */
export const USER_IDENT = 1;

const EINTR: number = errnoOf('EINTR');

/** Whether `handle` came from a `KqueueNotifier`. */
export function isKqueueHandle(handle: unknown): handle is KqueueHandle {
  return typeof handle === 'object' && handle !== null && 'kind' in handle && handle.kind === 'kqueue';
}

/** Wakes one poller. Cheap to call again before it has woken. */
export class KqueueNotifier implements Notifier {
  readonly handle: KqueueHandle;
  readonly transfer: readonly [] = [];
  private readonly change: KeventList;

  constructor(handle: KqueueHandle, dialect: Dialect = dialectOf(process.platform)!) {
    this.handle = handle;
    this.change = new KeventList(NativeArena.map(64), dialect.kevent, 0, 1);
    this.change.set(0, USER_IDENT, dialect.userFilter, 0, NOTE_TRIGGER, 0, 0, 0);
  }

  notify(): void {
    const { state, fd } = this.handle;
    if (Atomics.exchange(state, PENDING, 1) === 1) return;
    Atomics.add(state, WRITERS, 1);
    try {
      while (Atomics.load(state, CLOSED) === 0) {
        if (bsdCalls().kevent(fd, this.change.address(0), 1, 0, 0, 0) >= 0) return;
        const errno = lastErrno();
        if (errno !== EINTR) throw sysError(errnoName(errno), 'kevent', 'EVFILT_USER');
      }
    } finally {
      Atomics.sub(state, WRITERS, 1);
    }
  }
}

/**
 * Waking a poller over a completion port from any thread: a packet posted under the poller's key.
 *
 * The number of a handle outlives the handle, as with an eventfd: so threads share three words that say whether the port
 * is still ours, and who is posting just now.
 */

import type { Notifier } from '../api.ts';
import { sysError } from '../errno.ts';
import { windowsCalls } from './calls.ts';
import { windowsErrorName } from './errors.ts';

/** What passes through `postMessage`. */
export interface IocpHandle {
  readonly kind: 'iocp';
  /** Number of the port's handle. */
  readonly port: number;
  /** Under which the poller is enlisted. */
  readonly key: number;
  /** PENDING, CLOSED, WRITERS. */
  readonly state: Int32Array;
}

/** 1: posted, and the poller has not seen it. Further posts are saved. */
export const PENDING = 0;
/** 1: the poller is closed, `port` may belong to somebody else. */
export const CLOSED = 1;
/** Threads between looking at CLOSED and having posted. */
export const WRITERS = 2;

/** Whether `handle` came from an `IocpNotifier`. */
export function isIocpHandle(handle: unknown): handle is IocpHandle {
  return typeof handle === 'object' && handle !== null && 'kind' in handle && handle.kind === 'iocp';
}

/** Wakes one poller. Cheap to call again before it has woken. */
export class IocpNotifier implements Notifier {
  readonly handle: IocpHandle;
  readonly transfer: readonly [] = [];

  constructor(handle: IocpHandle) {
    this.handle = handle;
  }

  notify(): void {
    const { state, port, key } = this.handle;
    if (Atomics.exchange(state, PENDING, 1) === 1) return;
    Atomics.add(state, WRITERS, 1);
    try {
      if (Atomics.load(state, CLOSED) !== 0) return;
      const calls = windowsCalls();
      if (calls.PostQueuedCompletionStatus(port, 0, key, 0) !== 0) return;
      throw sysError(windowsErrorName(calls.GetLastError()), 'PostQueuedCompletionStatus');
    } finally {
      Atomics.sub(state, WRITERS, 1);
    }
  }
}

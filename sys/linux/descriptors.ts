/**
 * Which descriptors a thread has open, in memory that another thread can read: when a thread is ended from outside, none of its
 * `close` calls runs, and the process would keep its sockets, epolls and timers for ever.
 */

import { type LinuxCalls, linuxCalls } from './calls.ts';

/** Descriptors that are noted. What a thread opens beyond stays open when it is ended. */
const NOTED_MAX = 1024;

const OPENINGS = ['socket', 'eventfd', 'timerfd_create', 'epoll_create1'] as const;

/** Memory for `noteDescriptors`. A word is a descriptor + 1; 0: none. */
export function descriptorMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(NOTED_MAX * 4);
}

/** From now on what this thread opens and closes is noted in `memory`. Once a thread, before it opens anything. */
export function noteDescriptors(memory: SharedArrayBuffer): void {
  const noted = new Int32Array(memory);
  const calls: { -readonly [Name in keyof LinuxCalls]: LinuxCalls[Name] } = linuxCalls();
  for (const name of OPENINGS) {
    const open = calls[name] as (...args: number[]) => number;
    const noting = (...args: number[]): number => {
      const fd = open(...args);
      const free = fd < 0 ? -1 : noted.indexOf(0);
      if (free >= 0) noted[free] = fd + 1;
      return fd;
    };
    Object.assign(calls, { [name]: noting });
  }
  const { close } = calls;
  calls.close = (fd) => {
    const at = noted.indexOf(fd + 1);
    if (at >= 0) noted[at] = 0;
    return close(fd);
  };
}

/** Closes what a thread that has ended left open. */
export function closeNoted(memory: SharedArrayBuffer): void {
  const noted = new Int32Array(memory);
  for (const [at, word] of noted.entries()) {
    if (word === 0) continue;
    noted[at] = 0;
    linuxCalls().close(word - 1);
  }
}

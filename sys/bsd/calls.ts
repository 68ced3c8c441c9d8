/** The system calls of this folder, linked once a thread. Every one returns -1 on failure, with errno. */

import { link } from '../ffi/syscall.ts';

/**
 * libc's functions, with addresses as numbers. No fcntl and no ioctl: their arguments are variadic, which macOS on arm64
 * passes in another way. So sockets are not made non-blocking: each call says MSG_DONTWAIT.
 */
export interface BsdCalls {
  kqueue(): number;
  kevent(kq: number, changes: number, changeCount: number, events: number, eventCount: number, timeout: number): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, sockaddr: number, bytes: number): number;
  getsockname(fd: number, sockaddr: number, bytes: number): number;
  setsockopt(fd: number, level: number, option: number, value: number, bytes: number): number;
  recvfrom(fd: number, bytes: number, count: number, flags: number, from: number, fromBytes: number): number;
  sendto(fd: number, bytes: number, count: number, flags: number, to: number, toBytes: number): number;
  close(fd: number): number;
}

let calls: BsdCalls | null = null;

/**
 * The calls of this thread.
 *
 * @throws SysError ENOSYS where koffi cannot load or there is no kqueue
 */
export function bsdCalls(): BsdCalls {
  const P = 'uintptr_t';
  calls ??= {
    kqueue: link('kqueue', 'int', []),
    kevent: link('kevent', 'int', ['int', P, 'int', P, 'int', P]),
    socket: link('socket', 'int', ['int', 'int', 'int']),
    bind: link('bind', 'int', ['int', P, 'int']),
    getsockname: link('getsockname', 'int', ['int', P, P]),
    setsockopt: link('setsockopt', 'int', ['int', 'int', 'int', P, 'int']),
    recvfrom: link('recvfrom', 'int64_t', ['int', P, P, 'int', P, P]),
    sendto: link('sendto', 'int64_t', ['int', P, P, 'int', P, 'int']),
    close: link('close', 'int', ['int']),
  };
  return calls;
}

/** The system calls of this folder, linked once a thread. Every one returns -1 on failure, with errno. */

import { link, linkOptional } from '../ffi/syscall.ts';

/** libc's functions, with addresses as numbers. */
export interface LinuxCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, sockaddr: number, bytes: number): number;
  getsockname(fd: number, sockaddr: number, bytes: number): number;
  setsockopt(fd: number, level: number, option: number, value: number, bytes: number): number;
  getsockopt(fd: number, level: number, option: number, value: number, bytes: number): number;
  recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number;
  sendmmsg(fd: number, messages: number, count: number, flags: number): number;
  send(fd: number, bytes: number, count: number, flags: number): number;
  sendto(fd: number, bytes: number, count: number, flags: number, sockaddr: number, sockaddrBytes: number): number;
  memcpy(to: number, from: number, bytes: number): number;
  recv(fd: number, bytes: number, count: number, flags: number): number;
  ioctl(fd: number, request: number, value: number): number;
  close(fd: number): number;
  write(fd: number, bytes: number, count: number): number;
  eventfd(initial: number, flags: number): number;
  timerfd_create(clock: number, flags: number): number;
  timerfd_settime(fd: number, flags: number, value: number, old: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, count: number, timeoutMillis: number): number;
  /** Microsecond timeouts; null before Linux 5.11 or glibc 2.35. */
  readonly epoll_pwait2:
    | ((epoll: number, events: number, count: number, timeout: number, mask: number, maskBytes: number) => number)
    | null;
  prctl(option: number, value: number): number;
  clock_gettime(clock: number, timespec: number): number;
}

let calls: LinuxCalls | null = null;

/**
 * The calls of this thread.
 *
 * @throws SysError ENOSYS where koffi cannot load
 */
export function linuxCalls(): LinuxCalls {
  calls ??= {
    socket: link('socket', 'int', ['int', 'int', 'int']),
    bind: link('bind', 'int', ['int', 'uintptr_t', 'int']),
    getsockname: link('getsockname', 'int', ['int', 'uintptr_t', 'uintptr_t']),
    setsockopt: link('setsockopt', 'int', ['int', 'int', 'int', 'uintptr_t', 'int']),
    getsockopt: link('getsockopt', 'int', ['int', 'int', 'int', 'uintptr_t', 'uintptr_t']),
    recvmmsg: link('recvmmsg', 'int', ['int', 'uintptr_t', 'int', 'int', 'uintptr_t']),
    sendmmsg: link('sendmmsg', 'int', ['int', 'uintptr_t', 'int', 'int']),
    send: link('send', 'int', ['int', 'uintptr_t', 'uintptr_t', 'int']),
    sendto: link('sendto', 'int64_t', ['int', 'uintptr_t', 'uintptr_t', 'int', 'uintptr_t', 'int']),
    memcpy: link('memcpy', 'uintptr_t', ['uintptr_t', 'uintptr_t', 'uintptr_t']),
    recv: link('recv', 'int', ['int', 'uintptr_t', 'uintptr_t', 'int']),
    ioctl: link('ioctl', 'int', ['int', 'uintptr_t', 'uintptr_t']), // one pointer: no variadic convention differs
    close: link('close', 'int', ['int']),
    write: link('write', 'int', ['int', 'uintptr_t', 'uintptr_t']),
    eventfd: link('eventfd', 'int', ['int', 'int']),
    timerfd_create: link('timerfd_create', 'int', ['int', 'int']),
    timerfd_settime: link('timerfd_settime', 'int', ['int', 'int', 'uintptr_t', 'uintptr_t']),
    epoll_create1: link('epoll_create1', 'int', ['int']),
    epoll_ctl: link('epoll_ctl', 'int', ['int', 'int', 'int', 'uintptr_t']),
    epoll_wait: link('epoll_wait', 'int', ['int', 'uintptr_t', 'int', 'int']),
    epoll_pwait2: linkOptional('epoll_pwait2', 'int', [
      'int',
      'uintptr_t',
      'int',
      'uintptr_t',
      'uintptr_t',
      'uintptr_t',
    ]),
    prctl: link('prctl', 'int', ['int', 'uintptr_t']),
    clock_gettime: link('clock_gettime', 'int', ['int', 'uintptr_t']),
  };
  return calls;
}

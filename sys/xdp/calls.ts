/** The system calls of this folder beyond those of `sys/linux/`, linked once a thread. Each returns -1 on failure. */

import { link } from '../ffi/syscall.ts';

/** libc's functions, with addresses as numbers. */
export interface XdpCalls {
  bpf(command: number, attributes: number, bytes: number): number;
  mmap(address: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number | bigint;
  munmap(address: number, bytes: number): number;
  recvfrom(fd: number, bytes: number, count: number, flags: number, sockaddr: number, sockaddrBytes: number): number;
  ioctl(fd: number, request: number, argument: number): number;
}

/** The number of bpf(2), for which libc has no function. */
const BPF_SYSCALL = process.arch === 'arm64' ? 280 : 321;

let calls: XdpCalls | null = null;

/**
 * The calls of this thread.
 *
 * @throws SysError ENOSYS where koffi cannot load
 */
export function xdpCalls(): XdpCalls {
  if (calls === null) {
    const syscall = link<(number: number, a: number, b: number, c: number) => number>('syscall', 'int64_t', [
      'int64_t',
      'uintptr_t',
      'uintptr_t',
      'uintptr_t',
    ]);
    calls = {
      bpf: (command, attributes, bytes) => syscall(BPF_SYSCALL, command, attributes, bytes),
      mmap: link<XdpCalls['mmap'] & (() => number)>('mmap', 'uintptr_t', [
        'uintptr_t',
        'uintptr_t',
        'int',
        'int',
        'int',
        'int64_t',
      ]),
      munmap: link('munmap', 'int', ['uintptr_t', 'uintptr_t']),
      recvfrom: link('recvfrom', 'int64_t', ['int', 'uintptr_t', 'uintptr_t', 'int', 'uintptr_t', 'uintptr_t']),
      ioctl: link('ioctl', 'int', ['int', 'uintptr_t', 'uintptr_t']),
    };
  }
  return calls;
}

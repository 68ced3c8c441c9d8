/** The system calls of this folder beyond those of `sys/linux/calls.ts`, linked once a thread. */

import { link } from '../ffi/syscall.ts';

export interface RingCalls {
  /** An address; MAP_FAILED comes as a BigInt. */
  mmap(address: number, bytes: number, protection: number, flags: number, fd: number, offset: number): number;
  munmap(address: number, bytes: number): number;
  /** 0 where there is no such interface. */
  if_nametoindex(name: string): number;
  writev(fd: number, iovecs: number, count: number): number;
}

let calls: RingCalls | null = null;

/** @throws SysError ENOSYS where koffi cannot load */
export function ringCalls(): RingCalls {
  calls ??= {
    mmap: link('mmap', 'uintptr_t', ['uintptr_t', 'uintptr_t', 'int', 'int', 'int', 'int64_t']),
    munmap: link('munmap', 'int', ['uintptr_t', 'uintptr_t']),
    if_nametoindex: link('if_nametoindex', 'unsigned int', ['str']),
    writev: link('writev', 'int64_t', ['int', 'uintptr_t', 'int']),
  };
  return calls;
}

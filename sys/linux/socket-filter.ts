/** Filters of `sys/filter` on sockets of Linux: the kernel runs them on each packet before it is queued (socket(7)). */

import { NativeArena } from '../ffi/arena.ts';
import { type Struct, struct } from '../ffi/struct.ts';
import { must } from '../ffi/syscall.ts';
import { BPF_RET, FilterProgram, type Instruction } from '../filter/program.ts';
import { SOL_SOCKET } from './abi.ts';
import { linuxCalls } from './calls.ts';

export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;

const SOCK_FPROG = { count: 'u16', filter: 'ptr' } as const;
/** `struct sock_fprog` (linux/filter.h). */
export const SockFprog: Struct<typeof SOCK_FPROG> = struct(SOCK_FPROG);

/** Drops everything: attached before bind, it keeps out what arrives before the real filter is in place. */
const DROP_ALL: Instruction = { code: BPF_RET, jumpTrue: 0, jumpFalse: 0, operand: 0 };
export const DROP_ALL_PROGRAM: FilterProgram = new FilterProgram([DROP_ALL]);

/**
 * Attaches a filter to a socket, in place of the one it had. Needs no rights. What waits in the socket already stays.
 *
 * @param program compiled for what the socket sees: `ethernet` for packet sockets, `udp-socket` for UDP ones
 * @throws SysError EINVAL where the kernel refuses the program
 */
export function attachFilter(fd: number, program: FilterProgram): void {
  attachProgram(fd, SO_ATTACH_FILTER, 'SO_ATTACH_FILTER', program);
}

/**
 * Sets a socket option that takes a program.
 *
 * @param name the option's, for the error
 * @throws SysError EINVAL where the kernel refuses the program
 */
export function attachProgram(fd: number, option: number, name: string, program: FilterProgram): void {
  const bytes = program.toBytes();
  const arena = NativeArena.map(SockFprog.SIZE + bytes.length);
  arena.bytes[SockFprog.count] = program.length;
  arena.bytes[SockFprog.count + 1] = program.length >>> 8;
  arena.setPointer(SockFprog.filter, arena, SockFprog.SIZE);
  arena.bytes.set(bytes, SockFprog.SIZE);
  const attach = (): number => linuxCalls().setsockopt(fd, SOL_SOCKET, option, arena.address, SockFprog.SIZE);
  must('setsockopt', attach, `${name} of ${program.length} instructions`);
}

/**
 * Takes the filter of a socket away.
 *
 * @throws SysError ENOENT where it has none
 */
export function detachFilter(fd: number): void {
  const ignored = NativeArena.map(4);
  must(
    'setsockopt',
    () => linuxCalls().setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, ignored.address, 4),
    'SO_DETACH_FILTER',
  );
}

/**
 * System calls: linked once a thread, errno read at once, EINTR retried, failure as a `SysError` with its remedy.
 */

import { errnoName, errnoOf, sysError } from '../errno.ts';
import { type CType, library } from './library.ts';

const EINTR: number = errnoOf('EINTR');

/** Links the C function `name` or says that this system has none. `F` must fit the C types. */
export function link<F extends (...args: never[]) => number>(name: string, result: CType, args: readonly CType[]): F {
  const found = linkOptional<F>(name, result, args);
  if (found === null) throw sysError('ENOSYS', name);
  return found;
}

/** Links the C function `name`; null where libc is too old for it, or koffi cannot load. */
export function linkOptional<F extends (...args: never[]) => number>(
  name: string,
  result: CType,
  args: readonly CType[],
): F | null {
  return library()?.symbol<F>(name, result, args) ?? null;
}

/** errno of the call just made on this thread. */
export function lastErrno(): number {
  return library()!.errno();
}

/**
 * Makes a set-up call: again while a signal interrupts it, and throws what went wrong. Not for hot code (a closure).
 *
 * @param subject what the call is about, for the message: a canonical address, or a few words
 * @throws SysError
 */
export function must(syscall: string, call: () => number, subject: Uint8Array | string = ''): number {
  for (;;) {
    const result = call();
    if (result >= 0) return result;
    const errno = lastErrno();
    if (errno !== EINTR) throw sysError(errnoName(errno), syscall, subject);
  }
}

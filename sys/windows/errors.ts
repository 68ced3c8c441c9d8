/** Winsock's and Win32's error numbers as the errno names that the rest of the engine speaks. */

import { sysError } from '../errno.ts';
import { windowsCalls } from './calls.ts';

export const WSAEWOULDBLOCK = 10035;
export const WSAEMSGSIZE = 10040;
export const WSAENOBUFS = 10055;
export const WSA_IO_PENDING = 997;
/** GetQueuedCompletionStatusEx: the time is up. */
export const WAIT_TIMEOUT = 258;

/** Numbers of winerror.h: what the calls of this folder are documented to fail with. */
const NAMES: Readonly<Record<number, string>> = {
  5: 'EACCES', // ERROR_ACCESS_DENIED
  6: 'EBADF', // ERROR_INVALID_HANDLE
  8: 'ENOMEM', // ERROR_NOT_ENOUGH_MEMORY
  87: 'EINVAL', // ERROR_INVALID_PARAMETER
  1450: 'ENOBUFS', // ERROR_NO_SYSTEM_RESOURCES
  10009: 'EBADF',
  10013: 'EACCES',
  10014: 'EFAULT',
  10022: 'EINVAL',
  10024: 'EMFILE',
  [WSAEWOULDBLOCK]: 'EAGAIN',
  10038: 'ENOTSOCK',
  [WSAEMSGSIZE]: 'EMSGSIZE',
  10042: 'ENOPROTOOPT',
  10043: 'EPROTONOSUPPORT',
  10045: 'EOPNOTSUPP',
  10047: 'EAFNOSUPPORT',
  10048: 'EADDRINUSE',
  10049: 'EADDRNOTAVAIL',
  10050: 'ENETDOWN',
  10051: 'ENETUNREACH',
  10052: 'ENETRESET',
  10054: 'ECONNRESET',
  [WSAENOBUFS]: 'ENOBUFS',
  10061: 'ECONNREFUSED',
  10065: 'EHOSTUNREACH',
};

/** Nothing that a datagram could do brings these: the program is wrong. */
const OURS: ReadonlySet<string> = new Set(['EBADF', 'ENOTSOCK', 'EFAULT', 'EOPNOTSUPP']);

/** The errno name of an error number of Windows; `E<number>` for one that is not in the table. */
export function windowsErrorName(code: number): string {
  return NAMES[code] ?? `E${code}`;
}

/** Whether `code` says that our own program is wrong. */
export function isOurs(code: number): boolean {
  return OURS.has(windowsErrorName(code));
}

/**
 * Makes a set-up call of Winsock, which answers -1 on failure.
 *
 * @param subject what the call is about: a canonical address, or a few words
 * @throws SysError
 */
export function mustSocket(syscall: string, call: () => number, subject: Uint8Array | string = ''): number {
  const result = call();
  if (result === -1) throw sysError(windowsErrorName(windowsCalls().WSAGetLastError()), syscall, subject);
  return result;
}

/**
 * Makes a set-up call of Win32, which answers 0 on failure.
 *
 * @throws SysError
 */
export function mustWin(syscall: string, call: () => number, subject = ''): number {
  const result = call();
  if (result === 0) throw sysError(windowsErrorName(windowsCalls().GetLastError()), syscall, subject);
  return result;
}

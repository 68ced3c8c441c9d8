/** The Win32 calls of this folder, linked once a thread. */

import { link, linkOptional } from '../ffi/syscall.ts';

/** kernel32 and Winsock, with handles and addresses as numbers. BOOLs are 0 for failure; sockets answer -1. */
export interface WindowsCalls {
  CreateIoCompletionPort(file: number, port: number, key: number, threads: number): number;
  GetQueuedCompletionStatusEx(
    port: number,
    entries: number,
    count: number,
    removed: number,
    timeoutMillis: number,
    alertable: number,
  ): number;
  PostQueuedCompletionStatus(port: number, bytes: number, key: number, overlapped: number): number;
  SetFileCompletionNotificationModes(file: number, modes: number): number;
  CancelIoEx(file: number, overlapped: number): number;
  CloseHandle(handle: number): number;
  GetLastError(): number;
  WSASocketW(family: number, type: number, protocol: number, info: number, group: number, flags: number): number;
  WSAIoctl(
    socket: number,
    code: number,
    input: number,
    inputBytes: number,
    output: number,
    outputBytes: number,
    returned: number,
    overlapped: number,
    routine: number,
  ): number;
  WSARecvFrom(
    socket: number,
    buffers: number,
    count: number,
    received: number,
    flags: number,
    from: number,
    fromBytes: number,
    overlapped: number,
    routine: number,
  ): number;
  WSASendTo(
    socket: number,
    buffers: number,
    count: number,
    sent: number,
    flags: number,
    to: number,
    toBytes: number,
    overlapped: number,
    routine: number,
  ): number;
  ioctlsocket(socket: number, code: number, value: number): number;
  bind(socket: number, sockaddr: number, bytes: number): number;
  getsockname(socket: number, sockaddr: number, bytes: number): number;
  setsockopt(socket: number, level: number, option: number, value: number, bytes: number): number;
  sendto(socket: number, bytes: number, count: number, flags: number, to: number, toBytes: number): number;
  closesocket(socket: number): number;
  WSAGetLastError(): number;
  /** Asks for timers of a millisecond in place of 15.6 (winmm); null where there is none. */
  readonly timeBeginPeriod: ((millis: number) => number) | null;
  readonly timeEndPeriod: ((millis: number) => number) | null;
}

let calls: WindowsCalls | null = null;

const P = 'uintptr_t';
const I = 'int';
const U = 'unsigned int';

/**
 * The calls of this thread. Winsock itself was started by Node.
 *
 * @throws SysError ENOSYS where koffi cannot load
 */
export function windowsCalls(): WindowsCalls {
  calls ??= {
    // Signed, so that INVALID_HANDLE_VALUE and INVALID_SOCKET are -1 and not a BigInt.
    CreateIoCompletionPort: link('CreateIoCompletionPort', 'int64_t', ['int64_t', P, P, U]),
    GetQueuedCompletionStatusEx: link('GetQueuedCompletionStatusEx', I, [P, P, U, P, U, I]),
    PostQueuedCompletionStatus: link('PostQueuedCompletionStatus', I, [P, U, P, P]),
    SetFileCompletionNotificationModes: link('SetFileCompletionNotificationModes', I, [P, U]),
    CancelIoEx: link('CancelIoEx', I, [P, P]),
    CloseHandle: link('CloseHandle', I, [P]),
    GetLastError: link('GetLastError', U, []),
    WSASocketW: link('WSASocketW', 'int64_t', [I, I, I, P, U, U]),
    WSAIoctl: link('WSAIoctl', I, [P, I, P, U, P, U, P, P, P]),
    WSARecvFrom: link('WSARecvFrom', I, [P, P, U, P, P, P, P, P, P]),
    WSASendTo: link('WSASendTo', I, [P, P, U, P, U, P, I, P, P]),
    ioctlsocket: link('ioctlsocket', I, [P, I, P]),
    bind: link('bind', I, [P, P, I]),
    getsockname: link('getsockname', I, [P, P, P]),
    setsockopt: link('setsockopt', I, [P, I, I, P, I]),
    sendto: link('sendto', I, [P, P, I, I, P, I]),
    closesocket: link('closesocket', I, [P]),
    WSAGetLastError: link('WSAGetLastError', I, []),
    timeBeginPeriod: linkOptional('timeBeginPeriod', U, [U]),
    timeEndPeriod: linkOptional('timeEndPeriod', U, [U]),
  };
  return calls;
}

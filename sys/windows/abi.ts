/**
 * What the Windows headers say: structs and constants of the calls in this folder, for 64-bit Windows (LLP64).
 *
 * `test/sys/windows/abi.test.ts` holds the sizes and offsets as a table, and asks the MinGW compiler where there is one.
 */

import { type Struct, struct } from '../ffi/struct.ts';

const OVERLAPPED = { status: 'u64', transferred: 'u64', offset: 'u64', event: 'ptr' } as const;
/**
 * `OVERLAPPED` (minwinbase.h): one operation under way. Its first two members are what the header calls `Internal` (the
 * NTSTATUS; STATUS_PENDING until it is done) and `InternalHigh` (the bytes).
 */
export const Overlapped: Struct<typeof OVERLAPPED> = struct(OVERLAPPED);

const OVERLAPPED_ENTRY = { key: 'u64', overlapped: 'ptr', status: 'u64', transferred: 'u32' } as const;
/** `OVERLAPPED_ENTRY` (minwinbase.h): one packet from a completion port. */
export const OverlappedEntry: Struct<typeof OVERLAPPED_ENTRY> = struct(OVERLAPPED_ENTRY);

const WSABUF = { bytes: 'u32', base: 'ptr' } as const;
/** `WSABUF` (ws2def.h): the length first, the other way round than an iovec. */
export const Wsabuf: Struct<typeof WSABUF> = struct(WSABUF);

// winbase.h, memoryapi.h, ntstatus.h
/** CreateIoCompletionPort makes a new port of it. */
export const INVALID_HANDLE_VALUE = -1;
export const FILE_SKIP_COMPLETION_PORT_ON_SUCCESS = 1;
export const FILE_SKIP_SET_EVENT_ON_HANDLE = 2;
export const INFINITE = 0xffff_ffff;
export const STATUS_SUCCESS = 0;
export const STATUS_PENDING = 0x103;
/** STATUS_BUFFER_OVERFLOW: the datagram was longer than its buffer. Signed, as an `Int32Array` shows it. */
export const STATUS_BUFFER_OVERFLOW: number = 0x8000_0005 | 0;
export const STATUS_CANCELLED: number = 0xc000_0120 | 0;

// winsock2.h, ws2ipdef.h, mswsock.h
export const SOCK_DGRAM = 2;
export const IPPROTO_IP = 0;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;
export const WSA_FLAG_OVERLAPPED = 0x01;
export const WSA_FLAG_NO_HANDLE_INHERIT = 0x80;
export const SOL_SOCKET = 0xffff;
/** ~SO_REUSEADDR: nobody else binds the port while we hold it, not even somebody with SO_REUSEADDR. */
export const SO_EXCLUSIVEADDRUSE = -5;
export const SO_SNDBUF = 0x1001;
export const SO_RCVBUF = 0x1002;
export const IP_DONTFRAGMENT = 14;
export const IPV6_DONTFRAG = 14;
export const IPV6_V6ONLY = 27;
export const FIONBIO: number = 0x8004_667e | 0;
/** Takes a BOOL: whether an ICMP "port unreachable" becomes WSAECONNRESET of a later receive. */
export const SIO_UDP_CONNRESET: number = 0x9800_000c | 0;
/** Takes a BOOL: the same for "time exceeded" and WSAENETRESET. */
export const SIO_UDP_NETRESET: number = 0x9800_000f | 0;

/**
 * What the headers of macOS and the BSDs say: `struct kevent`, filters, socket constants, for 64-bit little-endian machines.
 *
 * They differ from each other in small ways, so each system is a value (`Dialect`) and not a set of constants: the tests read
 * all of them on any machine.
 */

import { type Struct, struct } from '../ffi/struct.ts';
import { LINUX_FORM, type SockaddrForm } from '../posix/sockaddr.ts';

const KEVENT = { ident: 'u64', filter: 'u16', flags: 'u16', fflags: 'u32', data: 'u64', udata: 'ptr' } as const;
const KEVENT_FREEBSD = {
  ident: 'u64',
  filter: 'u16',
  flags: 'u16',
  fflags: 'u32',
  data: 'u64',
  udata: 'ptr',
  ext0: 'u64',
  ext1: 'u64',
  ext2: 'u64',
  ext3: 'u64',
} as const;

/** `struct kevent` (kqueue(2)) of macOS and OpenBSD. `filter` is signed in C, `udata` carries what we like. */
export const Kevent: Struct<typeof KEVENT> = struct(KEVENT);
/** The same of FreeBSD since 12. */
export const KeventFreebsd: Struct<typeof KEVENT_FREEBSD> = struct(KEVENT_FREEBSD);

const TIMESPEC = { seconds: 'u64', nanoseconds: 'u64' } as const;
/** `struct timespec`. */
export const Timespec: Struct<typeof TIMESPEC> = struct(TIMESPEC);

// sys/event.h, the same everywhere. Filters are negative, here as the u16 that the field shows.
export const EVFILT_READ: number = -1 & 0xffff;
export const EVFILT_WRITE: number = -2 & 0xffff;
export const EVFILT_TIMER: number = -7 & 0xffff;
export const EV_ADD = 0x1;
export const EV_DELETE = 0x2;
export const EV_ENABLE = 0x4;
export const EV_ONESHOT = 0x10;
export const EV_CLEAR = 0x20;
export const EV_ERROR = 0x4000;
export const NOTE_TRIGGER = 0x0100_0000;

/** How one system says it. */
export interface Dialect {
  readonly name: string;
  readonly kevent: typeof Kevent;
  /** EVFILT_USER, as a u16. */
  readonly userFilter: number;
  /** NOTE_USECONDS: the unit of a timer. */
  readonly noteMicros: number;
  /** First half words of addresses; BSDs put a length byte before the family. */
  readonly form: SockaddrForm;
  readonly afInet6: number;
  /** SOCK_DGRAM, with SOCK_CLOEXEC where there is such a thing. */
  readonly sockDgram: number;
  readonly msgDontwait: number;
  readonly solSocket: number;
  readonly soSndbuf: number;
  readonly soRcvbuf: number;
  /** What spreads peers over the sockets of a port; 0: nothing does. */
  readonly soReusePort: number;
  readonly ipv6V6only: number;
  /** Don't fragment, for IPv4 and IPv6; 0: not there. */
  readonly ipDontfrag: number;
  readonly ipv6Dontfrag: number;
}

/** `len` and family of a BSD `sockaddr` as its first 16 bits. */
const bsdForm = (inet6: number): SockaddrForm => ({ inet: 16 | (2 << 8), inet6: 28 | (inet6 << 8) });

/** What macOS and the BSDs share (sys/socket.h, netinet6/in6.h). */
const BSD = { msgDontwait: 0x80, solSocket: 0xffff, soSndbuf: 0x1001, soRcvbuf: 0x1002, ipv6V6only: 27 } as const;

export const MACOS: Dialect = {
  ...BSD,
  name: 'darwin',
  kevent: Kevent,
  userFilter: -10 & 0xffff,
  noteMicros: 0x2,
  form: bsdForm(30),
  afInet6: 30,
  sockDgram: 2,
  soReusePort: 0, // SO_REUSEPORT gives all to the last socket that bound
  ipDontfrag: 28,
  ipv6Dontfrag: 62,
};

export const FREEBSD: Dialect = {
  ...BSD,
  name: 'freebsd',
  kevent: KeventFreebsd,
  userFilter: -11 & 0xffff,
  noteMicros: 0x4,
  form: bsdForm(28),
  afInet6: 28,
  sockDgram: 2 | 0x1000_0000,
  soReusePort: 0x1_0000, // SO_REUSEPORT_LB, since 12
  ipDontfrag: 67,
  ipv6Dontfrag: 62,
};

/** Linux's sockets under libkqueue: where the poller can be tried without a BSD. */
export const HOSTED: Dialect = {
  name: 'linux',
  kevent: Kevent,
  userFilter: -11 & 0xffff,
  noteMicros: 0x2,
  form: LINUX_FORM,
  afInet6: 10,
  sockDgram: 2 | 0x8_0000,
  msgDontwait: 0x40,
  solSocket: 1,
  soSndbuf: 7,
  soRcvbuf: 8,
  soReusePort: 15,
  ipv6V6only: 26,
  ipDontfrag: 0,
  ipv6Dontfrag: 0,
};

/** The dialect of `platform`; null where there is no kqueue. */
export function dialectOf(platform: NodeJS.Platform): Dialect | null {
  for (const dialect of [MACOS, FREEBSD, HOSTED]) if (dialect.name === platform) return dialect;
  return null;
}

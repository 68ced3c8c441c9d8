/**
 * What the kernel's headers say: structs and constants of the calls in this folder, for 64-bit little-endian Linux.
 *
 * Proved against the C compiler's own `offsetof` and `sizeof` in `test/sys/linux/abi.test.ts`.
 */

import { type Struct, struct } from '../ffi/struct.ts';

const EPOLL_EVENT = { events: 'u32', key: 'u32', interest: 'u32' } as const;
const EPOLL_EVENT_ALIGNED = { events: 'u32', padding: 'u32', key: 'u32', interest: 'u32' } as const;

/** `struct epoll_event` (epoll_ctl(2)) as x86-64 has it: packed. Its 64 bits of data hold our key and the interest. */
export const EpollEventPacked: Struct<typeof EPOLL_EVENT> = struct(EPOLL_EVENT, true);
/** `struct epoll_event` everywhere else: data aligned to 8 bytes. */
export const EpollEventAligned: Struct<typeof EPOLL_EVENT_ALIGNED> = struct(EPOLL_EVENT_ALIGNED);
/** The one of this machine. */
export const EpollEvent: Struct<typeof EPOLL_EVENT> = process.arch === 'x64' ? EpollEventPacked : EpollEventAligned;

const TIMESPEC = { seconds: 'u64', nanoseconds: 'u64' } as const;
/** `struct timespec` (timespec(3type)). */
export const Timespec: Struct<typeof TIMESPEC> = struct(TIMESPEC);

const ITIMERSPEC = {
  intervalSeconds: 'u64',
  intervalNanoseconds: 'u64',
  seconds: 'u64',
  nanoseconds: 'u64',
} as const;
/** `struct itimerspec` (timerfd_settime(2)). */
export const Itimerspec: Struct<typeof ITIMERSPEC> = struct(ITIMERSPEC);

const MMSGHDR = {
  name: 'ptr',
  nameBytes: 'u32',
  iov: 'ptr',
  iovCount: 'u64',
  control: 'ptr',
  controlBytes: 'u64',
  flags: 'u32',
  tail: 'u32', // a msghdr ends at a multiple of 8
  transferred: 'u32',
} as const;
/** `struct mmsghdr` (recvmmsg(2)): a `struct msghdr` and how many bytes went through it. */
export const Mmsghdr: Struct<typeof MMSGHDR> = struct(MMSGHDR);

const IOVEC = { base: 'ptr', bytes: 'u64' } as const;
/** `struct iovec` (iovec(3type)). */
export const Iovec: Struct<typeof IOVEC> = struct(IOVEC);

const CMSGHDR = { bytes: 'u64', level: 'u32', type: 'u32' } as const;
/** `struct cmsghdr` (cmsg(3)); its data follows, the next header starts at a multiple of 8. */
export const Cmsghdr: Struct<typeof CMSGHDR> = struct(CMSGHDR);

const IN_PKTINFO = { interface: 'u32', specificDestination: 'b4', destination: 'b4' } as const;
/** `struct in_pktinfo` (ip(7)). */
export const InPktinfo: Struct<typeof IN_PKTINFO> = struct(IN_PKTINFO);

const IN6_PKTINFO = { destination: 'b16', interface: 'u32' } as const;
/** `struct in6_pktinfo` (ipv6(7)). */
export const In6Pktinfo: Struct<typeof IN6_PKTINFO> = struct(IN6_PKTINFO);

// epoll(7)
export const EPOLL_CLOEXEC = 0x80000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLONESHOT = 0x40000000;
export const EPOLLET = 0x80000000;
export const EFD_NONBLOCK_CLOEXEC = 0x80800;
export const TFD_NONBLOCK_CLOEXEC = 0x80800;
export const TFD_TIMER_ABSTIME = 1;
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
export const PR_SET_TIMERSLACK = 29; // prctl(2): nanoseconds the kernel may wake this thread late

// socket(2), socket(7), udp(7), ip(7), ipv6(7)
export const SOCK_DGRAM_NONBLOCK_CLOEXEC = 0x80802;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
export const SO_ATTACH_REUSEPORT_CBPF = 51;
export const SO_TIMESTAMPNS = 35; // the option, and the type of its control message
export const SOL_IP = 0;
export const IP_PKTINFO = 8;
export const IP_MTU_DISCOVER = 10;
export const SOL_IPV6 = 41;
export const IPV6_MTU_DISCOVER = 23;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
/** Don't fragment, and ignore what the kernel believes of the path: MTU probing is ours (RFC 8899). */
export const PMTUDISC_PROBE = 3;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** Datagrams of one UDP_SEGMENT send that every kernel with the option takes (newer ones: 128). */
export const UDP_SEGMENTS_MAX = 64;
/** Datagrams that one UDP_GRO buffer can hold: what one send can join on the newest kernels. */
export const UDP_GRO_SEGMENTS_MAX = 128;
/** Messages of one recvmmsg or sendmmsg (UIO_MAXIOV). */
export const MESSAGES_MAX = 1024;

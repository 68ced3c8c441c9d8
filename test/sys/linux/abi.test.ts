/** The layouts of sys/linux/abi.ts against what the C compiler of this machine says. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { struct } from '../../../sys/ffi/struct.ts';
import * as abi from '../../../sys/linux/abi.ts';
import { IP_HDRINCL, IP_TTL, IPV6_UNICAST_HOPS, SOCK_RAW_NONBLOCK_CLOEXEC } from '../../../sys/linux/raw-socket.ts';
import { SO_ATTACH_FILTER, SO_DETACH_FILTER, SockFprog } from '../../../sys/linux/socket-filter.ts';
import { AF_INET6, SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES } from '../../../sys/posix/sockaddr.ts';

const compiles = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;
const why = compiles ? '' : ' (needs gcc on Linux)';

/** C name, layout, and our field for each member. */
const STRUCTS: readonly [string, { readonly SIZE: number }, Record<string, string>][] = [
  [
    'struct mmsghdr',
    abi.Mmsghdr,
    {
      name: 'msg_hdr.msg_name',
      nameBytes: 'msg_hdr.msg_namelen',
      iov: 'msg_hdr.msg_iov',
      iovCount: 'msg_hdr.msg_iovlen',
      control: 'msg_hdr.msg_control',
      controlBytes: 'msg_hdr.msg_controllen',
      flags: 'msg_hdr.msg_flags',
      transferred: 'msg_len',
    },
  ],
  ['struct iovec', abi.Iovec, { base: 'iov_base', bytes: 'iov_len' }],
  ['struct cmsghdr', abi.Cmsghdr, { bytes: 'cmsg_len', level: 'cmsg_level', type: 'cmsg_type' }],
  ['struct timespec', abi.Timespec, { seconds: 'tv_sec', nanoseconds: 'tv_nsec' }],
  [
    'struct itimerspec',
    abi.Itimerspec,
    {
      intervalSeconds: 'it_interval.tv_sec',
      intervalNanoseconds: 'it_interval.tv_nsec',
      seconds: 'it_value.tv_sec',
      nanoseconds: 'it_value.tv_nsec',
    },
  ],
  ['struct epoll_event', abi.EpollEvent, { events: 'events', key: 'data' }],
  [
    'struct in_pktinfo',
    abi.InPktinfo,
    { interface: 'ipi_ifindex', specificDestination: 'ipi_spec_dst', destination: 'ipi_addr' },
  ],
  ['struct sock_fprog', SockFprog, { count: 'len', filter: 'filter' }],
  ['struct in6_pktinfo', abi.In6Pktinfo, { destination: 'ipi6_addr', interface: 'ipi6_ifindex' }],
];

/** Constants of ours, and the C expression that must have the same value. */
const CONSTANTS: readonly [number, string][] = [
  [SOCK_RAW_NONBLOCK_CLOEXEC, 'SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC'],
  [IP_HDRINCL, 'IP_HDRINCL'],
  [IP_TTL, 'IP_TTL'],
  [IPV6_UNICAST_HOPS, 'IPV6_UNICAST_HOPS'],
  [SO_ATTACH_FILTER, 'SO_ATTACH_FILTER'],
  [SO_DETACH_FILTER, 'SO_DETACH_FILTER'],
  [abi.EPOLL_CLOEXEC, 'EPOLL_CLOEXEC'],
  [abi.EPOLL_CTL_ADD, 'EPOLL_CTL_ADD'],
  [abi.EPOLL_CTL_DEL, 'EPOLL_CTL_DEL'],
  [abi.EPOLL_CTL_MOD, 'EPOLL_CTL_MOD'],
  [abi.EPOLLIN, 'EPOLLIN'],
  [abi.EPOLLOUT, 'EPOLLOUT'],
  [abi.EPOLLERR, 'EPOLLERR'],
  [abi.EPOLLHUP, 'EPOLLHUP'],
  [abi.EPOLLONESHOT, 'EPOLLONESHOT'],
  [abi.EPOLLET, '(unsigned)EPOLLET'],
  [abi.EFD_NONBLOCK_CLOEXEC, 'EFD_NONBLOCK|EFD_CLOEXEC'],
  [abi.TFD_NONBLOCK_CLOEXEC, 'TFD_NONBLOCK|TFD_CLOEXEC'],
  [abi.TFD_TIMER_ABSTIME, 'TFD_TIMER_ABSTIME'],
  [abi.CLOCK_REALTIME, 'CLOCK_REALTIME'],
  [abi.CLOCK_MONOTONIC, 'CLOCK_MONOTONIC'],
  [abi.PR_SET_TIMERSLACK, 'PR_SET_TIMERSLACK'],
  [abi.SOCK_DGRAM_NONBLOCK_CLOEXEC, 'SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC'],
  [abi.MSG_TRUNC, 'MSG_TRUNC'],
  [abi.MSG_DONTWAIT, 'MSG_DONTWAIT'],
  [abi.SOL_SOCKET, 'SOL_SOCKET'],
  [abi.SO_SNDBUF, 'SO_SNDBUF'],
  [abi.SO_RCVBUF, 'SO_RCVBUF'],
  [abi.SO_REUSEPORT, 'SO_REUSEPORT'],
  [abi.SO_TIMESTAMPNS, 'SO_TIMESTAMPNS'],
  [abi.SOL_IP, 'SOL_IP'],
  [abi.IP_PKTINFO, 'IP_PKTINFO'],
  [abi.IP_MTU_DISCOVER, 'IP_MTU_DISCOVER'],
  [abi.SOL_IPV6, 'SOL_IPV6'],
  [abi.IPV6_MTU_DISCOVER, 'IPV6_MTU_DISCOVER'],
  [abi.IPV6_V6ONLY, 'IPV6_V6ONLY'],
  [abi.IPV6_RECVPKTINFO, 'IPV6_RECVPKTINFO'],
  [abi.IPV6_PKTINFO, 'IPV6_PKTINFO'],
  [abi.PMTUDISC_PROBE, 'IP_PMTUDISC_PROBE'],
  [abi.PMTUDISC_PROBE, 'IPV6_PMTUDISC_PROBE'],
  [abi.SOL_UDP, 'IPPROTO_UDP'],
  [abi.UDP_SEGMENT, 'UDP_SEGMENT'],
  [abi.MESSAGES_MAX, 'UIO_MAXIOV'],
  [AF_INET6, 'AF_INET6'],
  [SOCKADDR_IN_BYTES, 'sizeof(struct sockaddr_in)'],
  [SOCKADDR_IN6_BYTES, 'sizeof(struct sockaddr_in6)'],
];

/** Compiles and runs a program that prints each expression as a decimal line. */
function valuesInC(expressions: readonly string[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-abi-'));
  try {
    const prints = expressions.map((e) => `  printf("%lld\\n", (long long)(${e}));`).join('\n');
    writeFileSync(
      join(folder, 'abi.c'),
      `#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <linux/filter.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <netinet/in.h>
#include <linux/udp.h>
#ifndef UIO_MAXIOV
#define UIO_MAXIOV 1024
#endif
int main(void) {
${prints}
  return 0;
}
`,
    );
    execFileSync('gcc', ['-o', join(folder, 'abi'), join(folder, 'abi.c')]);
    return execFileSync(join(folder, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(!compiles)(`the kernel's structs${why}`, () => {
  it('have the sizes and offsets that the C compiler gives them', () => {
    const expressions: string[] = [];
    const ours: number[] = [];
    for (const [name, layout, members] of STRUCTS) {
      expressions.push(`sizeof(${name})`);
      ours.push(layout.SIZE);
      for (const [field, member] of Object.entries(members)) {
        expressions.push(`offsetof(${name}, ${member})`);
        ours.push((layout as unknown as Record<string, number>)[field]!);
      }
    }
    const theirs = valuesInC(expressions);
    expect(expressions.map((e, i) => `${e} = ${ours[i]}`)).toEqual(expressions.map((e, i) => `${e} = ${theirs[i]}`));
  });

  it('go with constants of the same value as in the headers', () => {
    const theirs = valuesInC(CONSTANTS.map(([, expression]) => expression));
    expect(CONSTANTS.map(([value, name]) => `${name} = ${value}`)).toEqual(
      CONSTANTS.map(([, name], i) => `${name} = ${theirs[i]}`),
    );
  });
});

describe('struct()', () => {
  it('aligns each field to its size and the whole to its widest field', () => {
    const layout = struct({ a: 'u8', b: 'u32', c: 'u16', d: 'ptr', e: 'u8' });
    expect([layout.a, layout.b, layout.c, layout.d, layout.e, layout.SIZE]).toEqual([0, 4, 8, 16, 24, 32]);
  });

  it('leaves no gaps in a packed struct', () => {
    const layout = struct({ a: 'u8', b: 'u32', c: 'u16', d: 'ptr' }, true);
    expect([layout.a, layout.b, layout.c, layout.d, layout.SIZE]).toEqual([0, 1, 5, 7, 15]);
  });

  it('packs epoll_event on x86-64 and nowhere else', () => {
    expect([abi.EpollEventPacked.SIZE, abi.EpollEventPacked.key]).toEqual([12, 4]);
    expect([abi.EpollEventAligned.SIZE, abi.EpollEventAligned.key]).toEqual([16, 8]);
    expect(abi.EpollEvent).toBe(process.arch === 'x64' ? abi.EpollEventPacked : abi.EpollEventAligned);
  });
});

/** What this Linux offers beyond plain sockets: rights, bypasses, limits, time. Asked by `sys/probe.ts`. */

import { readFileSync } from 'node:fs';
import { addressOf, SysError } from '../api.ts';
import { SystemClock } from '../clock.ts';
import { errnoName } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { library } from '../ffi/library.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import type { Probe } from '../probe.ts';
import { probe } from '../probe.ts';
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from '../wire/numbers.ts';
import { linuxCalls } from './calls.ts';
import { EpollPoller } from './epoll.ts';
import { LinuxPortGroup } from './port-group.ts';
import { attachFilter, DROP_ALL_PROGRAM } from './socket-filter.ts';
import { openBound } from './udp-socket.ts';

/** Bits of CapEff (capabilities(7)). */
const CAP_NET_ADMIN = 12;
const CAP_NET_RAW = 13;
const CAP_IPC_LOCK = 14;
const CAP_BPF = 39;

const AF_INET = 2; // ip(7)
const AF_INET6 = 10; // ipv6(7)

const LOOPBACK: Uint8Array = addressOf('127.0.0.1', 0)!;

const AF_PACKET = 17; // packet(7)
const AF_XDP = 44; // linux/socket.h
const SOCK_RAW_CLOEXEC: number = 3 | 0o2000000;
const SOL_PACKET = 263;
const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const TPACKET_V3 = 2;
/** `struct tpacket_req3` (linux/if_packet.h): one block of 64 KiB in frames of 2 KiB, handed over after 10 ms. */
const TPACKET_REQ3: readonly number[] = [65_536, 1, 2048, 32, 10, 0, 0];

/** A server's burst: 1,000 clients' inputs of one tick at the kernel's 2 to 4 KiB each. */
const BUFFER_BYTES_WANTED = 4_194_304;
/** A UMEM of 8,192 frames of 4 KiB, and its rings. */
const MEMLOCK_BYTES_WANTED = 67_108_864;
/** Clock sources that a program reads without entering the kernel (vDSO); others cost ten times as much. */
const FAST_CLOCK_SOURCES: readonly string[] = ['tsc', 'kvm-clock', 'arch_sys_counter', 'hyperv_clocksource_tsc_page'];
const CLOCK_SOURCE_FILE = '/sys/devices/system/clocksource/clocksource0/current_clocksource';
/** What the timer is asked for, and how often: the median counts. */
const TIMER_MICROS = 200;
const TIMER_ROUNDS = 9;

const NAMES: readonly string[] = [
  'right-net-raw',
  'right-net-admin',
  'right-bpf',
  'raw-sockets',
  'bpf-filter',
  'packet-ring',
  'af-xdp',
  'workers',
  'receive-buffer-max',
  'send-buffer-max',
  'memlock',
  'clock-source',
  'timers',
];

/** Everything in `NAMES`; on another system all of it is missing. */
export function probeLinux(): Probe[] {
  if (process.platform !== 'linux') {
    return NAMES.map((name) => probe(name, false, `not on ${process.platform}`, 'run on Linux'));
  }
  const rights = effectiveRights();
  return [
    right('right-net-raw', 'CAP_NET_RAW', CAP_NET_RAW, rights),
    right('right-net-admin', 'CAP_NET_ADMIN', CAP_NET_ADMIN, rights),
    right('right-bpf', 'CAP_BPF', CAP_BPF, rights),
    probeRawSockets(),
    attempt('bpf-filter', "a program of tcpdump's language in the kernel, on a UDP socket", filterUdp),
    probePacketRing(),
    probeXdp(rights),
    attempt('workers', 'SO_REUSEPORT with steering: sockets of several threads on one port', openGroup),
    bufferLimit('receive-buffer-max', 'net.core.rmem_max'),
    bufferLimit('send-buffer-max', 'net.core.wmem_max'),
    probeMemlock(rights),
    probeClockSource(),
    probeTimers(),
  ];
}

/** The capabilities in effect as 64 bits; none where /proc is not mounted. */
function effectiveRights(): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(textOf('/proc/self/status') ?? '');
  return match === null ? 0n : BigInt(`0x${match[1]}`);
}

function has(rights: bigint, bit: number): boolean {
  return ((rights >> BigInt(bit)) & 1n) === 1n;
}

function right(name: string, capability: string, bit: number, rights: bigint): Probe {
  const ok = has(rights, bit);
  return probe(name, ok, ok ? capability : `no ${capability}`, grant());
}

/** setcap replaces what was there: so it names all that the bypasses need. */
function grant(): string {
  return `sudo setcap cap_net_raw,cap_net_admin,cap_bpf+ep ${process.execPath}`;
}

function probeRawSockets(): Probe {
  const name = 'raw-sockets';
  if (library() === null) return probe(name, false, 'needs koffi', 'see koffi above');
  const icmp = whyNotRaw(AF_INET, PROTOCOL_ICMP);
  if (icmp !== '') return probe(name, false, `ICMP: ${icmp}`, grant());
  const icmpv6 = whyNotRaw(AF_INET6, PROTOCOL_ICMPV6);
  const found = icmpv6 === '' ? 'ICMP and ICMPv6' : `ICMP (ICMPv6: ${icmpv6})`;
  return probe(name, true, `${found}; in the project: npm run ping -- localhost`, '');
}

/** The errno that a raw socket fails with, '' where it opens. */
function whyNotRaw(family: number, protocol: number): string {
  const calls = linuxCalls();
  const fd = calls.socket(family, SOCK_RAW_CLOEXEC, protocol);
  if (fd < 0) return errnoName(lastErrno());
  calls.close(fd);
  return '';
}

/** What `work` opens is there, or its error says why not and what to do. */
function attempt(name: string, found: string, work: () => void): Probe {
  if (library() === null) return probe(name, false, 'needs koffi', 'see koffi above');
  try {
    work();
    return probe(name, true, found, '');
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    const { code, syscall, message } = error;
    return probe(name, false, `${syscall}: ${code}`, message.slice(`${syscall}: ${code}: `.length));
  }
}

function filterUdp(): void {
  const fd = openBound(LOOPBACK, resolveUdpOptions(LOOPBACK, {}, true));
  try {
    attachFilter(fd, DROP_ALL_PROGRAM);
  } finally {
    linuxCalls().close(fd);
  }
}

function openGroup(): void {
  new LinuxPortGroup(LOOPBACK, 2, { namedTypes: [] }, {}).close();
}

function probePacketRing(): Probe {
  const name = 'packet-ring';
  if (library() === null) return probe(name, false, 'needs koffi', 'see koffi above');
  const calls = linuxCalls();
  const fd = calls.socket(AF_PACKET, SOCK_RAW_CLOEXEC, 0); // protocol 0: it hears nothing
  if (fd < 0) return probe(name, false, `AF_PACKET: ${errnoName(lastErrno())}`, grant());
  try {
    const arena = NativeArena.map(64);
    arena.u32[0] = TPACKET_V3;
    if (calls.setsockopt(fd, SOL_PACKET, PACKET_VERSION, arena.address, 4) < 0) {
      return probe(name, false, `TPACKET_V3: ${errnoName(lastErrno())}`, 'update to Linux 3.2 or newer');
    }
    arena.u32.set(TPACKET_REQ3);
    if (calls.setsockopt(fd, SOL_PACKET, PACKET_RX_RING, arena.address, TPACKET_REQ3.length * 4) < 0) {
      return probe(name, false, `PACKET_RX_RING: ${errnoName(lastErrno())}`, 'free some memory: the ring needs 64 KiB');
    }
    return probe(name, true, 'AF_PACKET with PACKET_RX_RING, TPACKET_V3', '');
  } finally {
    calls.close(fd);
  }
}

function probeXdp(rights: bigint): Probe {
  const name = 'af-xdp';
  if (library() === null) return probe(name, false, 'needs koffi', 'see koffi above');
  const calls = linuxCalls();
  const fd = calls.socket(AF_XDP, SOCK_RAW_CLOEXEC, 0);
  if (fd < 0) {
    const code = errnoName(lastErrno());
    const remedy = code === 'EPERM' ? grant() : 'use a kernel built with CONFIG_XDP_SOCKETS, Linux 5.4 or newer';
    return probe(name, false, `AF_XDP: ${code}`, remedy);
  }
  calls.close(fd);
  const missing = [has(rights, CAP_NET_ADMIN) ? '' : 'CAP_NET_ADMIN', has(rights, CAP_BPF) ? '' : 'CAP_BPF'];
  const names = missing.filter(Boolean).join(' and ');
  return probe(name, names === '', names === '' ? 'AF_XDP sockets' : `AF_XDP sockets, but no ${names}`, grant());
}

function bufferLimit(name: string, key: string): Probe {
  const text = textOf(`/proc/sys/${key.replaceAll('.', '/')}`);
  const remedy = `sudo sysctl -w ${key}=${BUFFER_BYTES_WANTED}`;
  // In a container's network namespace the file is not there, the host's bound holds.
  if (text === null) return probe(name, false, `${key} is not shown here`, `on the host: ${remedy}`);
  const bytes = Number(text);
  return probe(name, bytes >= BUFFER_BYTES_WANTED, `${bytes} bytes`, remedy);
}

function probeMemlock(rights: bigint): Probe {
  const match = /^Max locked memory\s+(\S+)/m.exec(textOf('/proc/self/limits') ?? '');
  const text = match?.[1] ?? '0';
  const bytes = text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text);
  const free = has(rights, CAP_IPC_LOCK);
  const found = (text === 'unlimited' ? text : `${bytes} bytes`) + (free ? ', not enforced (CAP_IPC_LOCK)' : '');
  return probe(
    'memlock',
    free || bytes >= MEMLOCK_BYTES_WANTED,
    found,
    `ulimit -l ${MEMLOCK_BYTES_WANTED / 1024} (in systemd: LimitMEMLOCK=64M), for AF_XDP`,
  );
}

function probeClockSource(): Probe {
  const source = textOf(CLOCK_SOURCE_FILE)?.trim() ?? 'unknown';
  const clock = new SystemClock();
  const reads = 10_000;
  const start = clock.now();
  for (let i = 0; i < reads; i++) clock.now();
  const nanosEach = Math.round(((clock.now() - start) * 1000) / reads);
  return probe(
    'clock-source',
    FAST_CLOCK_SOURCES.includes(source),
    `${source}, ${nanosEach} ns a reading`,
    `echo tsc | sudo tee ${CLOCK_SOURCE_FILE} (where the machine has one: each reading of ${source} enters the kernel)`,
  );
}

function probeTimers(): Probe {
  const name = 'timers';
  if (library() === null) return probe(name, false, "Node's, whole milliseconds", 'see koffi above');
  if (linuxCalls().epoll_pwait2 === null) {
    return probe(name, false, 'epoll_wait, whole milliseconds', 'update to Linux 5.11 and glibc 2.35 or newer');
  }
  const clock = new SystemClock();
  const poller = new EpollPoller(() => clock.now());
  const late: number[] = [];
  for (let round = 0; round < TIMER_ROUNDS; round++) {
    const due = clock.now() + TIMER_MICROS;
    poller.wait(TIMER_MICROS);
    late.push(clock.now() - due);
  }
  poller.close();
  late.sort((a, b) => a - b);
  const median = late[TIMER_ROUNDS >> 1]!;
  return probe(name, true, `epoll_pwait2 with 1 ns timer slack, ${median} us late (median)`, '');
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null; // not mounted, or hidden in a container: the caller says so
  }
}

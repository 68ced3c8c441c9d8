/** Network interfaces as AF_XDP needs to know them: number, MAC, MTU, queues, addresses; and which one a socket belongs to. */

import { readFileSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { ADDRESS_BYTES, addressOf } from '../api.ts';
import { errnoName } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { StructArray } from '../ffi/struct.ts';
import { lastErrno, must } from '../ffi/syscall.ts';
import { SOCK_DGRAM_NONBLOCK_CLOEXEC } from '../linux/abi.ts';
import { linuxCalls } from '../linux/calls.ts';
import { AF_INET } from '../posix/sockaddr.ts';
import * as abi from './abi.ts';
import { xdpCalls } from './calls.ts';
import { xdpError } from './remedies.ts';

const NAME_BYTES_MAX = 15; // IFNAMSIZ, with its zero
/** Where the struct of SIOCETHTOOL lies behind the ifreq. */
const CHANNELS_AT = 64;
/** Columns of /proc/net/route, and of /proc/net/ipv6_route. */
const ROUTE_NAME = 0;
const ROUTE_DESTINATION = 1;
const ROUTE_MASK = 7;
const ROUTE6_PREFIX_BITS = 1;
const ROUTE6_NAME = 9;

/** What the kernel says of an interface now. */
export interface Interface {
  readonly name: string;
  readonly index: number;
  readonly mtuBytes: number;
  /** Queues that frames arrive in. */
  readonly queues: number;
  /** Canonical addresses of its own, with port 0 and without scope. */
  readonly addresses: readonly Uint8Array[];
}

/** A text that names this thread's network namespace. */
export function namespaceName(): string {
  return readlinkSync('/proc/thread-self/ns/net');
}

/**
 * The name of the interface that a socket bound to `local` belongs to: the one with that address, or of the default route
 * where it is bound to all addresses. Null where there is none, or it is the loopback.
 */
export function interfaceFor(local: Uint8Array): string | null {
  const name = isWildcard(local) ? defaultRoute() : ownerOf(local);
  return name === null || networkInterfaces()[name]?.[0]?.internal === true ? null : name;
}

/** Whether an interface that had addresses has gone, or is down or without a carrier. */
export function isDown(name: string): boolean {
  return networkInterfaces()[name] === undefined;
}

/** Whether the canonical address at byte 0 stands for all addresses. */
export function isWildcard(local: Uint8Array): boolean {
  return local.subarray(0, 10).every((byte) => byte === 0) && local.subarray(12, 16).every((byte) => byte === 0);
}

/**
 * Asks about an interface. Null where it is no Ethernet interface: frames of another kind are not ours to write.
 *
 * @throws SysError ENODEV where it is gone, ENETDOWN where it is down
 */
export function describeInterface(name: string): Interface | null {
  if (name.length === 0 || name.length > NAME_BYTES_MAX) throw xdpError('ENODEV', 'ioctl', name);
  const page = NativeArena.map(256);
  const fd = must('socket', () => linuxCalls().socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
  const ask = (request: number): number => {
    page.bytes.fill(0, 0, abi.Ifreq.SIZE);
    for (let i = 0; i < name.length; i++) page.bytes[i] = name.charCodeAt(i);
    if (request === abi.SIOCETHTOOL) page.setPointer(abi.Ifreq.value, page, CHANNELS_AT);
    if (xdpCalls().ioctl(fd, request, page.address) >= 0) return page.u32[abi.Ifreq.value / 4]!;
    if (request === abi.SIOCETHTOOL) return -1;
    throw xdpError(errnoName(lastErrno()), 'ioctl', name);
  };
  try {
    const index = ask(abi.SIOCGIFINDEX);
    const flags = ask(abi.SIOCGIFFLAGS) & 0xffff;
    if ((flags & abi.IFF_UP) === 0) throw xdpError('ENETDOWN', 'ioctl', name);
    if ((flags & abi.IFF_LOOPBACK) !== 0 || (ask(abi.SIOCGIFHWADDR) & 0xffff) !== abi.ARPHRD_ETHER) return null;
    const mtuBytes = ask(abi.SIOCGIFMTU);
    return { name, index, mtuBytes, queues: queuesOf(page, ask), addresses: addressesOf(name) };
  } finally {
    linuxCalls().close(fd);
  }
}

/** How many queues frames arrive in; 1 where the driver does not say. */
function queuesOf(page: NativeArena, ask: (request: number) => number): number {
  const channels = new StructArray(page, abi.EthtoolChannels, CHANNELS_AT, 1);
  page.bytes.fill(0, CHANNELS_AT, CHANNELS_AT + abi.EthtoolChannels.SIZE);
  channels.setU32(0, abi.EthtoolChannels.command, abi.ETHTOOL_GCHANNELS);
  if (ask(abi.SIOCETHTOOL) === -1) return 1;
  const { rx, combined } = abi.EthtoolChannels;
  return Math.max(1, channels.u32(0, rx) + channels.u32(0, combined));
}

function addressesOf(name: string): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (const { address } of networkInterfaces()[name] ?? []) {
    const bytes = addressOf(address, 0);
    if (bytes !== null) found.push(bytes);
  }
  return found;
}

function ownerOf(local: Uint8Array): string | null {
  for (const [name, entries] of Object.entries(networkInterfaces())) {
    for (const { address } of entries ?? []) {
      const bytes = addressOf(address, 0);
      if (bytes !== null && sameHost(bytes, local)) return name;
    }
  }
  return null;
}

/** Whether two canonical addresses are of one host, whatever their ports. */
export function sameHost(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < ADDRESS_BYTES - 8; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The interface of the default route, of IPv4 or else of IPv6; null where there is none. */
function defaultRoute(): string | null {
  for (const row of rowsOf('/proc/thread-self/net/route')) {
    if (row[ROUTE_DESTINATION] === '00000000' && row[ROUTE_MASK] === '00000000') return row[ROUTE_NAME]!;
  }
  for (const row of rowsOf('/proc/thread-self/net/ipv6_route')) {
    if (row[ROUTE6_PREFIX_BITS] === '00' && row[ROUTE6_NAME] !== 'lo') return row[ROUTE6_NAME] ?? null;
  }
  return null;
}

function rowsOf(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
  } catch {
    return []; // no such family here
  }
}

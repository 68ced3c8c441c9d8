/** A UDP socket of Linux: opened and bound here, received by a `ReceiveTable`, sent by a `SendTable`. */

import {
  ADDRESS_BYTES,
  DatagramBatch,
  type DatagramSocket,
  isIPv4,
  portOf,
  SocketStats,
  type SocketWay,
  slotStrideBytes,
} from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { must } from '../ffi/syscall.ts';
import {
  AF_INET,
  AF_INET6,
  addressWords,
  readSockaddr,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  writeSockaddr,
} from '../posix/sockaddr.ts';
import type { ResolvedUdpOptions } from '../posix/udp-options.ts';
import * as abi from './abi.ts';
import { type LinuxCalls, linuxCalls } from './calls.ts';
import type { ReceiveTable } from './receive-table.ts';
import { SendTable } from './send-table.ts';

const NAME_WORD = 0;
const NAME_BYTES_AT = 32;
const OPTION_AT = 40;

/** A bound socket. Made by `LinuxSys.openUdp`. */
export class LinuxUdpSocket implements DatagramSocket {
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: SocketStats = new SocketStats();
  /** The descriptor; -1 once closed, so that nobody reaches what got its number next. */
  pollHandle: number;
  /** Whether the descriptor is closed with this socket. */
  private readonly isOwner: boolean;
  /** Why this socket stands in for one of another backend; '' where it does not. */
  fallback = '';
  /** For those who send a part of `tx` in another way. */
  readonly sender: SendTable;
  private readonly port: number;
  private readonly receiver: ReceiveTable;

  /**
   * @param receiver shared with other sockets of the thread
   * @param gso whether the kernel can join datagrams that are sent
   * @throws SysError what bind or an option failed with; nothing stays open
   */
  constructor(local: Uint8Array, options: ResolvedUdpOptions, receiver: ReceiveTable, gso: boolean) {
    const family = isIPv4(local) ? AF_INET : AF_INET6;
    const { txSlots, txSpareBytes, slotBytes, columns } = options;
    const arena = NativeArena.map(txSlots * slotStrideBytes(slotBytes) + txSpareBytes);
    this.tx = new DatagramBatch(
      arena.bytes,
      txSlots,
      slotBytes,
      { localAddress: columns.localAddress === true },
      { address: arena.address },
    );
    this.receiver = receiver;
    this.rx = receiver.batch;
    this.sender = new SendTable(this.tx, arena, family, options.gso && gso, this.stats);
    this.isOwner = options.descriptor < 0;
    this.pollHandle = this.isOwner ? openBound(local, options) : options.descriptor;
    try {
      if (!this.isOwner) setOptions(this.pollHandle, family, options);
      this.localAddress = boundAddress(this.pollHandle, local);
    } catch (error) {
      this.close();
      throw error;
    }
    this.port = portOf(this.localAddress);
  }

  /** Whether neighbours to one peer are joined; false after the kernel has refused it. */
  get joining(): boolean {
    return this.sender.joining;
  }

  receive(): number {
    return this.pollHandle < 0 ? 0 : this.receiver.receive(this.pollHandle, this.port, this.stats);
  }

  flush(): number {
    return this.pollHandle < 0 || this.tx.count === 0 ? 0 : this.sender.flush(this.pollHandle);
  }

  way(): SocketWay {
    return { backend: 'udp', details: '', fallback: this.fallback };
  }

  close(): void {
    if (this.pollHandle < 0) return;
    const fd = this.pollHandle;
    this.pollHandle = -1;
    this.tx.count = 0;
    if (this.isOwner) linuxCalls().close(fd); // close(2): the number is free whatever it answers, so there is nothing to do about a failure
  }
}

/**
 * Opens a descriptor, sets its options and binds it.
 *
 * @throws SysError what a call failed with; nothing stays open
 */
export function openBound(local: Uint8Array, options: ResolvedUdpOptions): number {
  const calls = linuxCalls();
  const family = isIPv4(local) ? AF_INET : AF_INET6;
  const fd = must('socket', () => calls.socket(family, abi.SOCK_DGRAM_NONBLOCK_CLOEXEC, 0), local);
  try {
    setOptions(fd, family, options);
    const scratch = NativeArena.map(64);
    writeSockaddr(addressWords(local.slice()), 0, family, scratch.i32, NAME_WORD);
    const nameBytes = family === AF_INET6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
    must('bind', () => calls.bind(fd, scratch.address, nameBytes), local);
    return fd;
  } catch (error) {
    calls.close(fd);
    throw error;
  }
}

/** The canonical address that a descriptor is bound to, with the port that the kernel chose. */
export function boundAddress(fd: number, asked: Uint8Array): Uint8Array {
  const scratch = NativeArena.map(64);
  scratch.u32[NAME_BYTES_AT / 4] = SOCKADDR_IN6_BYTES;
  must('getsockname', () => linuxCalls().getsockname(fd, scratch.address, scratch.address + NAME_BYTES_AT), asked);
  const bound = new Uint8Array(ADDRESS_BYTES);
  readSockaddr(scratch.i32, NAME_WORD, addressWords(bound), 0);
  return bound;
}

function setOptions(fd: number, family: number, options: ResolvedUdpOptions): void {
  const calls = linuxCalls();
  const scratch = NativeArena.map(64);
  const set = (level: number, option: number, value: number): void =>
    setOption(calls, scratch, fd, level, option, value);
  if (family === AF_INET6) {
    // Only before it is bound: what another thread has bound is as that one decided.
    if (options.descriptor < 0) set(abi.SOL_IPV6, abi.IPV6_V6ONLY, options.dualStack ? 0 : 1);
    set(abi.SOL_IPV6, abi.IPV6_MTU_DISCOVER, abi.PMTUDISC_PROBE);
    if (options.columns.localAddress) set(abi.SOL_IPV6, abi.IPV6_RECVPKTINFO, 1);
  } else if (options.columns.localAddress) {
    set(abi.SOL_IP, abi.IP_PKTINFO, 1);
  }
  // On an IPv6 socket too: it is what holds for IPv4 peers of a dual-stack one.
  set(abi.SOL_IP, abi.IP_MTU_DISCOVER, abi.PMTUDISC_PROBE);
  if (options.receiveBufferBytes > 0) set(abi.SOL_SOCKET, abi.SO_RCVBUF, options.receiveBufferBytes);
  if (options.sendBufferBytes > 0) set(abi.SOL_SOCKET, abi.SO_SNDBUF, options.sendBufferBytes);
  if (options.reusePort) set(abi.SOL_SOCKET, abi.SO_REUSEPORT, 1);
  if (options.columns.receivedAt) set(abi.SOL_SOCKET, abi.SO_TIMESTAMPNS, 1);
  if (options.gro) set(abi.SOL_UDP, abi.UDP_GRO, 1);
}

/**
 * Sets an option that is an int.
 *
 * @param scratch 44 bytes of native memory
 * @throws SysError
 */
export function setOption(
  calls: LinuxCalls,
  scratch: NativeArena,
  fd: number,
  level: number,
  option: number,
  value: number,
): void {
  scratch.u32[OPTION_AT / 4] = value;
  must(
    'setsockopt',
    () => calls.setsockopt(fd, level, option, scratch.address + OPTION_AT, 4),
    `option ${option} of level ${level}`,
  );
}

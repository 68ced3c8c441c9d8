/** The door to Linux: epoll, and UDP over recvmmsg and sendmmsg. */

import {
  type Aead,
  addressOf,
  type BatchColumns,
  type Capabilities,
  type Clock,
  DATAGRAM_BYTES_MAX,
  type Poller,
  type Rng,
  type Sys,
  SysError,
  type UdpOptions,
} from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { must } from '../ffi/syscall.ts';
import { AF_INET, AF_INET6, addressWords, SOCKADDR_IN6_BYTES, writeSockaddr } from '../posix/sockaddr.ts';
import { type ResolvedUdpOptions, resolveUdpOptions } from '../posix/udp-options.ts';
import type { SharedParts } from '../shared-parts.ts';
import * as abi from './abi.ts';
import { linuxCalls } from './calls.ts';
import { EpollPoller } from './epoll.ts';
import { ReceiveStamps } from './receive-stamps.ts';
import { type ReceiveKind, ReceiveTable } from './receive-table.ts';
import { LinuxUdpSocket, setOption } from './udp-socket.ts';

/** One thread's door to Linux. */
export class LinuxSys implements Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  private readonly shared: SharedParts;
  /** Why its sockets stand in for those of another backend; '' where they do not. */
  private readonly fallback: string;
  /** Receive batches by kind: sockets of one kind share one. */
  private readonly receivers = new Map<string, ReceiveTable>();
  /** Null until a socket asks for the time of arrival. */
  private stamps: ReceiveStamps | null = null;

  /** @throws SysError ENOSYS where koffi cannot load or libc has not the calls */
  constructor(shared: SharedParts, fallback = '') {
    this.shared = shared;
    this.fallback = fallback;
    this.clock = shared.clock;
    this.rng = shared.rng;
    this.capabilities = probe();
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.shared.openAead(slots, slotBytes);
  }

  openPoller(): Poller {
    return new EpollPoller(() => this.clock.now());
  }

  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<LinuxUdpSocket> {
    const resolved = resolveUdpOptions(local, options, this.capabilities.portGroups);
    const socket = this.bindUdp(local, resolved);
    await this.stamping(resolved.columns);
    return socket;
  }

  /** The part of `openUdp` that does not wait: for backends that open more beside the socket, in the same namespace. */
  bindUdp(local: Uint8Array, options: ResolvedUdpOptions): LinuxUdpSocket {
    const receiver = this.receiverOf({
      slots: options.rxSlots,
      slotBytes: options.slotBytes,
      gro: options.gro,
      columns: options.columns,
    });
    const socket = new LinuxUdpSocket(local, options, receiver, this.capabilities.gso);
    socket.fallback = this.fallback;
    return socket;
  }

  /** Settles when the kernel stamps what arrives, if a socket with `columns` needs it. */
  async stamping(columns: BatchColumns): Promise<void> {
    if (!columns.receivedAt) return;
    this.stamps ??= new ReceiveStamps(this.clock);
    await this.stamps.ready;
  }

  close(): void {
    this.stamps?.close();
    this.stamps = null;
    this.receivers.clear();
  }

  private receiverOf(kind: ReceiveKind): ReceiveTable {
    const name = JSON.stringify(kind);
    let receiver = this.receivers.get(name);
    if (receiver === undefined) {
      receiver = new ReceiveTable(kind, this.clock);
      this.receivers.set(name, receiver);
    }
    return receiver;
  }
}

/** Finds out by trying what this kernel can do. */
function probe(): Capabilities {
  const calls = linuxCalls();
  const scratch = NativeArena.map(64);
  const fd = must('socket', () => calls.socket(AF_INET, abi.SOCK_DGRAM_NONBLOCK_CLOEXEC, 0));
  const takes = (level: number, option: number, value: number): boolean => {
    try {
      setOption(calls, scratch, fd, level, option, value);
      return true;
    } catch (error) {
      if (error instanceof SysError) return false; // the answer, not a failure: this kernel does not know the option
      throw error;
    }
  };
  const capabilities: Capabilities = {
    backend: 'linux',
    maxDatagramBytes: DATAGRAM_BYTES_MAX,
    gso: takes(abi.SOL_UDP, abi.UDP_SEGMENT, 0),
    gro: takes(abi.SOL_UDP, abi.UDP_GRO, 1),
    reusePort: takes(abi.SOL_SOCKET, abi.SO_REUSEPORT, 1),
    portGroups: true, // Linux 4.5
    ipv6: hasIPv6(scratch),
    receivedAt: takes(abi.SOL_SOCKET, abi.SO_TIMESTAMPNS, 1),
    localAddress: takes(abi.SOL_IP, abi.IP_PKTINFO, 1),
  };
  calls.close(fd);
  return capabilities;
}

/** Whether a socket binds to `::1`: the family may be compiled in and still be switched off. */
function hasIPv6(scratch: NativeArena): boolean {
  const calls = linuxCalls();
  const fd = calls.socket(AF_INET6, abi.SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  writeSockaddr(addressWords(addressOf('::1', 0)!), 0, AF_INET6, scratch.i32, 0);
  const bound = calls.bind(fd, scratch.address, SOCKADDR_IN6_BYTES) === 0;
  calls.close(fd);
  return bound;
}

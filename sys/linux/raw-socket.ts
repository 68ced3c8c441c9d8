/**
 * A raw socket of Linux (raw(7)): packets of one IP protocol, with the same batches as a UDP socket.
 *
 * - Needs CAP_NET_RAW.
 * - Received over IPv4, a slot starts with the IP header; over IPv6 with what follows it. That is the kernel's habit.
 * - Sent, a slot starts behind the IP header, unless `headerIncluded`.
 * - Ports of addresses mean nothing: received ones are 0, and `flush()` fills in what the kernel wants.
 * - Of ICMPv6 the kernel computes the checksum; all others are the caller's.
 * - Every raw socket gets a copy of every packet of its protocol: give it a filter, and look at whose an answer is.
 */

import {
  ADDRESS_BYTES,
  type Clock,
  DatagramBatch,
  type DatagramSocket,
  isIPv4,
  SocketStats,
  SysError,
  slotStrideBytes,
} from '../api.ts';
import { NativeArena } from '../ffi/arena.ts';
import { must } from '../ffi/syscall.ts';
import type { FilterProgram } from '../filter/program.ts';
import {
  AF_INET,
  AF_INET6,
  addressWords,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  writeSockaddr,
} from '../posix/sockaddr.ts';
import { SO_TIMESTAMPNS, SOL_IP, SOL_IPV6, SOL_SOCKET } from './abi.ts';
import { linuxCalls } from './calls.ts';
import { ReceiveTable } from './receive-table.ts';
import { SendTable } from './send-table.ts';
import { attachFilter, DROP_ALL_PROGRAM } from './socket-filter.ts';
import { setOption } from './udp-socket.ts';

/** SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC. */
export const SOCK_RAW_NONBLOCK_CLOEXEC = 0x80803;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IPV6_UNICAST_HOPS = 16;
/** Of a canonical address. */
const PORT_AT = 16;

/** Options of a raw socket. */
export interface RawSocketOptions {
  /** Packets of one `receive()`, and of one `flush()`. Default 16. */
  readonly slots?: number;
  /** Bytes of a slot; longer packets are dropped and counted. Default 2,048. */
  readonly slotBytes?: number;
  /**
   * What is received; the rest is dropped in the kernel, and costs nothing here. Offset 0 is where a slot starts. Default: all.
   */
  readonly filter?: FilterProgram;
  /** TTL or hop limit of what is sent, 1 to 255. Default the system's, mostly 64. */
  readonly hopLimit?: number;
  /**
   * Fills `rx.receivedAt`. The kernel begins to stamp some milliseconds after the first socket asked; until then a stamp is that of
   * reading. Default false.
   */
  readonly receivedAt?: boolean;
  /** Slots of `tx` start with an IPv4 header of the caller's (IP_HDRINCL). Default false. */
  readonly headerIncluded?: boolean;
}

/** An open raw socket. */
export class RawSocket implements DatagramSocket {
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: SocketStats = new SocketStats();
  /** The descriptor; -1 once closed. */
  pollHandle: number;
  private readonly protocol: number;
  private readonly receiver: ReceiveTable;
  private readonly sender: SendTable;

  /**
   * @param local canonical address to receive at, port 0; its version is the socket's
   * @param protocol number of the IP protocol (`sys/wire/numbers.ts`)
   * @throws SysError EPERM without the right to raw sockets; what bind or an option failed with
   */
  constructor(local: Uint8Array, protocol: number, clock: Clock, options: RawSocketOptions = {}) {
    const { slots = 16, slotBytes = 2048, receivedAt = false } = options;
    const family = isIPv4(local) ? AF_INET : AF_INET6;
    const arena = NativeArena.map(slots * slotStrideBytes(slotBytes));
    this.tx = new DatagramBatch(arena.bytes, slots, slotBytes, {}, { address: arena.address });
    this.receiver = new ReceiveTable({ slots, slotBytes, gro: false, columns: { receivedAt } }, clock);
    this.rx = this.receiver.batch;
    this.sender = new SendTable(this.tx, arena, family, false, this.stats);
    this.localAddress = local.slice(0, ADDRESS_BYTES);
    this.protocol = protocol;
    this.pollHandle = openRaw(family, protocol);
    try {
      const scratch = NativeArena.map(64);
      this.setOptions(scratch, family, options);
      writeSockaddr(addressWords(this.localAddress), 0, family, scratch.i32, 0);
      const nameBytes = family === AF_INET6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
      must('bind', () => linuxCalls().bind(this.pollHandle, scratch.address, nameBytes), local);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private setOptions(scratch: NativeArena, family: number, options: RawSocketOptions): void {
    const { filter, hopLimit, receivedAt, headerIncluded } = options;
    const set = (level: number, option: number, value: number): void =>
      setOption(linuxCalls(), scratch, this.pollHandle, level, option, value);
    if (filter !== undefined) {
      // Packets came from the moment on when it was opened: they are thrown away, and the filter meets an empty socket.
      attachFilter(this.pollHandle, DROP_ALL_PROGRAM);
      while (this.receiver.receive(this.pollHandle, 0, new SocketStats()) > 0);
      attachFilter(this.pollHandle, filter);
    }
    if (headerIncluded) set(SOL_IP, IP_HDRINCL, 1);
    if (receivedAt) set(SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (hopLimit === undefined) return;
    if (family === AF_INET6) set(SOL_IPV6, IPV6_UNICAST_HOPS, hopLimit);
    else set(SOL_IP, IP_TTL, hopLimit);
  }

  receive(): number {
    return this.pollHandle < 0 ? 0 : this.receiver.receive(this.pollHandle, 0, this.stats);
  }

  flush(): number {
    const { count, address } = this.tx;
    if (this.pollHandle < 0 || count === 0) return 0;
    // IPv6 takes the number of the protocol for a port (rawv6_sendmsg), IPv4 any; 0 would be held for a missing one.
    for (let i = 0; i < count; i++) {
      address[i * ADDRESS_BYTES + PORT_AT] = this.protocol;
      address[i * ADDRESS_BYTES + PORT_AT + 1] = 0;
    }
    return this.sender.flush(this.pollHandle);
  }

  close(): void {
    if (this.pollHandle < 0) return;
    const fd = this.pollHandle;
    this.pollHandle = -1;
    this.tx.count = 0;
    linuxCalls().close(fd);
  }
}

function openRaw(family: number, protocol: number): number {
  try {
    return must('socket', () => linuxCalls().socket(family, SOCK_RAW_NONBLOCK_CLOEXEC, protocol));
  } catch (error) {
    if (!(error instanceof SysError) || (error.code !== 'EPERM' && error.code !== 'EACCES')) throw error;
    const remedy =
      'run it as root, or `sudo setcap cap_net_raw=+ep "$(readlink -f "$(which node)")"`; in a container add NET_RAW';
    throw new SysError(error.code, 'socket', `raw sockets need the right CAP_NET_RAW: ${remedy}`);
  }
}

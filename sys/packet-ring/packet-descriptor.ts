/**
 * A packet socket with a receive ring: opened, filtered, bound, in this order, so that no frame gets in that the filter
 * would have dropped. It is bound to a protocol only at the end; until then the kernel hands it nothing.
 */

import { release } from 'node:os';
import { errnoName } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import type { FilterProgram } from '../filter/program.ts';
import { SOL_SOCKET } from '../linux/abi.ts';
import { type LinuxCalls, linuxCalls } from '../linux/calls.ts';
import { attachFilter } from '../linux/socket-filter.ts';
import * as abi from './abi.ts';
import { ringCalls } from './calls.ts';
import { ringError } from './ring-error.ts';

/** Shape of a ring. */
export interface RingShape {
  /** A multiple of the page, and more than the largest frame. */
  readonly blockBytes: number;
  readonly blocks: number;
  /** A block that has a packet is handed over after so long, full or not. */
  readonly retireMillis: number;
}

/** Bytes kept free before each frame, for the VLAN tag that the kernel took off. */
const RESERVE_BYTES = 4;
/** Unused by TPACKET_V3, which packs frames closely, but the kernel divides by it. */
const FRAME_BYTES = 2048;
const VALUE_AT = 0;
const LENGTH_AT = 64;
const ARENA_BYTES = 128;

/** What is known of a descriptor once it is bound. */
export interface PacketDescriptor {
  readonly fd: number;
  /** Of the interface: ARPHRD_ETHER, ARPHRD_LOOPBACK. */
  readonly hardware: number;
  /** Whether the kernel keeps to itself the frames that leave. */
  readonly ignoresOutgoing: boolean;
  /** Whether a `virtio_net_hdr` is before each frame. */
  readonly tellsJoined: boolean;
}

/** Opens one on an interface of the network namespace that this thread is in. @throws SysError with a remedy */
export class PacketOpening {
  private readonly calls: LinuxCalls = linuxCalls();
  private readonly arena: NativeArena = NativeArena.map(ARENA_BYTES);
  private readonly name: string;
  private readonly fd: number;

  constructor(name: string) {
    this.name = name;
    this.fd = this.calls.socket(abi.AF_PACKET, abi.SOCK_RAW_NONBLOCK_CLOEXEC, 0);
    if (this.fd < 0) throw ringError(errnoName(lastErrno()), 'socket(AF_PACKET)', name);
  }

  run(shape: RingShape, filter: FilterProgram | null, promiscuous: boolean): PacketDescriptor {
    const { fd } = this;
    try {
      this.setWord('PACKET_VERSION', abi.PACKET_VERSION, abi.TPACKET_V3);
      this.setWord('PACKET_RESERVE', abi.PACKET_RESERVE, RESERVE_BYTES);
      const tellsJoined = knowsJoinedUdp() && this.tryWord(abi.PACKET_VNET_HDR, 1);
      this.askForRing(shape);
      if (filter !== null) attachFilter(fd, filter);
      const index = ringCalls().if_nametoindex(this.name);
      if (index === 0) throw ringError('ENODEV', 'if_nametoindex', this.name);
      const hardware = this.hardwareOf(index);
      // On loopback every frame passes twice, leaving and arriving: one of them is enough (libpcap drops the same one).
      // The kernel is asked to, which saves the copy; an old one hands both over, and the reader skips.
      const ignoresOutgoing = hardware === abi.ARPHRD_LOOPBACK && this.tryWord(abi.PACKET_IGNORE_OUTGOING, 1);
      if (promiscuous) this.listenToAll(index);
      this.bind(index, abi.ETH_P_ALL_NETWORK);
      const error = pendingError(fd);
      if (error !== '') throw ringError(error, 'bind(AF_PACKET)', this.name);
      return { fd, hardware, ignoresOutgoing, tellsJoined };
    } catch (error) {
      this.calls.close(fd);
      throw error;
    }
  }

  private askForRing({ blockBytes, blocks, retireMillis }: RingShape): void {
    const at = (field: number, value: number): void => {
      this.arena.u32[(VALUE_AT + field) >>> 2] = value;
    };
    at(abi.TpacketReq3.blockBytes, blockBytes);
    at(abi.TpacketReq3.blocks, blocks);
    at(abi.TpacketReq3.frameBytes, FRAME_BYTES);
    at(abi.TpacketReq3.frames, (blockBytes / FRAME_BYTES) * blocks);
    at(abi.TpacketReq3.retireMillis, retireMillis);
    at(abi.TpacketReq3.privateBytes, 0);
    at(abi.TpacketReq3.features, 0);
    this.set('PACKET_RX_RING', abi.SOL_PACKET, abi.PACKET_RX_RING, abi.TpacketReq3.SIZE);
  }

  /** The kind of the interface, which a bound socket knows: bound to no protocol, it still hears nothing. */
  private hardwareOf(index: number): number {
    this.bind(index, 0);
    this.arena.u32[LENGTH_AT >>> 2] = abi.SockaddrLl.SIZE;
    if (this.calls.getsockname(this.fd, this.arena.address + VALUE_AT, this.arena.address + LENGTH_AT) < 0)
      throw ringError(errnoName(lastErrno()), 'getsockname', this.name);
    pendingError(this.fd); // that of an interface which is down: asked again after the second bind
    const hardware = this.arena.view.getUint16(VALUE_AT + abi.SockaddrLl.hardware, true);
    if (hardware !== abi.ARPHRD_ETHER && hardware !== abi.ARPHRD_LOOPBACK)
      throw ringError('EPROTONOSUPPORT', 'bind(AF_PACKET)', this.name);
    return hardware;
  }

  private bind(index: number, protocol: number): void {
    const { view } = this.arena;
    this.arena.bytes.fill(0, VALUE_AT, VALUE_AT + abi.SockaddrLl.SIZE);
    view.setUint16(VALUE_AT + abi.SockaddrLl.family, abi.AF_PACKET, true);
    view.setUint16(VALUE_AT + abi.SockaddrLl.protocol, protocol, true);
    view.setInt32(VALUE_AT + abi.SockaddrLl.interface, index, true);
    if (this.calls.bind(this.fd, this.arena.address + VALUE_AT, abi.SockaddrLl.SIZE) < 0)
      throw ringError(errnoName(lastErrno()), 'bind(AF_PACKET)', this.name);
  }

  /** `struct packet_mreq`: interface, type, no address. */
  private listenToAll(index: number): void {
    this.arena.u32.fill(0, 0, 4);
    this.arena.u32[0] = index;
    this.arena.u32[1] = abi.PACKET_MR_PROMISC;
    this.set('PACKET_ADD_MEMBERSHIP', abi.SOL_PACKET, abi.PACKET_ADD_MEMBERSHIP, 16);
  }

  private setWord(what: string, option: number, value: number): void {
    this.arena.u32[VALUE_AT >>> 2] = value;
    this.set(what, abi.SOL_PACKET, option, 4);
  }

  private tryWord(option: number, value: number): boolean {
    this.arena.u32[VALUE_AT >>> 2] = value;
    return this.calls.setsockopt(this.fd, abi.SOL_PACKET, option, this.arena.address + VALUE_AT, 4) >= 0;
  }

  private set(what: string, level: number, option: number, bytes: number): void {
    if (this.calls.setsockopt(this.fd, level, option, this.arena.address + VALUE_AT, bytes) < 0)
      throw ringError(errnoName(lastErrno()), `setsockopt(${what})`, this.name);
  }
}

/** Before Linux 6.2 the kernel has no word for joined UDP datagrams, and drops the frame where it should say it. */
function knowsJoinedUdp(): boolean {
  const [major, minor] = release().split('.').map(Number) as [number, number];
  return major > 6 || (major === 6 && minor >= 2);
}

let errorArena: NativeArena | null = null;

/** The name of the error that waits on a socket, and takes it off; '' where there is none. */
export function pendingError(fd: number): string {
  errorArena ??= NativeArena.map(16);
  errorArena.u32[0] = 0;
  errorArena.u32[1] = 4;
  const { address } = errorArena;
  if (linuxCalls().getsockopt(fd, SOL_SOCKET, abi.SO_ERROR, address, address + 4) < 0) return errnoName(lastErrno());
  const errno = errorArena.u32[0]!;
  return errno === 0 ? '' : errnoName(errno);
}

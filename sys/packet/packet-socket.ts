/**
 * A UDP socket that sends past the kernel's UDP: the ordinary socket is bound and receives, frames go out by a packet
 * socket beside it.
 *
 * Each datagram goes one of two ways, decided anew in each flush. *As a frame*: `NextHops` knows the way, and the datagram
 * fits the interface. *By UDP*: everything else, and whatever a device refuses. `flush` keeps the order of `tx`; between
 * the two ways the network may still reorder, as it may anyway: frames skip the queue that what went by UDP stands in.
 * After a device was full, frames wait until that queue is empty.
 */

import {
  type BatchColumns,
  type Clock,
  type DatagramBatch,
  type DatagramSocket,
  isIPv4,
  portOf,
  type SocketStats,
  type SocketWay,
} from '../api.ts';
import { errnoOf } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { must } from '../ffi/syscall.ts';
import { SOL_IP, SOL_IPV6 } from '../linux/abi.ts';
import { linuxCalls } from '../linux/calls.ts';
import { FrameTemplates } from '../linux/netlink/frame-templates.ts';
import type { NextHops } from '../linux/netlink/next-hops.ts';
import type { LinuxUdpSocket } from '../linux/udp-socket.ts';
import { ADDRESS_WORDS, addressWords, isMapped } from '../posix/sockaddr.ts';
import { IP_TTL, IPV6_UNICAST_HOPS, SIOCOUTQ } from './abi.ts';
import { FrameTable } from './frame-table.ts';
import { CHECKSUM_IN_UDP } from './offload-header.ts';

const ENOBUFS: number = errnoOf('ENOBUFS');
const EAGAIN: number = errnoOf('EAGAIN');
/** Ethernet and the longest IP packet: the kernel sets no other limit. */
const FRAME_BYTES_MAX: number = 14 + 0xffff;
/** After a full device: frames wait for the queue to empty, but not longer than this (one peer's queue may never empty). */
const FULL_HOLD_MICROS = 20_000;
/** After a refusal that means something else: it would be refused again. */
const REFUSED_HOLD_MICROS = 1_000_000;
/** Scratch for getsockopt and ioctl: the value, then its length. */
const SCRATCH_BYTES = 16;

/** Which way datagrams went, since the socket was opened. */
export interface WayStats {
  /** Left as frames; of these, joined to others in one. */
  readonly framesOut: number;
  readonly framesJoined: number;
  /** Were given to the UDP socket (which counts what became of them). */
  readonly udpOut: number;
  /** Frames that the kernel refused as the device was full, and for another reason. They went by UDP. */
  readonly framesFull: number;
  readonly framesRefused: number;
}

/** How a socket was opened, as far as it matters for sending. */
export interface PacketSocketOptions {
  readonly gso: boolean;
  readonly dualStack: boolean;
  readonly columns: BatchColumns;
}

/** Made by `PacketSys.openUdp`. */
export class PacketUdpSocket implements DatagramSocket {
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: SocketStats;
  private readonly udp: LinuxUdpSocket;
  private readonly hops: NextHops;
  private readonly clock: Clock;
  private readonly frames: FrameTable;
  private readonly closed: () => void;
  private readonly templates: FrameTemplates;
  /** By entry: a template, -1 for UDP. */
  private readonly templateOf: Int32Array;
  private readonly scratch: NativeArena = NativeArena.map(SCRATCH_BYTES);
  private readonly heldUntil: Float64Array = new Float64Array(1);
  /** Whether frames wait for now. */
  private held = false;
  private heldAsFull = false;
  private udpOut = 0;
  private framesFull = 0;
  private framesRefused = 0;

  /**
   * @param udp the bound socket; belongs to this one from now on, unless this throws
   * @param hops of the same network namespace
   * @param closed called once, when the socket is closed
   * @throws SysError EPERM without CAP_NET_RAW
   */
  constructor(udp: LinuxUdpSocket, hops: NextHops, clock: Clock, options: PacketSocketOptions, closed: () => void) {
    this.udp = udp;
    this.hops = hops;
    this.clock = clock;
    this.closed = closed;
    this.rx = udp.rx;
    this.tx = udp.tx;
    this.localAddress = udp.localAddress;
    this.stats = udp.stats;
    const ipv6 = !isIPv4(udp.localAddress);
    const bound = addressWords(udp.localAddress.slice());
    if (isMapped(bound, 0) && bound[3] === 0) bound.fill(0, 0, 4); // 0.0.0.0 is any, as :: is
    const perSlot = udp.tx.localAddress;
    // From the address of each entry where there is the column, else from one for all; zeros: the kernel chooses.
    const sources = perSlot === null ? bound : addressWords(perSlot);
    this.templates = new FrameTemplates(
      hops,
      addressWords(udp.tx.address),
      sources,
      perSlot === null ? 0 : ADDRESS_WORDS,
      {
        sourcePort: portOf(udp.localAddress),
        ttl: this.option(SOL_IP, IP_TTL),
        hopLimit: ipv6 ? this.option(SOL_IPV6, IPV6_UNICAST_HOPS) : 0,
        sendsIPv4: !ipv6 || options.dualStack,
        sendsIPv6: ipv6,
        interfaceIndex: 0,
        frameBytesMax: FRAME_BYTES_MAX,
        prefix: CHECKSUM_IN_UDP,
      },
    );
    this.frames = new FrameTable(udp.tx, udp.stats, udp.sender, this.templates, options.gso);
    this.templateOf = new Int32Array(udp.tx.slots);
  }

  get pollHandle(): number {
    return this.udp.pollHandle;
  }

  /** Which way datagrams have gone. A new object each time. */
  get ways(): WayStats {
    return {
      framesOut: this.frames.datagramsOut,
      framesJoined: this.frames.datagramsJoined,
      udpOut: this.udpOut,
      framesFull: this.framesFull,
      framesRefused: this.framesRefused,
    };
  }

  way(): SocketWay {
    return { backend: 'packet', details: 'received by UDP, sent as frames', fallback: '' };
  }

  receive(): number {
    return this.udp.receive();
  }

  flush(): number {
    const { tx, frames, templateOf } = this;
    const total = tx.count;
    if (this.pollHandle < 0 || total === 0) return 0;
    if (this.chooseWays(total) === 0) {
      const left = this.udp.flush();
      this.udpOut += left;
      return left;
    }
    let head = 0;
    while (head < total) {
      if (templateOf[head]! >= 0) {
        head = frames.send(templateOf, head, total);
        if (frames.refusal !== 0) this.refuse(head, total);
        continue;
      }
      let end = head + 1;
      while (end < total && templateOf[end]! < 0) end++;
      const reached = this.udp.sender.sendRange(this.pollHandle, head, end);
      this.udpOut += reached - head;
      head = reached;
      if (reached < end) break; // the kernel takes no more
    }
    this.tx.dropFront(head);
    return head;
  }

  close(): void {
    if (this.pollHandle < 0) return;
    this.udp.close();
    this.frames.close();
    this.closed();
  }

  /** Fills `templateOf` for entries below `total`; returns how many go as frames. */
  private chooseWays(total: number): number {
    const { templates, templateOf } = this;
    const { length } = this.tx;
    this.lookAround(this.clock.now());
    if (this.held) return 0;
    let frames = 0;
    for (let entry = 0; entry < total; entry++) {
      const template = templates.find(entry, length[entry]!);
      templateOf[entry] = template;
      if (template >= 0) frames++;
    }
    return frames;
  }

  /** Takes in what is new at `now`, which is passed on as it came: made anew at each call it would be boxed each time. */
  private lookAround(now: number): void {
    this.hops.look(now);
    if (this.held && (this.heldUntil[0]! <= now || (this.heldAsFull && this.queuedByUdp() === 0))) this.held = false;
  }

  /** The frame of entry `head` was refused: it and what comes after it go by UDP, so that the order stays. */
  private refuse(head: number, total: number): void {
    const { frames, templateOf, templates, hops } = this;
    const full = frames.refusal === ENOBUFS || frames.refusal === EAGAIN;
    if (full) this.framesFull++;
    else this.framesRefused++;
    // A device that is down or gone, or has another MTU, says so here before its news come.
    hops.doubt(templates.rowOf(templateOf[head]!));
    this.held = true;
    this.heldAsFull = full;
    this.heldUntil[0] = this.clock.now() + (full ? FULL_HOLD_MICROS : REFUSED_HOLD_MICROS);
    templateOf.fill(-1, head, total);
  }

  /** Bytes that went by UDP and have not left the machine. */
  private queuedByUdp(): number {
    const { scratch } = this;
    scratch.i32[0] = 0;
    linuxCalls().ioctl(this.pollHandle, SIOCOUTQ, scratch.address); // what it cannot say counts as none
    return scratch.i32[0]!;
  }

  private option(level: number, option: number): number {
    const { scratch } = this;
    scratch.i32[0] = 0;
    scratch.i32[1] = 4;
    must(
      'getsockopt',
      () => linuxCalls().getsockopt(this.pollHandle, level, option, scratch.address, scratch.address + 4),
      `option ${option} of level ${level}`,
    );
    return scratch.i32[0]!;
  }
}

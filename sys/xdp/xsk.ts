/** One AF_XDP socket: a descriptor, its rings mapped, bound to one queue of an interface. */

import { errnoName } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { StructArray } from '../ffi/struct.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { linuxCalls } from '../linux/calls.ts';
import * as abi from './abi.ts';
import { xdpCalls } from './calls.ts';
import { type XdpStep, xdpError } from './remedies.ts';
import { ConsumerRing, ProducerRing, type RingOffsets } from './ring.ts';

const MAP_FAILED_ABOVE = 2 ** 52;
/** Scratch of the set-up calls: offsets or statistics, a value and its length. */
const VALUE_AT = 256;
const LENGTH_AT = 264;
/** A queue is given back some milliseconds after its last socket was closed: until then it is busy. */
const BIND_TRIES = 20;
const BIND_PAUSE_MILLIS = 5;
/** Nobody ever wakes who waits on it. */
const PAUSE: Int32Array = new Int32Array(new SharedArrayBuffer(4));
const OFFSETS_BYTES: number = 4 * abi.XdpRingOffset.SIZE;

/** What is counted of frames that came and found no room. */
export interface XskDrops {
  /** The ring of received frames was full. */
  readonly ringFull: number;
  /** No frame was free to receive into. */
  readonly noFrame: number;
  /** Anything else. */
  readonly other: number;
}

/** A socket of AF_XDP. Open it, register or share memory, add rings, bind. */
export class Xsk {
  /** -1 once closed. */
  fd: number;
  rx: ConsumerRing | null = null;
  tx: ProducerRing | null = null;
  fill: ProducerRing | null = null;
  completion: ConsumerRing | null = null;
  private readonly scratch: NativeArena = NativeArena.map(512);
  private readonly mappings: { address: number; bytes: number }[] = [];
  /** The interface and the queue, for errors. */
  private readonly subject: string;

  /** @throws SysError EPERM without CAP_NET_RAW, EAFNOSUPPORT without AF_XDP */
  constructor(subject: string) {
    this.subject = subject;
    this.fd = linuxCalls().socket(abi.AF_XDP, abi.SOCK_RAW_CLOEXEC, 0);
    if (this.fd < 0) throw xdpError(errnoName(lastErrno()), 'socket(AF_XDP)', subject);
  }

  /**
   * Makes `bytes` bytes of `arena` the memory of frames. They count as locked. Returns whether what is sent may be preceded
   * by a word to the kernel about its checksum, which old kernels do not take.
   */
  registerUmem(arena: NativeArena, bytes: number, chunkBytes: number): boolean {
    const request = new StructArray(this.scratch, abi.XdpUmemReg, 0, 1);
    this.scratch.bytes.fill(0, 0, abi.XdpUmemReg.SIZE);
    request.setPointer(0, abi.XdpUmemReg.address, arena, 0);
    request.setU64(0, abi.XdpUmemReg.bytes, bytes);
    request.setU32(0, abi.XdpUmemReg.chunkBytes, chunkBytes);
    request.setU32(0, abi.XdpUmemReg.flags, abi.XDP_UMEM_TX_METADATA_LEN);
    request.setU32(0, abi.XdpUmemReg.metadataBytes, abi.XSK_TX_METADATA_BYTES);
    if (this.trySetOption(abi.XDP_UMEM_REG_OPTION, abi.XdpUmemReg.SIZE)) return true;
    request.setU32(0, abi.XdpUmemReg.flags, 0);
    request.setU32(0, abi.XdpUmemReg.metadataBytes, 0);
    this.setOption(abi.XDP_UMEM_REG_OPTION, abi.XdpUmemReg.SIZE);
    return false;
  }

  /** Makes the rings whose size is not 0, and maps them. Sizes are powers of two. */
  openRings(sizes: { rx?: number; tx?: number; fill?: number; completion?: number }): void {
    const { rx = 0, tx = 0, fill = 0, completion = 0 } = sizes;
    for (const [option, size] of [
      [abi.XDP_UMEM_FILL_RING, fill],
      [abi.XDP_UMEM_COMPLETION_RING, completion],
      [abi.XDP_RX_RING, rx],
      [abi.XDP_TX_RING, tx],
    ] as const) {
      if (size === 0) continue;
      this.scratch.u32[0] = size;
      this.setOption(option, 4);
    }
    this.getOption(abi.XDP_MMAP_OFFSETS, OFFSETS_BYTES);
    const desc = abi.XDP_DESC_BYTES;
    const offsets = [0, 1, 2, 3].map((ring) => this.offsetsOf(ring));
    if (rx > 0) this.rx = new ConsumerRing(...this.map(abi.XDP_PGOFF_RX_RING, offsets[0]!, rx, desc));
    if (tx > 0) this.tx = new ProducerRing(...this.map(abi.XDP_PGOFF_TX_RING, offsets[1]!, tx, desc));
    if (fill > 0) this.fill = new ProducerRing(...this.map(abi.XDP_UMEM_PGOFF_FILL_RING, offsets[2]!, fill, 8));
    if (completion > 0) {
      const pages = abi.XDP_UMEM_PGOFF_COMPLETION_RING;
      this.completion = new ConsumerRing(...this.map(pages, offsets[3]!, completion, 8));
    }
  }

  /**
   * Binds to a queue of an interface.
   *
   * @param flags XDP_SHARED_UMEM alone with `sharedFd`, else how to bind
   * @param sharedFd a socket whose frames this one uses; of the same queue: its rings for free and sent frames too
   */
  bind(interfaceIndex: number, queue: number, flags: number, sharedFd = 0): void {
    const name = new StructArray(this.scratch, abi.SockaddrXdp, 0, 1);
    name.setU16(0, abi.SockaddrXdp.family, abi.AF_XDP);
    name.setU16(0, abi.SockaddrXdp.flags, flags);
    name.setU32(0, abi.SockaddrXdp.interface, interfaceIndex);
    name.setU32(0, abi.SockaddrXdp.queue, queue);
    name.setU32(0, abi.SockaddrXdp.sharedFd, sharedFd);
    for (let tries = 1; ; tries++) {
      if (linuxCalls().bind(this.fd, this.scratch.address, abi.SockaddrXdp.SIZE) >= 0) return;
      const code = errnoName(lastErrno());
      if (code !== 'EBUSY' || tries === BIND_TRIES) throw xdpError(code, 'bind(AF_XDP)', this.subject);
      Atomics.wait(PAUSE, 0, 0, BIND_PAUSE_MILLIS);
    }
  }

  /** Whether the driver uses our frames as they are; else the kernel copies. */
  get zeroCopy(): boolean {
    this.getOption(abi.XDP_OPTIONS, 4);
    return (this.scratch.u32[0]! & abi.XDP_OPTIONS_ZEROCOPY) !== 0;
  }

  /** Lets one kick send `frames` frames instead of 32; false where the kernel is older than the option (6.17). */
  raiseBudget(frames: number): boolean {
    this.scratch.u32[0] = frames;
    return linuxCalls().setsockopt(this.fd, abi.SOL_XDP, abi.XDP_MAX_TX_SKB_BUDGET, this.scratch.address, 4) >= 0;
  }

  /** Frames that came for this socket and were dropped by the kernel since it was opened. */
  drops(): XskDrops {
    const { view } = this.scratch;
    this.getOption(abi.XDP_STATISTICS_OPTION, abi.XdpStatistics.SIZE);
    const at = (field: number) => Number(view.getBigUint64(field, true));
    return {
      ringFull: at(abi.XdpStatistics.rxRingFull),
      noFrame: at(abi.XdpStatistics.fillRingEmpty),
      other: at(abi.XdpStatistics.rxDropped),
    };
  }

  /** Gives everything back. The rings first: while one is mapped, the kernel keeps the queue. */
  close(): void {
    for (const ring of [this.rx, this.tx, this.fill, this.completion]) ring?.detach();
    for (const { address, bytes } of this.mappings) xdpCalls().munmap(address, bytes);
    this.mappings.length = 0;
    if (this.fd >= 0) linuxCalls().close(this.fd);
    this.fd = -1;
  }

  private offsetsOf(ring: number): RingOffsets {
    const view = this.scratch.view;
    const at = (field: number) => Number(view.getBigUint64(ring * abi.XdpRingOffset.SIZE + field, true));
    return {
      producer: at(abi.XdpRingOffset.producer),
      consumer: at(abi.XdpRingOffset.consumer),
      descriptors: at(abi.XdpRingOffset.descriptors),
      flags: at(abi.XdpRingOffset.flags),
    };
  }

  /** Maps a ring; the arguments of its constructor. */
  private map(
    pageOffset: number,
    offsets: RingOffsets,
    size: number,
    descriptorBytes: number,
  ): [number, number, RingOffsets, number, number] {
    const bytes = offsets.descriptors + size * descriptorBytes;
    const found = xdpCalls().mmap(0, bytes, abi.PROT_READ_WRITE, abi.MAP_SHARED_POPULATE, this.fd, pageOffset);
    if (found > MAP_FAILED_ABOVE) this.fail('mmap(AF_XDP)');
    const address = Number(found);
    this.mappings.push({ address, bytes });
    return [address, bytes, offsets, size, descriptorBytes];
  }

  private setOption(option: number, bytes: number): void {
    if (!this.trySetOption(option, bytes)) this.fail('setsockopt(SOL_XDP)');
  }

  private trySetOption(option: number, bytes: number): boolean {
    return linuxCalls().setsockopt(this.fd, abi.SOL_XDP, option, this.scratch.address, bytes) >= 0;
  }

  private getOption(option: number, bytes: number): void {
    const { scratch } = this;
    scratch.bytes.fill(0, 0, VALUE_AT);
    scratch.u32[LENGTH_AT / 4] = bytes;
    const result = linuxCalls().getsockopt(this.fd, abi.SOL_XDP, option, scratch.address, scratch.address + LENGTH_AT);
    if (result < 0) this.fail('getsockopt(SOL_XDP)');
  }

  private fail(step: XdpStep): never {
    throw xdpError(errnoName(lastErrno()), step, this.subject);
  }
}

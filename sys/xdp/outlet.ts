/** The way out of an interface: frames to send from, the ring that hands them over, and the kick that makes the kernel look. */

import type { SocketStats } from '../api.ts';
import { errnoOf } from '../errno.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { MSG_DONTWAIT } from '../linux/abi.ts';
import { linuxCalls } from '../linux/calls.ts';
import { HEADERS_SHIFT, IPV4_HEADERS_BYTES, IPV6_HEADERS_BYTES } from '../linux/netlink/frame-templates.ts';
import { UDP_BYTES } from '../wire/udp.ts';
import * as abi from './abi.ts';
import type { ConsumerRing, ProducerRing } from './ring.ts';
import type { Umem } from './umem.ts';
import type { Xsk } from './xsk.ts';

/** The interface is gone, or down. */
const GONE: ReadonlySet<number> = new Set(['ENXIO', 'ENETDOWN', 'ENODEV', 'EBADF'].map(errnoOf));
/** Kicks of one hand-over: with the budget of old kernels (32 frames) enough for a ring of 8,192. */
const KICKS_MAX = 256;

/**
 * Frames of one hand-over: so many stay in the nearer caches from the writing until the kernel has copied them, and are used
 * again at once. Fewer are slower, as the call itself takes a microsecond and more.
 */
const BURST = 256;
/**
 * Frames start a few cache lines apart in their chunks: all at a multiple of 2,048 they would share a handful of the cache's
 * sets and push each other out.
 */
const SHADES = 4;
const SHADE_BYTES = 64;
/** Bytes of a chunk that a frame may not use: shades, and before the frame what it tells the kernel. */
export const UNUSED_BYTES: number = (SHADES - 1) * SHADE_BYTES + abi.XSK_TX_METADATA_BYTES + HEADERS_SHIFT;
/** Where the UDP header starts in a frame, by family, and its checksum in that. */
const UDP_AT_IPV4: number = IPV4_HEADERS_BYTES - UDP_BYTES;
const UDP_AT_IPV6: number = IPV6_HEADERS_BYTES - UDP_BYTES;
const CHECKSUM_IN_UDP = 6;

/** Sends frames through one queue; all sockets of the interface share it. */
export class Outlet {
  /** Whether the kernel has refused to send at all: the interface is gone or down. */
  gone = false;
  private readonly xsk: Xsk;
  private readonly tx: ProducerRing;
  private readonly completion: ConsumerRing;
  private readonly zeroCopy: boolean;
  /** Whether the kernel, or the card, computes UDP checksums: frames are queued with the sum of the pseudo-header. */
  readonly sums: boolean;
  private readonly halves: Uint16Array;
  private readonly frameOptions: number;
  private readonly free: Int32Array;
  private freeCount: number;
  private queued = 0;

  constructor(xsk: Xsk, umem: Umem, zeroCopy: boolean, sums: boolean) {
    this.sums = sums;
    this.frameOptions = sums ? abi.XDP_TX_METADATA : 0;
    this.halves = new Uint16Array(umem.arena.bytes.buffer, umem.arena.bytes.byteOffset, umem.bytes >>> 1);
    this.xsk = xsk;
    this.tx = xsk.tx!;
    this.completion = xsk.completion!;
    this.zeroCopy = zeroCopy;
    this.free = new Int32Array(umem.txFrames);
    this.freeCount = umem.txFrames;
    for (let i = 0; i < umem.txFrames; i++) {
      const at = umem.txStart + i * umem.chunkBytes + (i % SHADES) * SHADE_BYTES + abi.XSK_TX_METADATA_BYTES;
      this.free[i] = at;
      this.halves[metadataOf(at, abi.XSK_TX_METADATA_FLAGS_AT)] = abi.XDP_TXMD_FLAGS_CHECKSUM;
      this.halves[metadataOf(at, abi.XSK_TX_METADATA_OFFSET_AT)] = CHECKSUM_IN_UDP;
    }
  }

  /** Begins a hand-over: takes back frames that have been sent, and returns how many can be queued, up to `wanted`. */
  begin(wanted: number): number {
    const { completion, free } = this;
    const { words } = completion;
    const done = completion.peek(free.length);
    let { freeCount } = this;
    for (let i = 0; i < done; i++) free[freeCount++] = words[completion.wordOf(i)]! - HEADERS_SHIFT;
    if (done > 0) completion.release(done);
    this.freeCount = freeCount;
    this.queued = 0;
    const room = Math.min(wanted, freeCount, BURST);
    return this.gone || room === 0 ? 0 : this.tx.reserve(room);
  }

  /** Where in the arena the next frame is to be written, HEADERS_SHIFT bytes further. */
  nextFrame(): number {
    return this.free[this.freeCount - 1]!;
  }

  /** Queues the frame written at `nextFrame()`. */
  queue(bytes: number, ipv4: boolean): void {
    const { tx } = this;
    const { words } = tx;
    const word = tx.wordOf(this.queued++);
    const frame = this.free[--this.freeCount]!;
    words[word] = frame + HEADERS_SHIFT;
    words[word + 1] = 0;
    words[word + 2] = bytes;
    words[word + 3] = this.frameOptions;
    this.halves[metadataOf(frame, abi.XSK_TX_METADATA_START_AT)] = ipv4 ? UDP_AT_IPV4 : UDP_AT_IPV6;
  }

  /** Hands over what was queued. Returns how many frames the kernel took: the first ones; the rest were not sent. */
  send(stats: SocketStats): number {
    const { tx, queued } = this;
    if (queued === 0) return 0;
    tx.submit(queued);
    this.queued = 0;
    if (this.zeroCopy) {
      // The driver takes them when it gets there; they are its own.
      if (tx.needsWakeup) this.kick(stats);
      return queued;
    }
    const left = this.kickUntilSent(stats);
    if (left > 0) this.takeBack(left);
    return queued - left;
  }

  /** Kicks while the kernel makes progress; returns how many frames it left. */
  private kickUntilSent(stats: SocketStats): number {
    const { tx } = this;
    let pending = tx.pending;
    for (let kicks = 0; pending > 0 && kicks < KICKS_MAX; kicks++) {
      this.kick(stats);
      const left = tx.pending;
      if (left === pending) break; // the card is full, or the socket's share of memory
      pending = left;
    }
    return pending;
  }

  private kick(stats: SocketStats): void {
    stats.syscalls++;
    if (linuxCalls().sendto(this.xsk.fd, 0, 0, MSG_DONTWAIT, 0, 0) >= 0) return;
    if (GONE.has(lastErrno())) this.gone = true;
  }

  /** The last `count` frames were not taken: they are free again. */
  private takeBack(count: number): void {
    const { tx } = this;
    tx.retract(count);
    for (let i = 0; i < count; i++) this.free[this.freeCount++] = tx.words[tx.wordOf(i)]! - HEADERS_SHIFT;
  }
}

/** The half word of the metadata, `at` bytes into it, of the frame that starts HEADERS_SHIFT bytes behind byte `frame`. */
function metadataOf(frame: number, at: number): number {
  return (frame + HEADERS_SHIFT - abi.XSK_TX_METADATA_BYTES + at) >>> 1;
}

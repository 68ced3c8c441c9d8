/** The way out of an interface: frames to send from, the ring that hands them over, and the kick that makes the kernel look. */

import type { SocketStats } from '../api.ts';
import { errnoOf } from '../errno.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { MSG_DONTWAIT } from '../linux/abi.ts';
import { xdpCalls } from './calls.ts';
import type { ConsumerRing, ProducerRing } from './ring.ts';
import type { Umem } from './umem.ts';
import type { Xsk } from './xsk.ts';

/** The interface is gone, or down. */
const GONE: ReadonlySet<number> = new Set(['ENXIO', 'ENETDOWN', 'ENODEV', 'EBADF'].map(errnoOf));
/** Kicks of one hand-over: with the budget of old kernels (32 frames) enough for a ring of 8,192. */
const KICKS_MAX = 256;
/** Room before a frame, so that the payload behind 42 bytes of headers is aligned to 4. */
const FRAME_SHIFT = 2;

/** Sends frames through one queue; all sockets of the interface share it. */
export class Outlet {
  /** Whether the kernel has refused to send at all: the interface is gone or down. */
  gone = false;
  private readonly xsk: Xsk;
  private readonly tx: ProducerRing;
  private readonly completion: ConsumerRing;
  private readonly zeroCopy: boolean;
  private readonly free: Int32Array;
  private freeCount: number;
  private queued = 0;
  private readonly chunkMask: number;

  constructor(xsk: Xsk, umem: Umem, zeroCopy: boolean) {
    this.xsk = xsk;
    this.tx = xsk.tx!;
    this.completion = xsk.completion!;
    this.zeroCopy = zeroCopy;
    this.chunkMask = ~(umem.chunkBytes - 1);
    this.free = new Int32Array(umem.txFrames);
    this.freeCount = umem.txFrames;
    for (let i = 0; i < umem.txFrames; i++) this.free[i] = umem.txStart + i * umem.chunkBytes;
  }

  /** Begins a flush: takes back frames that have been sent, and returns how many can be queued, up to `wanted`. */
  begin(wanted: number): number {
    const { completion } = this;
    const done = completion.peek(this.free.length);
    for (let i = 0; i < done; i++) {
      this.free[this.freeCount++] = completion.words[completion.wordOf(i)]! & this.chunkMask;
    }
    if (done > 0) completion.release(done);
    this.queued = 0;
    const room = Math.min(wanted, this.freeCount);
    return this.gone || room === 0 ? 0 : this.tx.reserve(room);
  }

  /** Where in the arena the next frame is to be written. */
  nextFrame(): number {
    return this.free[this.freeCount - 1]! + FRAME_SHIFT;
  }

  /** Queues the frame written at `nextFrame()`. */
  queue(bytes: number): void {
    const { tx } = this;
    const word = tx.wordOf(this.queued++);
    tx.words[word] = this.free[--this.freeCount]! + FRAME_SHIFT;
    tx.words[word + 1] = 0;
    tx.words[word + 2] = bytes;
    tx.words[word + 3] = 0;
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
    if (xdpCalls().sendto(this.xsk.fd, 0, 0, MSG_DONTWAIT, 0, 0) >= 0) return;
    if (GONE.has(lastErrno())) this.gone = true;
  }

  /** The last `count` frames were not taken: they are free again. */
  private takeBack(count: number): void {
    const { tx } = this;
    tx.retract(count);
    for (let i = 0; i < count; i++) this.free[this.freeCount++] = tx.words[tx.wordOf(i)]! & this.chunkMask;
  }
}

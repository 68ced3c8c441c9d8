/**
 * Receiving: reads that are posted before datagrams come, in a ring.
 *
 * The kernel serves reads in the order in which they were posted, so datagrams leave the ring in that order whenever their
 * packets come. The ring has twice the reads that one `receive()` hands out: while one half is with the caller the other
 * is with the kernel, and "no read at the head is done" means "nothing waits".
 *
 *     lent to the caller      done           with the kernel     posted at the next receive()
 *     [ lent ]                [ posted ................... ]     [ the rest ]
 *                             head
 */

import { DatagramBatch, HEADROOM_BYTES, type SocketStats, slotStrideBytes } from '../api.ts';
import { sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { ADDRESS_WORDS, readSockaddr } from '../posix/sockaddr.ts';
import { STATUS_BUFFER_OVERFLOW, STATUS_PENDING, STATUS_SUCCESS } from './abi.ts';
import { type WindowsCalls, windowsCalls } from './calls.ts';
import { isOurs, WSA_IO_PENDING, WSAEMSGSIZE, windowsErrorName } from './errors.ts';
import { OperationTable } from './operation-table.ts';
import { WINDOWS_FORM } from './sockaddr-form.ts';

/** Datagrams of one `receive()`: each is a call in any case, and the kernel keeps what comes beyond (SO_RCVBUF). */
const READS_MAX = 16;
/** Errors that belong to a datagram sent earlier are passed over, this many in one receive. */
const ERRORS_MAX = 16;

/** The posted reads of one socket, and the batch that they are handed out in. */
export class ReadRing {
  readonly batch: DatagramBatch;
  private readonly calls: WindowsCalls = windowsCalls();
  private readonly stats: SocketStats;
  private readonly table: OperationTable;
  private readonly strideBytes: number;
  private readonly size: number;
  /** The oldest read that is with the kernel or done. */
  private head = 0;
  /** Reads from `head` on that are with the kernel or done. */
  private posted = 0;
  /** Reads before `head` that the caller holds. */
  private lent = 0;
  /** Reads from `head` on that are known to be done: what a packet adds is news. */
  private announced = 0;

  constructor(rxSlots: number, slotBytes: number, stats: SocketStats) {
    const slots = Math.min(rxSlots, READS_MAX);
    this.size = slots * 2;
    this.stats = stats;
    this.strideBytes = slotStrideBytes(slotBytes);
    const arena = NativeArena.map(this.size * this.strideBytes);
    this.batch = new DatagramBatch(arena.bytes, slots, slotBytes, {}, { address: arena.address, coalesced: true });
    this.table = new OperationTable(this.size);
    for (let i = 0; i < this.size; i++) {
      this.table.setBuffer(i, arena, i * this.strideBytes + HEADROOM_BYTES, slotBytes);
    }
  }

  /** Whether a read is done that nobody has taken. */
  get ready(): boolean {
    return this.posted > 0 && this.table.status(this.head) !== STATUS_PENDING;
  }

  /** A packet came: whether reads are done that were not before. */
  news(): boolean {
    const before = this.announced;
    while (this.announced < this.posted && this.table.status(this.at(this.announced)) !== STATUS_PENDING) {
      this.announced++;
    }
    return this.announced > before;
  }

  /** Takes what is done into the batch, posts what was lent before, and returns how many datagrams that are. */
  receive(socket: number): number {
    const { batch } = this;
    batch.count = 0;
    this.lent = 0;
    do {
      this.post(socket);
      // What was too long is dropped, and what waits behind it may be done by now.
    } while (this.take() > 0 && batch.count === 0);
    // Too long ones may have emptied the ring: the kernel must have reads while the caller has the batch.
    if (batch.count > 0) this.post(socket);
    return batch.count;
  }

  /** Posts every read that is free. */
  post(socket: number): void {
    const { table } = this;
    let errors = 0;
    while (this.posted + this.lent < this.size) {
      const read = this.at(this.posted);
      table.start(read);
      this.stats.syscalls++;
      const result = this.calls.WSARecvFrom(
        socket,
        table.buffer(read),
        1,
        0,
        table.flags(read),
        table.name(read),
        table.nameBytes(read),
        table.overlapped(read),
        0,
      );
      if (result !== 0) {
        const code = this.calls.WSAGetLastError();
        if (code === WSAEMSGSIZE) {
          table.setStatus(read, STATUS_BUFFER_OVERFLOW); // done at once, whether a packet follows or not
        } else if (code !== WSA_IO_PENDING) {
          table.setStatus(read, STATUS_SUCCESS); // no longer the kernel's
          if (isOurs(code) || ++errors > ERRORS_MAX) throw sysError(windowsErrorName(code), 'WSARecvFrom');
          continue;
        }
      }
      this.posted++;
    }
  }

  /** Whether the kernel has none of the reads. */
  settled(): boolean {
    for (let i = 0; i < this.posted; i++) if (this.table.status(this.at(i)) === STATUS_PENDING) return false;
    return true;
  }

  /** Takes reads that are done, in order, until the batch is full. Returns how many it took, datagrams or not. */
  private take(): number {
    const { batch, stats, table } = this;
    let taken = 0;
    while (batch.count < batch.slots && this.lent < batch.slots && this.posted > 0) {
      const status = table.status(this.head);
      if (status === STATUS_PENDING) break;
      if (status === STATUS_SUCCESS) this.append(this.head);
      else if (status === STATUS_BUFFER_OVERFLOW) stats.truncated++;
      // Else an ICMP answer to something sent earlier: the socket itself is well.
      this.head = this.at(1);
      this.posted--;
      if (this.announced > 0) this.announced--;
      taken++;
      if (batch.count > 0) this.lent++;
    }
    return taken;
  }

  private append(read: number): void {
    const { batch, stats, table } = this;
    const slot = batch.count;
    const from = table.nameWord(read);
    if (!readSockaddr(table.words, from, batch.addressWords, slot * ADDRESS_WORDS, WINDOWS_FORM)) {
      stats.truncated++;
      return;
    }
    const length = table.transferred(read);
    batch.offset[slot] = read * this.strideBytes + HEADROOM_BYTES;
    batch.length[slot] = length;
    batch.count = slot + 1;
    stats.datagramsIn++;
    stats.bytesIn += length;
  }

  /** The read `distance` after the head. */
  private at(distance: number): number {
    const place = this.head + distance;
    return place < this.size ? place : place - this.size;
  }
}

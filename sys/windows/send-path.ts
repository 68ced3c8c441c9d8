/**
 * Sending: one sendto a datagram, which the kernel takes at once as long as it has room. The datagram at which it has none
 * is handed over as an overlapped operation, from a copy of its own: it goes out when there is room, and that it has gone
 * is how we learn that the socket is writable again.
 */

import { type DatagramBatch, type SocketStats, slotStrideBytes } from '../api.ts';
import { sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { ADDRESS_WORDS, SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES, writeSockaddr } from '../posix/sockaddr.ts';
import { STATUS_PENDING, STATUS_SUCCESS } from './abi.ts';
import { type WindowsCalls, windowsCalls } from './calls.ts';
import { isOurs, WSA_IO_PENDING, WSAEMSGSIZE, WSAENOBUFS, WSAEWOULDBLOCK, windowsErrorName } from './errors.ts';
import { OperationTable } from './operation-table.ts';
import { WINDOWS_FORM } from './sockaddr-form.ts';

/** What ICMP may answer to something sent earlier, where it could not be switched off. */
const ANSWERS: ReadonlySet<string> = new Set(['ECONNRESET', 'ENETRESET', 'ECONNREFUSED']);

/** The transmit side of one socket. */
export class SendPath {
  private readonly calls: WindowsCalls = windowsCalls();
  private readonly batch: DatagramBatch;
  private readonly stats: SocketStats;
  /** First 16 bits of the socket's addresses. */
  private readonly family: number;
  private readonly nameBytes: number;
  /** One operation: its address serves the direct sends too. */
  private readonly table: OperationTable = new OperationTable(1);
  /** Where the datagram under way lies; null until the first. */
  private staging: NativeArena | null = null;
  /** Bytes of the datagram under way; -1: none is. */
  private stagedBytes = -1;

  /** @param batch in native memory */
  constructor(batch: DatagramBatch, family: number, stats: SocketStats) {
    this.batch = batch;
    this.stats = stats;
    this.family = family;
    this.nameBytes = family === WINDOWS_FORM.inet6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
    this.table.setStatus(0, STATUS_SUCCESS);
  }

  /** Whether the kernel has room, as far as we know. */
  get ready(): boolean {
    return this.table.status(0) !== STATUS_PENDING;
  }

  /** Whether a datagram was under way and is done: told once. */
  news(): boolean {
    if (this.stagedBytes < 0 || !this.ready) return false;
    this.settle();
    return true;
  }

  /** Sends the batch through `socket`; returns how many datagrams left it. What is left moves to the front. */
  flush(socket: number): number {
    const { batch, stats, table } = this;
    if (!this.ready) {
      stats.sendBlocked++;
      return 0;
    }
    if (this.stagedBytes >= 0) this.settle();
    const { addressWords } = batch;
    const total = batch.count;
    let next = 0;
    while (next < total) {
      const address = next * ADDRESS_WORDS;
      if (
        (addressWords[address + 4]! & 0xffff) === 0 || // port 0: nobody can listen there
        !writeSockaddr(addressWords, address, this.family, table.words, table.nameWord(0), WINDOWS_FORM)
      ) {
        stats.sendFailed++; // unreachable from this socket
        next++;
        continue;
      }
      if (!this.send(socket, next)) {
        if (!this.stage(socket, next)) stats.sendFailed++;
        next++;
        if (!this.ready) break;
        continue;
      }
      next++;
    }
    if (next < total) stats.sendBlocked++;
    batch.dropFront(next);
    return next;
  }

  /** Whether the kernel is done with our memory. */
  settled(): boolean {
    return this.ready;
  }

  /** Sends the datagram in `slot` and counts what became of it; false where the kernel has no room for it. */
  private send(socket: number, slot: number): boolean {
    const { batch, stats, table } = this;
    const length = batch.length[slot]!;
    for (let tries = 0; ; tries++) {
      stats.syscalls++;
      const sent = this.calls.sendto(
        socket,
        batch.arenaAddress + batch.offset[slot]!,
        length,
        0,
        table.name(0),
        this.nameBytes,
      );
      if (sent >= 0) {
        stats.datagramsOut++;
        stats.bytesOut += length;
        return true;
      }
      const code = this.calls.WSAGetLastError();
      if (code === WSAEWOULDBLOCK || code === WSAENOBUFS) return false;
      if (isOurs(code)) throw sysError(windowsErrorName(code), 'sendto');
      const answer = ANSWERS.has(windowsErrorName(code));
      if (answer && tries === 0) continue; // told on this one, which has not been tried itself
      if (answer) stats.refused++;
      else if (code === WSAEMSGSIZE) stats.tooLarge++;
      else stats.sendFailed++;
      return true;
    }
  }

  /** Hands the datagram in `slot` over for later; false where the kernel does not even take that. */
  private stage(socket: number, slot: number): boolean {
    const { batch, stats, table } = this;
    const length = batch.length[slot]!;
    const start = batch.offset[slot]!;
    if (this.staging === null) {
      this.staging = NativeArena.map(slotStrideBytes(batch.slotBytes));
      table.setBuffer(0, this.staging, 0, 0);
    }
    this.staging.bytes.set(batch.arena.subarray(start, start + length));
    table.setBufferBytes(0, length);
    table.start(0);
    stats.syscalls++;
    const result = this.calls.WSASendTo(
      socket,
      table.buffer(0),
      1,
      0,
      0,
      table.name(0),
      this.nameBytes,
      table.overlapped(0),
      0,
    );
    if (result !== 0 && this.calls.WSAGetLastError() !== WSA_IO_PENDING) {
      table.setStatus(0, STATUS_SUCCESS); // no longer the kernel's
      return false;
    }
    this.stagedBytes = length;
    stats.datagramsOut++;
    stats.bytesOut += length;
    return true;
  }

  /** The datagram under way is done: takes it back from the counts if it failed after all. */
  private settle(): void {
    if (this.table.status(0) !== STATUS_SUCCESS) {
      this.stats.datagramsOut--;
      this.stats.bytesOut -= this.stagedBytes;
      this.stats.sendFailed++;
    }
    this.stagedBytes = -1;
  }
}

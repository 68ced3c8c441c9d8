/** Receiving on macOS and BSD: one recvfrom a datagram. All sockets of a thread that asked for the same size share a batch. */

import { DatagramBatch, type SocketStats, slotStrideBytes } from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { ADDRESS_WORDS, readSockaddr, SOCKADDR_IN6_BYTES, SOCKADDR_ROOM_BYTES } from '../posix/sockaddr.ts';
import type { Dialect } from './abi.ts';
import { type BsdCalls, bsdCalls } from './calls.ts';

/** Errors that belong to a datagram sent earlier are passed over, this many in one receive. */
const ERRORS_MAX = 16;

const EAGAIN: number = errnoOf('EAGAIN');
const EINTR: number = errnoOf('EINTR');
/** What ICMP may answer to something sent earlier: the socket itself is well. */
const ASYNCHRONOUS: ReadonlySet<number> = new Set(
  ['ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EMSGSIZE'].map(errnoOf),
);

/** A batch, and the address that one call writes. */
export class ReceiveBatch {
  readonly batch: DatagramBatch;
  private readonly calls: BsdCalls = bsdCalls();
  private readonly dialect: Dialect;
  /** A sockaddr, then its length. */
  private readonly name: NativeArena = NativeArena.map(SOCKADDR_ROOM_BYTES + 4);

  constructor(slots: number, slotBytes: number, dialect: Dialect) {
    const arena = NativeArena.map(slots * slotStrideBytes(slotBytes));
    this.dialect = dialect;
    this.batch = new DatagramBatch(arena.bytes, slots, slotBytes, {}, { address: arena.address });
  }

  /** Takes what waits in socket `fd` and returns how many datagrams that are; 0: none waits. */
  receive(fd: number, stats: SocketStats): number {
    const { batch, name, dialect } = this;
    const { slotBytes, offset, length, addressWords } = batch;
    batch.count = 0;
    let errors = 0;
    while (batch.count < batch.slots) {
      const slot = batch.count;
      name.u32[SOCKADDR_ROOM_BYTES / 4] = SOCKADDR_IN6_BYTES;
      stats.syscalls++;
      // One byte more than fits: it lies in the tailroom, and that it was filled tells that the datagram is too long.
      const size = this.calls.recvfrom(
        fd,
        batch.arenaAddress + offset[slot]!,
        slotBytes + 1,
        dialect.msgDontwait,
        name.address,
        name.address + SOCKADDR_ROOM_BYTES,
      );
      if (size < 0) {
        const errno = lastErrno();
        if (errno === EAGAIN) break;
        if ((errno === EINTR || ASYNCHRONOUS.has(errno)) && ++errors <= ERRORS_MAX) continue;
        throw sysError(errnoName(errno), 'recvfrom');
      }
      if (size > slotBytes || !readSockaddr(name.i32, 0, addressWords, slot * ADDRESS_WORDS, dialect.form)) {
        stats.truncated++;
        continue;
      }
      length[slot] = size;
      stats.bytesIn += size;
      batch.count = slot + 1;
    }
    stats.datagramsIn += batch.count;
    return batch.count;
  }
}

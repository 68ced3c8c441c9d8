/** Sending on macOS and BSD: one sendto a datagram. */

import type { DatagramBatch, SocketStats } from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import {
  ADDRESS_WORDS,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  SOCKADDR_ROOM_BYTES,
  writeSockaddr,
} from '../posix/sockaddr.ts';
import type { Dialect } from './abi.ts';
import { type BsdCalls, bsdCalls } from './calls.ts';

/** What one send ends with. */
const GONE = 0;
const BLOCKED = 1;

const EAGAIN: number = errnoOf('EAGAIN');
const EINTR: number = errnoOf('EINTR');
const ECONNREFUSED: number = errnoOf('ECONNREFUSED');
const EMSGSIZE: number = errnoOf('EMSGSIZE');
/** Nothing that a datagram could do brings these: the program is wrong. */
const OURS: ReadonlySet<number> = new Set(['EBADF', 'ENOTSOCK', 'EFAULT', 'EOPNOTSUPP'].map(errnoOf));

/** The transmit side of one socket. */
export class SendLoop {
  private readonly calls: BsdCalls = bsdCalls();
  private readonly batch: DatagramBatch;
  private readonly stats: SocketStats;
  private readonly dialect: Dialect;
  private readonly family: number;
  private readonly nameBytes: number;
  private readonly name: NativeArena = NativeArena.map(SOCKADDR_ROOM_BYTES);

  /**
   * @param batch in native memory
   * @param ipv6 whether the socket is one of IPv6
   */
  constructor(batch: DatagramBatch, ipv6: boolean, stats: SocketStats, dialect: Dialect) {
    this.batch = batch;
    this.stats = stats;
    this.dialect = dialect;
    this.family = ipv6 ? dialect.form.inet6 : dialect.form.inet;
    this.nameBytes = ipv6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
  }

  /** Sends the batch through socket `fd`; returns how many datagrams left it. What is left moves to the front. */
  flush(fd: number): number {
    const { batch, stats, name } = this;
    const { addressWords, count } = batch;
    let next = 0;
    for (; next < count; next++) {
      const address = next * ADDRESS_WORDS;
      if (
        (addressWords[address + 4]! & 0xffff) === 0 || // port 0: nobody can listen there
        !writeSockaddr(addressWords, address, this.family, name.i32, 0, this.dialect.form)
      ) {
        stats.sendFailed++; // unreachable from this socket
        continue;
      }
      if (this.send(fd, next) === BLOCKED) break;
    }
    if (next < count) stats.sendBlocked++;
    batch.dropFront(next);
    return next;
  }

  /** Sends the datagram in `slot` and counts what became of it. */
  private send(fd: number, slot: number): number {
    const { batch, stats, name } = this;
    const length = batch.length[slot]!;
    for (let refused = false; ; ) {
      stats.syscalls++;
      const sent = this.calls.sendto(
        fd,
        batch.arenaAddress + batch.offset[slot]!,
        length,
        this.dialect.msgDontwait,
        name.address,
        this.nameBytes,
      );
      if (sent >= 0) {
        stats.datagramsOut++;
        stats.bytesOut += length;
        return GONE;
      }
      const errno = lastErrno();
      if (errno === EINTR) continue;
      if (errno === EAGAIN) return BLOCKED;
      if (OURS.has(errno)) throw sysError(errnoName(errno), 'sendto');
      if (errno === ECONNREFUSED && !refused) {
        refused = true; // the answer to an earlier datagram, told on this one: it has not been tried itself
        continue;
      }
      if (errno === ECONNREFUSED) stats.refused++;
      else if (errno === EMSGSIZE) stats.tooLarge++;
      // ENOBUFS too: the queue of the interface is full, and no event would tell when it no longer is.
      else stats.sendFailed++;
      return GONE;
    }
  }
}

/**
 * Sending: a batch becomes messages, neighbours to one peer become one message (UDP_SEGMENT), and sendmmsg takes them.
 *
 * sendmmsg stops at the first message it cannot send. The rules for what happens then are in `settle`: a message that
 * cannot be sent is counted and passed over, one that cannot be sent *now* stays, and its successors with it.
 */

import { DATAGRAM_BYTES_MAX, type DatagramBatch, type SocketStats } from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import type { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import {
  ADDRESS_WORDS,
  AF_INET6,
  addressWords,
  SOCKADDR_IN_BYTES,
  SOCKADDR_IN6_BYTES,
  sameWords,
  writeSockaddr,
} from '../posix/sockaddr.ts';
import { MSG_DONTWAIT, UDP_SEGMENTS_MAX } from './abi.ts';
import { type LinuxCalls, linuxCalls } from './calls.ts';
import { SEND_CONTROL_BYTES, writeSegment, writeSource } from './control.ts';
import {
  CONTROL_BYTES_WORD,
  IOV_COUNT_WORD,
  IOV_WORD,
  IOVEC_BYTES_WORD,
  IOVEC_WORDS,
  MESSAGE_WORDS,
  MessageTable,
  NAME_BYTES_WORD,
  NAME_WORDS,
} from './message-table.ts';

const EAGAIN: number = errnoOf('EAGAIN');
const ENOBUFS: number = errnoOf('ENOBUFS');
const EINTR: number = errnoOf('EINTR');
const ECONNREFUSED: number = errnoOf('ECONNREFUSED');
const EMSGSIZE: number = errnoOf('EMSGSIZE');
const EINVAL: number = errnoOf('EINVAL');
const EIO: number = errnoOf('EIO');
/** Nothing that a datagram could do brings these: the program is wrong. */
const OURS: ReadonlySet<number> = new Set(['EBADF', 'ENOTSOCK', 'EFAULT', 'EOPNOTSUPP'].map(errnoOf));

/** What becomes of the message that sendmmsg stopped at: try again, pass over it, or stop here. */
const AGAIN = 0;
const SKIP = 1;
const STOP = 2;

/** The transmit side of one socket: headers that point into its batch. */
export class SendTable {
  readonly batch: DatagramBatch;
  private readonly calls: LinuxCalls = linuxCalls();
  private readonly family: number;
  private readonly stats: SocketStats;
  private readonly messages: MessageTable;
  private readonly arenaLow: number;
  private readonly tableLow: number;
  private readonly addresses: Int32Array;
  private readonly locals: Int32Array | null;
  /** First entry of each message, and one past the last: message `m` is entries `first[m] .. first[m + 1] - 1`. */
  private readonly first: Uint16Array;
  private joins: boolean;
  /** Entries below this are not joined: their joined form was refused. */
  private splitBelow = 0;
  /** Entries below this prove, by being sent alone, that it was the joining that the kernel refused. */
  private suspectBelow = 0;
  /** The entry that was told of an ECONNREFUSED once already. */
  private refusedAt = -1;
  private blocked = false;

  /**
   * @param batch in `arena`
   * @param family of the socket
   * @param joins whether to try UDP_SEGMENT
   */
  constructor(batch: DatagramBatch, arena: NativeArena, family: number, joins: boolean, stats: SocketStats) {
    this.batch = batch;
    this.family = family;
    this.joins = joins;
    this.stats = stats;
    this.arenaLow = arena.addressLow;
    this.messages = new MessageTable(batch.slots, SEND_CONTROL_BYTES);
    this.tableLow = this.messages.arena.addressLow;
    this.first = new Uint16Array(batch.slots + 1);
    this.addresses = addressWords(batch.address);
    this.locals = batch.localAddress === null ? null : addressWords(batch.localAddress);
    const nameBytes = family === AF_INET6 ? SOCKADDR_IN6_BYTES : SOCKADDR_IN_BYTES;
    for (let i = 0; i < batch.slots; i++) {
      this.messages.setBuffer(i, arena, batch.home(i), 0);
      this.messages.words[i * MESSAGE_WORDS + NAME_BYTES_WORD] = nameBytes;
    }
  }

  /** Whether neighbours are still joined: false after the kernel has refused it once. */
  get joining(): boolean {
    return this.joins;
  }

  /** Sends the batch through socket `fd`; returns how many entries left it. What is left moves to the front. */
  flush(fd: number): number {
    const total = this.batch.count;
    const head = this.sendRange(fd, 0, total);
    this.batch.dropFront(head);
    return head;
  }

  /**
   * Sends entries `from .. to - 1`; returns the first that the kernel did not take, `to` if none. The batch stays as it is
   * until `dropFront`.
   */
  sendRange(fd: number, from: number, to: number): number {
    let head = from;
    this.splitBelow = 0;
    this.suspectBelow = 0;
    this.refusedAt = -1;
    this.blocked = false;
    while (head < to) {
      const built = this.build(head, to);
      if (built === 0) {
        this.stats.sendFailed++; // unreachable from this socket
        head++;
        continue;
      }
      head = this.first[this.send(fd, built)]!;
      if (this.blocked) break;
    }
    return head;
  }

  /**
   * Writes messages for entries from `from` on, up to one that cannot be sent from this socket. Returns how many messages;
   * 0: the very first entry is such a one.
   */
  private build(from: number, total: number): number {
    const { messages, addresses, first, arenaLow, tableLow, batch } = this;
    const { offset, length } = batch;
    const { words, iovecAt, nameAt } = messages;
    let built = 0;
    let entry = from;
    while (entry < total) {
      const address = entry * ADDRESS_WORDS;
      if (
        (addresses[address + 4]! & 0xffff) === 0 || // port 0: the kernel would take it for a bad argument
        !writeSockaddr(addresses, address, this.family, words, nameAt + built * NAME_WORDS)
      ) {
        break;
      }
      const end = this.joins && entry >= this.splitBelow ? this.endOfRun(entry, total) : entry + 1;
      const header = built * MESSAGE_WORDS;
      words[header + IOV_WORD] = tableLow + (iovecAt + entry * IOVEC_WORDS) * 4;
      words[header + IOV_COUNT_WORD] = end - entry;
      words[header + CONTROL_BYTES_WORD] =
        end - entry === 1 && this.locals === null ? 0 : this.writeControl(built, entry, end - entry > 1);
      first[built] = entry;
      built++;
      for (; entry < end; entry++) {
        const iovec = iovecAt + entry * IOVEC_WORDS;
        words[iovec] = arenaLow + offset[entry]!;
        words[iovec + IOVEC_BYTES_WORD] = length[entry]!;
      }
    }
    first[built] = entry;
    return built;
  }

  /** One past the last entry that can go in one send with `start`: same peer, same size, only the last may be shorter. */
  endOfRun(start: number, total: number): number {
    const { addresses, locals } = this;
    const { length } = this.batch;
    const size = length[start]!;
    if (size === 0) return start + 1; // nothing to cut by
    let sum = size;
    let end = start + 1;
    const last = Math.min(total, start + UDP_SEGMENTS_MAX);
    while (end < last) {
      const next = length[end]!;
      sum += next;
      if (
        next === 0 || // it would vanish in the joined bytes
        next > size ||
        sum > DATAGRAM_BYTES_MAX ||
        !sameWords(addresses, start * ADDRESS_WORDS, end * ADDRESS_WORDS) ||
        (locals !== null && !sameWords(locals, start * ADDRESS_WORDS, end * ADDRESS_WORDS))
      ) {
        break;
      }
      end++;
      if (next < size) break;
    }
    return end;
  }

  /** Writes the control block of message `m`, which starts at `entry`. Returns its bytes. */
  private writeControl(m: number, entry: number, joined: boolean): number {
    const { words, controlAt, controlWords } = this.messages;
    const at = controlAt + m * controlWords;
    let bytes = 0;
    if (this.locals !== null) {
      bytes = writeSource(words, at, this.locals, entry * ADDRESS_WORDS, this.family === AF_INET6);
    }
    if (joined) bytes += writeSegment(words, at + (bytes >>> 2), this.batch.length[entry]!);
    return bytes;
  }

  /** Sends messages 0 .. built - 1; returns how many are settled. Fewer than all: blocked, or to be built again (split). */
  private send(fd: number, built: number): number {
    const { stats, messages } = this;
    let settled = 0;
    while (settled < built) {
      stats.syscalls++;
      const sent = this.calls.sendmmsg(fd, messages.address(settled), built - settled, MSG_DONTWAIT);
      if (sent > 0) {
        this.countSent(settled, settled + sent);
        settled += sent;
        continue;
      }
      const fate = this.settle(settled, lastErrno());
      if (fate === SKIP) settled++;
      else if (fate !== AGAIN) return settled;
    }
    return settled;
  }

  /** Decides what becomes of message `m`, which failed with `errno`, and counts it. */
  private settle(m: number, errno: number): number {
    const { stats, first } = this;
    const entry = first[m]!;
    const entries = first[m + 1]! - entry;
    if (errno === EINTR) return AGAIN;
    if (errno === EAGAIN || errno === ENOBUFS) {
      stats.sendBlocked++;
      this.blocked = true;
      return STOP;
    }
    if (OURS.has(errno)) throw sysError(errnoName(errno), 'sendmmsg');
    if (errno === ECONNREFUSED && this.refusedAt !== entry) {
      this.refusedAt = entry; // the answer to an earlier datagram, told on this one: it has not been tried itself
      return AGAIN;
    }
    if (entries > 1 && (errno === EMSGSIZE || errno === EINVAL || errno === EIO)) {
      this.splitBelow = entry + entries;
      if (errno !== EMSGSIZE) this.suspectBelow = this.splitBelow;
      return STOP;
    }
    if (errno === ECONNREFUSED) {
      stats.refused += entries;
    } else if (errno === EMSGSIZE) {
      stats.tooLarge += entries;
      this.suspectBelow = 0; // it was the size, not the joining
    } else {
      stats.sendFailed += entries;
    }
    return SKIP;
  }

  private countSent(from: number, to: number): void {
    const { stats, first } = this;
    const { length } = this.batch;
    // Joined it was refused, alone it goes: this kernel or device cannot join.
    if (first[from]! < this.suspectBelow) this.joins = false;
    let bytes = 0;
    for (let entry = first[from]!; entry < first[to]!; entry++) bytes += length[entry]!;
    stats.datagramsOut += first[to]! - first[from]!;
    stats.bytesOut += bytes;
  }
}

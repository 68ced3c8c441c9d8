/**
 * Receiving: one recvmmsg fills a batch. All sockets of a thread that asked for the same kind share one of these.
 */

import { type BatchColumns, type Clock, DatagramBatch, type SocketStats, slotStrideBytes } from '../api.ts';
import { errnoName, errnoOf, sysError } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { ADDRESS_WORDS, addressWords, readSockaddr, SOCKADDR_IN6_BYTES } from '../posix/sockaddr.ts';
import { CLOCK_REALTIME, MSG_DONTWAIT, MSG_TRUNC, Timespec, UDP_GRO_SEGMENTS_MAX } from './abi.ts';
import { type LinuxCalls, linuxCalls } from './calls.ts';
import { ControlReader, RECEIVE_CONTROL_BYTES } from './control.ts';
import {
  CONTROL_BYTES_WORD,
  FLAGS_WORD,
  MESSAGE_WORDS,
  MessageTable,
  NAME_BYTES_WORD,
  NAME_WORDS,
  TRANSFERRED_WORD,
} from './message-table.ts';

/** A buffer that the kernel may join datagrams in: the longest one it can make. */
const GRO_BUFFER_BYTES = 65_536;
/** Joined buffers of one receive: 16 of them hold up to 1 MiB, and at most 2,048 datagrams. */
const GRO_BUFFERS_MAX = 16;
/** Errors that belong to a datagram sent earlier are passed over, this many in one receive. */
const ERRORS_MAX = 16;

const EAGAIN: number = errnoOf('EAGAIN');
const EINTR: number = errnoOf('EINTR');
/** What ICMP may answer to something sent earlier: the socket itself is well. */
const ASYNCHRONOUS: ReadonlySet<number> = new Set(
  ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN', 'EMSGSIZE', 'EPROTO', 'ENOPROTOOPT'].map(
    errnoOf,
  ),
);

/** What tells one kind of receive batch from another. */
export interface ReceiveKind {
  readonly slots: number;
  readonly slotBytes: number;
  readonly gro: boolean;
  readonly columns: BatchColumns;
}

/** Memory that somebody else has set aside for the buffers: `receiveBufferBytes(kind)` of it, from byte `at` on. */
export interface ReceivePlace {
  readonly arena: NativeArena;
  readonly at: number;
}

/** Bytes of the buffers of one kind of receive. */
export function receiveBufferBytes(kind: ReceiveKind): number {
  return buffersOf(kind) * strideOf(kind);
}

function buffersOf({ gro, slots }: ReceiveKind): number {
  return gro ? Math.min(slots, GRO_BUFFERS_MAX) : slots;
}

function strideOf({ gro, slotBytes }: ReceiveKind): number {
  return gro ? GRO_BUFFER_BYTES : slotStrideBytes(slotBytes);
}

/** Headers, buffers and batch of one kind of receive. */
export class ReceiveTable {
  readonly batch: DatagramBatch;
  private readonly calls: LinuxCalls = linuxCalls();
  private readonly clock: Clock;
  private readonly slotBytes: number;
  private readonly gro: boolean;
  private readonly messages: MessageTable;
  private readonly bufferStride: number;
  private readonly bufferStart: number;
  private readonly addressWords: Int32Array;
  private readonly localWords: Int32Array | null;
  /** Null where no column and no joining asks for control messages. */
  private readonly control: ControlReader | null;
  private readonly timespec: NativeArena | null;
  /** `clock.now()` minus CLOCK_REALTIME at this receive, in microseconds. */
  private monotonicOffset = 0;
  private now = 0;
  private used = 0;

  /** @param place for a bypass, whose own datagrams lie in the same arena; else the buffers are mapped here */
  constructor(kind: ReceiveKind, clock: Clock, place: ReceivePlace | null = null) {
    const { slots, slotBytes, gro, columns } = kind;
    this.clock = clock;
    this.slotBytes = slotBytes;
    this.gro = gro;
    const buffers = buffersOf(kind);
    const bufferBytes = gro ? GRO_BUFFER_BYTES : slotBytes;
    this.bufferStride = strideOf(kind);
    const arena = place?.arena ?? NativeArena.map(receiveBufferBytes(kind));
    this.batch = new DatagramBatch(
      arena.bytes,
      gro ? Math.max(slots, buffers * UDP_GRO_SEGMENTS_MAX) : slots,
      slotBytes,
      columns,
      { address: arena.address, coalesced: gro || place !== null },
    );
    this.bufferStart = place !== null ? place.at : gro ? 0 : this.batch.home(0);
    const wantsControl = gro || columns.receivedAt === true || columns.localAddress === true;
    this.control = wantsControl ? new ControlReader() : null;
    this.timespec = columns.receivedAt ? NativeArena.map(Timespec.SIZE) : null;
    this.messages = new MessageTable(buffers, wantsControl ? RECEIVE_CONTROL_BYTES : 0);
    this.addressWords = addressWords(this.batch.address);
    this.localWords = this.batch.localAddress === null ? null : addressWords(this.batch.localAddress);
    for (let i = 0; i < buffers; i++) {
      this.messages.setBuffer(i, arena, this.bufferStart + i * this.bufferStride, bufferBytes);
    }
    this.used = buffers; // none is armed yet
  }

  /**
   * Takes what waits in socket `fd` into the batch and returns how many datagrams that are; 0: none waits.
   *
   * @param port of the socket, for the column of local addresses
   */
  receive(fd: number, port: number, stats: SocketStats): number {
    const { batch } = this;
    do {
      batch.count = 0;
      this.arm();
      const messages = this.call(fd, stats);
      if (messages === 0) return 0;
      this.used = messages;
      if (this.control === null) this.takePlain(messages, stats);
      else this.takeWithControl(messages, port, stats);
      // All were cut off and dropped: what is behind them still waits.
    } while (batch.count === 0);
    return batch.count;
  }

  /** The kernel wrote real lengths over what it was offered: offer it all again. */
  private arm(): void {
    const { words, controlWords } = this.messages;
    for (let i = 0, header = 0; i < this.used; i++, header += MESSAGE_WORDS) {
      words[header + NAME_BYTES_WORD] = SOCKADDR_IN6_BYTES;
      words[header + CONTROL_BYTES_WORD] = controlWords * 4;
    }
    this.used = 0;
  }

  private call(fd: number, stats: SocketStats): number {
    for (let errors = 0; ; errors++) {
      stats.syscalls++;
      const messages = this.calls.recvmmsg(fd, this.messages.arena.address, this.messages.count, MSG_DONTWAIT, 0);
      if (messages >= 0) return messages;
      const errno = lastErrno();
      if (errno === EAGAIN) return 0;
      if ((errno === EINTR || ASYNCHRONOUS.has(errno)) && errors < ERRORS_MAX) continue;
      throw sysError(errnoName(errno), 'recvmmsg');
    }
  }

  /** The shortest way: address and length of each, nothing else asked for. */
  private takePlain(messages: number, stats: SocketStats): void {
    const { batch, addressWords: addresses, bufferStart, bufferStride } = this;
    const { offset, length } = batch;
    const { words, nameAt } = this.messages;
    let taken = 0;
    let bytes = 0;
    for (let i = 0; i < messages; i++) {
      const header = i * MESSAGE_WORDS;
      const size = words[header + TRANSFERRED_WORD]!;
      if (
        (words[header + FLAGS_WORD]! & MSG_TRUNC) !== 0 ||
        !readSockaddr(words, nameAt + i * NAME_WORDS, addresses, taken * ADDRESS_WORDS)
      ) {
        stats.truncated++;
        continue;
      }
      offset[taken] = bufferStart + i * bufferStride;
      length[taken] = size;
      bytes += size;
      taken++;
    }
    this.finish(taken, bytes, stats);
  }

  /** The long way: columns, and buffers in which several datagrams of one peer were joined. */
  private takeWithControl(messages: number, port: number, stats: SocketStats): void {
    const { batch, bufferStart, bufferStride, gro } = this;
    const { words, nameAt, controlAt, controlWords } = this.messages;
    const control = this.control!;
    if (batch.receivedAt !== null) this.relateClocks();
    let taken = 0;
    let bytes = 0;
    for (let i = 0; i < messages; i++) {
      const header = i * MESSAGE_WORDS;
      const size = words[header + TRANSFERRED_WORD]!;
      control.read(words, controlAt + i * controlWords, words[header + CONTROL_BYTES_WORD]!);
      const step = gro && control.segmentBytes > 0 ? control.segmentBytes : size;
      if ((words[header + FLAGS_WORD]! & MSG_TRUNC) !== 0) {
        stats.truncated++;
        continue;
      }
      let at = 0;
      do {
        const piece = Math.min(step, size - at);
        if (
          piece > this.slotBytes ||
          taken === batch.slots ||
          !readSockaddr(words, nameAt + i * NAME_WORDS, this.addressWords, taken * ADDRESS_WORDS)
        ) {
          stats.truncated++;
        } else {
          batch.offset[taken] = bufferStart + i * bufferStride + at;
          batch.length[taken] = piece;
          if (this.localWords !== null) writeLocal(control, port, this.localWords, taken * ADDRESS_WORDS);
          if (batch.receivedAt !== null) this.writeReceivedAt(control, batch.receivedAt, taken);
          bytes += piece;
          taken++;
        }
        at += piece;
      } while (at < size);
    }
    this.finish(taken, bytes, stats);
  }

  private finish(taken: number, bytes: number, stats: SocketStats): void {
    this.batch.count = taken;
    stats.datagramsIn += taken;
    stats.bytesIn += bytes;
  }

  /** The kernel stamps with the calendar's clock; ours is another one. They are compared once a receive. */
  private relateClocks(): void {
    const { u32, address } = this.timespec!;
    if (this.calls.clock_gettime(CLOCK_REALTIME, address) < 0) throw sysError(errnoName(lastErrno()), 'clock_gettime');
    this.now = this.clock.now();
    this.monotonicOffset = this.now - (u32[0]! * 1_000_000 + Math.floor(u32[2]! / 1000));
  }

  /**
   * When the datagram of `control` came, on our clock: now, where the kernel did not say, and never in the future.
   * Written, not returned: a result that is no small integer would be boxed.
   */
  private writeReceivedAt(control: ControlReader, receivedAt: Float64Array, slot: number): void {
    const stamp = control.seconds * 1_000_000 + Math.floor(control.nanoseconds / 1000) + this.monotonicOffset;
    receivedAt[slot] = control.seconds === 0 || stamp > this.now ? this.now : stamp;
  }
}

function writeLocal(control: ControlReader, port: number, words: Int32Array, at: number): void {
  const { local, hasLocal } = control;
  words[at] = hasLocal ? local[0]! : 0;
  words[at + 1] = hasLocal ? local[1]! : 0;
  words[at + 2] = hasLocal ? local[2]! : 0;
  words[at + 3] = hasLocal ? local[3]! : 0;
  words[at + 4] = port;
  words[at + 5] = hasLocal ? local[4]! : 0;
}

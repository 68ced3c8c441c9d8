/**
 * Sending frames: entries of a batch whose way is known become messages of a packet socket, each a header area and the
 * payload where it lies, and neighbours to one peer one message that the kernel (or the card) cuts up.
 *
 * A message that is refused is not lost: `refusal` says why, and the caller sends it in another way.
 */

import type { DatagramBatch, SocketStats } from '../api.ts';
import { errnoOf } from '../errno.ts';
import { NativeArena } from '../ffi/arena.ts';
import { lastErrno } from '../ffi/syscall.ts';
import { Iovec, MSG_DONTWAIT } from '../linux/abi.ts';
import { type LinuxCalls, linuxCalls } from '../linux/calls.ts';
import {
  IOV_COUNT_WORD,
  IOV_WORD,
  IOVEC_BYTES_WORD,
  IOVEC_WORDS,
  MESSAGE_WORDS,
  MessageTable,
  NAME_BYTES_WORD,
  NAME_WORDS,
} from '../linux/message-table.ts';
import { type FrameTemplates, IPV4_HEADERS_WORDS } from '../linux/netlink/frame-templates.ts';
import type { SendTable } from '../linux/send-table.ts';
import { sumOf } from '../wire/checksum.ts';
import { setU16 } from '../wire/header.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../wire/numbers.ts';
import { UDP_BYTES } from '../wire/udp.ts';
import { AF_PACKET, SockaddrLl } from './abi.ts';
import { type FrameRing, openRing } from './frame-ring.ts';
import { CHECKSUM_IN_UDP, OFFLOAD_BYTES, OFFLOAD_WORDS, writeOffload } from './offload-header.ts';
import { openPacketSocket, takesOffloads } from './packet-fd.ts';

/**
 * Messages of one call. Few enough that they, their headers and their vectors stay in the first-level cache from the
 * writing to the sending, many enough that the call itself counts for little.
 */
const MESSAGES_AT_ONCE = 64;
/** Vectors of one call: a header for each message and a payload for each datagram; one run takes up to 65. */
const VECTORS_AT_ONCE = 256;
const EINTR: number = errnoOf('EINTR');
const EINVAL: number = errnoOf('EINVAL');
const INTERFACE_WORD: number = SockaddrLl.interface / 4;
const BASE_HIGH_WORD: number = Iovec.base / 4 + 1;
const IOV_HIGH_WORD: number = IOV_WORD + 1;

/** Family and EtherType as the first word of a `sockaddr_ll`. */
const NAME_IPV4: number = AF_PACKET | (swap16(ETHERTYPE_IPV4) << 16);
const NAME_IPV6: number = AF_PACKET | (swap16(ETHERTYPE_IPV6) << 16);

/** A `virtio_net_hdr` and the headers of IPv6, rounded up. */
const AREA_WORDS = 20;
const AREA_BYTES: number = AREA_WORDS * 4;

/** The frames of one socket. */
export class FrameTable {
  /** Why the last `send` stopped early: an errno; 0: it did not. */
  refusal = 0;
  /** Datagrams that left as frames, and how many of them joined to others. */
  datagramsOut = 0;
  datagramsJoined = 0;
  private readonly calls: LinuxCalls = linuxCalls();
  private readonly batch: DatagramBatch;
  private readonly stats: SocketStats;
  private readonly templates: FrameTemplates;
  private readonly runs: SendTable;
  private readonly messages: MessageTable;
  private readonly iovecs: NativeArena;
  private readonly areas: NativeArena;
  /** For datagrams that are not joined; null where the kernel has none. */
  private readonly ring: FrameRing | null;
  private readonly batchLow: number;
  private readonly batchHigh: number;
  /** First entry of each message, and one past the last. */
  private readonly first: Uint16Array;
  private fd: number;
  private joins: boolean;
  /** Whether the kernel takes a `virtio_net_hdr`, so that it computes checksums and cuts up. */
  private readonly offloads: boolean;

  /**
   * @param batch with native memory
   * @param templates by entry of `batch`
   * @param runs tells how far a run of datagrams to one peer goes
   * @param joins whether neighbours to one peer are joined
   * @throws SysError EPERM without CAP_NET_RAW
   */
  constructor(batch: DatagramBatch, stats: SocketStats, runs: SendTable, templates: FrameTemplates, joins: boolean) {
    this.batch = batch;
    this.stats = stats;
    this.runs = runs;
    this.templates = templates;
    this.batchLow = batch.arenaAddress % 2 ** 32;
    this.batchHigh = Math.floor(batch.arenaAddress / 2 ** 32);
    this.fd = openPacketSocket(this.calls);
    this.offloads = takesOffloads(this.calls, this.fd);
    this.joins = joins && this.offloads;
    const count = Math.min(batch.slots, MESSAGES_AT_ONCE);
    this.messages = new MessageTable(count, 0);
    this.iovecs = NativeArena.map(VECTORS_AT_ONCE * Iovec.SIZE);
    this.areas = NativeArena.map(count * AREA_BYTES);
    this.ring = this.offloads ? openRing(batch, templates) : null;
    this.first = new Uint16Array(count + 1);
    for (let i = 0; i < count; i++) {
      const header = i * MESSAGE_WORDS;
      this.messages.words[header + NAME_BYTES_WORD] = SockaddrLl.SIZE;
      this.messages.arena.u32[header + IOV_HIGH_WORD] = this.iovecs.addressHigh;
    }
  }

  /** Whether neighbours are still joined: false after the kernel has refused it once. */
  get joining(): boolean {
    return this.joins;
  }

  /**
   * Sends entries from `from` on, as far as `ways` (a template an entry) is not -1 and below `to`. Returns the first entry
   * that did not leave: by way of -1, or because of `refusal`.
   */
  send(ways: Int32Array, from: number, to: number): number {
    this.refusal = 0;
    let entry = from;
    while (entry < to && ways[entry]! >= 0) {
      if (this.ring !== null) {
        entry = this.sendByRing(this.ring, ways, entry, to);
        if (this.refusal !== 0 || entry === to || ways[entry]! < 0) break;
      }
      const built = this.build(ways, entry, to);
      const sent = this.sendBuilt(built);
      entry = this.first[sent]!;
      if (sent === built) continue;
      if (!this.splits(sent)) break;
      this.joins = false; // and once more from there, each for itself
      this.refusal = 0;
    }
    return entry;
  }

  close(): void {
    if (this.fd < 0) return;
    this.ring?.close();
    this.calls.close(this.fd);
    this.fd = -1;
  }

  private sendByRing(ring: FrameRing, ways: Int32Array, from: number, to: number): number {
    const reached = ring.send(ways, from, to, this.joins);
    this.refusal = ring.refusal;
    this.stats.syscalls += ring.calls;
    this.countEntries(from, reached);
    return reached;
  }

  /** Writes messages, as many as one call takes; returns how many. */
  private build(ways: Int32Array, from: number, to: number): number {
    const { batch, messages, iovecs, first, templates, offloads } = this;
    const { offset, length } = batch;
    const { words, nameAt } = messages;
    const vectors = iovecs.i32;
    const area = this.areas.i32;
    const startAt = offloads ? 0 : OFFLOAD_BYTES;
    const areasLow = this.areas.addressLow;
    const areasHigh = this.areas.addressHigh;
    const { batchLow, batchHigh } = this;
    let built = 0;
    let vector = 0;
    let entry = from;
    while (entry < to && built < messages.count) {
      const template = ways[entry]!;
      if (template < 0) break;
      const end = this.joins ? this.endOfRun(ways, entry, to) : entry + 1;
      if (vector + 1 + end - entry > VECTORS_AT_ONCE) break;
      let bytes = length[entry]!;
      for (let other = entry + 1; other < end; other++) bytes += length[other]!;
      const at = built * AREA_WORDS;
      const headerWords = templates.write(template, area, at + OFFLOAD_WORDS, bytes);
      writeOffload(area, at, headerWords, end - entry > 1 ? length[entry]! : 0);
      const headersEnd = (OFFLOAD_WORDS + headerWords) * 4;
      if (!offloads) this.sum(built * AREA_BYTES + headersEnd, offset[entry]!, bytes);
      const name = nameAt + built * NAME_WORDS;
      words[name] = headerWords === IPV4_HEADERS_WORDS ? NAME_IPV4 : NAME_IPV6;
      words[name + INTERFACE_WORD] = templates.interfaceOf(template);
      const header = built * MESSAGE_WORDS;
      words[header + IOV_WORD] = iovecs.addressLow + vector * Iovec.SIZE;
      words[header + IOV_COUNT_WORD] = end - entry + 1;
      let iovec = vector * IOVEC_WORDS;
      vectors[iovec] = areasLow + built * AREA_BYTES + startAt;
      vectors[iovec + BASE_HIGH_WORD] = areasHigh;
      vectors[iovec + IOVEC_BYTES_WORD] = headersEnd - startAt;
      first[built] = entry;
      built++;
      for (; entry < end; entry++) {
        iovec += IOVEC_WORDS;
        vectors[iovec] = batchLow + offset[entry]!;
        vectors[iovec + BASE_HIGH_WORD] = batchHigh;
        vectors[iovec + IOVEC_BYTES_WORD] = length[entry]!;
      }
      vector = iovec / IOVEC_WORDS + 1;
    }
    first[built] = entry;
    return built;
  }

  /** As `SendTable.endOfRun`, and all of it by the same way. */
  private endOfRun(ways: Int32Array, entry: number, to: number): number {
    const end = this.runs.endOfRun(entry, to);
    const template = ways[entry]!;
    let same = entry + 1;
    while (same < end && ways[same] === template) same++;
    return same;
  }

  /** Sends messages 0 .. built - 1; returns how many left. */
  private sendBuilt(built: number): number {
    const { messages, stats } = this;
    let sent = 0;
    while (sent < built) {
      stats.syscalls++;
      const count = this.calls.sendmmsg(this.fd, messages.address(sent), built - sent, MSG_DONTWAIT);
      if (count > 0) {
        this.countSent(sent, sent + count);
        sent += count;
        continue;
      }
      const errno = lastErrno();
      if (errno === EINTR) continue;
      this.refusal = errno;
      return sent;
    }
    return sent;
  }

  /** Whether message `m` was refused for being joined, as far as one can tell. */
  private splits(m: number): boolean {
    return this.refusal === EINVAL && this.first[m + 1]! - this.first[m]! > 1;
  }

  private countSent(from: number, to: number): void {
    const { first } = this;
    for (let m = from; m < to; m++) {
      const entries = first[m + 1]! - first[m]!;
      if (entries > 1) this.datagramsJoined += entries;
    }
    this.countEntries(first[from]!, first[to]!);
  }

  private countEntries(from: number, to: number): void {
    const { stats } = this;
    const { length } = this.batch;
    let bytes = 0;
    for (let entry = from; entry < to; entry++) bytes += length[entry]!;
    this.datagramsOut += to - from;
    stats.datagramsOut += to - from;
    stats.bytesOut += bytes;
  }

  /** Computes the UDP checksum here, for a kernel that does not: of the header that ends at byte `end` of the areas. */
  private sum(end: number, from: number, length: number): void {
    const { bytes } = this.areas;
    const udp = end - UDP_BYTES;
    // The field holds the sum of the pseudo-header, which is what the sum starts from.
    const sum = ~sumOf(this.batch.arena, from, from + length, sumOf(bytes, udp, end)) & 0xffff;
    setU16(bytes, udp + CHECKSUM_IN_UDP, sum === 0 ? 0xffff : sum); // 0 would mean that there is none
  }
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

/**
 * From received frames to a batch: each datagram stays where the kernel put it, the batch points there.
 *
 * The program at the interface has checked the headers; here only what it could not check: the UDP checksum, and that no
 * length leads out of the frame.
 */

import type { DatagramBatch, Micros, SocketStats } from '../api.ts';
import { ADDRESS_WORDS, addressWords, MAPPED_WORD } from '../posix/sockaddr.ts';
import { pseudoSum, sumIsWhole } from '../wire/frame-sum.ts';
import { STAMP_BYTES } from './program.ts';
import type { XdpQueue } from './queue.ts';
import type { ConsumerRing } from './ring.ts';
import type { XdpTraffic } from './traffic.ts';
import type { Umem } from './umem.ts';

const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
const UDP_BYTES = 8;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
// Half words as a little-endian machine loads them.
const TYPE_TAG = 0x0081;
const TYPE_IPV4 = 0x0008;
/** fe80::/10: an address that means nothing without its interface. */
const LINK_LOCAL_MASK = 0xc0ff;
const LINK_LOCAL = 0x80fe;
/** A time of arrival older than this was not written for this frame. */
const STAMP_AGE_MICROS_MAX = 1_000_000;

/** Reads frames into one batch. */
export class FrameReader {
  readonly batch: DatagramBatch;
  private readonly view: DataView;
  private readonly chunkMask: number;
  private readonly interfaceIndex: number;
  private readonly verifies: boolean;
  private readonly addresses: Int32Array;
  private readonly locals: Int32Array | null;

  /** @param batch over the arena of `umem` */
  constructor(batch: DatagramBatch, umem: Umem, interfaceIndex: number, verifies: boolean) {
    this.batch = batch;
    this.view = umem.arena.view;
    this.chunkMask = ~(umem.chunkBytes - 1);
    this.interfaceIndex = interfaceIndex;
    this.verifies = verifies;
    this.addresses = addressWords(batch.address);
    this.locals = batch.localAddress === null ? null : addressWords(batch.localAddress);
  }

  /**
   * Appends what waits in `ring`, up to the batch's slots, and lends the frames out of `queue`.
   *
   * @param port of the socket
   * @param now for the column of times; 0 where there is none
   */
  take(
    queue: XdpQueue,
    ring: ConsumerRing,
    port: number,
    stats: SocketStats,
    traffic: XdpTraffic,
    now: Float64Array,
  ): void {
    const { batch, view, chunkMask } = this;
    const { offset, length } = batch;
    const count = ring.peek(batch.slots - batch.count);
    if (count === 0) return;
    const { words } = ring;
    let taken = batch.count;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const word = ring.wordOf(i);
      const frame = words[word]!;
      const end = frame + words[word + 2]!;
      queue.lend(frame & chunkMask);
      let ip = frame + ETHERNET_BYTES;
      let type = view.getUint16(frame + 12, true);
      if (type === TYPE_TAG) {
        ip += TAG_BYTES;
        type = view.getUint16(frame + 16, true);
      }
      const ipv4 = type === TYPE_IPV4;
      const udp = ip + (ipv4 ? IPV4_BYTES : IPV6_BYTES);
      const udpBytes = view.getUint16(udp + 4);
      const size = udpBytes - UDP_BYTES;
      if (size < 0 || udp + udpBytes > end) {
        traffic.malformed++;
        continue;
      }
      if (this.verifies && !this.isWhole(ip, udp, udpBytes, ipv4)) {
        traffic.badChecksum++;
        continue;
      }
      if (size > batch.slotBytes) {
        stats.truncated++;
        continue;
      }
      offset[taken] = udp + UDP_BYTES;
      length[taken] = size;
      bytes += size;
      this.writeAddress(this.addresses, taken, ipv4 ? ip + 12 : ip + 8, ipv4, view.getUint16(udp));
      if (this.locals !== null) this.writeAddress(this.locals, taken, ipv4 ? ip + 16 : ip + 24, ipv4, port);
      if (batch.receivedAt !== null) this.writeTime(batch.receivedAt, taken, frame, now);
      taken++;
    }
    ring.release(count);
    const came = taken - batch.count;
    batch.count = taken;
    stats.datagramsIn += came;
    stats.bytesIn += bytes;
    traffic.framesIn += came;
  }

  /** Whether the UDP checksum is right, absent, or left to be completed by hardware that was never passed. */
  private isWhole(ip: number, udp: number, udpBytes: number, ipv4: boolean): boolean {
    const { view } = this;
    const given = view.getUint16(udp + 6, true);
    if (given === 0) return ipv4;
    const pseudo = pseudoSum(view, ipv4 ? ip + 12 : ip + 8, ipv4 ? 8 : 32, udpBytes);
    // From another namespace of this machine: the kernel left the sum to a card (CHECKSUM_PARTIAL), and there is none.
    return given === pseudo || sumIsWhole(view, udp, udpBytes, pseudo);
  }

  private writeAddress(words: Int32Array, slot: number, at: number, ipv4: boolean, port: number): void {
    const { view } = this;
    const word = slot * ADDRESS_WORDS;
    if (ipv4) {
      words[word] = 0;
      words[word + 1] = 0;
      words[word + 2] = MAPPED_WORD;
      words[word + 3] = view.getInt32(at, true);
      words[word + 5] = 0;
    } else {
      const first = view.getInt32(at, true);
      words[word] = first;
      words[word + 1] = view.getInt32(at + 4, true);
      words[word + 2] = view.getInt32(at + 8, true);
      words[word + 3] = view.getInt32(at + 12, true);
      words[word + 5] = (first & LINK_LOCAL_MASK) === LINK_LOCAL ? this.interfaceIndex : 0;
    }
    words[word + 4] = port;
  }

  /** The time that the program wrote before the frame; now, where it could not. */
  private writeTime(receivedAt: Float64Array, slot: number, frame: number, now: Float64Array): void {
    const { view } = this;
    const low = view.getUint32(frame - STAMP_BYTES, true);
    const high = view.getUint32(frame - STAMP_BYTES + 4, true);
    const stamp: Micros = Math.floor((high * 2 ** 32 + low) / 1000);
    const age = now[0]! - stamp;
    receivedAt[slot] = age >= 0 && age < STAMP_AGE_MICROS_MAX ? stamp : now[0]!;
  }
}

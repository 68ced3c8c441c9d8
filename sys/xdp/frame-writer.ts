/**
 * From a slot of a transmit batch to a frame: the payload copied and summed in one pass, and the headers before it.
 *
 * Headers are words that are known beforehand, but for lengths, ports, addresses and checksums; no template is kept for a
 * peer, since writing the words costs less than finding them.
 */

import type { DatagramBatch } from '../api.ts';
import type { NextHops } from '../linux/netlink/next-hops.ts';
import { ADDRESS_WORDS, addressWords } from '../posix/sockaddr.ts';
import { xdpCalls } from './calls.ts';
import { folded, swapped, tailSum } from './frame-sum.ts';
import type { Umem } from './umem.ts';

const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
export const IPV4_HEADERS_BYTES: number = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
export const IPV6_HEADERS_BYTES: number = ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES;
const MAC_WORDS = 3;

// Half words and words as a little-endian machine writes them.
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
/** Version 4, five words, no traffic class. */
const IPV4_FIRST = 0x0045;
/** Don't fragment: so the identification may be 0 (RFC 6864), and a path that is too narrow is found out (RFC 8899). */
const DONT_FRAGMENT = 0x0040;
/** 64 hops, as Linux does, and UDP. */
const HOPS_UDP = 0x1140;
const IPV6_FIRST = 0x0060;
/** UDP and 64 hops: IPv6 has them the other way round. */
const UDP_HOPS = 0x4011;
const PROTOCOL_UDP = 0x1100;
/** Payloads longer than this are copied by memcpy and summed afterwards: its call costs what 40 words cost. */
const COPY_BY_WORDS_MAX = 256;

/** Writes frames for one socket. */
export class FrameWriter {
  private readonly umem: Umem;
  private readonly hops: NextHops;
  private readonly macWords: Int32Array;
  private readonly batch: DatagramBatch;
  private readonly addresses: Int32Array;
  /** Source port in network order. */
  private readonly port: number;
  private readonly memcpy: (to: number, from: number, bytes: number) => number = xdpCalls().memcpy;

  /** @param port of the socket */
  constructor(umem: Umem, hops: NextHops, batch: DatagramBatch, port: number) {
    this.umem = umem;
    this.hops = hops;
    this.macWords = new Int32Array(hops.macs.buffer, hops.macs.byteOffset, hops.macs.byteLength >>> 2);
    this.batch = batch;
    this.addresses = addressWords(batch.address);
    this.port = swapped(port);
  }

  /** Writes the IPv4 datagram in `slot`, by way of `row`, as a frame at byte `frame` of the arena; returns its bytes. */
  writeIPv4(slot: number, row: number, frame: number): number {
    const { view } = this.umem.arena;
    const size = this.batch.length[slot]!;
    const destination = this.addresses[slot * ADDRESS_WORDS + 3]!;
    const source = this.hops.source[row * 4 + 3]!;
    const udpBytes = swapped(UDP_BYTES + size);
    const totalBytes = swapped(IPV4_BYTES + UDP_BYTES + size);
    const addressSum = (source & 0xffff) + (source >>> 16) + (destination & 0xffff) + (destination >>> 16);
    const ip = frame + ETHERNET_BYTES;
    this.writeEthernet(view, row, frame, TYPE_IPV4);
    view.setInt32(ip, IPV4_FIRST | (totalBytes << 16), true);
    view.setInt32(ip + 4, DONT_FRAGMENT << 16, true);
    const headerSum = folded(addressSum + IPV4_FIRST + totalBytes + DONT_FRAGMENT + HOPS_UDP);
    view.setInt32(ip + 8, HOPS_UDP | (~headerSum << 16), true);
    view.setInt32(ip + 12, source, true);
    view.setInt32(ip + 16, destination, true);
    this.writeUdp(view, slot, ip + IPV4_BYTES, udpBytes, addressSum);
    return IPV4_HEADERS_BYTES + size;
  }

  /** The same for IPv6. */
  writeIPv6(slot: number, row: number, frame: number): number {
    const { view } = this.umem.arena;
    const { source } = this.hops;
    const size = this.batch.length[slot]!;
    const udpBytes = swapped(UDP_BYTES + size);
    const ip = frame + ETHERNET_BYTES;
    this.writeEthernet(view, row, frame, TYPE_IPV6);
    view.setInt32(ip, IPV6_FIRST, true);
    view.setInt32(ip + 4, udpBytes | (UDP_HOPS << 16), true);
    let addressSum = 0;
    for (let i = 0; i < 4; i++) {
      const from = source[row * 4 + i]!;
      const to = this.addresses[slot * ADDRESS_WORDS + i]!;
      view.setInt32(ip + 8 + i * 4, from, true);
      view.setInt32(ip + 24 + i * 4, to, true);
      addressSum += (from & 0xffff) + (from >>> 16) + (to & 0xffff) + (to >>> 16);
    }
    this.writeUdp(view, slot, ip + IPV6_BYTES, udpBytes, addressSum);
    return IPV6_HEADERS_BYTES + size;
  }

  private writeEthernet(view: DataView, row: number, frame: number, type: number): void {
    const { macWords } = this;
    view.setInt32(frame, macWords[row * MAC_WORDS]!, true);
    view.setInt32(frame + 4, macWords[row * MAC_WORDS + 1]!, true);
    view.setInt32(frame + 8, macWords[row * MAC_WORDS + 2]!, true);
    view.setInt16(frame + 12, type, true);
  }

  /** Copies the payload of `slot`, and writes the header at `udp` with the checksum over all. */
  private writeUdp(view: DataView, slot: number, udp: number, udpBytes: number, addressSum: number): void {
    const { batch } = this;
    const size = batch.length[slot]!;
    const port = swapped(this.addresses[slot * ADDRESS_WORDS + 4]! & 0xffff);
    const payloadSum = this.copy(view, slot, udp + UDP_BYTES, size);
    // The length counts twice: in the pseudo-header and in the header.
    const sum = folded(folded(addressSum + PROTOCOL_UDP + 2 * udpBytes + this.port + port) + payloadSum);
    const checksum = sum === 0xffff ? 0xffff : ~sum & 0xffff; // 0 would say that there is none (RFC 768)
    view.setInt32(udp, this.port | (port << 16), true);
    view.setInt32(udp + 4, udpBytes | (checksum << 16), true);
  }

  /** Copies the payload of `slot` to byte `to` and returns its folded sum. */
  private copy(view: DataView, slot: number, to: number, size: number): number {
    const { batch } = this;
    const start = batch.offset[slot]!;
    let from = batch.view;
    let at = start;
    if (size > COPY_BY_WORDS_MAX) {
      this.memcpy(this.umem.arena.address + to, batch.arenaAddress + start, size);
      from = view;
      at = to;
    }
    let low = 0;
    let high = 0;
    let i = 0;
    for (; i + 4 <= size; i += 4) {
      const word = from.getInt32(at + i, true);
      view.setInt32(to + i, word, true);
      low = (low + (word & 0xffff)) | 0;
      high = (high + (word >>> 16)) | 0;
    }
    const tail = tailSum(from, at + i, size - i);
    for (; i < size; i++) view.setUint8(to + i, from.getUint8(at + i));
    return folded(folded(low + tail) + folded(high));
  }
}

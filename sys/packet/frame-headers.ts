/**
 * Headers of frames: Ethernet, IPv4 or IPv6, and UDP, written from one template a destination.
 *
 * A template is a row of `NextHops` made into bytes, once; a frame is a copy of it with port, lengths and checksums filled
 * in. Its header area is 80 bytes, aligned so that the copy goes by words:
 *
 * | byte | |
 * |---|---|
 * | 6 | `virtio_net_hdr` (10), for sockets that take one |
 * | 16 | Ethernet (14) |
 * | 30 | IPv4 (20) or IPv6 (40) |
 * | 50 or 70 | UDP (8) |
 *
 * All datagrams have DF (IPv4), so their IP id means nothing and is 0 (RFC 6864 4.1).
 */

import type { NextHops } from '../linux/netlink/next-hops.ts';
import { isMapped } from '../posix/sockaddr.ts';
import { fold, pseudoSumIPv4, pseudoSumIPv6, sumOf } from '../wire/checksum.ts';
import { ETHERNET_BYTES, EthernetHeader } from '../wire/ethernet.ts';
import { setU16 } from '../wire/header.ts';
import { IPV4_BYTES, IPv4Header } from '../wire/ipv4.ts';
import { IPV6_BYTES, IPv6Header } from '../wire/ipv6.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTOCOL_UDP } from '../wire/numbers.ts';
import { UDP_BYTES, UdpHeader } from '../wire/udp.ts';
import { VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_UDP_L4, VirtioNetHdr } from './abi.ts';

/** Words and bytes of one header area. */
export const HEADER_WORDS = 20;
export const HEADER_BYTES: number = HEADER_WORDS * 4;
export const ETHERNET_AT = 16;
export const OFFLOAD_AT: number = ETHERNET_AT - VirtioNetHdr.SIZE;
const IP_AT: number = ETHERNET_AT + ETHERNET_BYTES;
/** Where the UDP header starts, by family. */
const UDP_AT_IPV4: number = IP_AT + IPV4_BYTES;
const UDP_AT_IPV6: number = IP_AT + IPV6_BYTES;
/** The areas end with the UDP header: bytes from the start of the area, by family. */
export const END_IPV4: number = UDP_AT_IPV4 + UDP_BYTES;
export const END_IPV6: number = UDP_AT_IPV6 + UDP_BYTES;
const WORDS_IPV4: number = (END_IPV4 + 3) >> 2;
const CHECKSUM_IN_UDP = 6;

/** TTL and hop limit of what a socket sends, and its port. */
export interface HeaderOptions {
  readonly sourcePort: number;
  readonly ttl: number;
  readonly hopLimit: number;
}

/** Templates of one socket, by row of `NextHops`. */
export class FrameHeaders {
  /** Areas to write to, HEADER_BYTES each: words and bytes of the same memory. */
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly hops: NextHops;
  private readonly options: HeaderOptions;
  private readonly templates: Int32Array;
  private readonly templateBytes: Uint8Array;
  /** Version of the row that the template was made of; 0: none. */
  private readonly madeOf: Int32Array;
  /** Sum of the IPv4 header without its length; -1 for IPv6, which has no such checksum. */
  private readonly headerSum: Int32Array;
  /** Sum of the pseudo-header without the length. */
  private readonly pseudoSum: Int32Array;
  private readonly ethernet: EthernetHeader = new EthernetHeader();
  private readonly ipv4: IPv4Header = new IPv4Header();
  private readonly ipv6: IPv6Header = new IPv6Header();
  private readonly udp: UdpHeader = new UdpHeader();

  /** @param words the areas that frames are written to */
  constructor(words: Int32Array, hops: NextHops, options: HeaderOptions) {
    this.words = words;
    this.bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
    this.hops = hops;
    this.options = options;
    this.templates = new Int32Array(hops.rows * HEADER_WORDS);
    this.templateBytes = new Uint8Array(this.templates.buffer);
    this.madeOf = new Int32Array(hops.rows);
    this.headerSum = new Int32Array(hops.rows);
    this.pseudoSum = new Int32Array(hops.rows);
  }

  /**
   * Writes the headers of a datagram of `length` bytes by way of `row` into area `area`; `to` at word `at` is its canonical
   * destination. Returns END_IPV4 or END_IPV6: where the headers end. The UDP checksum is left to the kernel.
   */
  write(area: number, row: number, to: Int32Array, at: number, length: number): number {
    if (this.madeOf[row] !== this.hops.version[row]) this.make(row, to, at);
    const { words, bytes, templates } = this;
    const headerSum = this.headerSum[row]!;
    const from = row * HEADER_WORDS;
    const first = area * HEADER_WORDS;
    const count = headerSum < 0 ? HEADER_WORDS : WORDS_IPV4;
    for (let i = 0; i < count; i++) words[first + i] = templates[from + i]!;
    const start = area * HEADER_BYTES;
    const udpBytes = length + UDP_BYTES;
    let udp: number;
    if (headerSum < 0) {
      udp = start + UDP_AT_IPV6;
      setU16(bytes, start + IP_AT + 4, udpBytes);
    } else {
      udp = start + UDP_AT_IPV4;
      setU16(bytes, start + IP_AT + 2, udpBytes + IPV4_BYTES);
      setU16(bytes, start + IP_AT + 10, ~fold(headerSum + udpBytes + IPV4_BYTES));
    }
    setU16(bytes, udp + 2, to[at + 4]! & 0xffff);
    setU16(bytes, udp + 4, udpBytes);
    setU16(bytes, udp + CHECKSUM_IN_UDP, fold(this.pseudoSum[row]! + udpBytes));
    return headerSum < 0 ? END_IPV6 : END_IPV4;
  }

  /** Says that what follows the headers of `area`, which end at `end`, is datagrams of `segmentBytes`. */
  join(area: number, end: number, segmentBytes: number): void {
    const at = area * HEADER_BYTES + OFFLOAD_AT;
    this.bytes[at + VirtioNetHdr.gsoType] = VIRTIO_NET_HDR_GSO_UDP_L4;
    setU16Native(this.bytes, at + VirtioNetHdr.headerBytes, end - ETHERNET_AT);
    setU16Native(this.bytes, at + VirtioNetHdr.gsoBytes, segmentBytes);
  }

  /** Computes the UDP checksum of `area` here: for a kernel that does not. The payload is `payload[from .. from + length)`. */
  sum(area: number, end: number, payload: Uint8Array, from: number, length: number): void {
    const { bytes } = this;
    const udp = area * HEADER_BYTES + end - UDP_BYTES;
    // The field holds the sum of the pseudo-header, which is what the sum starts from.
    const sum = ~sumOf(payload, from, from + length, sumOf(bytes, udp, udp + UDP_BYTES)) & 0xffff;
    setU16(bytes, udp + CHECKSUM_IN_UDP, sum === 0 ? 0xffff : sum); // 0 would mean that there is none
  }

  /** Makes the template of `row`, for the destination at word `at` of `to`. */
  private make(row: number, to: Int32Array, at: number): void {
    const { hops, templateBytes, ethernet, udp, options } = this;
    const start = row * HEADER_BYTES;
    const mapped = isMapped(to, at);
    const udpAt = start + (mapped ? UDP_AT_IPV4 : UDP_AT_IPV6);
    const end = udpAt + UDP_BYTES;
    templateBytes.fill(0, start, start + HEADER_BYTES);
    ethernet.wrap(templateBytes, start + ETHERNET_AT, end);
    ethernet.writeDestination(hops.macs, row * 12);
    ethernet.writeSource(hops.macs, row * 12 + 6);
    ethernet.type = mapped ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
    udp.wrap(templateBytes, udpAt, end).sourcePort = options.sourcePort;
    const offload = start + OFFLOAD_AT;
    templateBytes[offload + VirtioNetHdr.flags] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    setU16Native(templateBytes, offload + VirtioNetHdr.checksumStart, udpAt - start - ETHERNET_AT);
    setU16Native(templateBytes, offload + VirtioNetHdr.checksumOffset, CHECKSUM_IN_UDP);
    const destination = new Uint8Array(to.buffer, to.byteOffset + at * 4, 16);
    const source = new Uint8Array(hops.source.buffer, hops.source.byteOffset + row * 16, 16);
    if (mapped) this.makeIPv4(row, start + IP_AT, source, destination);
    else this.makeIPv6(row, start + IP_AT, source, destination);
    this.madeOf[row] = hops.version[row]!;
  }

  private makeIPv4(row: number, at: number, source: Uint8Array, destination: Uint8Array): void {
    const { templateBytes, ipv4 } = this;
    ipv4.wrap(templateBytes, at, at + IPV4_BYTES).clear();
    ipv4.dontFragment = true;
    ipv4.ttl = this.options.ttl;
    ipv4.protocol = PROTOCOL_UDP;
    ipv4.writeSource(source);
    ipv4.writeDestination(destination);
    this.headerSum[row] = sumOf(templateBytes, at, at + IPV4_BYTES);
    this.pseudoSum[row] = pseudoSumIPv4(templateBytes, ipv4.sourceAt, ipv4.destinationAt, PROTOCOL_UDP, 0);
  }

  private makeIPv6(row: number, at: number, source: Uint8Array, destination: Uint8Array): void {
    const { templateBytes, ipv6 } = this;
    ipv6.wrap(templateBytes, at, at + IPV6_BYTES).clear();
    ipv6.nextHeader = PROTOCOL_UDP;
    ipv6.hopLimit = this.options.hopLimit;
    ipv6.writeSource(source);
    ipv6.writeDestination(destination);
    this.headerSum[row] = -1;
    this.pseudoSum[row] = pseudoSumIPv6(templateBytes, ipv6.sourceAt, ipv6.destinationAt, PROTOCOL_UDP, 0);
  }
}

/** The 16 bits of a struct of this (little-endian) machine. */
function setU16Native(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/**
 * Headers of frames, ready made: for each destination of a socket one template of Ethernet, IP and UDP, found by the words of
 * its address and copied by words. Only lengths and checksums are filled in for a datagram.
 *
 * A template is what a row of `NextHops` said, and is good as long as the row has the version that it was made of; so
 * whatever the kernel tells of routes, neighbours and links reaches it by one comparison. It lies in two cache lines, and
 * IPv4 in the first of them:
 *
 * | word | |
 * |---|---|
 * | 0 | version of the row |
 * | 1 | the row; above it the longest payload that the interface takes |
 * | 2 | sum of the IPv4 header without its length; above it that of the pseudo-header without its length |
 * | 3 .. 13, 3 .. 18 | headers of IPv4 or of IPv6, from byte 2 on, so that all but Ethernet's fields are aligned |
 * | 24 .. 28 | scope, and the source that was asked for |
 *
 * All datagrams have DF (IPv4), so their IP id means nothing and is 0 (RFC 6864 4.1). The flow label of IPv6 is 0.
 */

import { ADDRESS_WORDS, isMapped } from '../../posix/sockaddr.ts';
import { ETHERNET_BYTES } from '../../wire/ethernet.ts';
import { folded, swapped } from '../../wire/frame-sum.ts';
import { IPV4_BYTES } from '../../wire/ipv4.ts';
import { IPV6_BYTES } from '../../wire/ipv6.ts';
import { UDP_BYTES } from '../../wire/udp.ts';
import type { NextHops } from './next-hops.ts';

/** Bytes of all headers, by family. */
export const IPV4_HEADERS_BYTES: number = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES;
export const IPV6_HEADERS_BYTES: number = ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES;
/** Words of headers, with the two bytes before them. */
export const IPV4_HEADERS_WORDS = 11;
export const IPV6_HEADERS_WORDS = 16;
/** How far headers start behind the word that they are written to. */
export const HEADERS_SHIFT = 2;

/** Templates of a socket, a power of two: as many as `NextHops` has rows. */
const TEMPLATES = 4096;
/** Places where a destination's template may be; with four clients in sixteen places nearly all are found at the first. */
const PLACES = 4;
const TEMPLATE_WORDS = 32;
const ROW = 1;
const SUMS = 2;
const HEADERS = 3;
/** Of the IP header, which starts a word: within the template, and from the word that headers are written to. */
const IP_AT = 4;
const IP: number = HEADERS + IP_AT;
const SCOPE = 24;
const SOURCE = 25;
const INDEX_MASK: number = TEMPLATES * TEMPLATE_WORDS - 1;
const HASH_SHIFT: number = 32 - Math.log2(TEMPLATES * TEMPLATE_WORDS);

// Half words and words as a little-endian machine loads them.
const TYPE_IPV4 = 0x0008;
const TYPE_IPV6 = 0xdd86;
/** Version 4, five words, no traffic class. */
const IPV4_FIRST = 0x0045;
const IPV6_FIRST = 0x0060;
const DONT_FRAGMENT = 0x0040;
const PROTOCOL_UDP = 0x1100;
const IP_BYTES_MAX = 0xffff;
/** Odd multipliers that spread neighbouring addresses over the table (as those that end MurmurHash3). */
const MIX_A = 0x85eb_ca6b | 0;
const MIX_B = 0xc2b2_ae35 | 0;

/** What one socket writes into its headers, and what it may send to. */
export interface TemplateOptions {
  readonly sourcePort: number;
  readonly ttl: number;
  readonly hopLimit: number;
  readonly sendsIPv4: boolean;
  readonly sendsIPv6: boolean;
  /** The interface that frames can be sent by; 0: any. */
  readonly interfaceIndex: number;
  /** Longest frame, beside what the interface takes. */
  readonly frameBytesMax: number;
  /** What precedes the headers, in the two bytes before them. */
  readonly prefix: number;
}

/** The templates of one socket. */
export class FrameTemplates {
  private readonly words: Int32Array = new Int32Array(TEMPLATES * TEMPLATE_WORDS);
  private readonly hops: NextHops;
  private readonly version: Int32Array;
  private readonly recent: Uint8Array;
  private readonly macs: Uint16Array;
  private readonly addresses: Int32Array;
  private readonly sources: Int32Array;
  private readonly sourceStep: number;
  private readonly options: TemplateOptions;
  /** Source port in network order. */
  private readonly port: number;

  /**
   * @param addresses canonical words of destinations, by entry
   * @param sources of the addresses to send from: one an entry with a `sourceStep` of ADDRESS_WORDS, one for all with 0
   */
  constructor(
    hops: NextHops,
    addresses: Int32Array,
    sources: Int32Array,
    sourceStep: number,
    options: TemplateOptions,
  ) {
    this.hops = hops;
    this.version = hops.version;
    this.recent = hops.recent;
    this.macs = new Uint16Array(hops.macs.buffer, hops.macs.byteOffset, hops.macs.byteLength >>> 1);
    this.addresses = addresses;
    this.sources = sources;
    this.sourceStep = sourceStep;
    this.options = options;
    this.port = swapped(options.sourcePort);
  }

  /**
   * The template for the destination of `entry` and a payload of `bytes`; -1: the kernel must send it. Good until the next
   * `look` of `NextHops`.
   */
  find(entry: number, bytes: number): number {
    const { words, addresses } = this;
    const at = entry * ADDRESS_WORDS;
    const last = addresses[at + 3]!;
    const ports = this.port | (swapped(addresses[at + 4]! & 0xffff) << 16);
    const mixed = Math.imul(last ^ addresses[at + 1]!, MIX_A) ^ Math.imul(ports, MIX_B);
    const home = (Math.imul(mixed ^ (mixed >>> 15), MIX_A) >>> HASH_SHIFT) & -TEMPLATE_WORDS;
    let template = home;
    for (let place = 0; place < PLACES; place++) {
      if (this.isFor(template, at, last, ports, entry)) {
        const row = words[template + ROW]!;
        if (words[template] !== this.version[row & 0xffff]) return this.make(template, entry, bytes);
        this.recent[row & 0xffff] = 1;
        return bytes <= row >>> 16 ? template : -1;
      }
      template = (template + TEMPLATE_WORDS) & INDEX_MASK;
    }
    return this.make(this.placeFrom(home), entry, bytes);
  }

  /** The row of `NextHops` that `template` was made of. */
  rowOf(template: number): number {
    return this.words[template + ROW]! & 0xffff;
  }

  /** The interface that frames of `template` leave by. */
  interfaceOf(template: number): number {
    return this.hops.interfaceIndex[this.words[template + ROW]! & 0xffff]!;
  }

  /** Whether `template` is of IPv4. */
  isIPv4(template: number): boolean {
    return (this.words[template + IP]! & 0xff) === IPV4_FIRST;
  }

  /**
   * Writes the headers of a datagram of `bytes` by `template` to word `to` of `frame`, HEADERS_SHIFT bytes into it. The UDP
   * checksum is the sum of the pseudo-header, as who computes the rest wants it. Returns the words that were written.
   */
  write(template: number, frame: Int32Array, to: number, bytes: number): number {
    const { words } = this;
    const sums = words[template + SUMS]!;
    const udpBytes = swapped(bytes + UDP_BYTES);
    const udp = udpBytes | (folded((sums >>> 16) + udpBytes) << 16);
    frame[to] = words[template + 3]!;
    frame[to + 1] = words[template + 4]!;
    frame[to + 2] = words[template + 5]!;
    frame[to + 3] = words[template + 6]!;
    const first = words[template + 7]!;
    if ((first & 0xff) === IPV4_FIRST) {
      const totalBytes = swapped(bytes + IPV4_BYTES + UDP_BYTES);
      frame[to + 4] = first | (totalBytes << 16);
      frame[to + 5] = words[template + 8]!;
      frame[to + 6] = words[template + 9]! | (~folded((sums & 0xffff) + totalBytes) << 16);
      frame[to + 7] = words[template + 10]!;
      frame[to + 8] = words[template + 11]!;
      frame[to + 9] = words[template + 12]!;
      frame[to + 10] = udp;
      return IPV4_HEADERS_WORDS;
    }
    frame[to + 4] = first;
    frame[to + 5] = words[template + 8]! | udpBytes;
    for (let i = 6; i < 15; i++) frame[to + i] = words[template + HEADERS + i]!;
    frame[to + 15] = udp;
    return IPV6_HEADERS_WORDS;
  }

  /** Whether `template` is for the address at word `at` and the source of `entry`. */
  private isFor(template: number, at: number, last: number, ports: number, entry: number): boolean {
    const { words, addresses } = this;
    if (isMapped(addresses, at)) {
      return (
        words[template + 11] === last &&
        words[template + 12] === ports &&
        (words[template + IP]! & 0xff) === IPV4_FIRST &&
        (this.sourceStep === 0 || this.isFrom(template, entry))
      );
    }
    return (
      words[template + 16] === last &&
      words[template + 17] === ports &&
      (words[template + IP]! & 0xff) === IPV6_FIRST &&
      words[template + 13] === addresses[at] &&
      words[template + 14] === addresses[at + 1] &&
      words[template + 15] === addresses[at + 2] &&
      words[template + SCOPE] === addresses[at + 5] &&
      (this.sourceStep === 0 || this.isFrom(template, entry))
    );
  }

  private isFrom(template: number, entry: number): boolean {
    const { words, sources } = this;
    const from = entry * this.sourceStep;
    for (let i = 0; i < 4; i++) if (words[template + SOURCE + i] !== sources[from + i]) return false;
    return true;
  }

  /** The place to take for a new destination: the first whose template is not good any more, else the very first. */
  private placeFrom(home: number): number {
    const { words } = this;
    let template = home;
    for (let place = 0; place < PLACES; place++) {
      const row = words[template + ROW]! & 0xffff;
      if (words[template + IP] === 0 || words[template] !== this.version[row]) return template;
      template = (template + TEMPLATE_WORDS) & INDEX_MASK;
    }
    return home;
  }

  /** Makes `template` for the destination of `entry` and returns it; -1, and nothing is made, where the kernel must send. */
  private make(template: number, entry: number, bytes: number): number {
    const { addresses, sources, hops, options } = this;
    const at = entry * ADDRESS_WORDS;
    const from = entry * this.sourceStep;
    const ipv4 = isMapped(addresses, at);
    if (!(ipv4 ? options.sendsIPv4 : options.sendsIPv6) || (addresses[at + 4]! & 0xffff) === 0) return -1;
    const row = hops.find(addresses, at, sources, from);
    if (row < 0 || (options.interfaceIndex !== 0 && hops.interfaceIndex[row] !== options.interfaceIndex)) return -1;
    const overhead = (ipv4 ? IPV4_BYTES : IPV6_BYTES) + UDP_BYTES;
    const bytesMax = Math.min(IP_BYTES_MAX, hops.mtuBytes[row]!, options.frameBytesMax - ETHERNET_BYTES) - overhead;
    if (bytesMax < 0) return -1;
    const { words } = this;
    words[template] = this.version[row]!;
    words[template + ROW] = row | (bytesMax << 16);
    this.makeEthernet(template + HEADERS, row, ipv4 ? TYPE_IPV4 : TYPE_IPV6);
    if (ipv4) this.makeIPv4(template, row, at);
    else this.makeIPv6(template, row, at);
    words[template + SCOPE] = addresses[at + 5]!;
    for (let i = 0; i < 4; i++) words[template + SOURCE + i] = sources[from + i]!;
    return bytes <= bytesMax ? template : -1;
  }

  private makeEthernet(to: number, row: number, type: number): void {
    const { words, macs } = this;
    const mac = row * 6;
    words[to] = this.options.prefix | (macs[mac]! << 16);
    words[to + 1] = macs[mac + 1]! | (macs[mac + 2]! << 16);
    words[to + 2] = macs[mac + 3]! | (macs[mac + 4]! << 16);
    words[to + 3] = macs[mac + 5]! | (type << 16);
  }

  private makeIPv4(template: number, row: number, at: number): void {
    const { words } = this;
    const source = this.hops.source[row * 4 + 3]!;
    const destination = this.addresses[at + 3]!;
    const ttlUdp = this.options.ttl | PROTOCOL_UDP;
    const addressSum = folded(sumOfWord(source) + sumOfWord(destination));
    const headerSum = folded(addressSum + IPV4_FIRST + DONT_FRAGMENT + ttlUdp);
    words[template + SUMS] = headerSum | (folded(addressSum + PROTOCOL_UDP) << 16);
    words[template + IP] = IPV4_FIRST;
    words[template + IP + 1] = DONT_FRAGMENT << 16;
    words[template + IP + 2] = ttlUdp;
    words[template + IP + 3] = source;
    words[template + IP + 4] = destination;
    words[template + IP + 5] = this.portsTo(at);
  }

  private makeIPv6(template: number, row: number, at: number): void {
    const { words, addresses } = this;
    const { source } = this.hops;
    let addressSum = 0;
    for (let i = 0; i < 4; i++) {
      const from = source[row * 4 + i]!;
      const to = addresses[at + i]!;
      words[template + IP + 2 + i] = from;
      words[template + IP + 6 + i] = to;
      addressSum += sumOfWord(from) + sumOfWord(to);
    }
    words[template + SUMS] = folded(addressSum + PROTOCOL_UDP) << 16;
    words[template + IP] = IPV6_FIRST;
    words[template + IP + 1] = (PROTOCOL_UDP << 8) | (this.options.hopLimit << 24);
    words[template + IP + 10] = this.portsTo(at);
  }

  private portsTo(at: number): number {
    return this.port | (swapped(this.addresses[at + 4]! & 0xffff) << 16);
  }
}

function sumOfWord(word: number): number {
  return (word & 0xffff) + (word >>> 16);
}

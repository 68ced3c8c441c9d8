/**
 * Looks at frames one by one and counts them: the flow, the source, and what netcode shows. This is the hot path of the
 * sniffer: flyweights over whatever memory a frame lies in, columns to count in, nothing allocated.
 */

import { EthernetHeader } from '../../../sys/wire/ethernet.ts';
import { CUT, SHORT, WRONG } from '../../../sys/wire/header.ts';
import { ICMP_BYTES } from '../../../sys/wire/icmp.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { IPv6Header } from '../../../sys/wire/ipv6.ts';
import {
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '../../../sys/wire/numbers.ts';
import { TcpHeader } from '../../../sys/wire/tcp.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';
import { FlowTable } from './flow-table.ts';
import { NetcodeColumns } from './netcode-columns.ts';
import { SourceTable } from './source-table.ts';
import { DESTINATION_PORT_WORD, SOURCE_PORT_WORD, TUPLE_WORDS, tupleOfIPv4, tupleOfIPv6 } from './tuple.ts';

export class PacketWatch {
  readonly flows: FlowTable;
  readonly sources: SourceTable;
  readonly netcode: NetcodeColumns;
  /** Frames, and their bytes on the wire. */
  frames = 0;
  bytes = 0;
  /** Frames whose headers end too early or contradict themselves, at any layer. */
  malformed = 0;
  /** Frames that carry neither IPv4 nor IPv6. */
  notIp = 0;
  /** Parts of IP packets that were cut in pieces. */
  fragments = 0;

  readonly #ethernet: EthernetHeader = new EthernetHeader();
  readonly #ipv4: IPv4Header = new IPv4Header();
  readonly #ipv6: IPv6Header = new IPv6Header();
  readonly #udp: UdpHeader = new UdpHeader();
  readonly #tcp: TcpHeader = new TcpHeader();
  readonly #tuple: Int32Array = new Int32Array(TUPLE_WORDS);
  /** By `2 * flow + side`: number and life of the flow's source. */
  readonly #sourceOf: Int32Array;
  readonly #sourceLife: Int32Array;
  // Of the packet at hand.
  #isWhole = true;
  #isWrongInside = false;
  #payloadAt = 0;
  #payloadEnd = 0;

  /** @param seed random: keys the tables */
  constructor(seed: number) {
    this.flows = new FlowTable(seed);
    this.sources = new SourceTable(seed);
    this.netcode = new NetcodeColumns(this.flows.index.capacity);
    this.#sourceOf = new Int32Array(2 * this.flows.index.capacity);
    this.#sourceLife = new Int32Array(2 * this.flows.index.capacity);
  }

  /**
   * Counts the Ethernet frame `bytes[at .. end)`.
   *
   * @param wireBytes its length before it was cut
   * @param seconds and nanoseconds since 1970, 32 bits
   */
  addFrame(bytes: Uint8Array, at: number, end: number, wireBytes: number, seconds: number, nanoseconds: number): void {
    this.frames++;
    this.bytes += wireBytes;
    this.#isWhole = end - at >= wireBytes;
    const ethernet = this.#ethernet;
    if (this.#isWrong(ethernet.wrap(bytes, at, end).check())) {
      this.malformed++;
      return;
    }
    if (ethernet.payloadType === ETHERTYPE_IPV4)
      this.#addIPv4(bytes, ethernet.payloadOffset, end, wireBytes, seconds, nanoseconds);
    else if (ethernet.payloadType === ETHERTYPE_IPV6)
      this.#addIPv6(bytes, ethernet.payloadOffset, end, wireBytes, seconds, nanoseconds);
    else this.notIp++;
  }

  /** Counts an IP packet without a link header, as some files have them. */
  addIpPacket(
    bytes: Uint8Array,
    at: number,
    end: number,
    wireBytes: number,
    seconds: number,
    nanoseconds: number,
  ): void {
    this.frames++;
    this.bytes += wireBytes;
    this.#isWhole = end - at >= wireBytes;
    const version = end > at ? bytes[at]! >>> 4 : 0;
    if (version === 4) this.#addIPv4(bytes, at, end, wireBytes, seconds, nanoseconds);
    else if (version === 6) this.#addIPv6(bytes, at, end, wireBytes, seconds, nanoseconds);
    else this.malformed++;
  }

  #addIPv4(bytes: Uint8Array, at: number, end: number, wireBytes: number, seconds: number, nanoseconds: number): void {
    const ip = this.#ipv4;
    if (this.#isWrong(ip.wrap(bytes, at, end).check())) {
      this.malformed++;
      return;
    }
    tupleOfIPv4(this.#tuple, ip);
    const isFragment = ip.isFragment;
    const isLater = isFragment && ip.fragmentBytes > 0;
    this.#addTransport(bytes, ip.payloadOffset, ip.payloadEnd, ip.protocol, isFragment, isLater);
    this.#count(bytes, wireBytes, seconds, nanoseconds);
  }

  #addIPv6(bytes: Uint8Array, at: number, end: number, wireBytes: number, seconds: number, nanoseconds: number): void {
    const ip = this.#ipv6;
    if (this.#isWrong(ip.wrap(bytes, at, end).check())) {
      this.malformed++;
      return;
    }
    tupleOfIPv6(this.#tuple, ip);
    const isFragment = ip.isFragment;
    const isLater = isFragment && ip.fragmentBytes > 0;
    this.#addTransport(bytes, ip.payloadOffset, ip.payloadEnd, ip.protocol, isFragment, isLater);
    this.#count(bytes, wireBytes, seconds, nanoseconds);
  }

  /** Ports into the tuple, and the UDP payload's place; -1 in `#payloadAt` where there is none. */
  #addTransport(
    bytes: Uint8Array,
    at: number,
    end: number,
    protocol: number,
    isFragment: boolean,
    isLater: boolean,
  ): void {
    this.#payloadAt = -1;
    this.#isWrongInside = false;
    if (isFragment) {
      this.fragments++;
      this.#isWhole = false; // a first fragment's headers speak of more than there is
      if (isLater) return;
    }
    if (protocol === PROTOCOL_UDP) {
      const udp = this.#udp;
      if (this.#isWrong(udp.wrap(bytes, at, end).check())) {
        this.#isWrongInside = true;
        return;
      }
      this.#tuple[SOURCE_PORT_WORD] = udp.sourcePort;
      this.#tuple[DESTINATION_PORT_WORD] = udp.destinationPort;
      if (!isFragment) {
        this.#payloadAt = udp.payloadOffset;
        this.#payloadEnd = udp.payloadEnd;
      }
    } else if (protocol === PROTOCOL_TCP) {
      const tcp = this.#tcp;
      if (this.#isWrong(tcp.wrap(bytes, at, end).check())) {
        this.#isWrongInside = true;
        return;
      }
      this.#tuple[SOURCE_PORT_WORD] = tcp.sourcePort;
      this.#tuple[DESTINATION_PORT_WORD] = tcp.destinationPort;
    } else if (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6) {
      if (this.#isWhole && end - at < ICMP_BYTES) this.#isWrongInside = true;
    }
  }

  #count(bytes: Uint8Array, wireBytes: number, seconds: number, nanoseconds: number): void {
    const { flows, sources } = this;
    if (this.#isWrongInside) {
      // No ports to be trusted, but whose packet it is.
      this.malformed++;
      const source = sources.find(this.#tuple);
      sources.add(source, wireBytes, seconds);
      sources.malformed[source]! += 1;
      return;
    }
    const flow = flows.add(this.#tuple, wireBytes, seconds, nanoseconds);
    const lane = 2 * flow + flows.side;
    if (flows.isNew) {
      this.netcode.reset(flow);
      this.#sourceLife[lane] = 0;
      this.#sourceLife[lane + 1] = 0;
    }
    let source = this.#sourceOf[lane]!;
    if (this.#sourceLife[lane] === 0 || this.#sourceLife[lane] !== sources.index.life[source]) {
      source = sources.find(this.#tuple);
      this.#sourceOf[lane] = source;
      this.#sourceLife[lane] = sources.index.life[source]!;
    } else sources.index.touch(source);
    sources.add(source, wireBytes, seconds);
    if (this.#payloadAt >= 0 && this.#isWhole)
      this.netcode.add(flow, flows.side, bytes, this.#payloadAt, this.#payloadEnd, seconds, nanoseconds);
  }

  /** Whether a check found nonsense. A frame that was cut by the capture may end anywhere behind its header. */
  #isWrong(found: number): boolean {
    return found === WRONG || (found === SHORT && this.#isWhole) || (found === CUT && this.#isWhole);
  }
}

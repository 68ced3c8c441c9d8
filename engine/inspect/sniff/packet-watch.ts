/**
 * Looks at frames one by one and counts them: the flow, the source, and what netcode shows. This is the hot path of the
 * sniffer: flyweights over whatever memory a frame lies in, columns to count in, nothing allocated.
 */

import { EthernetHeader } from '../../../sys/wire/ethernet.ts';
import { CUT, SHORT, WRONG } from '../../../sys/wire/header.ts';
import { ICMP_BYTES } from '../../../sys/wire/icmp.ts';
import { IPV4_BYTES, IPv4Header } from '../../../sys/wire/ipv4.ts';
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
import { UDP_BYTES, UdpHeader } from '../../../sys/wire/udp.ts';
import { FlowTable } from './flow-table.ts';
import { LaneCache } from './lane-cache.ts';
import { NetcodeColumns } from './netcode-columns.ts';
import { SourceTable } from './source-table.ts';
import { DESTINATION_PORT_WORD, SOURCE_PORT_WORD, TUPLE_WORDS, tupleOfIPv4, tupleOfIPv6 } from './tuple.ts';

// Where things lie in a frame of Ethernet, IPv4 without options and UDP, for the short way.
const TYPE_AT = 12;
const IP_AT = 14;
const FRAGMENT_AT = 20;
const PROTOCOL_AT = 23;
const SOURCE_AT = 26;
const DESTINATION_AT = 30;
const PORTS_AT = 34;
const UDP_LENGTH_AT = 38;
const PAYLOAD_AT = 42;
const PLAIN_IPV4 = 0x45;
const FRAGMENT_BITS = 0x3fff;

/** No source has this life. */
const NO_LIFE = -1;
const FRAMES = 0;
const BYTES = 1;

export class PacketWatch {
  readonly flows: FlowTable;
  readonly sources: SourceTable;
  readonly netcode: NetcodeColumns;
  /** Frames whose headers end too early or contradict themselves, at any layer. */
  malformed = 0;
  /** Frames that carry neither IPv4 nor IPv6. */
  notIp = 0;
  /** Parts of IP packets that were cut in pieces. */
  fragments = 0;

  /** Frames and bytes: doubles that never become objects. */
  readonly #sums: Float64Array = new Float64Array(2);
  readonly #lanes: LaneCache;
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
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
  /** Whether the short way knew the frame's form and not its flow. */
  #missed = false;
  #lane = 0;
  #payloadAt = 0;
  #payloadEnd = 0;

  /** @param seed random: keys the tables */
  constructor(seed: number) {
    this.flows = new FlowTable(seed);
    this.sources = new SourceTable(seed);
    this.#lanes = new LaneCache(seed);
    this.netcode = new NetcodeColumns(this.flows.index.capacity);
    this.#sourceOf = new Int32Array(2 * this.flows.index.capacity);
    this.#sourceLife = new Int32Array(2 * this.flows.index.capacity);
  }

  /** Frames seen. */
  get frames(): number {
    return this.#sums[FRAMES]!;
  }
  /** Their bytes on the wire. */
  get bytes(): number {
    return this.#sums[BYTES]!;
  }

  /**
   * Counts the Ethernet frame `bytes[at .. end)`.
   *
   * @param wireBytes its length before it was cut
   * @param seconds and nanoseconds since 1970, 32 bits
   */
  addFrame(bytes: Uint8Array, at: number, end: number, wireBytes: number, seconds: number, nanoseconds: number): void {
    this.#sums[FRAMES]! += 1;
    this.#sums[BYTES]! += wireBytes;
    this.#isWhole = end - at >= wireBytes;
    this.#missed = false;
    if (this.#isWhole && end - at >= PAYLOAD_AT) {
      if (bytes !== this.#bytes) this.#lookAt(bytes);
      if (this.#addPlainUdp(bytes, at, end, wireBytes, seconds, nanoseconds)) return;
    }
    const ethernet = this.#ethernet;
    if (this.#isWrong(ethernet.wrap(bytes, at, end).check())) {
      this.malformed++;
      return;
    }
    if (ethernet.payloadType === ETHERTYPE_IPV4) {
      this.#addIPv4(bytes, ethernet.payloadOffset, end, wireBytes, seconds, nanoseconds);
      if (this.#missed) this.#keepLane(at);
    } else if (ethernet.payloadType === ETHERTYPE_IPV6)
      this.#addIPv6(bytes, ethernet.payloadOffset, end, wireBytes, seconds, nanoseconds);
    else this.notIp++;
  }

  /**
   * The short way: a whole UDP datagram over IPv4 without options, fragments and tags, whose flow is known. False where
   * the frame is something else; nothing is counted then. Its checks are those that the headers would make.
   */
  #addPlainUdp(
    bytes: Uint8Array,
    at: number,
    end: number,
    wireBytes: number,
    seconds: number,
    nanoseconds: number,
  ): boolean {
    const view = this.#view;
    if (
      view.getUint16(at + TYPE_AT) !== ETHERTYPE_IPV4 ||
      view.getUint8(at + IP_AT) !== PLAIN_IPV4 ||
      (view.getUint16(at + FRAGMENT_AT) & FRAGMENT_BITS) !== 0 ||
      view.getUint8(at + PROTOCOL_AT) !== PROTOCOL_UDP
    )
      return false;
    const ipBytes = view.getUint16(at + IP_AT + 2);
    const udpBytes = view.getUint16(at + UDP_LENGTH_AT);
    if (IP_AT + ipBytes > end - at || udpBytes < UDP_BYTES || IPV4_BYTES + udpBytes > ipBytes) return false;
    const { flows } = this;
    const { life } = flows.index;
    const source = view.getInt32(at + SOURCE_AT);
    const destination = view.getInt32(at + DESTINATION_AT);
    const ports = view.getInt32(at + PORTS_AT);
    const lane = this.#lanes.find(source, destination, ports, life);
    if (lane < 0) {
      this.#missed = true;
      return false;
    }
    const flow = lane >> 1;
    const sender = this.#sourceOf[lane]!;
    if (this.#sourceLife[lane] !== this.sources.index.life[sender]) return false;
    flows.addKnown(flow, lane, wireBytes, seconds, nanoseconds);
    this.sources.add(sender, wireBytes, seconds);
    const payloadAt = at + PAYLOAD_AT;
    this.netcode.add(flow, lane & 1, bytes, payloadAt, payloadAt + udpBytes - UDP_BYTES, seconds, nanoseconds);
    return true;
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
    this.#sums[FRAMES]! += 1;
    this.#sums[BYTES]! += wireBytes;
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
      // Of both directions: what comes back may be what is seen next.
      this.#sourceLife[2 * flow] = NO_LIFE;
      this.#sourceLife[2 * flow + 1] = NO_LIFE;
    }
    this.#addSource(lane, wireBytes, seconds);
    this.#lane = lane;
    if (this.#payloadAt >= 0 && this.#isWhole)
      this.netcode.add(flow, flows.side, bytes, this.#payloadAt, this.#payloadEnd, seconds, nanoseconds);
  }

  /** Makes the short way know the lane of the frame at `at`, which the long way has just counted. */
  #keepLane(at: number): void {
    const view = this.#view;
    this.#lanes.keep(
      view.getInt32(at + SOURCE_AT),
      view.getInt32(at + DESTINATION_AT),
      view.getInt32(at + PORTS_AT),
      this.#lane,
      this.flows.index.life[this.#lane >> 1]!,
    );
  }

  #lookAt(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  #addSource(lane: number, wireBytes: number, seconds: number): void {
    const { sources } = this;
    let source = this.#sourceOf[lane]!;
    if (this.#sourceLife[lane] !== sources.index.life[source]) {
      // The lane is new, or its source has made room.
      source = sources.find(this.#tuple);
      this.#sourceOf[lane] = source;
      this.#sourceLife[lane] = sources.index.life[source]!;
    }
    sources.add(source, wireBytes, seconds);
  }

  /** Whether a check found nonsense. A frame that was cut by the capture may end anywhere behind its header. */
  #isWrong(found: number): boolean {
    return found === WRONG || (found === SHORT && this.#isWhole) || (found === CUT && this.#isWhole);
  }
}

/** Echoes of ICMP and ICMPv6 as one: writes requests, chooses and reads what comes back. Both have the same header. */

import {
  all,
  any,
  type Condition,
  compileCondition,
  equals,
  type FilterProgram,
  ICMP_BYTES,
  ICMP_ECHO_REPLY,
  ICMP_ECHO_REQUEST,
  ICMP_PARAMETER_PROBLEM,
  ICMP_TIME_EXCEEDED,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_PACKET_TOO_BIG,
  ICMPV6_PARAMETER_PROBLEM,
  ICMPV6_TIME_EXCEEDED,
  ICMPV6_UNREACHABLE,
  IcmpHeader,
  IPV4_BYTES,
  IPV4_BYTES_MAX,
  IPV6_BYTES,
  IPv4Header,
  loadAt,
  loadBehind,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  WHOLE,
} from 'tickwire/packets';
import { ADDRESS_BYTES, addressOf, type DatagramBatch, formatHost, isIPv4 } from 'tickwire/sys';

// Of the header.
const TYPE = 0;
const IDENTIFIER = 4;
/** The longest IP packet. */
const PACKET_BYTES_MAX = 65_535;
/** Room for what routers quote (RFC 1812 4.3.2.3: 576 bytes, RFC 4443 2.4: 1,280). */
const SLOT_BYTES_MIN = 2048;

/** What errors say, by type; by type and code where that says more. */
const TROUBLES: Readonly<Record<number, Readonly<Record<number | 'any', string>>>> = {
  [ICMP_UNREACHABLE]: {
    any: 'Destination Unreachable',
    0: 'Destination Net Unreachable',
    1: 'Destination Host Unreachable',
    2: 'Destination Protocol Unreachable',
    3: 'Destination Port Unreachable',
    4: 'Fragmentation needed, and forbidden',
    9: 'Destination Net Prohibited',
    10: 'Destination Host Prohibited',
    13: 'Packet filtered',
  },
  [ICMP_TIME_EXCEEDED]: { any: 'Time to live exceeded', 1: 'Fragment reassembly time exceeded' },
  [ICMP_PARAMETER_PROBLEM]: { any: 'Parameter problem' },
};
const TROUBLES_V6: typeof TROUBLES = {
  [ICMPV6_UNREACHABLE]: {
    any: 'Destination unreachable',
    0: 'Destination unreachable: No route',
    1: 'Destination unreachable: Administratively prohibited',
    3: 'Destination unreachable: Address unreachable',
    4: 'Destination unreachable: Port unreachable',
  },
  [ICMPV6_PACKET_TOO_BIG]: { any: 'Packet too big' },
  [ICMPV6_TIME_EXCEEDED]: { any: 'Time exceeded: Hop limit', 1: 'Time exceeded: Fragment reassembly' },
  [ICMPV6_PARAMETER_PROBLEM]: { any: 'Parameter problem' },
};

/** Our echoes to one host. The fields are of what was read last. */
export class Echo {
  /** Where answers are received: any address of the peer's family. */
  readonly local: Uint8Array;
  readonly protocol: number;
  /** Passes answers to our identifier, and errors that quote it. Others' pings cost us nothing. */
  readonly filter: FilterProgram;
  readonly slotBytes: number;

  from = '';
  /** Of the ICMP message, header and data. */
  bytes = 0;
  sequence = 0;
  /** TTL that was left of it; 0 where it is not known: over IPv6 a raw socket does not see the IP header. */
  ttl = 0;
  /** What a router or the host says in place of an answer; '' for an answer. */
  trouble = '';

  private readonly v4: boolean;
  private readonly identifier: number;
  private readonly size: number;
  private readonly ip: IPv4Header = new IPv4Header();
  private readonly icmp: IcmpHeader = new IcmpHeader();
  private readonly quoted: IcmpHeader = new IcmpHeader();

  /**
   * @param peer canonical address of the host
   * @param identifier 16 bits by which the answers to us are known
   * @param size bytes of data behind the header
   */
  constructor(peer: Uint8Array, identifier: number, size: number) {
    const v4 = isIPv4(peer);
    this.v4 = v4;
    this.local = addressOf(v4 ? '0.0.0.0' : '::', 0)!;
    this.identifier = identifier;
    this.size = size;
    this.protocol = v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
    this.slotBytes = Math.min(PACKET_BYTES_MAX, Math.max(SLOT_BYTES_MIN, IPV4_BYTES_MAX + ICMP_BYTES + size));
    this.filter = compileCondition(this.condition());
  }

  /** Where the quoted request starts in an error: we send no options, so its IP header is as short as can be. */
  private get quoteAt(): number {
    return ICMP_BYTES + (this.v4 ? IPV4_BYTES : IPV6_BYTES);
  }

  /** The filter in words. A raw socket's packet starts at the IPv4 header, or behind the IPv6 one. */
  private condition(): Condition {
    const load = (at: number, width: 1 | 2) => (this.v4 ? loadBehind(0, at, width) : loadAt(at, width));
    const reply = equals(load(TYPE, 1), this.v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY);
    const types = Object.keys(this.v4 ? TROUBLES : TROUBLES_V6).map((type) => equals(load(TYPE, 1), Number(type)));
    return any(
      all(reply, equals(load(IDENTIFIER, 2), this.identifier)),
      all(any(types[0]!, ...types.slice(1)), equals(load(this.quoteAt + IDENTIFIER, 2), this.identifier)),
    );
  }

  /** Makes request `sequence` to `peer` the only packet of `tx`. */
  write(tx: DatagramBatch, peer: Uint8Array, sequence: number): void {
    const at = tx.home(0);
    const length = ICMP_BYTES + this.size;
    const echo = this.icmp.wrap(tx.arena, at, at + length).clear();
    echo.type = this.v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST;
    echo.identifier = this.identifier;
    echo.sequence = sequence;
    for (let i = 0; i < this.size; i++) tx.arena[at + ICMP_BYTES + i] = i;
    if (this.v4) echo.fillChecksum(); // of ICMPv6 the kernel does it: its addresses are part of the sum
    tx.offset[0] = at;
    tx.length[0] = length;
    tx.address.set(peer, 0);
    tx.count = 1;
  }

  /** Reads what the filter let through; false where it is broken after all. */
  read(rx: DatagramBatch, slot: number): boolean {
    const { ip, icmp, quoted, v4 } = this;
    const at = rx.offset[slot]!;
    const end = at + rx.length[slot]!;
    if (v4 && ip.wrap(rx.arena, at, end).check() !== WHOLE) return false;
    icmp.wrap(rx.arena, v4 ? ip.payloadOffset : at, v4 ? ip.payloadEnd : end);
    if (icmp.check() !== WHOLE || (v4 && !icmp.checksumHolds)) return false;
    const says = (v4 ? TROUBLES : TROUBLES_V6)[icmp.type];
    const echo = says === undefined ? icmp : quoted.wrap(rx.arena, icmp.offset + this.quoteAt, icmp.end);
    if (echo.check() !== WHOLE || echo.identifier !== this.identifier) return false;
    this.from = formatHost(rx.address, slot * ADDRESS_BYTES);
    this.bytes = icmp.end - icmp.offset;
    this.sequence = echo.sequence;
    this.ttl = v4 ? ip.ttl : 0;
    this.trouble = says === undefined ? '' : (says[icmp.code] ?? says.any);
    return true;
  }
}

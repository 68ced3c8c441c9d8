/**
 * What a question means for an Ethernet frame: offset 0 is the first byte of the Ethernet header.
 *
 * In effect, and in the order of the loads (which decides what becomes of a frame that is cut off), as tcpdump has it:
 *
 * - `host` and `net` look at ARP and RARP too.
 * - Ports are looked for in TCP, UDP and SCTP, not in fragments other than the first, and behind options of IPv4.
 * - Over IPv6 ports are looked for right behind the header of 40 bytes; `udp`, `tcp` and `icmp6` see through a fragment
 *   header, and nobody sees through other extension headers.
 * - `vlan` moves all that follows it in the text by one tag, also across `or` and `not`.
 */

import { addressAt, inDirection, lengthWithin, portWithin } from './address-tests.ts';
import type { ProtocolName, Question } from './expression.ts';
import {
  all,
  any,
  atLeast,
  type Condition,
  equals,
  hasBits,
  type Load,
  loadAt,
  loadBehind,
  loadLength,
  not,
} from './packet-test.ts';

const TYPE_AT = 12;
const NETWORK_AT = 14;
const TAG_BYTES = 4;
const ETHERTYPE = { ip: 0x0800, arp: 0x0806, rarp: 0x8035, ip6: 0x86dd } as const;
const VLAN_TYPES = [0x8100, 0x88a8, 0x9100] as const;
const PROTOCOL = { icmp: 1, igmp: 2, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const;
const IPV6_FRAGMENT = 44;
// Offsets from the network header.
const IPV4_FRAGMENT = 6;
const IPV4_PROTOCOL = 9;
const IPV6_NEXT_HEADER = 6;
const IPV6_PAYLOAD = 40;
const IPV4_DESTINATION = 16;
const IPV6_DESTINATION = 24;
/** Source and destination. */
const IPV4_ADDRESSES = [12, 16] as const;
const ARP_ADDRESSES = [14, 24] as const;
const IPV6_ADDRESSES = [8, 24] as const;
const FRAGMENT_OFFSET_MASK = 0x1fff;

/** @param vlans tags before the type that the question is about */
export function ethernetCondition(question: Question, vlans: number): Condition {
  const frame = new FrameTests(vlans * TAG_BYTES);
  switch (question.kind) {
    case 'protocol':
      return frame.protocol(question.name);
    case 'number':
      return frame.number(question.of, question.number);
    case 'address':
      return frame.address(question);
    case 'mac':
      return inDirection(
        question.direction,
        () => macAt(6, question.mac),
        () => macAt(0, question.mac),
      );
    case 'ports':
      return frame.ports(question);
    case 'vlan':
      return frame.vlan(question.id);
    case 'group':
      return frame.group(question.of, question.cast);
    case 'length':
      return lengthWithin(loadLength(), question.first, question.last);
  }
}

/** Tests of frames whose type lies `shift` bytes behind where it lies without tags. */
class FrameTests {
  private readonly shift: number;

  constructor(shift: number) {
    this.shift = shift;
  }

  protocol(name: ProtocolName): Condition {
    switch (name) {
      case 'ip':
      case 'ip6':
      case 'arp':
      case 'rarp':
        return this.type(ETHERTYPE[name]);
      case 'icmp':
      case 'igmp':
        return this.number('ip', PROTOCOL[name]);
      case 'icmp6':
        return this.number('ip6', PROTOCOL.icmp6);
      default:
        return this.number('any', PROTOCOL[name]);
    }
  }

  number(of: 'ether' | 'ip' | 'ip6' | 'any', number: number): Condition {
    switch (of) {
      case 'ether':
        return this.type(number);
      case 'ip':
        return all(this.type(ETHERTYPE.ip), equals(this.network(IPV4_PROTOCOL, 1), number));
      case 'ip6': {
        const next = this.network(IPV6_NEXT_HEADER, 1);
        const behindFragment = all(equals(next, IPV6_FRAGMENT), equals(this.network(IPV6_PAYLOAD, 1), number));
        return all(this.type(ETHERTYPE.ip6), any(equals(next, number), behindFragment));
      }
      case 'any':
        return any(this.number('ip', number), this.number('ip6', number));
    }
  }

  address({ of, direction, address }: Question & { kind: 'address' }): Condition {
    const within = (type: Condition, [source, destination]: readonly [number, number]): Condition =>
      all(
        type,
        inDirection(
          direction,
          () => addressAt(this.at(source), address),
          () => addressAt(this.at(destination), address),
        ),
      );
    if (address.bytes.length === 16) return within(this.type(ETHERTYPE.ip6), IPV6_ADDRESSES);
    if (of === 'arp' || of === 'rarp') return within(this.type(ETHERTYPE[of]), ARP_ADDRESSES);
    const inIp = within(this.type(ETHERTYPE.ip), IPV4_ADDRESSES);
    if (of === 'ip') return inIp;
    return any(inIp, within(any(this.type(ETHERTYPE.arp), this.type(ETHERTYPE.rarp)), ARP_ADDRESSES));
  }

  ports({ of, direction, first, last }: Question & { kind: 'ports' }): Condition {
    const numbers = of === 'any' ? [PROTOCOL.sctp, PROTOCOL.tcp, PROTOCOL.udp] : [PROTOCOL[of]];
    const oneOf = (protocol: Load): Condition => {
      const [head, ...rest] = numbers.map((number) => equals(protocol, number));
      return any(head!, ...rest);
    };
    const within = (port: (offset: number) => Load): Condition =>
      inDirection(
        direction,
        () => portWithin(port(0), first, last),
        () => portWithin(port(2), first, last),
      );
    return any(
      all(
        this.type(ETHERTYPE.ip6),
        oneOf(this.network(IPV6_NEXT_HEADER, 1)),
        within((offset) => this.network(IPV6_PAYLOAD + offset, 2)),
      ),
      all(
        this.type(ETHERTYPE.ip),
        oneOf(this.network(IPV4_PROTOCOL, 1)),
        not(hasBits(this.network(IPV4_FRAGMENT, 2), FRAGMENT_OFFSET_MASK)),
        within((offset) => loadBehind(this.at(0), offset, 2)),
      ),
    );
  }

  vlan(id: number | null): Condition {
    const [first, ...rest] = VLAN_TYPES.map((type) => this.type(type));
    const tagged = any(first!, ...rest);
    return id === null ? tagged : all(tagged, equals(loadAt(this.at(0), 2, 0xfff), id));
  }

  group(of: 'ether' | 'ip' | 'ip6', cast: 'broadcast' | 'multicast'): Condition {
    if (of === 'ip') return all(this.type(ETHERTYPE.ip), atLeast(this.network(IPV4_DESTINATION, 1), 224));
    if (of === 'ip6') return all(this.type(ETHERTYPE.ip6), equals(this.network(IPV6_DESTINATION, 1), 0xff));
    return cast === 'broadcast' ? macAt(0, new Uint8Array(6).fill(0xff)) : hasBits(loadAt(0, 1), 1);
  }

  private type(value: number): Condition {
    return equals(loadAt(TYPE_AT + this.shift, 2), value);
  }

  private network(offset: number, width: 1 | 2): Load {
    return loadAt(this.at(offset), width);
  }

  /** The offset in the frame of one from the network header. */
  private at(offset: number): number {
    return NETWORK_AT + this.shift + offset;
  }
}

/** The last four bytes first: they differ most often. */
function macAt(offset: number, mac: Uint8Array): Condition {
  const low = ((mac[2]! << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!) >>> 0;
  return all(equals(loadAt(offset + 2, 4), low), equals(loadAt(offset, 2), (mac[0]! << 8) | mac[1]!));
}

/** Packets as plans: what a packet is to contain, in plain values that scapy understands too; and packets built from them. */

import * as fc from 'fast-check';
import { addressOf } from '../../../sys/api.ts';
import { ARP_BYTES, ArpPacket } from '../../../sys/wire/arp.ts';
import { ETHERNET_BYTES, EthernetHeader, parseMac, VLAN_TAG_BYTES } from '../../../sys/wire/ethernet.ts';
import { ICMP_BYTES, IcmpHeader } from '../../../sys/wire/icmp.ts';
import { ICMPV6_BYTES, Icmpv6Header } from '../../../sys/wire/icmpv6.ts';
import { IPV4_BYTES, IPv4Header } from '../../../sys/wire/ipv4.ts';
import { IPV6_BYTES, IPv6Header } from '../../../sys/wire/ipv6.ts';
import { TCP_BYTES, TcpHeader } from '../../../sys/wire/tcp.ts';
import { UDP_BYTES, UdpHeader } from '../../../sys/wire/udp.ts';
import { VlanTag } from '../../../sys/wire/vlan.ts';

export interface VlanPlan {
  readonly priority: number;
  readonly dropEligible: boolean;
  readonly id: number;
}
export interface FragmentPlan {
  readonly fragmentBytes: number;
  readonly moreFragments: boolean;
  readonly identification: number;
}
export type NetworkPlan =
  | { readonly kind: 'arp'; readonly operation: number; readonly sender: string; readonly target: string }
  | {
      readonly kind: 'ipv4';
      readonly source: string;
      readonly destination: string;
      readonly dscp: number;
      readonly ecn: number;
      readonly ttl: number;
      readonly dontFragment: boolean;
      readonly fragment: FragmentPlan;
      /** Value of a router alert option; null for no options. */
      readonly routerAlert: number | null;
    }
  | {
      readonly kind: 'ipv6';
      readonly source: string;
      readonly destination: string;
      readonly dscp: number;
      readonly ecn: number;
      readonly flowLabel: number;
      readonly hopLimit: number;
      /** Bytes of padding in a header of hop-by-hop options (at most 255); null for no such header. */
      readonly hopByHop: number | null;
      readonly destinationOptions: number | null;
      readonly fragment: FragmentPlan | null;
    };
export type TransportPlan =
  | { readonly kind: 'udp'; readonly sourcePort: number; readonly destinationPort: number }
  | {
      readonly kind: 'tcp';
      readonly sourcePort: number;
      readonly destinationPort: number;
      readonly sequence: number;
      readonly acknowledgement: number;
      readonly flags: number;
      readonly window: number;
      readonly urgent: number;
      /** Null for no options. */
      readonly mss: number | null;
      readonly timestamps: readonly [number, number] | null;
    }
  | { readonly kind: 'icmp'; readonly type: number; readonly identifier: number; readonly sequence: number }
  | { readonly kind: 'icmpv6'; readonly type: number; readonly identifier: number; readonly sequence: number };

export interface PacketPlan {
  readonly destination: string;
  readonly source: string;
  readonly tags: readonly VlanPlan[];
  readonly network: NetworkPlan;
  readonly transport: TransportPlan;
  /** Hex digits. */
  readonly payload: string;
}

/** Ports that no dissector claims, and those that filters ask for. */
const port = fc.oneof(fc.integer({ min: 40_000, max: 40_010 }), fc.integer({ min: 49_152, max: 65_535 }));
const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const six = fc.nat(0x3f);
const two = fc.nat(3);
const mac = fc
  .uint8Array({ minLength: 5, maxLength: 5 })
  .map((tail) => ['02', ...Array.from(tail, (byte) => byte.toString(16).padStart(2, '0'))].join(':'));
/** Few enough that filters for a host or a net find some. */
const host4 = fc
  .tuple(fc.constantFrom('10.0.0', '10.7.1', '192.168.3', '172.16.255'), fc.integer({ min: 1, max: 5 }))
  .map((p) => p.join('.'));
const host6 = fc
  .tuple(fc.constantFrom('fe80::', '2001:db8::1:', 'fd00:1:2:3:4:5:6:'), fc.integer({ min: 1, max: 5 }))
  .map((p) => p.join(''));
const fragment: fc.Arbitrary<FragmentPlan> = fc.record({
  fragmentBytes: fc.oneof(
    { weight: 4, arbitrary: fc.constant(0) },
    fc.nat(100).map((n) => n * 8),
  ),
  moreFragments: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
  identification: u16,
});
const padding = fc.option(
  fc.nat(4).map((n) => 8 * n + 4),
  { freq: 3 },
);
const transport4 = ['udp', 'tcp', 'icmp'] as const;
const transport6 = ['udp', 'tcp', 'icmpv6'] as const;

const network: fc.Arbitrary<NetworkPlan> = fc.oneof(
  fc.record({ kind: fc.constant('arp' as const), operation: fc.constantFrom(1, 2), sender: host4, target: host4 }),
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constant('ipv4' as const), source: host4, destination: host4, dscp: six, ecn: two },
      ...{ ttl: u8, dontFragment: fc.boolean(), fragment, routerAlert: fc.option(u16, { freq: 4 }) },
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constant('ipv6' as const), source: host6, destination: host6, dscp: six, ecn: two },
      ...{ flowLabel: fc.nat(0xf_ffff), hopLimit: u8, hopByHop: padding, destinationOptions: padding },
      fragment: fc.option(fragment, { freq: 4 }),
    }),
  },
);
const transport = fc.record({
  kind: fc.nat(2),
  ...{ sourcePort: port, destinationPort: port, sequence: u32, acknowledgement: u32, flags: u8, window: u16 },
  ...{
    urgent: u16,
    mss: fc.option(u16),
    timestamps: fc.option(fc.tuple(u32, u32)),
    echo: fc.boolean(),
    identifier: u16,
  },
});

/** Any packet that we can encode. */
export const packetPlan: fc.Arbitrary<PacketPlan> = fc
  .record({
    destination: mac,
    source: mac,
    tags: fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      fc.array(fc.record({ priority: fc.nat(7), dropEligible: fc.boolean(), id: fc.nat(4095) }), { maxLength: 2 }),
    ),
    network,
    transport,
    payload: fc.uint8Array({ maxLength: 90 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  })
  .map(({ transport: t, ...plan }): PacketPlan => {
    const kind = (plan.network.kind === 'ipv6' ? transport6 : transport4)[t.kind]!;
    const { sourcePort, destinationPort, identifier } = t;
    if (kind === 'udp') return { ...plan, transport: { kind, sourcePort, destinationPort } };
    if (kind === 'tcp') {
      const { sequence, acknowledgement, flags, window, urgent, mss, timestamps } = t;
      const fields = { sequence, acknowledgement, flags, window, urgent, mss, timestamps };
      return { ...plan, transport: { kind, sourcePort, destinationPort, ...fields } };
    }
    const type = kind === 'icmp' ? (t.echo ? 8 : 0) : t.echo ? 128 : 129;
    return { ...plan, transport: { kind, type, identifier, sequence: t.sequence & 0xffff } };
  });

/** The frame of a plan, written with our headers. */
export function buildFrame(plan: PacketPlan): Uint8Array {
  const bytes = new Uint8Array(2048);
  const ethernet = new EthernetHeader().wrap(bytes, 0, bytes.length);
  ethernet.writeDestination(parseMac(plan.destination)!);
  ethernet.writeSource(parseMac(plan.source)!);
  const type = { arp: 0x0806, ipv4: 0x0800, ipv6: 0x86dd }[plan.network.kind];
  const { tags } = plan;
  ethernet.type = tags.length === 2 ? 0x88a8 : tags.length === 1 ? 0x8100 : type;
  for (const [i, fields] of tags.entries()) {
    const tag = new VlanTag().wrap(bytes, ethernet.tagAt(i), bytes.length);
    Object.assign(tag, fields, { type: i + 1 < tags.length ? 0x8100 : type });
  }
  const end = writeNetwork(plan, bytes, ETHERNET_BYTES + tags.length * VLAN_TAG_BYTES);
  return bytes.slice(0, end);
}

function writeNetwork(
  { network, transport, source, destination, payload }: PacketPlan,
  bytes: Uint8Array,
  at: number,
): number {
  const address = (text: string): Uint8Array => addressOf(text, 0)!;
  if (network.kind === 'arp') {
    const arp = new ArpPacket().wrap(bytes, at, at + ARP_BYTES).clear();
    arp.operation = network.operation;
    arp.writeSenderMac(parseMac(source)!);
    arp.writeSender(address(network.sender));
    arp.writeTargetMac(parseMac(destination)!);
    arp.writeTarget(address(network.target));
    return at + ARP_BYTES;
  }
  const protocol = { udp: 17, tcp: 6, icmp: 1, icmpv6: 58 }[transport.kind];
  if (network.kind === 'ipv4') {
    const ip = new IPv4Header().wrap(bytes, at, bytes.length).clear();
    const { dscp, ecn, ttl, dontFragment, fragment, routerAlert } = network;
    Object.assign(ip, { dscp, ecn, ttl, dontFragment, ...fragment, protocol });
    ip.writeSource(address(network.source));
    ip.writeDestination(address(network.destination));
    if (routerAlert !== null) {
      ip.headerBytes = IPV4_BYTES + 4;
      bytes.set([0x94, 4, routerAlert >>> 8, routerAlert & 0xff], ip.optionsAt);
    }
    const end = writeTransport(transport, payload, bytes, ip.payloadOffset, (length) => ip.pseudoSum(protocol, length));
    ip.totalBytes = end - at;
    ip.fillChecksum();
    return end;
  }
  const ip = new IPv6Header().wrap(bytes, at, bytes.length).clear();
  const { dscp, ecn, flowLabel, hopLimit, hopByHop, destinationOptions, fragment } = network;
  Object.assign(ip, { dscp, ecn, flowLabel, hopLimit });
  ip.writeSource(address(network.source));
  ip.writeDestination(address(network.destination));
  const chain: [number, number[]][] = [];
  if (hopByHop !== null) chain.push([0, optionsHeader(hopByHop)]);
  if (destinationOptions !== null) chain.push([60, optionsHeader(destinationOptions)]);
  if (fragment !== null) chain.push([44, fragmentHeader(fragment)]);
  let transportAt = at + IPV6_BYTES;
  for (const [i, [, header]] of chain.entries()) {
    bytes.set([chain[i + 1]?.[0] ?? protocol, ...header.slice(1)], transportAt);
    transportAt += header.length;
  }
  ip.nextHeader = chain[0]?.[0] ?? protocol;
  const end = writeTransport(transport, payload, bytes, transportAt, (length) => ip.pseudoSum(protocol, length));
  ip.payloadBytes = end - at - IPV6_BYTES;
  return end;
}

function optionsHeader(paddingBytes: number): number[] {
  return [0, (paddingBytes + 4) / 8 - 1, 1, paddingBytes, ...new Array<number>(paddingBytes).fill(0)];
}

function fragmentHeader({ fragmentBytes, moreFragments, identification }: FragmentPlan): number[] {
  const word = fragmentBytes | (moreFragments ? 1 : 0);
  return [0, 0, word >>> 8, word & 0xff, 0, 0, identification >>> 8, identification & 0xff];
}

function writeTransport(
  plan: TransportPlan,
  payload: string,
  bytes: Uint8Array,
  at: number,
  pseudoSum: (length: number) => number,
): number {
  const data = Buffer.from(payload, 'hex');
  const { kind, ...fields } = plan;
  if (plan.kind === 'udp') {
    const end = at + UDP_BYTES + data.length;
    bytes.set(data, at + UDP_BYTES);
    const udp = Object.assign(new UdpHeader().wrap(bytes, at, end), fields, { totalBytes: end - at });
    udp.fillChecksum(pseudoSum(end - at));
    return end;
  }
  if (plan.kind === 'tcp') {
    const { sourcePort, destinationPort, sequence, acknowledgement, flags, window, urgent } = plan;
    const options = tcpOptions(plan.mss, plan.timestamps);
    const end = at + TCP_BYTES + options.length + data.length;
    bytes.set([...options, ...data], at + TCP_BYTES);
    const tcp = new TcpHeader().wrap(bytes, at, end).clear();
    Object.assign(tcp, { sourcePort, destinationPort, sequence, acknowledgement, flags, window, urgent });
    tcp.headerBytes = TCP_BYTES + options.length;
    tcp.fillChecksum(pseudoSum(end - at));
    return end;
  }
  const end = at + ICMP_BYTES + data.length;
  bytes.set(data, at + ICMPV6_BYTES);
  if (plan.kind === 'icmp') Object.assign(new IcmpHeader().wrap(bytes, at, end).clear(), fields).fillChecksum();
  else Object.assign(new Icmpv6Header().wrap(bytes, at, end).clear(), fields).fillChecksum(pseudoSum(end - at));
  return end;
}

/** Options in the order of the fields, filled up with zeros to a multiple of four. */
function tcpOptions(mss: number | null, timestamps: readonly [number, number] | null): number[] {
  const options: number[] = [];
  if (mss !== null) options.push(2, 4, mss >>> 8, mss & 0xff);
  if (timestamps !== null) {
    options.push(8, 10);
    for (const value of timestamps)
      options.push(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  }
  while (options.length % 4 !== 0) options.push(0);
  return options;
}

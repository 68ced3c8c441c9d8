/** What was seen, as one object: what `--json` prints and tables are made of. */

import { formatAddress, formatHost, isIPv4 } from '../../../sys/api.ts';
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from '../../../sys/wire/numbers.ts';
import { amplificationOf, endOf, type Finding, findingsOf } from './findings.ts';
import { NETCODE_NO, NETCODE_SURE, TYPES } from './netcode-columns.ts';
import type { PacketWatch } from './packet-watch.ts';
import { canonicalOfWords, PROTOCOL_WORD, TUPLE_WORDS } from './tuple.ts';

const PROTOCOL_NAMES: Readonly<Record<number, string>> = {
  [PROTOCOL_UDP]: 'udp',
  [PROTOCOL_TCP]: 'tcp',
  [PROTOCOL_ICMP]: 'icmp',
  [PROTOCOL_ICMPV6]: 'icmp6',
};
/** Sources that are told of, the busiest first. */
const SOURCES_TOLD = 20;

/** Numbers of one direction's packets. */
export interface LaneReport {
  readonly packets: number;
  readonly bytes: number;
  /** By the numbers in the clear; null where the flow is not netcode's or showed none. */
  readonly numbers: {
    readonly expected: number;
    readonly missing: number;
    readonly lossShare: number;
    readonly late: number;
    readonly duplicates: number;
    readonly stale: number;
  } | null;
}

export interface NetcodeReport {
  readonly certainty: 'likely' | 'sure';
  /** Address; null: not known. */
  readonly client: string | null;
  /** Packets of types 0 to 9. */
  readonly types: readonly number[];
  readonly strangers: number;
  /** Least round trips of the handshake from here; null: not seen. */
  readonly toServerMicros: number | null;
  readonly toClientMicros: number | null;
  /** Bytes answered over bytes received before the client proved its address. */
  readonly amplification: number;
}

export interface FlowReport {
  readonly protocol: string;
  /** Who sent the first packet, and to whom. */
  readonly from: string;
  readonly to: string;
  readonly firstSeconds: number;
  readonly lastSeconds: number;
  /** Over the time between first and last packet. */
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
  readonly forward: LaneReport;
  readonly back: LaneReport;
  readonly netcode: NetcodeReport | null;
}

export interface SourceReport {
  readonly address: string;
  readonly packets: number;
  readonly bytes: number;
  readonly peakPerSecond: number;
  readonly malformed: number;
}

/** What was counted whatever the source. */
export interface WatchReport {
  readonly frames: number;
  readonly bytes: number;
  readonly malformed: number;
  readonly malformedShare: number;
  readonly notIp: number;
  readonly fragments: number;
  readonly flowCount: number;
  readonly flows: readonly FlowReport[];
  /** Flows that made room for others, with their packets and bytes. */
  readonly evicted: { readonly flows: number; readonly packets: number; readonly bytes: number };
  readonly sources: readonly SourceReport[];
  readonly findings: readonly Finding[];
}

/** Everything, the busiest flows first and no more than `flowsMax`. */
export function watchReport(watch: PacketWatch, flowsMax: number = Number.POSITIVE_INFINITY): WatchReport {
  const { flows } = watch;
  return {
    frames: watch.frames,
    bytes: watch.bytes,
    malformed: watch.malformed,
    malformedShare: watch.frames === 0 ? 0 : watch.malformed / watch.frames,
    notIp: watch.notIp,
    fragments: watch.fragments,
    flowCount: flows.count,
    flows: busiest(watch)
      .slice(0, flowsMax)
      .map((flow) => flowReport(watch, flow)),
    evicted: { flows: flows.index.evicted, packets: flows.gone[0]!, bytes: flows.gone[1]! },
    sources: sourceReports(watch),
    findings: findingsOf(watch),
  };
}

/** Numbers of flows by packets. */
export function busiest({ flows }: PacketWatch): number[] {
  const packets = (flow: number): number => flows.packets[2 * flow]! + flows.packets[2 * flow + 1]!;
  return Array.from({ length: flows.count }, (_, flow) => flow).sort((a, b) => packets(b) - packets(a) || a - b);
}

export function flowReport(watch: PacketWatch, flow: number): FlowReport {
  const { flows } = watch;
  const span = flows.spanSeconds(flow);
  const packets = flows.packets[2 * flow]! + flows.packets[2 * flow + 1]!;
  const bytes = flows.bytes[2 * flow]! + flows.bytes[2 * flow + 1]!;
  const time = (seconds: Int32Array, nanoseconds: Int32Array): number =>
    (seconds[flow]! >>> 0) + Math.floor(nanoseconds[flow]! / 1000) / 1e6;
  return {
    protocol: protocolName(flows.tuples[flow * TUPLE_WORDS + PROTOCOL_WORD]!),
    from: endText(watch, flow, 0),
    to: endText(watch, flow, 1),
    firstSeconds: time(flows.firstSeconds, flows.firstNanoseconds),
    lastSeconds: time(flows.lastSeconds, flows.lastNanoseconds),
    packetsPerSecond: span === 0 ? 0 : packets / span,
    bitsPerSecond: span === 0 ? 0 : (8 * bytes) / span,
    forward: laneReport(watch, flow, 0),
    back: laneReport(watch, flow, 1),
    netcode: netcodeReport(watch, flow),
  };
}

function laneReport({ flows, netcode }: PacketWatch, flow: number, side: number): LaneReport {
  const lane = 2 * flow + side;
  const { sequences } = netcode;
  const expected = sequences.expected(lane);
  const missing = sequences.missing(lane);
  const numbers =
    netcode.belief[flow] === NETCODE_NO || expected === 0
      ? null
      : {
          expected,
          missing,
          lossShare: missing / expected,
          late: sequences.late[lane]!,
          duplicates: sequences.duplicates[lane]!,
          stale: sequences.stale[lane]!,
        };
  return { packets: flows.packets[lane]!, bytes: flows.bytes[lane]!, numbers };
}

function netcodeReport(watch: PacketWatch, flow: number): NetcodeReport | null {
  const { netcode } = watch;
  const belief = netcode.belief[flow]!;
  if (belief === NETCODE_NO) return null;
  const side = netcode.clientSide[flow]!;
  return {
    certainty: belief === NETCODE_SURE ? 'sure' : 'likely',
    client: side > 1 ? null : endText(watch, flow, side),
    types: Array.from(netcode.types.subarray(flow * TYPES, (flow + 1) * TYPES)),
    strangers: netcode.strangers[flow]!,
    toServerMicros: netcode.toServerMicros[flow]! || null,
    toClientMicros: netcode.toClientMicros[flow]! || null,
    amplification: amplificationOf(watch, flow),
  };
}

function sourceReports({ sources }: PacketWatch): SourceReport[] {
  return Array.from({ length: sources.count }, (_, source) => ({
    address: formatHost(canonicalOfWords(sources.addresses, source * 4, 0)),
    packets: sources.packets[source]!,
    bytes: sources.bytes[source]!,
    peakPerSecond: sources.peak[source]!,
    malformed: sources.malformed[source]!,
  }))
    .sort((a, b) => b.packets - a.packets)
    .slice(0, SOURCES_TOLD);
}

function endText(watch: PacketWatch, flow: number, side: number): string {
  const address = endOf(watch, flow, side);
  const protocol = watch.flows.tuples[flow * TUPLE_WORDS + PROTOCOL_WORD]!;
  if (protocol === PROTOCOL_UDP || protocol === PROTOCOL_TCP) return formatAddress(address);
  return isIPv4(address) ? formatHost(address) : `[${formatHost(address)}]`;
}

function protocolName(protocol: number): string {
  return PROTOCOL_NAMES[protocol] ?? `proto-${protocol}`;
}

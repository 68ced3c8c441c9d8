/** What is out of the ordinary in what was seen: sources that are loud or broken, servers that answer more than they were asked. */

import { formatAddress, formatHost } from '../../../sys/api.ts';
import { NETCODE_SURE } from './netcode-columns.ts';
import type { PacketWatch } from './packet-watch.ts';
import {
  canonicalOfWords,
  DESTINATION_PORT_WORD,
  DESTINATION_WORD,
  SOURCE_PORT_WORD,
  SOURCE_WORD,
  TUPLE_WORDS,
} from './tuple.ts';

/**
 * Packets that one address sends in a second. A client at 60 to 128 Hz sends a few hundred, so this is a hundred players
 * behind one address, or a flood.
 */
export const SOURCE_PACKETS_PER_SECOND_MAX = 10_000;
/** Share of a source's packets with wrong headers: bits that flip in the network are one in a million. */
export const MALFORMED_SHARE_MAX = 0.01;
/** Before so many packets a share says nothing. */
export const MALFORMED_PACKETS_MIN = 100;
/**
 * Bytes of UDP payload in answer to an address that has not proved itself, over the bytes it sent. netcode's request of 1,078 bytes is
 * answered with 333; more than 1 and the server can be used to flood others.
 */
export const AMPLIFICATION_MAX = 1;
/** Findings of one kind that are told; the rest is a number. */
const TOLD_MAX = 20;

export type FindingKind = 'loud-source' | 'malformed-source' | 'amplification';

export interface Finding {
  readonly kind: FindingKind;
  /** Of the source, or of the server. */
  readonly address: string;
  readonly value: number;
  /** What it should not exceed. */
  readonly limit: number;
  readonly text: string;
}

/** Everything over its limit, the worst first, at most 20 of a kind. */
export function findingsOf(watch: PacketWatch): Finding[] {
  return [loudSources(watch), malformedSources(watch), amplifiers(watch)].flatMap((found) =>
    found.sort((a, b) => b.value - a.value).slice(0, TOLD_MAX),
  );
}

/** Bytes answered over bytes received of a flow while its client was unproven; 0 where nothing was received. */
export function amplificationOf(watch: PacketWatch, flow: number): number {
  const received = watch.netcode.unprovenIn[flow]!;
  return received === 0 ? 0 : watch.netcode.unprovenOut[flow]! / received;
}

function loudSources({ sources }: PacketWatch): Finding[] {
  const found: Finding[] = [];
  for (let source = 0; source < sources.count; source++) {
    const value = sources.peak[source]!;
    if (value <= SOURCE_PACKETS_PER_SECOND_MAX) continue;
    const address = formatHost(canonicalOfWords(sources.addresses, source * 4, 0));
    found.push({
      kind: 'loud-source',
      address,
      value,
      limit: SOURCE_PACKETS_PER_SECOND_MAX,
      text: `${address} sent ${value} packets in one second`,
    });
  }
  return found;
}

function malformedSources({ sources }: PacketWatch): Finding[] {
  const found: Finding[] = [];
  for (let source = 0; source < sources.count; source++) {
    const packets = sources.packets[source]!;
    const value = sources.malformed[source]! / packets;
    if (packets < MALFORMED_PACKETS_MIN || value <= MALFORMED_SHARE_MAX) continue;
    const address = formatHost(canonicalOfWords(sources.addresses, source * 4, 0));
    found.push({
      kind: 'malformed-source',
      address,
      value,
      limit: MALFORMED_SHARE_MAX,
      text: `${(100 * value).toFixed(1)} % of the packets of ${address} have wrong headers`,
    });
  }
  return found;
}

function amplifiers(watch: PacketWatch): Finding[] {
  const found: Finding[] = [];
  const { flows, netcode } = watch;
  for (let flow = 0; flow < flows.count; flow++) {
    const value = amplificationOf(watch, flow);
    if (netcode.belief[flow] !== NETCODE_SURE || value <= AMPLIFICATION_MAX) continue;
    const address = formatAddress(endOf(watch, flow, 1 - netcode.clientSide[flow]!));
    found.push({
      kind: 'amplification',
      address,
      value,
      limit: AMPLIFICATION_MAX,
      text: `${address} answered ${value.toFixed(2)} times the bytes of a client that had not proved its address`,
    });
  }
  return found;
}

/** The address of a flow's end: side 0 sent its first packet. Allocates. */
export function endOf({ flows }: PacketWatch, flow: number, side: number): Uint8Array {
  const at = flow * TUPLE_WORDS;
  const port = flows.tuples[at + (side === 0 ? SOURCE_PORT_WORD : DESTINATION_PORT_WORD)]!;
  return canonicalOfWords(flows.tuples, at + (side === 0 ? SOURCE_WORD : DESTINATION_WORD), port);
}

/** Reads all that our headers can find in a frame: the way a sniffer goes, with one flyweight of each kind. */

import { ArpPacket } from '../../../sys/wire/arp.ts';
import { EthernetHeader } from '../../../sys/wire/ethernet.ts';
import { CUT, type Header } from '../../../sys/wire/header.ts';
import { IcmpHeader } from '../../../sys/wire/icmp.ts';
import { Icmpv6Header, OPTION_SOURCE_LINK } from '../../../sys/wire/icmpv6.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { IPv6Header } from '../../../sys/wire/ipv6.ts';
import { OptionCursor } from '../../../sys/wire/option-cursor.ts';
import { TcpHeader } from '../../../sys/wire/tcp.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';
import { VlanTag } from '../../../sys/wire/vlan.ts';

const ethernet = new EthernetHeader();
const tag = new VlanTag();
const arp = new ArpPacket();
const ipv4 = new IPv4Header();
const ipv6 = new IPv6Header();
const udp = new UdpHeader();
const tcp = new TcpHeader();
const icmp = new IcmpHeader();
const icmpv6 = new Icmpv6Header();
const options = new OptionCursor();

/** Headers that are whole, in order, with their fields; and the verdict at which the reading ended. */
export interface ReadFrame {
  readonly headers: readonly (readonly [name: string, fields: object])[];
  readonly verdict: number;
}

export function readFrame(bytes: Uint8Array, offset: number, end: number): ReadFrame {
  const headers: [string, object][] = [];
  const read = (name: string, header: Header, from: number, to: number): number => {
    const verdict = header.wrap(bytes, from, to).check();
    if (verdict <= CUT) headers.push([name, header.toPlain()]);
    return verdict;
  };
  const done = (verdict: number): ReadFrame => ({ headers, verdict });

  let verdict = read('ethernet', ethernet, offset, end);
  if (verdict > CUT) return done(verdict);
  for (let i = 0; i < ethernet.tagCount; i++) read('vlan', tag, ethernet.tagAt(i), end);
  const at = ethernet.payloadOffset;
  if (ethernet.payloadType === 0x0806) return done(read('arp', arp, at, end));
  const fields: Record<string, unknown> = {};
  let rest: [protocol: number, from: number, to: number];
  let sum: (protocol: number, length: number) => number;
  if (ethernet.payloadType === 0x0800) {
    verdict = read('ipv4', ipv4, at, end);
    if (verdict > CUT) return done(verdict);
    fields.checksumHolds = ipv4.checksumHolds;
    readOptions(bytes, ipv4.optionsAt, ipv4.payloadOffset, fields);
    rest = [ipv4.fragmentBytes > 0 ? -1 : ipv4.protocol, ipv4.payloadOffset, ipv4.payloadEnd];
    sum = (protocol, length) => ipv4.pseudoSum(protocol, length);
  } else if (ethernet.payloadType === 0x86dd) {
    verdict = read('ipv6', ipv6, at, end);
    if (verdict > CUT) return done(verdict);
    fields.identification = ipv6.fragmentIdentification;
    rest = [ipv6.fragmentBytes > 0 ? -1 : ipv6.protocol, ipv6.payloadOffset, ipv6.payloadEnd];
    sum = (protocol, length) => ipv6.pseudoSum(protocol, length);
  } else {
    return done(verdict);
  }
  const [protocol, from, to] = rest;
  if (at > end || from > to || to > end)
    throw new RangeError(`a payload at ${from} .. ${to} lies outside ${offset} .. ${end}`);
  if (protocol === 17) {
    verdict = read('udp', udp, from, to);
    if (verdict <= CUT) fields.transportHolds = udp.checksumHolds(sum(protocol, udp.totalBytes));
  } else if (protocol === 6) {
    verdict = read('tcp', tcp, from, to);
    if (verdict <= CUT) {
      fields.transportHolds = tcp.checksumHolds(sum(protocol, to - from));
      readOptions(bytes, tcp.optionsAt, tcp.payloadOffset, fields);
    }
  } else if (protocol === 1) {
    verdict = read('icmp', icmp, from, to);
    if (verdict <= CUT)
      Object.assign(fields, { transportHolds: icmp.checksumHolds, rest: icmp.rest, mtu: icmp.nextHopMtuBytes });
  } else if (protocol === 58) {
    verdict = read('icmpv6', icmpv6, from, to);
    if (verdict <= CUT) {
      fields.transportHolds = icmpv6.checksumHolds(sum(protocol, to - from));
      if (icmpv6.isNeighbour) fields.link = icmpv6.linkAddressAt(OPTION_SOURCE_LINK);
    }
  }
  headers.push(['more', fields]);
  return done(verdict);
}

function readOptions(bytes: Uint8Array, at: number, end: number, fields: Record<string, unknown>): void {
  const found: number[][] = [];
  options.wrap(bytes, at, end);
  while (options.next())
    found.push([
      options.kind,
      ...Array.from({ length: options.dataEnd - options.dataAt }, (_, i) => bytes[options.dataAt + i]!),
    ]);
  if (found.length > 0) fields[`options ${at}`] = [options.ok, found];
}

/**
 * IPv4 or IPv6 and UDP headers around a datagram of the simulator, which knows addresses but no headers: so that tools for
 * captures have what they expect. Numbers are big-endian here, as in every header of the Internet.
 */

import { ADDRESS_BYTES, isIPv4, portOf } from '../../sys/api.ts';

const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
const UDP_BYTES = 8;
const PROTOCOL_UDP = 17;
/** What most systems begin with. */
const TIME_TO_LIVE = 64;
/** Where things lie in canonical addresses: an IPv4 one is mapped, so its bytes are the last four. */
const IPV4_AT = 12;
const PORT_AT = 16;

/**
 * A packet as an IP interface sees it.
 *
 * @param addresses canonical: source, then destination
 * @param identification of the IPv4 header: 16 bits of it
 */
export function withIpHeaders(datagram: Uint8Array, addresses: Uint8Array, identification: number): Uint8Array {
  const four = isIPv4(addresses, 0);
  const headerBytes = four ? IPV4_BYTES : IPV6_BYTES;
  const packet = new Uint8Array(headerBytes + UDP_BYTES + datagram.length);
  const view = new DataView(packet.buffer);
  const udpBytes = UDP_BYTES + datagram.length;
  if (four) {
    packet[0] = 0x45; // version 4, five words
    view.setUint16(2, packet.length);
    view.setUint16(4, identification & 0xffff);
    view.setUint16(6, 0x4000); // not to be fragmented
    packet[8] = TIME_TO_LIVE;
    packet[9] = PROTOCOL_UDP;
    packet.set(addresses.subarray(IPV4_AT, PORT_AT), 12);
    packet.set(addresses.subarray(ADDRESS_BYTES + IPV4_AT, ADDRESS_BYTES + PORT_AT), 16);
    view.setUint16(10, folded(sumOf(packet, 0, IPV4_BYTES)));
  } else {
    packet[0] = 0x60; // version 6
    view.setUint16(4, udpBytes);
    packet[6] = PROTOCOL_UDP;
    packet[7] = TIME_TO_LIVE;
    packet.set(addresses.subarray(0, PORT_AT), 8);
    packet.set(addresses.subarray(ADDRESS_BYTES, ADDRESS_BYTES + PORT_AT), 24);
  }
  const udp = headerBytes;
  view.setUint16(udp, portOf(addresses, 0));
  view.setUint16(udp + 2, portOf(addresses, ADDRESS_BYTES));
  view.setUint16(udp + 4, udpBytes);
  packet.set(datagram, udp + UDP_BYTES);
  // The pseudo header has the same sum in both versions: addresses, length, protocol.
  const addressesAt = four ? 12 : 8;
  const sum = sumOf(packet, addressesAt, packet.length - addressesAt) + udpBytes + PROTOCOL_UDP;
  view.setUint16(udp + 6, folded(sum) || 0xffff); // 0 would mean that there is none
  return packet;
}

/** Sum of 16-bit words; an odd byte at the end is the upper half of one. */
function sumOf(bytes: Uint8Array, at: number, length: number): number {
  let sum = 0;
  for (let i = at; i < at + length; i++) sum += ((i - at) & 1) === 0 ? bytes[i]! * 256 : bytes[i]!;
  return sum;
}

/** The checksum of a sum (RFC 1071). */
function folded(sum: number): number {
  let left = sum;
  while (left > 0xffff) left = (left & 0xffff) + (left >>> 16);
  return ~left & 0xffff;
}

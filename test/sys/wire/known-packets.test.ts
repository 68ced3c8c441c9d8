import { describe, expect, it } from 'vitest';
import { formatAddress } from '../../../sys/api.ts';
import { EthernetHeader } from '../../../sys/wire/ethernet.ts';
import { CUT, SHORT, WHOLE, WRONG } from '../../../sys/wire/header.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { IPv6Header } from '../../../sys/wire/ipv6.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';
import { hex } from './guarded.ts';

/** 10.0.0.1:40000 to 10.0.0.2:53, "hi", padded to 60 bytes. */
const UDP_FRAME = hex(`
  02 00 00 00 00 02  02 00 00 00 00 01  08 00
  45 b9 00 1e  12 34 40 00  40 11 13 e0  0a 00 00 01  0a 00 00 02
  9c 40 00 35  00 0a e6 f8  68 69
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`);

/** fe80::1 to ff02::1, hop-by-hop and destination options, UDP 1 to 2 with no payload. */
const UDP6_PACKET = hex(`
  6e 10 00 05  00 18 00 01  fe80 0000 0000 0000 0000 0000 0000 0001  ff02 0000 0000 0000 0000 0000 0000 0001
  3c 00 01 04 00 00 00 00   11 00 01 04 00 00 00 00   00 01 00 02 00 08 00 00`);

describe('a UDP frame over IPv4', () => {
  const ethernet = new EthernetHeader().wrap(UDP_FRAME, 0, UDP_FRAME.length);
  const ip = new IPv4Header();
  const udp = new UdpHeader();

  it('is read as it is written', () => {
    expect(ethernet.check()).toBe(WHOLE);
    expect(ethernet.toPlain()).toEqual({
      destination: '02:00:00:00:00:02',
      source: '02:00:00:00:00:01',
      type: 0x800,
      tagCount: 0,
      payloadType: 0x800,
    });
    expect(ip.wrap(UDP_FRAME, ethernet.payloadOffset, UDP_FRAME.length).check()).toBe(WHOLE);
    expect(ip.toPlain()).toEqual({
      headerBytes: 20,
      dscp: 46,
      ecn: 1,
      totalBytes: 30,
      identification: 0x1234,
      dontFragment: true,
      moreFragments: false,
      fragmentBytes: 0,
      ttl: 64,
      protocol: 17,
      checksum: 0x13e0,
      source: '10.0.0.1',
      destination: '10.0.0.2',
    });
    expect(ip.checksumHolds).toBe(true);
    expect(udp.wrap(UDP_FRAME, ip.payloadOffset, ip.payloadEnd).check()).toBe(WHOLE);
    expect(udp.toPlain()).toEqual({ sourcePort: 40000, destinationPort: 53, totalBytes: 10, checksum: 0xe6f8 });
    expect(udp.checksumHolds(ip.pseudoSum(17, 10))).toBe(true);
    expect(Buffer.from(UDP_FRAME.subarray(udp.payloadOffset, udp.payloadEnd)).toString()).toBe('hi');
  });

  it('gives canonical addresses', () => {
    const addresses = new Uint8Array(48).fill(0xaa);
    ip.readSource(udp.sourcePort, addresses, 0);
    ip.readDestination(udp.destinationPort, addresses, 24);
    expect(formatAddress(addresses)).toBe('10.0.0.1:40000');
    expect(formatAddress(addresses, 24)).toBe('10.0.0.2:53');
    expect([...addresses.subarray(18, 24)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it.each([
    ['a frame of 13 bytes', (b: Uint8Array) => new EthernetHeader().wrap(b, 0, 13), SHORT],
    ['an IPv4 header of 19 bytes', (b: Uint8Array) => new IPv4Header().wrap(b, 14, 33), SHORT],
    ['a payload that is cut off', (b: Uint8Array) => new IPv4Header().wrap(b, 14, 43), CUT],
    ['a version that is not 4', (b: Uint8Array) => new IPv4Header().wrap(b, 0, 60), WRONG],
    ['a UDP header of 7 bytes', (b: Uint8Array) => new UdpHeader().wrap(b, 34, 41), SHORT],
    ['a UDP payload that is cut off', (b: Uint8Array) => new UdpHeader().wrap(b, 34, 43), CUT],
    ['a UDP length below 8', (b: Uint8Array) => new UdpHeader().wrap(b, 34, 60), WRONG],
  ])('is refused as %s', (name, header, verdict) => {
    const bytes = UDP_FRAME.slice();
    if (name.includes('below 8')) bytes[39] = 7;
    expect(header(bytes).check()).toBe(verdict);
  });
});

describe('a UDP packet over IPv6 with extension headers', () => {
  const ip = new IPv6Header().wrap(UDP6_PACKET, 0, UDP6_PACKET.length);

  it('is read through to UDP', () => {
    expect(ip.check()).toBe(WHOLE);
    expect(ip.toPlain()).toEqual({
      dscp: 0x38,
      ecn: 1,
      flowLabel: 5,
      payloadBytes: 24,
      nextHeader: 0,
      hopLimit: 1,
      source: 'fe80::1',
      destination: 'ff02::1',
      protocol: 17,
      extensionBytes: 16,
      fragmentBytes: 0,
      moreFragments: false,
    });
    const address = new Uint8Array(24);
    ip.readSource(1, 3, address, 0);
    expect(formatAddress(address)).toBe('[fe80::1%3]:1');
  });

  it('is short where the bytes end in an extension header, wrong where its own length does', () => {
    expect(new IPv6Header().wrap(UDP6_PACKET, 0, 50).check()).toBe(SHORT);
    const bytes = UDP6_PACKET.slice();
    bytes[5] = 12;
    expect(new IPv6Header().wrap(bytes, 0, bytes.length).check()).toBe(WRONG);
  });

  it('is wrong where an address is a mapped one, whose canonical bytes are an IPv4 peer', () => {
    const bytes = UDP6_PACKET.slice();
    bytes.set(hex('0000 0000 0000 0000 0000 ffff 0a00 0001'), 8);
    expect(new IPv6Header().wrap(bytes, 0, bytes.length).check()).toBe(WRONG);
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArpPacket } from '../../../sys/wire/arp.ts';
import { EthernetHeader, parseMac } from '../../../sys/wire/ethernet.ts';
import { CUT, SHORT, WHOLE, WRONG } from '../../../sys/wire/header.ts';
import { IcmpHeader } from '../../../sys/wire/icmp.ts';
import { Icmpv6Header, OPTION_SOURCE_LINK, OPTION_TARGET_LINK } from '../../../sys/wire/icmpv6.ts';
import { IPv4Header } from '../../../sys/wire/ipv4.ts';
import { EXTENSION_HEADERS_MAX, IPv6Header } from '../../../sys/wire/ipv6.ts';
import { OptionCursor } from '../../../sys/wire/option-cursor.ts';
import { TcpHeader } from '../../../sys/wire/tcp.ts';
import { UdpHeader } from '../../../sys/wire/udp.ts';
import { VlanTag } from '../../../sys/wire/vlan.ts';
import { guarded, hex } from './guarded.ts';
import { buildFrame, packetPlan } from './packet-plan.ts';
import { readFrame } from './read-frame.ts';

const bits = (count: number) => fc.nat(2 ** count - 1);
const flag = fc.boolean();
/** Values of all fields that can be written, each over its whole range. */
const KINDS = [
  ['ethernet', new EthernetHeader(), 14, { type: bits(16) }],
  ['vlan', new VlanTag(), 4, { priority: bits(3), dropEligible: flag, id: bits(12), type: bits(16) }],
  ['arp', new ArpPacket(), 28, { operation: bits(16) }],
  [
    'ipv4',
    new IPv4Header(),
    20,
    {
      ...{
        headerBytes: fc.integer({ min: 5, max: 15 }).map((n) => n * 4),
        dscp: bits(6),
        ecn: bits(2),
        totalBytes: bits(16),
      },
      ...{
        identification: bits(16),
        dontFragment: flag,
        moreFragments: flag,
        fragmentBytes: bits(13).map((n) => n * 8),
      },
      ...{ ttl: bits(8), protocol: bits(8), checksum: bits(16) },
    },
  ],
  [
    'ipv6',
    new IPv6Header(),
    40,
    {
      dscp: bits(6),
      ecn: bits(2),
      flowLabel: bits(20),
      payloadBytes: bits(16),
      nextHeader: bits(8),
      hopLimit: bits(8),
    },
  ],
  [
    'udp',
    new UdpHeader(),
    8,
    { sourcePort: bits(16), destinationPort: bits(16), totalBytes: bits(16), checksum: bits(16) },
  ],
  [
    'tcp',
    new TcpHeader(),
    20,
    {
      ...{ sourcePort: bits(16), destinationPort: bits(16), sequence: bits(32), acknowledgement: bits(32) },
      ...{
        headerBytes: bits(4).map((n) => n * 4),
        flags: bits(8),
        window: bits(16),
        checksum: bits(16),
        urgent: bits(16),
      },
    },
  ],
  [
    'icmp',
    new IcmpHeader(),
    8,
    { type: bits(8), code: bits(8), checksum: bits(16), identifier: bits(16), sequence: bits(16) },
  ],
  [
    'icmpv6',
    new Icmpv6Header(),
    8,
    { type: bits(8), code: bits(8), checksum: bits(16), identifier: bits(16), sequence: bits(16) },
  ],
] as const;

describe('every header', () => {
  it.each(KINDS)(
    '%s keeps what is written to each field, in any order, and touches nothing else',
    (_name, header, size, fields) => {
      fc.assert(
        fc.property(
          fc.record(fields as Record<string, fc.Arbitrary<unknown>>),
          fc.uint8Array({ minLength: size, maxLength: size }),
          fc.nat(9),
          fc.shuffledSubarray(Object.keys(fields), { minLength: Object.keys(fields).length }),
          (values, before, offset, order) => {
            const bytes = new Uint8Array(offset + size + 5);
            bytes.set(before, offset);
            header.wrap(guarded(bytes, offset, offset + size), offset, offset + size);
            for (const name of order) Object.assign(header, { [name]: values[name] });
            expect(header.wrap(bytes, offset, offset + size).toPlain()).toMatchObject(values);
          },
        ),
      );
    },
  );
});

describe('a frame', () => {
  it('of any plan is read as planned', () => {
    fc.assert(
      fc.property(packetPlan, fc.nat(9), (plan, offset) => {
        const frame = buildFrame(plan);
        const bytes = new Uint8Array(offset + frame.length + 7);
        bytes.set(frame, offset);
        const { headers, verdict } = readFrame(
          guarded(bytes, offset, offset + frame.length),
          offset,
          offset + frame.length,
        );
        const fields = (name: string) => headers.find(([found]) => found === name)?.[1];
        expect(verdict).toBe(WHOLE);
        expect(fields('ethernet')).toMatchObject({
          destination: plan.destination,
          source: plan.source,
          tagCount: plan.tags.length,
        });
        expect(headers.filter(([name]) => name === 'vlan').map(([, tag]) => tag)).toMatchObject(plan.tags);
        const { kind, ...network } = plan.network;
        if (kind === 'arp') {
          expect(fields('arp')).toMatchObject({ ...network, senderMac: plan.source, targetMac: plan.destination });
          return;
        }
        const { fragment, routerAlert, hopByHop, destinationOptions, ...plain } = network as Record<string, unknown>;
        const part = fragment as { fragmentBytes: number; moreFragments: boolean; identification: number } | null;
        expect(fields(kind)).toMatchObject(plain);
        if (part !== null)
          expect(fields(kind)).toMatchObject({ fragmentBytes: part.fragmentBytes, moreFragments: part.moreFragments });
        const more = fields('more') as { transportHolds?: boolean; checksumHolds?: boolean; identification?: number };
        if (kind === 'ipv4') expect(more.checksumHolds).toBe(true);
        else expect(more.identification).toBe(part?.identification ?? 0);
        if (part !== null && part.fragmentBytes > 0) {
          expect(headers.length).toBe(3 + plan.tags.length); // no transport header is looked for in the middle of a packet
          return;
        }
        const { kind: name, mss, timestamps, ...transport } = plan.transport as unknown as Record<string, unknown>;
        expect(fields(name as string)).toMatchObject(transport);
        expect(more.transportHolds).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('that is cut off anywhere, with any byte changed, is read without a look beside it', () => {
    fc.assert(
      fc.property(
        packetPlan,
        fc.nat(9),
        fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
        fc.nat(300),
        (plan, offset, changes, cut) => {
          const frame = buildFrame(plan);
          for (const [at, value] of changes) frame[at % frame.length] = value;
          const end = offset + Math.min(frame.length, cut);
          const bytes = new Uint8Array(offset + frame.length + 7).fill(0xff);
          bytes.set(frame, offset);
          const read = readFrame(guarded(bytes, offset, end), offset, end);
          // What lies beside it does not matter either.
          bytes.fill(0, 0, offset);
          bytes.fill(0, end);
          expect(readFrame(bytes, offset, end)).toEqual(read);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['ethernet', 14],
    ['arp', 28],
    ['ipv4', 24],
    ['ipv6', 40],
    ['udp', 8],
    ['tcp', 20],
    ['icmp', 8],
    ['icmpv6', 8],
  ] as const)('%s is short at every length below its own', (name, size) => {
    const header = KINDS.find(([kind]) => kind === name)![1];
    const bytes = new Uint8Array(64);
    if (name === 'arp') (header as ArpPacket).wrap(bytes, 3, 64).clear();
    if (name === 'ipv4')
      Object.assign((header as IPv4Header).wrap(bytes, 3, 64).clear(), { headerBytes: 24, totalBytes: 24 });
    if (name === 'ipv6') (header as IPv6Header).wrap(bytes, 3, 64).clear().nextHeader = 59;
    if (name === 'udp') (header as UdpHeader).wrap(bytes, 3, 64).totalBytes = 8;
    if (name === 'tcp') (header as TcpHeader).wrap(bytes, 3, 64).clear();
    for (let room = 0; room < size; room++)
      expect(header.wrap(guarded(bytes, 3, 3 + room), 3, 3 + room).check(), `${room} bytes`).toBe(SHORT);
    expect(header.wrap(bytes, 3, 3 + size).check()).toBe(WHOLE);
  });
});

describe('bounds', () => {
  it('hold for a frame of nothing but tags', () => {
    const frame = hex(`020000000002 020000000001 ${'8100 0001'.repeat(30)} 0800`);
    const ethernet = new EthernetHeader().wrap(frame, 0, frame.length);
    expect(ethernet.check()).toBe(CUT);
    expect(ethernet.tagCount).toBe(4);
  });

  it('hold for a packet of nothing but extension headers', () => {
    const chain = (count: number): number => {
      const bytes = new Uint8Array(40 + count * 8);
      const ip = new IPv6Header().wrap(bytes, 0, bytes.length).clear();
      ip.nextHeader = 60;
      ip.payloadBytes = count * 8;
      for (let i = 0; i < count; i++) bytes[40 + i * 8] = i + 1 < count ? 60 : 17;
      return ip.check();
    };
    expect(chain(EXTENSION_HEADERS_MAX)).toBe(WHOLE);
    expect(chain(EXTENSION_HEADERS_MAX + 1)).toBe(WRONG);
  });

  it('hold for options whose length is impossible, and keep those before', () => {
    const options = new OptionCursor();
    const kinds = (text: string): [number[], boolean] => {
      const bytes = hex(text);
      const found: number[] = [];
      options.wrap(guarded(bytes, 1, bytes.length), 1, bytes.length);
      while (options.next()) found.push(options.kind);
      return [found, options.ok];
    };
    expect(kinds('ff 02 04 05 b4 01 01 04 02 00 ff')).toEqual([[2, 4], true]);
    expect(kinds('ff 02 04 05 b4 03 00')).toEqual([[2], false]);
    expect(kinds('ff 02 04 05 b4 03 01')).toEqual([[2], false]);
    expect(kinds('ff 02 04 05 b4 03 03')).toEqual([[2], false]);
    expect(kinds('ff 03')).toEqual([[], false]);
  });

  it('hold for options of neighbour messages: a length of 0 ends the search', () => {
    const at = (options: string, type: number): number => {
      const bytes = hex(`87 00 0000 00000000 fe80 0000 0000 0000 0000 0000 0000 0001 ${options}`);
      const header = new Icmpv6Header().wrap(guarded(bytes, 0, bytes.length), 0, bytes.length);
      expect(header.check()).toBe(WHOLE);
      return header.linkAddressAt(type);
    };
    expect(at('01 01 0a0b0c0d0e0f', OPTION_SOURCE_LINK)).toBe(26);
    expect(at('01 01 0a0b0c0d0e0f', OPTION_TARGET_LINK)).toBe(-1);
    expect(at('05 01 0000 000005dc 02 01 0a0b0c0d0e0f', OPTION_TARGET_LINK)).toBe(34);
    expect(at('05 00 0000 000005dc 02 01 0a0b0c0d0e0f', OPTION_TARGET_LINK)).toBe(-1);
    expect(at('02 02 0a0b0c0d0e0f', OPTION_TARGET_LINK)).toBe(-1);
  });

  it('hold for texts of MAC addresses', () => {
    expect(parseMac('02:00:00:00:0a:ff')).toEqual(hex('020000000aff'));
    expect(parseMac('02-0-0-0-A-ff')).toEqual(hex('020000000aff'));
    for (const text of ['', '02:00:00:00:0a', '02:00:00:00:0a:fff', '02:00:00:00:0a:gg', '02:00:00:00:0a:ff:00'])
      expect(parseMac(text), text).toBe(null);
  });
});

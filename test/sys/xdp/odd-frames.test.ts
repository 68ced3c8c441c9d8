/** Frames that no honest socket sends: what is let through, what the kernel is left to judge, and what is counted and dropped. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { portOf } from '../../../sys/api.ts';
import type { XdpSocket } from '../../../sys/xdp/xdp-socket.ts';
import type { XdpSys } from '../../../sys/xdp/xdp-sys.ts';
import { copies } from '../../conformance/outside.ts';
import { FAR, NEAR } from '../linux/namespaces.ts';
import { awaitReceive } from '../linux/sockets.ts';
import { FrameSender, frameIPv4, type Oddities } from './raw-frames.ts';
import { ip, openXdp, whyNoXdp, XdpPair } from './veth.ts';

const why = whyNoXdp();
const FROM_PORT = 4001;
/** Offsets in a frame without a tag. */
const VERSION = 14;
const TOTAL_LENGTH = 16;
const FRAGMENT = 20;
const PROTOCOL = 23;
const IP_CHECKSUM = 24;
const DESTINATION = 30;
const DESTINATION_PORT = 36;
const UDP_LENGTH = 38;
const PAYLOAD = 42;

describe.skipIf(why !== '')(`odd frames at AF_XDP${why === '' ? '' : ` (${why})`}`, () => {
  let pair: XdpPair;
  let sender: FrameSender;
  let macs: Uint8Array;
  let sys: XdpSys;
  let socket: XdpSocket;

  beforeAll(() => {
    pair = new XdpPair('odd');
    const linkOf = (namespace: string, device: string): string =>
      ip('-n', namespace, '-o', 'link', 'show', 'dev', device);
    const macOf = (link: string): number[] =>
      /link\/ether (\S+)/
        .exec(link)![1]!
        .split(':')
        .map((byte) => Number.parseInt(byte, 16));
    const far = linkOf(pair.far, 'far');
    macs = Uint8Array.from([...macOf(linkOf(pair.near, 'near')), ...macOf(far)]);
    sender = pair.inside(pair.far, () => new FrameSender(Number.parseInt(far, 10)));
  });
  afterAll(() => {
    sender.close();
    pair.close();
  });
  beforeEach(async () => {
    pair.introduce();
    sys = openXdp();
    socket = (await pair.openUdp(sys, 'near', NEAR)) as XdpSocket;
  });
  afterEach(() => {
    socket.close();
    sys.close();
  });

  const send = (oddities: Oddities): void =>
    sender.send(frameIPv4(macs, [FAR, FROM_PORT], [NEAR, portOf(socket.localAddress)], oddities));
  /** What arrives of one odd frame with a good one behind it, which says that the odd one has been looked at. */
  const arrivals = (oddities: Oddities): number[][] => {
    send(oddities);
    send({ payload: Uint8Array.of(99) });
    const came: number[][] = [];
    while (came.at(-1)?.[0] !== 99 && awaitReceive(sys, socket) > 0) {
      came.push(...copies(socket).map(({ bytes }) => [...bytes]));
    }
    expect(came.pop()).toEqual([99]);
    return came;
  };

  it.each<[string, Oddities]>([
    ['plain', {}],
    ['without a UDP checksum', { udpChecksum: 'zero' }],
    ['behind a tag that carries a priority only', { tag: 0xa000 }],
  ])('a datagram %s arrives in its frame', (_name, oddities) => {
    expect(arrivals(oddities)).toEqual([[1, 2, 3]]);
    expect(socket.traffic).toMatchObject({ framesIn: 2, kernelIn: 0, malformed: 0, badChecksum: 0 });
  });

  it('a datagram whose UDP checksum is wrong is dropped and counted', () => {
    expect(arrivals({ bytes: { [PAYLOAD + 1]: 7 } })).toEqual([]);
    expect(socket.traffic).toMatchObject({ framesIn: 1, kernelIn: 0, badChecksum: 1 });
  });

  it.each<[string, Oddities]>([
    ['of another VLAN', { tag: 5 }],
    ['whose IP checksum is wrong', { bytes: { [IP_CHECKSUM]: 1, [IP_CHECKSUM + 1]: 1 } }],
    ['with another version', { bytes: { [VERSION]: 0x65 }, resum: true }],
    ['with a header shorter than one can be', { bytes: { [VERSION]: 0x44 }, resum: true }],
    ['longer than its frame', { bytes: { [TOTAL_LENGTH]: 5 }, resum: true }],
    ['shorter than its headers', { bytes: { [TOTAL_LENGTH + 1]: 20 }, resum: true }],
    ['that is the first part of one', { bytes: { [FRAGMENT]: 0x20 }, resum: true }],
    ['that is a later part of one', { bytes: { [FRAGMENT]: 0, [FRAGMENT + 1]: 9 }, resum: true }],
    ['of another protocol', { bytes: { [PROTOCOL]: 6 }, resum: true }],
    ['to another address', { bytes: { [DESTINATION + 3]: 77 }, resum: true }],
    ['to another port', { bytes: { [DESTINATION_PORT]: 0, [DESTINATION_PORT + 1]: 9 } }],
    ['whose UDP length is more than there is', { bytes: { [UDP_LENGTH]: 4 } }],
    ['whose UDP length is less than a header', { bytes: { [UDP_LENGTH + 1]: 7 } }],
  ])('a datagram %s is the kernel’s to judge, and not ours', (_name, oddities) => {
    expect(arrivals(oddities)).toEqual([]);
    expect(socket.traffic).toMatchObject({ framesIn: 1, kernelIn: 0, malformed: 0, badChecksum: 0 });
  });

  it('frames that end anywhere bring nothing and harm nothing', () => {
    for (let cut = 1; cut <= 30; cut++) expect(arrivals({ cut })).toEqual([]);
    expect(socket.traffic).toMatchObject({ framesIn: 30, malformed: 0, badChecksum: 0 });
  });

  it('a datagram with IP options reaches us through the kernel', () => {
    const frame = frameIPv4(macs, [FAR, FROM_PORT], [NEAR, portOf(socket.localAddress)], { udpChecksum: 'zero' });
    const words = 1;
    const withOptions = Buffer.concat([frame.subarray(0, 34), Buffer.from([1, 1, 1, 1]), frame.subarray(34)]);
    withOptions[VERSION] = 0x45 + words;
    withOptions[TOTAL_LENGTH + 1] = withOptions[TOTAL_LENGTH + 1]! + 4 * words;
    withOptions.writeUInt16BE(0, IP_CHECKSUM);
    let sum = 0;
    for (let at = 14; at < 38; at += 2) sum += withOptions.readUInt16BE(at);
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
    withOptions.writeUInt16BE(~sum & 0xffff, IP_CHECKSUM);
    sender.send(withOptions);
    expect(awaitReceive(sys, socket)).toBe(1);
    expect(copies(socket).map(({ bytes }) => [...bytes])).toEqual([[1, 2, 3]]);
    expect(socket.traffic).toMatchObject({ framesIn: 0, kernelIn: 1 });
  });
});

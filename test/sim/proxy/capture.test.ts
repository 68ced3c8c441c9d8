// A capture of a proxy: it has all that came with its real addresses, and changes no fate.

import { afterEach, describe, expect, it } from 'vitest';
import { Capture } from '../../../sim/capture/capture.ts';
import { type CapturedPacket, LOSS_WORDS } from '../../../sim/capture/captured-packet.ts';
import { linesAbout } from '../../../sim/capture/packet-text.ts';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { proxyReport } from '../../../sim/proxy/proxy-report.ts';
import { addressOf, formatAddress } from '../../../sys/api.ts';
import { Stand, type StandOptions } from './open-stand.ts';

const LINK: DirectionOptions = {
  latencyMicros: 30_000,
  jitterMicros: 10_000,
  loss: 0.1,
  corrupt: 0.1,
  duplicate: 0.1,
  duplicateDelayMicros: 5_000,
  mtuBytes: 420,
  rateBitsPerSecond: 150_000,
  queueBytes: 900,
};
const stands: Stand[] = [];

afterEach(() => {
  for (const stand of stands.splice(0)) stand.close();
});

async function open(options: StandOptions = {}): Promise<Stand> {
  const stand = await Stand.open(options);
  stands.push(stand);
  return stand;
}

/** A capture that keeps its packets. */
function capturing(): { packets: CapturedPacket[]; capture: Capture; observe: Capture['observe'] } {
  const packets: CapturedPacket[] = [];
  const capture = new Capture();
  capture.sinks.push({ onSent: (packet) => void packets.push(packet) });
  return { packets, capture, observe: capture.observe };
}

/** Sends up and down for a second and a half; what either end got, and what the proxy counted. */
async function talk(stand: Stand): Promise<unknown> {
  const client = await stand.client();
  await stand.send(client, Uint8Array.of(1));
  await stand.pass(() => stand.proxy.sockets.byKey[1] !== null);
  const upstream = stand.proxy.sockets.byKey[1]!.localAddress;
  for (let n = 0; n < 200; n++) {
    await stand.at(n * 7_001);
    await stand.send(client, new Uint8Array(1 + ((n * 37) % 500)).fill(n));
    await stand.send(stand.server, new Uint8Array(1 + ((n * 53) % 500)).fill(n), upstream);
  }
  await stand.at(10_000_000);
  const { up, down } = proxyReport(stand.proxy);
  const heard = [await stand.receive(stand.server, up.delivered), await stand.receive(client, down.delivered)];
  return { up, down, heard: heard.map((list) => list.map(({ bytes }) => Buffer.from(bytes).toString('hex'))) };
}

describe('a capture of a proxy', () => {
  it('changes no fate, and tells what became of each datagram', async () => {
    const { packets, capture, observe } = capturing();
    const told = await talk(await open({ link: LINK, observe }));
    expect(await talk(await open({ link: LINK, observe: undefined as never }))).toEqual(told);
    capture.end(10_000_000);
    const { up } = told as { up: Record<string, number> };
    const ended = (name: string) =>
      packets.filter(({ ending, direction }) => ending === name && direction === 'client-0>server').length;
    expect([ended('lost'), ended('queue-drop'), ended('too-large')]).toEqual([up.lost, up.queueDropped, up.tooLarge]);
    for (const name of ['lost', 'queueDropped', 'tooLarge', 'duplicated', 'corrupted']) {
      expect(up[name], name).toBeGreaterThan(0);
    }
    expect(packets.every(({ ending }) => ending !== 'unknown')).toBe(true);
    // Without keys nothing is said of what is in it.
    expect(linesAbout(packets[0]!, capture.channelName).slice(0, 2)).toEqual([
      '1 bytes (client-0>server, datagram 0)',
      expect.stringMatching(/^arrived after|^lost|^dropped/),
    ]);
  });

  it.each([
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['::1', '::1'],
  ])('has the addresses by which datagrams came, on a proxy that listens on %s', async (listen, host) => {
    const stand = await open({ listen: addressOf(listen, 0)! });
    const client = await stand.client(host);
    const proxy = Uint8Array.from(stand.proxy.address);
    proxy.set(addressOf(host, 0)!.subarray(0, 16));
    await stand.send(client, Uint8Array.of(1), proxy);
    const [heard] = await stand.receive(stand.server, 1);
    await stand.send(stand.server, Uint8Array.of(2), heard!.from);
    await stand.receive(client, 1);
    const [up, down] = stand.seen.filter(({ kind }) => kind === 'received');
    expect([up!.from, up!.to]).toEqual([formatAddress(client.localAddress), formatAddress(proxy)]);
    expect([down!.from, down!.to]).toEqual([formatAddress(stand.server.localAddress), formatAddress(heard!.from)]);
  });

  it('has what the proxy turns away, and why', async () => {
    const { packets, observe } = capturing();
    const stand = await open({ clientsMax: 1, heldMax: 1, link: { latencyMicros: 1_000_000 }, observe });
    const [client, other] = [await stand.client(), await stand.client()];
    await stand.send(client, Uint8Array.of(1));
    await stand.send(client, Uint8Array.of(2));
    await stand.send(other, Uint8Array.of(3));
    await stand.pass(() => stand.proxy.sockets.byKey[1] !== null);
    await stand.send(other, Uint8Array.of(4), stand.proxy.sockets.byKey[1]!.localAddress);
    const told = packets.map(({ direction, index, bytes, ending }) => [direction, index, bytes[0], ending]);
    expect(told).toEqual([
      ['client-0>server', 0, 1, 'unknown'],
      ['outside>proxy', 0, 2, 'crowded'],
      ['outside>proxy', 1, 3, 'refused'],
      ['outside>proxy', 2, 4, 'stray'],
    ]);
    expect(formatAddress(packets[3]!.addresses)).toBe(formatAddress(other.localAddress));
    expect(LOSS_WORDS.stray).toBe('dropped by the proxy: not from the server');
  });
});

// A datagram that passes the proxy leaves next to nothing behind.

import { expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { UdpProxy } from '../../../sim/proxy/udp-proxy.ts';
import { addressOf } from '../../../sys/api.ts';
import { openSys } from '../../../sys/index.ts';
import { collectGarbage } from '../../sys/collect-garbage.ts';

const PACKETS_A_TURN = 8;
/** 100,000 packets: V8 counts its heap in steps of 256 KiB. */
const TURNS = 12_500;
/** The first rounds still compile. */
const ROUNDS_MAX = 6;
const STEP_MICROS = 1_000;

const EVERY_STAGE: DirectionOptions = {
  latencyMicros: 20_000,
  jitterMicros: 10_000,
  rateBitsPerSecond: 8_000_000,
  queueBytes: 50_000,
  loss: { model: 'gilbert-elliott', loss: 0.05, meanBurstPackets: 4 },
  corrupt: 0.02,
  duplicate: 0.05,
  duplicateDelayMicros: 10_000,
  reorder: 0.05,
};

it.each([
  ['an empty link', {}],
  ['every stage of a link', EVERY_STAGE],
])('grows the heap by at most 16 bytes a packet over 100,000 packets through %s', async (_, link) => {
  const [sys, outside] = [openSys(), openSys()];
  const server = await outside.openUdp(addressOf('127.0.0.1', 0)!);
  const client = await outside.openUdp(addressOf('127.0.0.1', 0)!);
  const clock = { time: 0 };
  const proxy = await UdpProxy.open(
    { sys, clock: { now: () => clock.time, unixSeconds: () => 0 } },
    { seed: 7, listen: addressOf('127.0.0.1', 0)!, to: server.localAddress, link },
  );
  const turn = (): void => {
    for (let slot = 0; slot < PACKETS_A_TURN; slot++) client.tx.length[slot] = 100;
    client.tx.count = PACKETS_A_TURN;
    client.flush();
    clock.time += STEP_MICROS;
    proxy.turn(0);
    while (server.receive() > 0);
  };
  for (let slot = 0; slot < PACKETS_A_TURN; slot++) client.tx.address.set(proxy.address, slot * 24);
  turn();
  await new Promise<void>((resolve) => setImmediate(resolve)); // the socket of the client is open
  const bytesAPacket: number[] = [];
  for (let round = 0; round < ROUNDS_MAX && !(bytesAPacket.at(-1)! <= 16); round++) {
    const before = proxy.clients.up[0]!.stats.sent;
    collectGarbage();
    const heapBefore = process.memoryUsage().heapUsed;
    for (let i = 0; i < TURNS; i++) turn();
    const packets = proxy.clients.up[0]!.stats.sent - before;
    expect(packets).toBeGreaterThan(90_000);
    bytesAPacket.push((process.memoryUsage().heapUsed - heapBefore) / packets);
  }
  proxy.close();
  for (const socket of [server, client]) socket.close();
  expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThanOrEqual(16);
});

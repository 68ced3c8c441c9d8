// A simulated packet leaves next to nothing behind: a run of hours must not be a run of the garbage collector.

import { expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import type { SimHost } from '../../../sim/world/host.ts';
import { addressOf, READABLE } from '../../../sys/api.ts';
import { collectGarbage } from '../../sys/collect-garbage.ts';
import { ECHO_PORT, openWorld } from '../open-world.ts';

const PACKETS_A_TURN = 4;
const SECOND = 1_000_000;
/** 100,000 packets: V8 counts its heap in steps of 256 KiB, which fewer packets would not average out. */
const ROUND_MICROS = 25 * SECOND;
/** The first rounds still compile. */
const ROUNDS_MAX = 6;

const PLAIN: DirectionOptions = { latencyMicros: 50_000, jitterMicros: 10_000, loss: 0.05 };
/** A queue that is nearly always there: 4,096,000 bits a second come. */
const EVERY_STAGE: DirectionOptions = {
  ...PLAIN,
  rateBitsPerSecond: 4_000_000,
  queueBytes: 50_000,
  loss: { model: 'gilbert-elliott', loss: 0.05, meanBurstPackets: 4 },
  duplicate: 0.05,
  duplicateDelayMicros: 10_000,
  reorder: 0.05,
};

/** The other models of each stage. */
const OTHER_MODELS: DirectionOptions = {
  mtuBytes: 1_280,
  policer: { rateBitsPerSecond: 4_000_000, burstBytes: 20_000 },
  rateBitsPerSecond: 3_900_000,
  queue: 'codel',
  loss: { model: 'gilbert-elliott-time', loss: 0.05, meanBurstMicros: 20_000 },
  corrupt: 0.05,
  latencyMicros: 50_000,
  jitterMicros: 10_000,
  jitterShape: 'gamma',
  wifi: { suspendEveryMicros: 2_000_000 },
};
const RED_AND_FOUR_STATES: DirectionOptions = {
  rateBitsPerSecond: 4_000_000,
  queueBytes: 50_000,
  queue: 'red',
  loss: { model: 'four-state', p13: 0.01, p31: 0.3, p23: 0.4, p32: 0.2, p14: 0.005 },
  delayTableMicros: [0, 1_000, 50_000],
};

it.each([
  ['a link that delays and loses', PLAIN],
  ['every stage of a link', EVERY_STAGE],
  ['the other models of its stages', OTHER_MODELS],
  ['RED, four states and a table of delays', RED_AND_FOUR_STATES],
])('grows the heap by at most 16 bytes a packet over 100,000 packets through %s, turns included', async (_, link) => {
  const world = openWorld({ link });
  const [from, to] = [world.host('from'), world.host('to')];
  world.start(to, 0, () => startSink(to));
  world.start(from, 1, () => startSource(from, addressOf('10.0.0.2', ECHO_PORT)!));
  await world.run({ untilMicros: 10 * SECOND });
  const bytesAPacket: number[] = [];
  for (let round = 0; round < ROUNDS_MAX && !(bytesAPacket.at(-1)! <= 16); round++) {
    const sentBefore = world.stats.sent;
    collectGarbage();
    const heapBefore = process.memoryUsage().heapUsed;
    await world.run({ untilMicros: world.now + ROUND_MICROS });
    const packets = world.stats.sent - sentBefore;
    expect(packets).toBe(100_000);
    bytesAPacket.push((process.memoryUsage().heapUsed - heapBefore) / packets);
  }
  expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThanOrEqual(16);
});

async function startSink(host: SimHost): Promise<void> {
  const socket = await host.sys.openUdp(addressOf('0.0.0.0', ECHO_PORT)!);
  const poller = host.sys.openPoller();
  poller.add(socket, 0, READABLE);
  poller.attach(() => {
    poller.wait(0);
    while (socket.receive() > 0);
  });
}

/** Sends four datagrams of 100 bytes every millisecond. */
async function startSource(host: SimHost, to: Uint8Array): Promise<void> {
  const socket = await host.sys.openUdp(addressOf('0.0.0.0', 0)!);
  for (let slot = 0; slot < PACKETS_A_TURN; slot++) {
    socket.tx.length[slot] = 100;
    socket.tx.address.set(to, slot * to.length);
  }
  const poller = host.sys.openPoller();
  poller.attach(() => {
    poller.wait(0);
    socket.tx.count = PACKETS_A_TURN;
    socket.flush();
    poller.arm(host.sys.clock.now() + 1000);
  });
  poller.arm(host.sys.clock.now());
}

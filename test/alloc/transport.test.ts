/** The transport's own code allocates nothing a packet: acks, fates, loss, all seven kinds. */

import { expect, it } from 'vitest';
import { ChannelSet } from '../../transport/channel/channel-set.ts';
import { CONNECTIONS, mixed } from '../bench/transport-loads.ts';
import { TransportStand } from '../bench/transport-stand.ts';
import { heapBytesOfSlices } from '../sys/collect-garbage.ts';
import { ALL_KINDS } from '../transport/pair.ts';

const TICKS = 100;
const SLICES = 10;
/** Compilation settles after a few rounds. */
const ROUNDS_MAX = 12;

it('grows the heap by at most a byte a packet over 200,000 packets of 1,000 connections, all seven kinds, 5 % of them lost', {
  timeout: 120_000,
}, () => {
  const channels = new ChannelSet(ALL_KINDS);
  const stand = new TransportStand({ connections: CONNECTIONS, channels, packetsPerTick: 4096, loss: 0.05 });
  const growth: number[] = [];
  for (let round = 0; round < ROUNDS_MAX && !(growth.at(-1)! <= 1); round++) {
    stand.reset();
    const bytes = heapBytesOfSlices(SLICES, () => stand.play(TICKS / SLICES, mixed, mixed, false));
    const packets = stand.a.counts.packetsSent + stand.b.counts.packetsSent;
    expect(packets).toBeGreaterThanOrEqual(TICKS * 2 * CONNECTIONS);
    growth.push(bytes / packets);
  }
  expect(growth.at(-1), `bytes a packet, round by round: ${growth.map((g) => g.toFixed(2))}`).toBeLessThanOrEqual(1);
});

// Links of every model with the digests that they have always had: of a small world whose links are all alike.

import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import type { NetworkStats } from '../../../sim/world/transit.ts';
import { openWorld, startAsker, startEcho } from '../open-world.ts';

/** One link, what of it must show in the counters of the world, and the digest. */
export interface GoldenLink {
  readonly name: string;
  readonly link: DirectionOptions;
  /** Null where only times differ. */
  readonly shows: keyof NetworkStats | null;
  readonly digest: string;
}

const LATENCY = { latencyMicros: 30_000 } as const;
/** Two askers send more than this at times. */
const LINE = { ...LATENCY, rateBitsPerSecond: 60_000, queueBytes: 4_000 } as const;
const SHAPES = ['uniform', 'bell', 'normal', 'lognormal', 'gamma', 'pareto', 'exponential'] as const;
const SHAPE_DIGESTS: Readonly<Record<(typeof SHAPES)[number], string>> = {
  uniform: '7951ea22d9003475320ed205a1c9ccd9',
  bell: '4e3768eb771405b39c1dd59d1826672c',
  normal: '433d17dac5fc1ab35842debd06d5add2',
  lognormal: '5a5747f74b66ede902fda73a3a2792a5',
  gamma: '4e094c65ebfa175ed307948558246faa',
  pareto: '953809827dbe8a47579cf3c77746bf90',
  exponential: '03df85642e91f89d18f40044f74f62ca',
};

export const GOLDEN_LINKS: readonly GoldenLink[] = [
  { name: 'latency alone', link: LATENCY, shows: null, digest: 'f47f35d7b96f6ddee040604a2f0ab284' },
  ...SHAPES.map((jitterShape) => ({
    name: `jitter of the shape ${jitterShape}`,
    link: { ...LATENCY, jitterMicros: 8_000, jitterShape },
    shows: null,
    digest: SHAPE_DIGESTS[jitterShape],
  })),
  {
    name: 'jitter that keeps the order',
    link: { ...LATENCY, jitterMicros: 25_000, jitterShape: 'gamma', keepOrder: true },
    shows: null,
    digest: '3e4f831b50d9d6184a59465568702153',
  },
  {
    name: 'a table of delays',
    link: { ...LATENCY, delayTableMicros: [0, 500, 1_500, 4_000, 9_000, 40_000] },
    shows: null,
    digest: '05f1c06f0ece3418631fa3416998f1d4',
  },
  {
    name: 'Wi-Fi',
    link: {
      ...LATENCY,
      wifi: { stepMicros: 1_000, busy: 0.1, busyStepMicros: 7_500, suspendEveryMicros: 700_000, suspendMicros: 90_000 },
    },
    shows: null,
    digest: 'dab6239f3f72dbcac45873554b5c5a8e',
  },
  {
    name: 'loss by chance',
    link: { ...LATENCY, loss: 0.1 },
    shows: 'lost',
    digest: '3fca3bd713a0c3d90f1797cfc5c63f89',
  },
  {
    name: 'loss in bursts',
    link: { ...LATENCY, loss: { model: 'gilbert-elliott', loss: 0.1, meanBurstPackets: 4 } },
    shows: 'lost',
    digest: '7c320bd4ef8e1b3ab44d09c807bbef66',
  },
  {
    name: 'loss in time',
    link: { ...LATENCY, loss: { model: 'gilbert-elliott-time', loss: 0.1, meanBurstMicros: 80_000 } },
    shows: 'lost',
    digest: 'dce7a2ba0eeb2f0e58af809480263aa1',
  },
  {
    name: 'loss of four states',
    link: { ...LATENCY, loss: { model: 'four-state', p13: 0.05, p31: 0.3, p23: 0.4, p32: 0.2, p14: 0.02 } },
    shows: 'lost',
    digest: 'e3974ab4822a65a1324dffcadb338516',
  },
  {
    name: 'a queue that drops at its tail',
    link: LINE,
    shows: 'queueDropped',
    digest: '3656ca25374210f1fd3b7cee73b900dd',
  },
  {
    name: 'a queue that drops at its head',
    link: { ...LINE, queue: 'head' },
    shows: 'queueDropped',
    digest: '3d00f548e5dac758e2fa77640185ea0e',
  },
  {
    name: 'CoDel',
    link: { ...LINE, queueBytes: 64_000, queue: 'codel' },
    shows: 'queueDropped',
    digest: 'a0910d49da1c726d0d1135627e81eb37',
  },
  {
    name: 'RED',
    link: { ...LINE, queueBytes: 12_000, queue: 'red' },
    shows: 'queueDropped',
    digest: 'c86ec02438c7c903ff8ba6cc6dd46771',
  },
  {
    name: 'RED that marks',
    link: { ...LINE, queueBytes: 12_000, queue: 'red', ecn: true },
    shows: null,
    digest: 'b758a8ce7d67632ba382687c9c83623c',
  },
  {
    name: 'a trace of opportunities',
    link: { ...LATENCY, rateTrace: [3, 3, 40, 41, 95, 120, 260, 400], queueBytes: 4_000 },
    shows: 'queueDropped',
    digest: 'e3088028803508fc4cab82d4677c9d4c',
  },
  {
    name: 'a policer',
    link: { ...LATENCY, policer: { rateBitsPerSecond: 80_000, burstBytes: 2_000 } },
    shows: 'policed',
    digest: 'a201e351b1be4ebf435709f751636bcb',
  },
  {
    name: 'a small MTU',
    link: { ...LATENCY, mtuBytes: 400 },
    shows: 'tooLarge',
    digest: '3919e85842e2c0734d10f8c866eaea48',
  },
  {
    name: 'corruption',
    link: { ...LATENCY, corrupt: 0.2 },
    shows: 'corrupted',
    digest: '86ea06e612eeda8d6282856488c61aba',
  },
  {
    name: 'corruption of each kind alone, and what is held back',
    link: { ...LATENCY, corrupt: 0.2, corruptKinds: ['splice', 'extend'], reorder: 0.1, reorderMicros: 50_000 },
    shows: 'corrupted',
    digest: '985a1ee10fdddb65a69dac42f9402703',
  },
  {
    name: 'copies',
    link: { ...LATENCY, duplicate: 0.1, duplicateDelayMicros: 30_000 },
    shows: 'duplicated',
    digest: 'caf7caca93adf267e76acac47c79e36b',
  },
];

/** The world of one link, after six seconds of two askers and their echoes. */
export async function runGolden(link: DirectionOptions): Promise<{ digest: string; stats: Readonly<NetworkStats> }> {
  const world = openWorld({ link });
  const server = startEcho(world);
  for (const name of ['a', 'b']) startAsker(world, name, server, 250);
  await world.run({ untilMicros: 6_000_000 });
  return { digest: world.digest(), stats: world.stats };
}

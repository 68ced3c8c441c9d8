// Bugs of network simulators, each with the closed form that notices it.

import type { Mutant } from './mutant.ts';

interface SimMutant extends Mutant {
  /** The form of the self-test that must fail. */
  readonly form: string;
}

const LINK = 'sim/link/';

export const SIM_MUTANTS: readonly SimMutant[] = [
  {
    name: 'a queue that holds one packet too few',
    file: `${LINK}bottleneck.js`,
    find: 'return stats.bytesNow + bytes <= this.#queueBytes',
    replace: 'return stats.bytesNow + bytes < this.#queueBytes',
    form: 'D/D/1 drop onset',
  },
  {
    name: 'the remainder of a serialisation is dropped',
    file: `${LINK}bottleneck.js`,
    find: 'this.#freeParts = parts - whole * this.#rate;',
    replace: 'this.#freeParts = 0;',
    form: 'serialisation',
  },
  {
    name: 'a line that is free only when the last packet came after it was',
    file: `${LINK}bottleneck.js`,
    find: 'enteredAt > this.#freeAt',
    replace: 'enteredAt >= this.#freeAt + 1_000_000',
    form: 'M/D/1',
  },
  {
    name: 'half of the loss that was asked for',
    file: `${LINK}chance.js`,
    find: 'Math.round(probability * TWO_TO_32)',
    replace: 'Math.round((probability * TWO_TO_32) / 2)',
    form: 'independent loss',
  },
  {
    name: 'a chain whose bursts are one packet too long',
    file: `${LINK}loss.js`,
    find: 'badToGood: 1 / meanBurstPackets',
    replace: 'badToGood: 1 / (meanBurstPackets + 1)',
    form: 'bursts',
  },
  {
    name: 'a chain that forgets the share of time it is good',
    file: `${LINK}loss.js`,
    find: 'loss / ((1 - loss) * meanBurstPackets)',
    replace: 'loss / meanBurstPackets',
    form: 'bursts',
  },
  {
    name: 'a chain with its states exchanged',
    file: `${LINK}loss.js`,
    find: 'this.#bad ? this.#badThreshold : this.#goodThreshold',
    replace: 'this.#bad ? this.#goodThreshold : this.#badThreshold',
    form: 'Gilbert-Elliott loss',
  },
  {
    name: 'jitter that only adds',
    file: `${LINK}delay.js`,
    find: 'return this.latencyMicros - jitter + offset;',
    replace: 'return this.latencyMicros + offset;',
    form: 'uniform jitter',
  },
  {
    name: 'a bell of three parts',
    file: `${LINK}delay.js`,
    find: 'part < 3',
    replace: 'part < 2',
    form: 'bell jitter',
  },
  {
    name: 'order that is kept the wrong way round',
    file: `${LINK}delay.js`,
    find: 'arrival < this.#lastArrival',
    replace: 'arrival > this.#lastArrival',
    form: 'order kept',
  },
  {
    name: 'copies that hang on the same draw as losses',
    file: `${LINK}chance.js`,
    find: 'export const LANE_DUPLICATE = 8;',
    replace: 'export const LANE_DUPLICATE = 1;',
    form: 'duplication',
  },
  {
    name: 'packets dropped by a queue that are never given back',
    file: 'sim/world/transit.js',
    find: 'this.stats.queueDropped++;\n        this.pool.release(id);',
    replace: 'this.stats.queueDropped++;',
    form: "Little's law",
  },
  {
    name: 'drops that the direction does not count',
    file: 'sim/world/transit.js',
    find: 'this.directions[this.pool.direction[id]].stats.dropped++;',
    replace: '',
    form: 'conservation',
  },
  {
    name: 'a policer that keeps the last byte back',
    file: `${LINK}policer.js`,
    find: 'needed > this.#tokens',
    replace: 'needed >= this.#tokens',
    form: 'token bucket',
  },
  {
    name: 'cross traffic that hardly yields',
    file: `${LINK}aimd-source.js`,
    find: 'this.stats.halvings++;\n            this.#threshold = Math.max(this.#window / 2, 2);',
    replace: 'this.stats.halvings++;\n            this.#threshold = Math.max(this.#window * 0.9, 2);',
    form: 'AIMD',
  },
  {
    name: 'events of one instant that leave in the wrong order',
    file: 'sim/world/event-queue.js',
    find: 'if (times[parent] <= time)',
    replace: 'if (times[parent] < time)',
    form: 'one instant',
  },
];

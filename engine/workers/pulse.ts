/** What a worker tells its supervisor all the time, in shared memory: that it lives, and how its server fares. */

import type { SocketStats } from '../../sys/api.ts';
import type { Drops } from '../drops.ts';

/** What is shown of a worker's server. Counters since its start. */
export interface WorkerGauges {
  readonly clients: number;
  readonly ticksSkipped: number;
  readonly datagramsIn: number;
  readonly datagramsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Datagrams, payloads, messages and answers that were dropped, whatever the reason. */
  readonly dropped: number;
}

const NAMES = [
  'clients',
  'ticksSkipped',
  'datagramsIn',
  'datagramsOut',
  'bytesIn',
  'bytesOut',
  'dropped',
] as const satisfies readonly (keyof WorkerGauges)[];

/** What a pulse reads its gauges from. */
export interface Pulsing {
  readonly peers: readonly unknown[];
  readonly ticksSkipped: number;
  readonly socketStats: Readonly<SocketStats>;
  readonly drops: Drops;
}

/** One word that counts beats, then a double for each gauge. */
const GAUGES_AT = 8;

export class Pulse {
  readonly memory: SharedArrayBuffer;
  readonly #beats: Int32Array;
  readonly #gauges: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(GAUGES_AT + NAMES.length * 8)) {
    this.memory = memory;
    this.#beats = new Int32Array(memory, 0, 1);
    this.#gauges = new Float64Array(memory, GAUGES_AT, NAMES.length);
  }

  /** Beats so far, modulo 2^32. */
  get beats(): number {
    return Atomics.load(this.#beats, 0);
  }

  /** @param server null: there is none yet */
  beat(server: Pulsing | null): void {
    if (server !== null) {
      const { datagramsIn, datagramsOut, bytesIn, bytesOut } = server.socketStats;
      const { peers, ticksSkipped } = server;
      const dropped = Object.values(server.drops).reduce((sum, count) => sum + count, 0);
      const gauges: WorkerGauges = {
        clients: peers.length,
        ticksSkipped,
        datagramsIn,
        datagramsOut,
        bytesIn,
        bytesOut,
        dropped,
      };
      for (const [i, name] of NAMES.entries()) this.#gauges[i] = gauges[name];
    }
    Atomics.add(this.#beats, 0, 1);
  }

  /** The gauges as of the last beat. */
  read(): WorkerGauges {
    return Object.fromEntries(NAMES.map((name, i) => [name, this.#gauges[i]!])) as unknown as WorkerGauges;
  }

  /** Another thread begins. */
  clear(): void {
    this.#gauges.fill(0);
  }
}

/** All gauges of several workers together. */
export function sumGauges(all: readonly WorkerGauges[]): WorkerGauges {
  const sum = (name: keyof WorkerGauges): number => all.reduce((total, one) => total + one[name], 0);
  return Object.fromEntries(NAMES.map((name) => [name, sum(name)])) as unknown as WorkerGauges;
}

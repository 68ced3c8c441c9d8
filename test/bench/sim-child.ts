// A process that plays one world, so that its memory is its own: `sim-child.js <clients> <seconds>`. Tells in a line of JSON
// how fast it was and what it holds.

import { runScenario } from '../../sim/scenario/scenario.ts';
import { collectGarbage } from '../sys/collect-garbage.ts';
import * as game from './sim-game.ts';

export interface PlayedWorld {
  readonly virtualSeconds: number;
  /** Processor time of this process: what others do on a shared machine does not count. */
  readonly cpuSeconds: number;
  readonly packets: number;
  /** Heap and typed arrays while all clients are connected. */
  readonly bytes: number;
}

const [clients = 1, seconds = 1] = process.argv.slice(2).map(Number);
let bytes = 0;
let cpuSeconds = 0;

const start = process.cpuUsage();
const report = await runScenario({
  name: 'bench',
  game,
  clients,
  link: { latencyMicros: 25_000, jitterMicros: 5_000, loss: 0.02 },
  seconds,
  seed: 1,
  prepare: (world) =>
    world.at(seconds * 1_000_000 - 1, () => {
      const { user, system } = process.cpuUsage(start);
      cpuSeconds = (user + system) / 1e6;
      collectGarbage();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      bytes = heapUsed + arrayBuffers;
    }),
});
if (report.clientsFailed > 0) throw new Error(`${report.clientsFailed} clients could not connect`);
const played: PlayedWorld = { virtualSeconds: report.virtualSeconds, cpuSeconds, packets: report.packetsSent, bytes };
process.stdout.write(`${JSON.stringify(played)}\n`);

/** One worker of `sim swarm` and `sim shrink`: makes the runs that it is told to, one after the other. */

import { parentPort, workerData } from 'node:worker_threads';
import { runSwarm } from '../swarm/swarm.ts';
import { tryFaults } from '../swarm/trials.ts';
import type { SwarmAnswer, SwarmTask, SwarmWorkerData } from './swarm-task.ts';

const port = parentPort!;
const { cancelled, rejectionsAreFatal } = workerData as SwarmWorkerData;
let areFatal = rejectionsAreFatal;
let basis: Extract<SwarmTask, { lookFor: unknown }>['lookFor'] | null = null;

// A promise of a game that nobody awaits; of a run that has failed they are given up with it.
process.on('unhandledRejection', (error) => {
  if (areFatal) throw error;
});
port.on('message', (task: SwarmTask) => {
  if ('lookFor' in task) basis = task.lookFor;
  else void answer(task);
});

async function answer(task: Exclude<SwarmTask, { lookFor: unknown }>): Promise<void> {
  const { number } = task;
  let answer: SwarmAnswer;
  try {
    if ('run' in task) {
      const report = await runSwarm(task.run);
      if (report.complaints.length > 0) areFatal = false;
      answer = { number, report };
    } else {
      const { script, faults, kind } = basis!;
      const isCancelled = (): boolean => Atomics.load(cancelled, 0) === number;
      answer = { number, outcome: await tryFaults(script, task.trial, faults, kind, isCancelled) };
    }
  } catch (error) {
    answer = { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  port.postMessage(answer);
}

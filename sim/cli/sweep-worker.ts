/**
 * One worker of `sim sweep`: runs what it is told, one run after the other, each in a world of its own. Clients that could
 * not connect are counted in the report; the command in a run's record prints why.
 */

import { parentPort } from 'node:worker_threads';
import { runScenario } from '../scenario/scenario.ts';
import { loadGame, nameOf } from './game-options.ts';
import { linksOf } from './network-options.ts';
import type { SweepAnswer, SweepTask } from './sweep-task.ts';

const port = parentPort!;
port.on('message', (task: SweepTask) => void answer(task));

async function answer(task: SweepTask): Promise<void> {
  const { number, options } = task;
  let answer: SweepAnswer;
  try {
    const report = await runScenario({
      name: nameOf(options),
      game: await loadGame(options),
      clients: options.clients,
      ...linksOf(options),
      seconds: options.seconds,
      seed: options.seed,
      deadlineMicros: options.deadline * 1000,
    });
    answer = { number, report };
  } catch (error) {
    answer = { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  port.postMessage(answer);
}

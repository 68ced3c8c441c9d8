/** One worker of `sim sweep`: runs what it is told, one run after the other, each in a world of its own. */

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
    const warnings: string[] = [];
    const report = await runScenario({
      name: nameOf(options),
      game: await loadGame(options),
      clients: options.clients,
      ...linksOf(options),
      seconds: options.seconds,
      seed: options.seed,
      warn: (text) => void warnings.push(text),
    });
    answer = { number, report, warnings };
  } catch (error) {
    answer = { number, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  port.postMessage(answer);
}

/** The workers of `sim sweep`: runs on all cores, each with a count of the progress. */

import { Worker } from 'node:worker_threads';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { Progress } from './progress.ts';
import { commandOf, type SweepAnswer, type SweepTask } from './sweep-task.ts';

/** Runs the tasks on `jobs` workers. Rejects with the first error of the game's code. */
export function runAll(tasks: readonly SweepTask[], jobs: number): Promise<ScenarioReport[]> {
  const reports: ScenarioReport[] = new Array(tasks.length);
  const workers = Array.from({ length: jobs }, () => new Worker(new URL('./sweep-worker.js', import.meta.url)));
  let [next, done] = [0, 0];
  const progress = new Progress(tasks.length);
  const run = new Promise<ScenarioReport[]>((resolve, reject) => {
    const give = (worker: Worker): void => {
      if (next < tasks.length) worker.postMessage(tasks[next++]!);
    };
    for (const worker of workers) {
      worker.on('error', reject);
      worker.on('message', (answer: SweepAnswer) => {
        if ('error' in answer) {
          reject(new Error(`${commandOf(tasks[answer.number]!)}: ${answer.error}`));
          return;
        }
        reports[answer.number] = answer.report;
        done++;
        progress.count();
        if (done === tasks.length) resolve(reports);
        else give(worker);
      });
      give(worker);
    }
  });
  return run.finally(() => {
    progress.end();
    return Promise.all(workers.map((worker) => worker.terminate()));
  });
}

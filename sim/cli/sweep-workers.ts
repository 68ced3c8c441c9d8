/** The workers of `sim sweep`: runs on all cores, and how far they are on a terminal. */

import { Worker } from 'node:worker_threads';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { commandOf, type SweepAnswer, type SweepTask } from './sweep-task.ts';

const PROGRESS_MILLIS = 500;

/** Runs the tasks on `jobs` workers. Rejects with the first error of the game's code. */
export function runAll(tasks: readonly SweepTask[], jobs: number): Promise<ScenarioReport[]> {
  const reports: ScenarioReport[] = new Array(tasks.length);
  const workers = Array.from({ length: jobs }, () => new Worker(new URL('./sweep-worker.js', import.meta.url)));
  let [next, done, shownAt] = [0, 0, 0];
  const start = performance.now();
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
        const now = performance.now();
        if (process.stderr.isTTY && (now > shownAt + PROGRESS_MILLIS || done === tasks.length)) {
          shownAt = now;
          const left = Math.ceil((((now - start) / done) * (tasks.length - done)) / 1000);
          process.stderr.write(
            `\r${done} of ${tasks.length} runs, ${left} s left   ${done === tasks.length ? '\n' : ''}`,
          );
        }
        if (done === tasks.length) resolve(reports);
        else give(worker);
      });
      give(worker);
    }
  });
  return run.finally(() => Promise.all(workers.map((worker) => worker.terminate())));
}

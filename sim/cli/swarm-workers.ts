/** The workers of `sim swarm` and `sim shrink`: runs on all cores. */

import { Worker } from 'node:worker_threads';
import type { Fault } from '../link/fault.ts';
import type { SwarmScript } from '../swarm/script.ts';
import type { SwarmOptions, SwarmReport } from '../swarm/swarm.ts';
import type { Outcome, RunningTrial, Trial, Trials } from '../swarm/trials.ts';
import type { SwarmAnswer, SwarmTask, SwarmWorkerData } from './swarm-task.ts';

/** A task that waits for a worker, or has one. */
interface Job {
  readonly task: Extract<SwarmTask, { number: number }>;
  readonly resolve: (answer: SwarmAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** One worker and the job that it has. */
class SwarmThread {
  job: Job | null = null;
  readonly worker: Worker;
  readonly #cancelled: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  constructor(rejectionsAreFatal: boolean) {
    const workerData: SwarmWorkerData = { cancelled: this.#cancelled, rejectionsAreFatal };
    this.worker = new Worker(new URL('./swarm-worker.js', import.meta.url), { workerData });
  }

  take(job: Job): void {
    this.job = job;
    this.worker.postMessage(job.task);
  }

  cancel(): void {
    Atomics.store(this.#cancelled, 0, this.job!.task.number);
  }
}

export class SwarmWorkers implements Trials {
  readonly width: number;
  readonly #threads: readonly SwarmThread[];
  readonly #waiting: Job[] = [];
  /** Tasks count from 1: no word of shared memory cancels one by being new. */
  #tasks = 0;

  /** @param rejectionsAreFatal whether a promise that a run rejects unheard ends it all, while no run has failed */
  constructor(jobs: number, rejectionsAreFatal: boolean) {
    this.width = jobs;
    this.#threads = Array.from({ length: jobs }, () => new SwarmThread(rejectionsAreFatal));
    for (const thread of this.#threads) {
      thread.worker.on('message', (answer: SwarmAnswer) => this.#answered(thread, answer));
      thread.worker.on('error', (error) => thread.job?.reject(error));
    }
  }

  /** Makes a run; those that were asked for first begin first. Rejects with what breaks the worker. */
  async run(options: SwarmOptions): Promise<SwarmReport> {
    const answer = await this.#ask({ number: ++this.#tasks, run: options }).answer;
    return (answer as Extract<SwarmAnswer, { report: unknown }>).report;
  }

  record({ seed, seconds, limits, faults }: SwarmScript): Promise<SwarmReport> {
    return this.run({ seed, secondsMax: seconds, limits, faults, record: true });
  }

  lookFor(script: SwarmScript, faults: readonly Fault[], kind: string): void {
    const task: SwarmTask = { lookFor: { script, faults, kind } };
    for (const { worker } of this.#threads) worker.postMessage(task);
  }

  start(trial: Trial): RunningTrial {
    const { answer, job } = this.#ask({ number: ++this.#tasks, trial });
    const outcome = answer.then((one): Outcome | null => (one as Extract<SwarmAnswer, { outcome: unknown }>).outcome);
    return { outcome, cancel: () => this.#cancel(job) };
  }

  /** Ends the workers, whatever they do. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #ask(task: Job['task']): { readonly job: Job; readonly answer: Promise<SwarmAnswer> } {
    let [resolve, reject]: [Job['resolve'], Job['reject']] = [() => {}, () => {}];
    const answer = new Promise<SwarmAnswer>((onAnswer, onError) => {
      [resolve, reject] = [onAnswer, onError];
    });
    const job: Job = { task, resolve, reject };
    const idle = this.#threads.find((thread) => thread.job === null);
    if (idle === undefined) this.#waiting.push(job);
    else idle.take(job);
    return { job, answer };
  }

  #cancel(job: Job): void {
    const thread = this.#threads.find((one) => one.job === job);
    if (thread !== undefined) thread.cancel();
    else if (this.#waiting.includes(job)) {
      this.#waiting.splice(this.#waiting.indexOf(job), 1);
      job.resolve({ number: job.task.number, outcome: null });
    }
  }

  #answered(thread: SwarmThread, answer: SwarmAnswer): void {
    const job = thread.job!;
    thread.job = null;
    const next = this.#waiting.shift();
    if (next !== undefined) thread.take(next);
    if ('error' in answer) job.reject(new Error(answer.error));
    else job.resolve(answer);
  }
}

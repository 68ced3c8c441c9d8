/**
 * A worker thread with a runtime of its own: the game in it never waits for the main thread's http handlers (p99 of an
 * echo beside 1.5 ms handlers: 1,681 us on the main thread, 51 us in a worker).
 */

import { type Transferable, Worker } from 'node:worker_threads';
import { type Micros, type Notifier, openNotifier } from '../../sys/index.ts';
import { StopSignal } from './stop-signal.ts';
import type { WorkerData, WorkerReady, WorkerRequest } from './worker-boot.ts';

// Built code, so .js.
const GAME_BOOT_URL = new URL('./worker-game.js', import.meta.url);

export interface StartWorkerOptions {
  /** The module to run: its export `exportName` (default `server`) is called with a host and `args`. */
  readonly moduleUrl: URL;
  readonly exportName?: string;
  /** Must be cloneable. */
  readonly args?: unknown;
  readonly name?: string;
  /** The module that opens the machine in the worker; see `BootModule`. Default: the real machine, a game module. */
  readonly bootUrl?: URL;
  /** See `RunOptions.spinMicros`. Default 0. */
  readonly spinMicros?: Micros;
  /** What the worker's `boot` needs besides: ports and the like in `args`. */
  readonly transfer?: readonly Transferable[];
  /** Ends the thread at once when it is aborted, whatever it does: no `finally` block runs. */
  readonly signal?: AbortSignal;
}

/** A worker that runs. */
export interface RunningWorker {
  /** Resolves when the thread has ended, rejects with the error that ended it. */
  readonly exited: Promise<void>;
  /** Lets the tasks' `finally` blocks run and the thread end; resolves with `exited`. Twice is once. */
  stop(): Promise<void>;
}

/**
 * Starts a worker; resolves when its game has started (its export has returned, or a second has passed), rejects when it
 * could not be booted or started.
 */
export function startWorker(options: StartWorkerOptions): Promise<RunningWorker> {
  const request: WorkerRequest = {
    name: options.name ?? 'worker',
    moduleUrl: options.moduleUrl.href,
    exportName: options.exportName ?? 'server',
    args: options.args,
  };
  const data: WorkerData = {
    bootUrl: (options.bootUrl ?? GAME_BOOT_URL).href,
    request,
    spinMicros: options.spinMicros ?? 0,
  };
  // .js, since this file is run as built code only; see worker-entry.ts.
  const worker = new Worker(new URL('./worker-entry.js', import.meta.url), {
    workerData: data,
    transferList: [...(options.transfer ?? [])],
    name: request.name,
  });
  options.signal?.addEventListener('abort', () => void worker.terminate(), { once: true });
  return new Promise<RunningWorker>((resolve, reject) => {
    const ended = (): void => reject(new Error('the worker ended before it was ready'));
    worker.once('error', reject);
    worker.once('exit', ended);
    worker.once('message', (ready: WorkerReady) => {
      // From here on `exited` tells, and nobody else: an error that its owner does not look at must not be lost.
      worker.off('error', reject);
      worker.off('exit', ended);
      resolve(new StartedWorker(worker, ready));
    });
  });
}

/** Resolves at the thread's regular end, rejects with the error that ended it. */
function exitOf(worker: Worker): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the worker ended with exit code ${code}`));
    });
  });
}

class StartedWorker implements RunningWorker {
  readonly exited: Promise<void>;
  private readonly signal: StopSignal;
  private readonly notifier: Notifier;

  constructor(worker: Worker, ready: WorkerReady) {
    this.exited = exitOf(worker);
    this.signal = new StopSignal(ready.stop);
    this.notifier = openNotifier(ready.notifier);
    // Without it process.exit() of this thread would wait for the end of the worker's block.
    process.once('exit', this.ask);
    worker.once('exit', () => process.off('exit', this.ask));
  }

  stop(): Promise<void> {
    this.ask();
    return this.exited;
  }

  private readonly ask = (): void => {
    this.signal.request();
    this.notifier.notify();
  };
}

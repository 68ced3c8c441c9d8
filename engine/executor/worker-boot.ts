/** What the two sides of a worker thread tell each other, and the contract of the module that boots one. */

import type { Runtime } from './runtime.ts';

/** What a worker is to run. Passes through `workerData`, so `args` must be cloneable. */
export interface WorkerRequest {
  /** Name of this place in status lines. */
  readonly name: string;
  /** URL of the module, and which of its exports to call. */
  readonly moduleUrl: string;
  readonly exportName: string;
  readonly args: unknown;
}

/** A worker that is about to run. */
export interface BootedWorker {
  readonly runtime: Runtime;
  /** Settles when the module's export has returned; a rejection ends the worker with that error. */
  readonly started: Promise<unknown>;
}

/**
 * A boot module exports `boot`: it opens the machine, makes a runtime of it and calls the game.
 *
 * It must not wait for the game: sockets and timers only go on once the entry file calls `runtime.run()`.
 */
export interface BootModule {
  boot(request: WorkerRequest): BootedWorker | Promise<BootedWorker>;
}

/** `workerData` of a worker. */
export interface WorkerData {
  readonly bootUrl: string;
  readonly request: WorkerRequest;
  readonly spinMicros: number;
}

/** The worker's one message: by what it can be stopped. */
export interface WorkerReady {
  readonly stop: SharedArrayBuffer;
  readonly notifier: unknown;
}

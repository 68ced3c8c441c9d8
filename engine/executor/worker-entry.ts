/**
 * First file of a worker thread: boots what it was asked to, then owns the thread until it is stopped.
 *
 * Exists as built code only (`dist/`): Node 20 runs no TypeScript.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { BootedWorker, BootModule, WorkerData, WorkerReady } from './worker-boot.ts';

async function runWorker(data: WorkerData): Promise<void> {
  const module = (await import(data.bootUrl)) as BootModule;
  const { runtime, started } = await module.boot(data.request);
  const { notifier, stopSignal } = runtime;
  const ready: WorkerReady = { stop: stopSignal.shared, notifier: notifier.handle };
  parentPort?.postMessage(ready, notifier.transfer);
  const running = runtime.run({ spinMicros: data.spinMicros });
  try {
    await untilStopped({ runtime, started }, running);
  } finally {
    runtime.close();
  }
}

/** A game that cannot start stops the runtime first, so that the `finally` blocks of its tasks run. */
async function untilStopped({ runtime, started }: BootedWorker, running: Promise<void>): Promise<void> {
  try {
    await Promise.race([running, started.then(() => running)]);
  } catch (error) {
    runtime.stop();
    await running;
    throw error;
  }
}

await runWorker(workerData as WorkerData);

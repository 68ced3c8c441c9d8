/**
 * First file of a worker thread: boots what it was asked to, then owns the thread until it is stopped.
 *
 * Exists as built code only (`dist/`): Node 20 runs no TypeScript.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Runtime } from './runtime.ts';
import type { BootedWorker, BootModule, WorkerData, WorkerReady } from './worker-boot.ts';

/** A game that takes longer to start than this (because its export is its loop, say) gets its own thread all the same. */
const START_MICROS_MAX = 1_000_000;
const LOOK_MILLIS = 1;

async function runWorker(data: WorkerData): Promise<void> {
  const module = (await import(data.bootUrl)) as BootModule;
  const { runtime, started } = await module.boot(data.request);
  try {
    await startShared(runtime, started);
    const { notifier, stopSignal } = runtime;
    const ready: WorkerReady = { stop: stopSignal.shared, notifier: notifier.handle };
    parentPort?.postMessage(ready, notifier.transfer);
    await untilStopped({ runtime, started }, runtime.run({ spinMicros: data.spinMicros }));
  } finally {
    runtime.close();
  }
}

/**
 * Shares Node's loop until the game has started: to load modules, to read files and to ask databases takes many steps of
 * that loop, and a thread that owns itself lets it run only now and then.
 *
 * By looking now and then, and not by `attach`: then the game's code would run in a callback of koffi, and a thread that is
 * ended in one, because its game hangs, takes the whole process with it.
 */
async function startShared(runtime: Runtime, started: Promise<unknown>): Promise<void> {
  const due = runtime.now + START_MICROS_MAX;
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  started.then(settle, settle);
  while (!settled && runtime.now < due) {
    runtime.turn();
    await sleep(LOOK_MILLIS);
  }
  if (settled) await started;
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

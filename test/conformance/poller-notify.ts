/** Waking a poller by hand: from this thread and from others. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { expect } from 'vitest';
import type { Notifier } from '../../sys/api.ts';
import { READABLE } from '../../sys/api.ts';
import type { BackendFactory } from './backend.ts';
import { reports, watched } from './poller-readiness.ts';
import { until, wakeTimes } from './poller-timeouts.ts';
import type { WorkbenchTest } from './workbench.ts';
import { PATIENCE_MICROS, SILENCE_MICROS, upTo } from './workbench.ts';

/** A worker cannot load TypeScript on Node 20, so it opens the notifier with the built module: beside dist/, or within. */
const BUILT_SYS = ['../../dist/sys/index.js', '../../sys/index.js']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(fileURLToPath(url)));
const unbuilt = BUILT_SYS === undefined ? 'dist/ is not built: npm run build' : null;

/** Notifies `times` times, a millisecond apart, and then says so. */
const WORKER = `
const { workerData, parentPort } = require('node:worker_threads');
import(workerData.module).then(({ openNotifier }) => {
  const notifier = openNotifier(workerData.handle);
  let left = workerData.times;
  const step = () => {
    if (left-- === 0) return parentPort.postMessage('done');
    notifier.notify();
    setTimeout(step, 1);
  };
  setTimeout(step, workerData.delayMillis);
});`;

export function notifyTests(test: WorkbenchTest, factory: BackendFactory): void {
  const noThreads = factory.missing.threads ?? unbuilt;

  test('a notify before the wait is not lost: the wait returns 0 at once', async (workbench) => {
    const poller = workbench.openPoller();
    poller.notifier().notify();
    const start = workbench.sys.clock.now();
    expect(await workbench.settle(poller, 10 * PATIENCE_MICROS)).toBe(0);
    expect(workbench.sys.clock.now() - start).toBeLessThan(PATIENCE_MICROS);
  });

  test('many notifies make one wake-up, and it does not stick', async (workbench) => {
    const poller = workbench.openPoller();
    const notifier = poller.notifier();
    for (const _ of upTo(100)) notifier.notify();
    await workbench.settle(poller, 10 * PATIENCE_MICROS);
    const start = workbench.sys.clock.now();
    expect(await workbench.settle(poller, SILENCE_MICROS)).toBe(0);
    expect(workbench.sys.clock.now() - start).toBeGreaterThanOrEqual(SILENCE_MICROS);
  });

  test('a notify does not hide a ready socket', async (workbench) => {
    const { poller, socket, arrive } = await watched(workbench, READABLE);
    await arrive();
    await workbench.readable(socket);
    poller.notifier().notify();
    let ready = 0;
    for (let round = 0; round < 2 && ready === 0; round++) ready = await workbench.settle(poller);
    expect(reports(poller, ready)).toEqual([[7, READABLE]]);
  });

  test.attached('wakes an attached poller', async (workbench) => {
    const poller = workbench.openPoller();
    const notifier = poller.notifier();
    const wakes = wakeTimes(workbench, poller);
    for (const round of upTo(5)) {
      notifier.notify();
      await until(workbench, () => wakes.length > round);
      expect(wakes.length).toBeGreaterThan(round);
    }
    poller.detach();
  });

  test('several notifiers of one poller all wake it', async (workbench) => {
    const poller = workbench.openPoller();
    for (const notifier of [poller.notifier(), poller.notifier(), poller.notifier()]) {
      notifier.notify();
      const start = workbench.sys.clock.now();
      await workbench.settle(poller, 10 * PATIENCE_MICROS);
      expect(workbench.sys.clock.now() - start).toBeLessThan(PATIENCE_MICROS);
    }
  });

  test('a notify after the poller was closed does nothing', async (workbench) => {
    const poller = workbench.openPoller();
    const notifier = poller.notifier();
    poller.close();
    notifier.notify();
    await workbench.breathe();
  });

  test.unless(noThreads, 'wakes a waiting poller from another thread', async (workbench) => {
    const poller = workbench.openPoller();
    const worker = startWorker(poller.notifier(), { times: 1, delayMillis: 50 });
    const start = workbench.sys.clock.now();
    expect(await workbench.settle(poller, 5 * PATIENCE_MICROS)).toBe(0);
    expect(workbench.sys.clock.now() - start).toBeLessThan(5 * PATIENCE_MICROS);
    await worker;
  });

  test.unless(noThreads, 'keeps a notify from another thread for a wait that comes later', async (workbench) => {
    const poller = workbench.openPoller();
    await startWorker(poller.notifier(), { times: 3, delayMillis: 0 });
    const start = workbench.sys.clock.now();
    expect(await workbench.settle(poller, 5 * PATIENCE_MICROS)).toBe(0);
    expect(workbench.sys.clock.now() - start).toBeLessThan(PATIENCE_MICROS);
  });

  test.unless(
    noThreads ?? factory.missing.attach ?? null,
    'wakes an attached poller from two other threads at once',
    async (workbench) => {
      const poller = workbench.openPoller();
      const wakes = wakeTimes(workbench, poller);
      await Promise.all(
        [poller.notifier(), poller.notifier()].map((notifier) => startWorker(notifier, { times: 5, delayMillis: 0 })),
      );
      await until(workbench, () => wakes.length > 0);
      expect(wakes.length).toBeGreaterThan(0);
      poller.detach();
    },
  );
}

function startWorker(notifier: Notifier, plan: { times: number; delayMillis: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORKER, {
      eval: true,
      workerData: { module: BUILT_SYS!.href, handle: notifier.handle, ...plan },
      transferList: [...notifier.transfer],
    });
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
}

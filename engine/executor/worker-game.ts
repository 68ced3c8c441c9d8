/** Boots a game module in a worker, over the real machine: the default `BootModule`. */

import { createHost } from '../host.ts';
import { openContext } from '../open.ts';
import type { BootedWorker, WorkerRequest } from './worker-boot.ts';

/** Calls the module's export with a host over a machine of its own; see `BootModule`. */
export function boot({ name, moduleUrl, exportName, args }: WorkerRequest): BootedWorker {
  const context = openContext();
  const host = createHost(name, context);
  return { runtime: context.runtime, started: startGame() };

  async function startGame(): Promise<unknown> {
    const module = (await import(moduleUrl)) as Record<string, unknown>;
    const start = module[exportName];
    if (typeof start !== 'function') throw new TypeError(`${moduleUrl} has no function '${exportName}'`);
    return start(host, args);
  }
}

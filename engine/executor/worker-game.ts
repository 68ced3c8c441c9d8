/** Boots a game module in a worker, over the real machine: the default `BootModule`. */

import { createHost, type Host } from '../host.ts';
import { openContext } from '../open.ts';
import type { BootedWorker, WorkerRequest } from './worker-boot.ts';

/** Calls the module's export with a host over a machine of its own; see `BootModule`. */
export function boot(request: WorkerRequest): BootedWorker {
  const context = openContext();
  return { runtime: context.runtime, started: startGame(request, createHost(request.name, context)) };
}

/** Loads the module and calls its export. */
export async function startGame({ moduleUrl, exportName, args }: WorkerRequest, host: Host): Promise<unknown> {
  const module = (await import(moduleUrl)) as Record<string, unknown>;
  const start = module[exportName];
  if (typeof start !== 'function') throw new TypeError(`${moduleUrl} has no function '${exportName}'`);
  return start(host, args);
}

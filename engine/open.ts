/** The one place where the engine opens the real machine. */

import { openSys } from '../sys/index.ts';
import type { EngineContext } from './context.ts';
import { Runtime } from './executor/runtime.ts';
import { resolveHostName } from './resolve.ts';

let shared: EngineContext | null = null;

/** A machine with a runtime of its own that nobody drives yet: call `runtime.attach()` or `runtime.run()`. */
export function openContext(): EngineContext {
  const sys = openSys();
  const runtime = new Runtime(sys, sys.openPoller());
  return {
    sys,
    runtime,
    resolve: resolveHostName,
    warn: (text) => process.emitWarning(text, 'TickwireWarning'),
  };
}

/**
 * This thread's context, attached to Node's loop; opened when first asked for. The process may end when every server and
 * client is closed.
 */
export function sharedContext(): EngineContext {
  if (shared === null) {
    shared = openContext();
    shared.runtime.attach({ keepAlive: false });
  }
  return shared;
}

/** The one place where the engine opens the real machine. */

import { type Backend, openSys } from '../sys/index.ts';
import type { EngineContext } from './context.ts';
import { Runtime } from './executor/runtime.ts';
import { resolveHostName } from './resolve.ts';

/** This thread's contexts, by the backend that was asked for; '' for the default. */
const shared = new Map<Backend | '', EngineContext>();

/**
 * A machine with a runtime of its own that nobody drives yet: call `runtime.attach()` or `runtime.run()`.
 *
 * @param backend default: what TICKWIRE_SYS names, else the fastest that is safe everywhere
 * @throws SysError where the backend does not work here
 */
export function openContext(backend?: Backend): EngineContext {
  const sys = openSys(backend === undefined ? {} : { backend });
  const runtime = new Runtime(sys, sys.openPoller());
  return {
    sys,
    runtime,
    resolve: resolveHostName,
    warn: (text) => process.emitWarning(text, 'TickwireWarning'),
  };
}

/**
 * This thread's context of a backend, attached to Node's loop; opened when first asked for. The process may end when every server
 * and client is closed.
 */
export function sharedContext(backend?: Backend): EngineContext {
  const known = shared.get(backend ?? '');
  if (known !== undefined) return known;
  const context = openContext(backend);
  context.runtime.attach({ keepAlive: false });
  shared.set(backend ?? '', context);
  return context;
}

/** The one place where the engine opens the real machine. */

import { type Backend, type BackendOptions, checkBackend, openSys, SysOptionError } from '../sys/index.ts';
import type { EngineContext } from './context.ts';
import { ConfigError } from './errors.ts';
import { Runtime } from './executor/runtime.ts';
import { resolveHostName } from './resolve.ts';

/** This thread's contexts, by the way to the network that was asked for. */
const shared = new Map<string, EngineContext>();

/**
 * A machine with a runtime of its own that nobody drives yet: call `runtime.attach()` or `runtime.run()`.
 *
 * @param way default: what TICKWIRE_SYS names, else the fastest that is safe everywhere
 * @throws ConfigError where an option of the way is wrong; SysError where it does not work here
 */
export function openContext(way?: Backend | BackendOptions): EngineContext {
  const sys = openSys(checkWay(way));
  const runtime = new Runtime(sys, sys.openPoller());
  return {
    sys,
    runtime,
    resolve: resolveHostName,
    warn: (text) => process.emitWarning(text, 'TickwireWarning'),
  };
}

/**
 * This thread's context of a way to the network, attached to Node's loop; opened when first asked for. Who asks for the same
 * options shares it. The process may end when every server and client is closed.
 */
export function sharedContext(way?: Backend | BackendOptions): EngineContext {
  const name = nameOf(way);
  const known = shared.get(name);
  if (known !== undefined) return known;
  const context = openContext(way);
  context.runtime.attach({ keepAlive: false });
  shared.set(name, context);
  return context;
}

/**
 * A way to the network with its options in one object; what TICKWIRE_SYS names, or `auto`, where none is given. Opens nothing.
 *
 * @throws ConfigError naming the option
 */
export function checkWay(way: Backend | BackendOptions | undefined): BackendOptions {
  try {
    return checkBackend(way);
  } catch (error) {
    // What the environment names is no option.
    if (way === undefined || !(error instanceof SysOptionError)) throw error;
    throw new ConfigError(error.field === '' ? 'sys' : `sys.${error.field}`, error.remedy);
  }
}

/** The same text for the same options, in whatever order they are given. */
function nameOf(way: Backend | BackendOptions | undefined): string {
  if (way === undefined) return '';
  return JSON.stringify(typeof way === 'object' ? way : { backend: way }, (_key, value: unknown) =>
    typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).sort()) : value,
  );
}

/**
 * The engine on a simulated host: what a game module is given, over this world instead of the machine.
 *
 * The runtime is stepped: the world calls `turn()` when the poller has something, and arms the poller for `deadline()`
 * whenever the host's promises have settled. Nothing of the engine is replaced or told.
 */

import { Runtime } from '../../engine/executor/runtime.ts';
import { createHost, type Host } from '../../engine/host.ts';
import type { MessageTap } from '../../engine/message-tap.ts';
import { formatHost } from '../../sys/api.ts';
import type { SimHost } from './host.ts';
import type { World } from './world.ts';

/** Opens the engine on a host. Once a host. Names of other hosts of the world are resolved to their addresses. */
export function openEngine(world: World, host: SimHost, warn: (text: string) => void, tap?: MessageTap): Host {
  if (host.onSettled !== null) throw new Error(`host '${host.name}' has its engine already`);
  const poller = host.sys.openPoller();
  const runtime = new Runtime(host.sys, poller);
  poller.attach(() => {
    runtime.turn();
    host.touch();
  });
  // Tasks woken and timers set between turns: by promises, or by code of another host (a test that plays several).
  const touch = (): void => host.touch();
  runtime.executor.queue.onOutsideWake = touch;
  runtime.timers.onOutsideSet = touch;
  host.onSettled = () => poller.arm(runtime.deadline());
  const resolve = async (name: string): Promise<readonly string[]> => {
    const found = world.hostNamed(name);
    if (found === null) throw new Error('no host of this world has that name');
    return [formatHost(found.ipv4), formatHost(found.ipv6)];
  };
  return createHost(host.name, {
    sys: host.sys,
    runtime,
    resolve,
    warn: (text) => warn(`${host.name}: ${text}`),
    ...(tap === undefined ? {} : { tap }),
  });
}

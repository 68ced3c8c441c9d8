/** Checks what was asked for as the way to the network, once, before anything is opened. */

import { type Backend, type BackendOptions, SysOptionError } from './api.ts';
import { checkSwitch, resolveXdpOptions, XDP_OPTION_NAMES } from './xdp/xdp-options.ts';

const BACKENDS: readonly Backend[] = ['auto', 'udp', 'packet', 'xdp', 'dgram'];
/** What each takes beside `backend`. */
const OPTION_NAMES: Readonly<Record<Backend, readonly string[]>> = {
  auto: [],
  udp: [],
  packet: ['fallback'],
  xdp: XDP_OPTION_NAMES,
  dgram: [],
};

/**
 * What was given as one object, checked. Undefined: what the environment names, else `auto`.
 *
 * @param named value of TICKWIRE_SYS
 * @throws SysOptionError naming the option and what it may be
 */
export function checkBackend(
  given: Backend | BackendOptions | undefined,
  named: string | undefined = process.env.TICKWIRE_SYS,
): BackendOptions {
  if (given === undefined) {
    const backend = named || 'auto';
    if (isBackend(backend)) return { backend };
    throw new SysOptionError('', `TICKWIRE_SYS is "${backend}": it may be ${BACKENDS.join(', ')}, or unset`);
  }
  const options: BackendOptions = typeof given === 'string' ? { backend: given } : given;
  if (typeof options !== 'object' || options === null) {
    throw new SysOptionError('', `${String(given)} is no way to the network: give one of ${BACKENDS.join(', ')}`);
  }
  const { backend, ...rest } = options;
  if (!isBackend(backend)) {
    const field = typeof given === 'string' ? '' : 'backend';
    throw new SysOptionError(field, `"${String(backend)}" is no backend: it may be ${BACKENDS.join(', ')}`);
  }
  for (const name of Object.keys(rest)) checkName(backend, name);
  if (options.backend === 'packet') checkSwitch('fallback', options.fallback);
  if (options.backend === 'xdp') resolveXdpOptions(options);
  return options;
}

function isBackend(name: unknown): name is Backend {
  return BACKENDS.includes(name as Backend);
}

function checkName(backend: Backend, name: string): void {
  const names = OPTION_NAMES[backend];
  if (names.includes(name)) return;
  const owner = BACKENDS.find((other) => OPTION_NAMES[other].includes(name));
  if (owner !== undefined)
    throw new SysOptionError(name, `${backend} has no such option: give backend '${owner}' for it`);
  const has = names.length === 0 ? 'has no options' : `has ${names.join(', ')}`;
  throw new SysOptionError(name, `there is no such option; ${backend} ${has}`);
}

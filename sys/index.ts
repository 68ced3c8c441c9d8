/**
 * `tickwire/sys`: the kernel, and the only switch on the platform.
 *
 * Above this line nobody asks what system it is: they ask `capabilities`.
 */

import { chooseAead } from './aead/choose.ts';
import type { Notifier, PortGroup, Steering, Sys, UdpOptions } from './api.ts';
import { SysError } from './api.ts';
import { BsdSys } from './bsd/bsd-sys.ts';
import { isKqueueHandle, KqueueNotifier } from './bsd/kqueue-notifier.ts';
import { SystemClock } from './clock.ts';
import { SystemRng } from './entropy.ts';
import { library } from './ffi/library.ts';
import { EventfdNotifier, isEventfdHandle } from './linux/eventfd-notifier.ts';
import { LinuxSys, type SharedParts } from './linux/linux-sys.ts';
import { LinuxPortGroup } from './linux/port-group.ts';
import { openDgramSys } from './node/dgram-sys.ts';
import { isPortHandle, PortNotifier } from './node/port-notifier.ts';
import { IocpNotifier, isIocpHandle } from './windows/iocp-notifier.ts';
import { WindowsSys } from './windows/windows-sys.ts';

export * from './api.ts';
export { closeNoted, descriptorMemory, noteDescriptors } from './linux/descriptors.ts';
export { type Probe, probeMachine } from './probe.ts';

/** The backends that `openSys` can give. */
export type Backend = 'linux' | 'iocp' | 'kqueue' | 'dgram';

const BACKENDS: readonly Backend[] = ['linux', 'iocp', 'kqueue', 'dgram'];

/** Options of `openSys`. */
export interface SysOptions {
  /** Default: what the environment variable TICKWIRE_SYS names, else the fastest that works here. */
  readonly backend?: Backend;
}

/**
 * Opens this thread's door to the machine.
 *
 * @throws SysError where the backend asked for does not work here
 */
export function openSys(options: SysOptions = {}): Sys {
  const shared: SharedParts = {
    clock: new SystemClock(),
    rng: new SystemRng(),
    openAead: (slots, slotBytes) => chooseAead(slots, slotBytes),
  };
  switch (options.backend ?? backendOf(process.env.TICKWIRE_SYS)) {
    case 'linux':
      return new LinuxSys(shared);
    case 'iocp':
      return new WindowsSys(shared);
    case 'kqueue':
      return new BsdSys(shared);
    case 'dgram':
      return openDgramSys(shared);
  }
}

function backendOf(asked: string | undefined): Backend {
  if (BACKENDS.includes(asked as Backend)) return asked as Backend;
  if (asked !== undefined && asked !== '') {
    throw new SysError('EINVAL', 'openSys', `TICKWIRE_SYS is "${asked}": it may be ${BACKENDS.join(', ')}, or unset`);
  }
  return linuxWorks() ? 'linux' : 'dgram';
}

/** Whether the layouts in linux/abi.ts are those of this machine, and koffi loads. */
function linuxWorks(): boolean {
  return process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64') && library() !== null;
}

/**
 * Binds several sockets to one port, for as many threads.
 *
 * @param options those that are set before a socket is bound: buffers and `dualStack`
 * @throws SysError ENOSYS where a port cannot be shared by a rule of ours; EADDRINUSE and the like
 */
export function openPortGroup(
  local: Uint8Array,
  sockets: number,
  steering: Steering,
  options: UdpOptions = {},
): PortGroup {
  if (backendOf(process.env.TICKWIRE_SYS) !== 'linux') {
    throw new SysError('ENOSYS', 'openPortGroup', 'several threads on one port need Linux and koffi: give one worker');
  }
  return new LinuxPortGroup(local, sockets, steering, options);
}

/** Makes a Notifier of a handle that came from another thread. */
export function openNotifier(handle: unknown): Notifier {
  if (isEventfdHandle(handle)) return new EventfdNotifier(handle);
  if (isKqueueHandle(handle)) return new KqueueNotifier(handle);
  if (isIocpHandle(handle)) return new IocpNotifier(handle);
  if (isPortHandle(handle)) return new PortNotifier(handle);
  throw new TypeError('this is no handle of a Notifier');
}

/**
 * `tickwire/sys`: the kernel, and the only switch on the platform.
 *
 * Above this line nobody asks what system it is: they ask `capabilities`.
 */

import type {
  Backend,
  BackendOptions,
  DatagramSocket,
  Notifier,
  PortGroup,
  Steering,
  Sys,
  UdpOptions,
  XdpOptions,
} from './api.ts';
import { SysError, SysOptionError } from './api.ts';
import { checkBackend } from './backend-options.ts';
import { BsdSys } from './bsd/bsd-sys.ts';
import { isKqueueHandle, KqueueNotifier } from './bsd/kqueue-notifier.ts';
import { library } from './ffi/library.ts';
import { EventfdNotifier, isEventfdHandle } from './linux/eventfd-notifier.ts';
import { LinuxSys } from './linux/linux-sys.ts';
import { LinuxPortGroup } from './linux/port-group.ts';
import { RawSocket, type RawSocketOptions } from './linux/raw-socket.ts';
import { openDgramSys } from './node/dgram-sys.ts';
import { isPortHandle, PortNotifier } from './node/port-notifier.ts';
import { openPacketSys } from './packet/packet-sys.ts';
import { openSharedParts, type SharedParts } from './shared-parts.ts';
import { IocpNotifier, isIocpHandle } from './windows/iocp-notifier.ts';
import { WindowsSys } from './windows/windows-sys.ts';
import { FloodGuard } from './xdp/flood-guard.ts';
import { resolveXdpOptions } from './xdp/xdp-options.ts';
import { openXdpSys } from './xdp/xdp-sys.ts';

export * from './api.ts';
export { checkBackend } from './backend-options.ts';
export { closeNoted, descriptorMemory, noteDescriptors } from './linux/descriptors.ts';
export type { RawSocketOptions } from './linux/raw-socket.ts';
export { type Probe, probeMachine } from './probe.ts';

/**
 * Opens this thread's door to the machine.
 *
 * @param way default: what the environment variable TICKWIRE_SYS names, else `auto`
 * @throws SysOptionError where an option is wrong; SysError where the backend asked for does not work here
 */
export function openSys(way?: Backend | BackendOptions): Sys {
  const options = checkBackend(way);
  const shared = openSharedParts();
  switch (options.backend) {
    case 'auto':
      return backendOfAuto() === 'udp' ? openKernelUdp(shared) : openDgramSys(shared);
    case 'udp':
      return openKernelUdp(shared);
    case 'packet':
      return openPacketSys(shared, options.fallback ?? true);
    case 'xdp': {
      const { backend, ...xdp } = options;
      return openXdpSys(shared, xdp);
    }
    case 'dgram':
      return openDgramSys(shared);
  }
}

/** What `auto` means on this machine. */
export function backendOfAuto(): 'udp' | 'dgram' {
  return linuxWorks() ? 'udp' : 'dgram';
}

function openKernelUdp(shared: SharedParts): Sys {
  if (process.platform === 'win32') return new WindowsSys(shared);
  // On Linux the kqueue of the library that the variable names, for tests.
  const { TICKWIRE_KQUEUE_LIB } = process.env;
  if (process.platform === 'darwin' || process.platform === 'freebsd' || TICKWIRE_KQUEUE_LIB) return new BsdSys(shared);
  return new LinuxSys(shared);
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
  if (!linuxWorks()) {
    throw new SysError('ENOSYS', 'openPortGroup', 'several threads on one port need Linux and koffi: give one worker');
  }
  return new LinuxPortGroup(local, sockets, steering, options);
}

/**
 * Opens a raw socket: packets of one IP protocol, with headers that the caller reads and writes.
 *
 * @param sys whose poller waits for it
 * @param local canonical address to receive at, port 0: `0.0.0.0` or `::` for all
 * @param protocol number of the IP protocol: `PROTOCOL_ICMP`
 * @throws SysError ENOSYS where they are not built; EPERM without the right CAP_NET_RAW
 */
export function openRawSocket(
  sys: Sys,
  local: Uint8Array,
  protocol: number,
  options: RawSocketOptions = {},
): DatagramSocket {
  if (!linuxWorks() || sys.capabilities.backend === 'dgram') {
    const remedy =
      "raw sockets need Linux and koffi, and `openSys({ backend: 'udp' })`, whose poller can wait for them";
    throw new SysError('ENOSYS', 'openRawSocket', remedy);
  }
  return new RawSocket(local, protocol, sys.clock, options);
}

/**
 * Puts the admission filter of `xdp` before sockets that are the kernel's: those of a port group.
 *
 * @throws SysOptionError; SysError where the interface, a right or the kernel is missing
 */
export function openFloodGuard(bound: Uint8Array, xdp: XdpOptions): Pick<FloodGuard, 'details' | 'refused' | 'close'> {
  const options = resolveXdpOptions(xdp);
  if (options.admission === null) throw new SysOptionError('admission', 'give { datagramsPerSecond, burst }');
  return new FloodGuard(bound, options);
}

/** Makes a Notifier of a handle that came from another thread. */
export function openNotifier(handle: unknown): Notifier {
  if (isEventfdHandle(handle)) return new EventfdNotifier(handle);
  if (isKqueueHandle(handle)) return new KqueueNotifier(handle);
  if (isIocpHandle(handle)) return new IocpNotifier(handle);
  if (isPortHandle(handle)) return new PortNotifier(handle);
  throw new TypeError('this is no handle of a Notifier');
}

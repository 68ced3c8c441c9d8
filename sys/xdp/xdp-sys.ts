/** The door to Linux past its UDP stack: AF_XDP where an interface can, the kernel's sockets for all the rest. */

import {
  type Aead,
  type Capabilities,
  type Clock,
  type DatagramSocket,
  formatHost,
  type Poller,
  type Rng,
  type Sys,
  SysError,
  type UdpOptions,
} from '../api.ts';
import { EpollPoller } from '../linux/epoll.ts';
import { LinuxSys } from '../linux/linux-sys.ts';
import { ReceiveStamps } from '../linux/receive-stamps.ts';
import { LinuxUdpSocket } from '../linux/udp-socket.ts';
import { type ResolvedUdpOptions, resolveUdpOptions } from '../posix/udp-options.ts';
import type { SharedParts } from '../shared-parts.ts';
import { XdpDevice, type XdpDeviceReport } from './device.ts';
import type { Inlet } from './inlet.ts';
import { describeInterface, interfaceFor, isWildcard, namespaceName, sameHost } from './interface.ts';
import { type ResolvedXdpOptions, resolveXdpOptions, type XdpOptions } from './xdp-options.ts';
import { XdpPoller } from './xdp-poller.ts';
import { XdpSocket } from './xdp-socket.ts';

/**
 * Opens the AF_XDP backend. Interfaces are taken when the first socket needs them, and given back by `close()`.
 *
 * @throws SysError EINVAL for an option
 */
export function openXdpSys(shared: SharedParts, options: XdpOptions = {}): XdpSys {
  return new XdpSys(shared, resolveXdpOptions(options));
}

/** One thread's door. */
export class XdpSys implements Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  private readonly options: ResolvedXdpOptions;
  /** What no interface is for: loopback, shared ports. */
  private readonly linux: LinuxSys;
  /** By network namespace and name. */
  private readonly devices = new Map<string, XdpDevice>();
  private readonly pollers = new Set<XdpPoller>();
  private stamps: ReceiveStamps | null = null;

  constructor(shared: SharedParts, options: ResolvedXdpOptions) {
    this.linux = new LinuxSys(shared);
    this.clock = shared.clock;
    this.rng = shared.rng;
    this.options = options;
    this.capabilities = { ...this.linux.capabilities, backend: 'xdp' };
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.linux.openAead(slots, slotBytes);
  }

  openPoller(): Poller {
    const poller = new XdpPoller(new EpollPoller(() => this.clock.now()), (closed) => this.pollers.delete(closed));
    this.pollers.add(poller);
    return poller;
  }

  /**
   * A socket of the kernel alone, which says why, where frames are not to be had. Where that is the fault of an interface, a
   * right or a limit and the option `fallback` is off, rejects with SysError and the reason.
   */
  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<DatagramSocket> {
    const resolved = resolveUdpOptions(local, options, this.capabilities.portGroups);
    const found = this.inletFor(local, resolved);
    if (typeof found === 'string') {
      const socket = this.linux.bindUdp(local, resolved);
      socket.fallback = found;
      await this.linux.stamping(resolved.columns);
      return socket;
    }
    const socket = this.open(local, resolved, found.device, found.inlet);
    if (resolved.columns.receivedAt) {
      this.stamps ??= new ReceiveStamps(this.clock);
      await this.stamps.ready;
    }
    return socket;
  }

  /** The interfaces in use, and how. */
  report(): XdpDeviceReport[] {
    return [...this.devices.values()].map((device) => device.report());
  }

  close(): void {
    for (const device of this.devices.values()) device.close();
    this.devices.clear();
    this.stamps?.close();
    this.stamps = null;
    this.linux.close();
  }

  private open(local: Uint8Array, resolved: ResolvedUdpOptions, device: XdpDevice, inlet: Inlet): XdpSocket {
    try {
      const receiver = device.receiverOf({
        slots: resolved.rxSlots,
        slotBytes: resolved.slotBytes,
        gro: resolved.gro,
        columns: resolved.columns,
      });
      const kernel = new LinuxUdpSocket(local, resolved, receiver.kernel, this.capabilities.gso);
      try {
        return new XdpSocket(kernel, device, inlet, receiver, resolved, this.clock, (socket) => {
          for (const poller of this.pollers) poller.remove(socket);
        });
      } catch (error) {
        kernel.close();
        throw error;
      }
    } catch (error) {
      device.giveInlet(inlet);
      throw error;
    }
  }

  /** What serves a socket bound to `local`; a text that says why it is the kernel's alone. */
  private inletFor(local: Uint8Array, options: ResolvedUdpOptions): { device: XdpDevice; inlet: Inlet } | string {
    if (options.reusePort || options.descriptor >= 0) {
      return 'AF_XDP serves one socket a port: sockets that share one receive by the kernel';
    }
    try {
      const device = this.deviceFor(local);
      if (typeof device === 'string') return device;
      const inlet = device.takeInlet();
      return inlet === null ? `every place for a socket on ${device.at.name} is taken` : { device, inlet };
    } catch (error) {
      if (!this.options.fallback || !(error instanceof SysError)) throw error;
      return `AF_XDP cannot be had: ${error.message.split('\n', 1)[0]}`; // the verifier's log is for `fallback: false`
    }
  }

  /** The device that serves a socket bound to `local`; a text that says why there is none. */
  private deviceFor(local: Uint8Array): XdpDevice | string {
    const name = this.options.interface ?? interfaceFor(local);
    const host = formatHost(local);
    if (name === null) return `AF_XDP is for Ethernet, and no such interface is for ${host}: bind the address of one`;
    const key = `${namespaceName()} ${name}`;
    const known = this.devices.get(key);
    const at = describeInterface(name);
    if (at === null) return `AF_XDP is for Ethernet, which ${name} is not: give the interface that players come by`;
    if (!(isWildcard(local) || at.addresses.some((address) => sameHost(address, local)))) {
      return `${name} does not have the address ${host}: bind one that it has, or all addresses`;
    }
    if (known !== undefined && !known.gone && known.at.index === at.index) return known;
    known?.close();
    const device = new XdpDevice(at, this.options, this.clock, this.rng);
    this.devices.set(key, device);
    return device;
  }
}

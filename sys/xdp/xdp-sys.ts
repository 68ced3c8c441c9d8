/** The door to Linux past its UDP stack: AF_XDP where an interface can, the kernel's sockets for all the rest. */

import type { Aead, Capabilities, Clock, DatagramSocket, Poller, Rng, Sys, UdpOptions } from '../api.ts';
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

  /** Rejects with SysError also where an interface is there that AF_XDP cannot be had on, with the reason. */
  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<DatagramSocket> {
    const resolved = resolveUdpOptions(local, options, this.capabilities.portGroups);
    // The kernel spreads peers over sockets that share a port; so does nobody here.
    const device = resolved.reusePort || resolved.descriptor >= 0 ? null : this.deviceFor(local);
    const inlet = device?.takeInlet() ?? null;
    if (device === null || inlet === null) return this.linux.openUdp(local, options);
    const socket = this.open(local, resolved, device, inlet);
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
      return new XdpSocket(kernel, device, inlet, receiver, resolved, this.clock, (socket) => {
        for (const poller of this.pollers) poller.remove(socket);
      });
    } catch (error) {
      device.giveInlet(inlet);
      throw error;
    }
  }

  /** The device that serves a socket bound to `local`; null where it is the kernel's alone. */
  private deviceFor(local: Uint8Array): XdpDevice | null {
    const name = this.options.interface ?? interfaceFor(local);
    if (name === null) return null;
    const key = `${namespaceName()} ${name}`;
    const known = this.devices.get(key);
    const at = describeInterface(name);
    if (at === null || !(isWildcard(local) || at.addresses.some((address) => sameHost(address, local)))) return null;
    if (known !== undefined && !known.gone && known.at.index === at.index) return known;
    known?.close();
    const device = new XdpDevice(at, this.options, this.clock, this.rng);
    this.devices.set(key, device);
    return device;
  }
}

/** The door to Linux that sends frames: everything is that of `LinuxSys`, except the way out of its sockets. */

import { readlinkSync } from 'node:fs';
import {
  type Aead,
  type Capabilities,
  type Clock,
  type Poller,
  type Rng,
  type Sys,
  SysError,
  type UdpOptions,
} from '../api.ts';
import { linuxCalls } from '../linux/calls.ts';
import { LinuxSys } from '../linux/linux-sys.ts';
import { NextHops } from '../linux/netlink/next-hops.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import type { SharedParts } from '../shared-parts.ts';
import { openPacketSocket } from './packet-fd.ts';
import { PacketUdpSocket } from './packet-socket.ts';

/** One table of ways a network namespace; it is closed with the last socket that uses it. */
interface SharedHops {
  readonly hops: NextHops;
  users: number;
}

/**
 * Opens the packet backend, or, where frames cannot be sent and `fallback` allows it, the kernel's UDP, whose sockets say why.
 *
 * @throws SysError EPERM without CAP_NET_RAW, ENOSYS where koffi cannot load
 */
export function openPacketSys(shared: SharedParts, fallback: boolean): Sys {
  try {
    return new PacketSys(shared);
  } catch (error) {
    // Without koffi, or on another system, there is no UDP of this kind either.
    if (!fallback || !(error instanceof SysError) || error.code === 'ENOSYS') throw error;
    return new LinuxSys(shared, `frames cannot be sent: ${error.message}`);
  }
}

/** One thread's door to Linux, past the kernel's UDP on the way out. See README.md of this folder. */
export class PacketSys implements Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  private readonly linux: LinuxSys;
  private readonly hopsByNamespace: Map<string, SharedHops> = new Map<string, SharedHops>();

  /** @throws SysError EPERM without CAP_NET_RAW, ENOSYS where koffi cannot load */
  constructor(shared: SharedParts) {
    this.linux = new LinuxSys(shared);
    this.clock = shared.clock;
    this.rng = shared.rng;
    this.capabilities = { ...this.linux.capabilities, backend: 'packet' };
    linuxCalls().close(openPacketSocket(linuxCalls())); // says at once, and not at the first socket, what is missing
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.linux.openAead(slots, slotBytes);
  }

  openPoller(): Poller {
    return this.linux.openPoller();
  }

  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<PacketUdpSocket> {
    const resolved = resolveUdpOptions(local, options, this.capabilities.portGroups);
    // All of it before anything is awaited: afterwards this thread may be in another network namespace.
    const namespace = currentNamespace();
    const udp = this.linux.bindUdp(local, resolved);
    let socket: PacketUdpSocket;
    try {
      const shared = this.enter(namespace);
      try {
        socket = new PacketUdpSocket(udp, shared.hops, this.clock, resolved, () => this.leave(namespace, shared));
      } catch (error) {
        this.leave(namespace, shared);
        throw error;
      }
    } catch (error) {
      udp.close();
      throw error;
    }
    await this.linux.stamping(resolved.columns);
    return socket;
  }

  close(): void {
    this.linux.close();
  }

  private enter(namespace: string): SharedHops {
    let shared = this.hopsByNamespace.get(namespace);
    if (shared === undefined) {
      shared = { hops: new NextHops(this.rng), users: 0 };
      this.hopsByNamespace.set(namespace, shared);
    }
    shared.users++;
    return shared;
  }

  private leave(namespace: string, shared: SharedHops): void {
    shared.users--;
    if (shared.users > 0) return;
    shared.hops.close();
    this.hopsByNamespace.delete(namespace);
  }
}

/** Names the network namespace of this thread; '' where /proc does not tell, which is then taken for the only one. */
function currentNamespace(): string {
  try {
    return readlinkSync('/proc/thread-self/ns/net');
  } catch {
    return '';
  }
}

/** The door to Windows: a completion port, and UDP by overlapped operations. */

import {
  type Aead,
  addressOf,
  type Capabilities,
  type Clock,
  DATAGRAM_BYTES_MAX,
  type DatagramSocket,
  type Poller,
  type Rng,
  type Sys,
  SysError,
  type UdpOptions,
} from '../api.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import type { SharedParts } from '../shared-parts.ts';
import { CompletionPort } from './completion-port.ts';
import { IocpPoller } from './iocp-poller.ts';
import { type WindowsShared, WindowsUdpSocket } from './udp-socket.ts';

/** One thread's door to Windows. */
export class WindowsSys implements Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  private readonly parts: SharedParts;
  private readonly shared: WindowsShared = { port: new CompletionPort(), sockets: new Map() };

  /** @throws SysError ENOSYS where koffi cannot load */
  constructor(parts: SharedParts) {
    this.parts = parts;
    this.clock = parts.clock;
    this.rng = parts.rng;
    this.capabilities = {
      backend: 'iocp',
      maxDatagramBytes: DATAGRAM_BYTES_MAX,
      gso: false,
      gro: false,
      portGroups: false,
      reusePort: false, // SO_REUSEADDR of Windows lets one socket take the port from another
      ipv6: this.canBind('::1'),
      receivedAt: false,
      localAddress: false,
    };
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.parts.openAead(slots, slotBytes);
  }

  openPoller(): Poller {
    return new IocpPoller(() => this.clock.now(), this.shared.port, this.shared.sockets);
  }

  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<DatagramSocket> {
    if (options.reusePort) {
      throw new SysError(
        'ENOTSUP',
        'setsockopt',
        'Windows cannot spread peers over a shared port: leave reusePort out',
      );
    }
    return new WindowsUdpSocket(this.shared, local, resolveUdpOptions(local, options));
  }

  /** The port closes itself with the last socket or poller. */
  close(): void {}

  /** Whether a socket binds there: the family may be there and still be switched off. */
  private canBind(host: string): boolean {
    const local = addressOf(host, 0)!;
    try {
      const options = resolveUdpOptions(local, { rxSlots: 1, txSlots: 1, slotBytes: 1 });
      new WindowsUdpSocket(this.shared, local, options).close();
      return true;
    } catch (error) {
      if (error instanceof SysError) return false;
      throw error;
    }
  }
}

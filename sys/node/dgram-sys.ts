/**
 * The floor: a `Sys` over node:dgram, for machines where koffi cannot load or has no backend yet (Windows, macOS).
 *
 * It needs nothing but Node. It costs two to three times the Linux backend a datagram and cannot block (`canBlock` is
 * false), so an engine over it lives in Node's loop.
 */

import { addressOf } from '../address.ts';
import type { Aead, Capabilities, Clock, DatagramSocket, Poller, Rng, Sys, UdpOptions } from '../api.ts';
import { DATAGRAM_BYTES_MAX, DatagramBatch, SysError } from '../api.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import type { SharedParts } from '../shared-parts.ts';
import type { Watchable } from '../watch-list.ts';
import { DgramPoller } from './dgram-poller.ts';
import type { BoundSocket, DgramShared } from './dgram-socket.ts';
import { bindDgram, DgramUdpSocket } from './dgram-socket.ts';
import { HostTexts } from './host-texts.ts';

/** Opens the floor. Binds two or three sockets for a moment to see what this Node can do. */
export function openDgramSys(parts: SharedParts): Sys {
  return new DgramSys(parts);
}

class DgramSys implements Sys, DgramShared {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  readonly hosts: HostTexts = new HostTexts();
  readonly sockets: Map<number, Watchable> = new Map();

  private readonly parts: SharedParts;
  private readonly rxBatches = new Map<string, DatagramBatch>();
  private nextHandle = 1;

  constructor(parts: SharedParts) {
    this.parts = parts;
    this.clock = parts.clock;
    this.rng = parts.rng;
    this.capabilities = {
      backend: 'dgram',
      maxDatagramBytes: DATAGRAM_BYTES_MAX,
      gso: false,
      gro: false,
      reusePort: canReusePort(this.hosts),
      portGroups: false,
      ipv6: canBind(this.hosts, '::1'),
      receivedAt: false,
      localAddress: false,
    };
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.parts.openAead(slots, slotBytes);
  }

  openPoller(): Poller {
    return new DgramPoller(() => this.clock.now(), this.sockets);
  }

  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<DatagramSocket> {
    if (options.reusePort && !this.capabilities.reusePort) {
      throw new SysError(
        'ENOTSUP',
        'setsockopt',
        'node:dgram cannot share a port here: leave reusePort out, use Node 24 on Linux, or the linux backend (koffi)',
      );
    }
    const resolved = resolveUdpOptions(local, options);
    return new DgramUdpSocket(this, this.nextHandle++, bindDgram(this.hosts, local, resolved), resolved);
  }

  close(): void {
    this.rxBatches.clear();
  }

  rxBatch(slots: number, slotBytes: number): DatagramBatch {
    const shape = `${slots}x${slotBytes}`;
    let batch = this.rxBatches.get(shape);
    if (batch === undefined) {
      batch = DatagramBatch.allocate(slots, slotBytes);
      this.rxBatches.set(shape, batch);
    }
    return batch;
  }
}

function canBind(hosts: HostTexts, host: string): boolean {
  return tryBind(hosts, addressOf(host, 0)!, {}, () => true);
}

/** Whether two sockets may share a port: asked by doing it, since older Nodes take the option and ignore it. */
function canReusePort(hosts: HostTexts): boolean {
  const shared = { reusePort: true };
  return tryBind(hosts, addressOf('127.0.0.1', 0)!, shared, ({ localAddress }) =>
    tryBind(hosts, localAddress, shared, () => true),
  );
}

/** What `use` says of a socket bound for a moment; false where it cannot be bound. */
function tryBind(
  hosts: HostTexts,
  local: Uint8Array,
  options: UdpOptions,
  use: (bound: BoundSocket) => boolean,
): boolean {
  let bound: BoundSocket;
  try {
    bound = bindDgram(hosts, local, resolveUdpOptions(local, options));
  } catch (error) {
    if (error instanceof SysError) return false;
    throw error;
  }
  try {
    return use(bound);
  } finally {
    bound.socket.close();
  }
}

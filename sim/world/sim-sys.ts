/**
 * The simulator's `Sys`: one host's door to the simulated world, with the contract of the real backends.
 */

import {
  ADDRESS_BYTES,
  type Aead,
  type Capabilities,
  type Clock,
  isIPv4,
  portOf,
  type Rng,
  type Sys,
  SysError,
  type UdpOptions,
} from '../../sys/api.ts';
import type { SimHost } from './host.ts';
import { isLoopback, type Network } from './network.ts';
import { isWildcard } from './port-table.ts';
import type { SimPoller } from './sim-poller.ts';
import type { SimSocket } from './sim-socket.ts';

/** Makes the cryptography of a host: the stand-in, or a real provider that the caller brings. */
export type AeadFactory = (slots: number, slotBytes: number) => Aead;

const CAPABILITIES: Capabilities = {
  backend: 'sim',
  maxDatagramBytes: 65_507,
  gso: false,
  gro: false,
  reusePort: true,
  portGroups: false,
  ipv6: true,
  receivedAt: true,
  localAddress: true,
};

/** One simulated host's `Sys`. */
export class SimSys implements Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities = CAPABILITIES;

  readonly #network: Network;
  readonly #host: SimHost;
  readonly #openAead: AeadFactory;

  constructor(network: Network, host: SimHost, rng: Rng, openAead: AeadFactory) {
    this.#network = network;
    this.#host = host;
    this.rng = rng;
    this.#openAead = openAead;
    this.clock = host.clock;
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.#openAead(slots, slotBytes);
  }

  openPoller(): SimPoller {
    return this.#network.openPoller(this.#host);
  }

  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<SimSocket> {
    if (options.descriptor !== undefined) throw new SysError('ENOTSUP', 'openUdp', 'a simulated host has no threads');
    const bound = local.slice(0, ADDRESS_BYTES);
    const host = this.#host;
    if (host.isDown) return new Promise(() => {}); // asked by code that its crash has ended: it never goes on
    if (!isWildcard(bound) && !isLoopback(bound, 0) && !isOwn(host, bound)) {
      throw new SysError(
        'EADDRNOTAVAIL',
        'bind',
        `the address is not one of host ${host.name}; bind 0.0.0.0, ::, or ${host.address(0)}`,
      );
    }
    if (portOf(bound) === 0) writePort(bound, host.ports.ephemeral());
    if (host.ports.conflicts(bound, options.dualStack ?? true, options.reusePort ?? false)) {
      throw new SysError(
        'EADDRINUSE',
        'bind',
        `port ${portOf(bound)} is in use on host ${host.name}; choose another, or 0 for any`,
      );
    }
    return this.#network.openSocket(host, bound, options);
  }

  /** Nothing to do: the world owns what its hosts share. */
  close(): void {}
}

function isOwn(host: SimHost, address: Uint8Array): boolean {
  const own = isIPv4(address) ? host.ipv4 : host.ipv6;
  for (let i = 0; i < 16; i++) if (own[i] !== address[i]) return false;
  return true;
}

function writePort(address: Uint8Array, port: number): void {
  address[16] = port & 0xff;
  address[17] = port >>> 8;
}

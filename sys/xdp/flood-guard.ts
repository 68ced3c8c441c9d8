/**
 * The admission filter alone, before sockets that are the kernel's: what is over a source's limit is dropped at the interface,
 * everything else goes the kernel's way. The program is the same; there is only no AF_XDP socket to hand a frame to.
 */

import { ADDRESS_BYTES, formatHost, isIPv4, SysError } from '../api.ts';
import { Gate } from './gate.ts';
import { describeInterface, interfaceFor, isWildcard, sameHost } from './interface.ts';
import type { ResolvedXdpOptions } from './xdp-options.ts';

/** Ethernet with one tag. */
const LINK_BYTES = 18;

export class FloodGuard {
  /** In a few words. */
  readonly details: string;
  private readonly gate: Gate;

  /**
   * Stands before all sockets bound to `bound`, at the interface of the options, or of the address.
   *
   * @param options with an `admission`
   * @throws SysError where there is no such interface, or a right or the kernel is missing
   */
  constructor(bound: Uint8Array, options: ResolvedXdpOptions) {
    const { admission, mode } = options;
    const name = options.interface ?? interfaceFor(bound);
    const at = name === null ? null : describeInterface(name);
    if (at === null) {
      const text = `no Ethernet interface is for ${formatHost(bound)}: bind the address of one, or name it`;
      throw new SysError('ENODEV', 'openFloodGuard', text);
    }
    const all = isWildcard(bound);
    const served = at.addresses.filter((address) => (all ? isServed(address, bound) : sameHost(address, bound)));
    if (served.length === 0) {
      const text = `${at.name} does not have the address ${formatHost(bound)}: bind one that it has, or all addresses`;
      throw new SysError('EADDRNOTAVAIL', 'openFloodGuard', text);
    }
    this.gate = new Gate(at, 1, at.mtuBytes + LINK_BYTES, mode, admission);
    this.details = `${at.name}, ${this.gate.mode}, each source ${admission!.datagramsPerSecond} datagrams a second`;
    try {
      for (const address of served) this.gate.admit(withPortOf(address, bound), 0, false);
    } catch (error) {
      this.gate.close();
      throw error;
    }
  }

  /** Datagrams that were dropped. Asks the kernel. */
  refused(): number {
    return this.gate.refused();
  }

  close(): void {
    this.gate.close();
  }
}

/** Whether a socket bound to all addresses has this one: 0.0.0.0 takes no IPv6. */
function isServed(address: Uint8Array, bound: Uint8Array): boolean {
  return isIPv4(address) || !isIPv4(bound);
}

function withPortOf(address: Uint8Array, bound: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  bytes.set(address.subarray(0, 16));
  bytes.set(bound.subarray(16, 18), 16);
  return bytes;
}

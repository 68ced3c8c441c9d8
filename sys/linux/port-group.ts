/** Several bound sockets on one port, and the rule by which the kernel spreads datagrams over them (SO_REUSEPORT). */

import { type PortGroup, type Steering, SysError, type UdpOptions } from '../api.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import * as abi from './abi.ts';
import { linuxCalls } from './calls.ts';
import { attachProgram } from './socket-filter.ts';
import { steeringProgram } from './steering.ts';
import { boundAddress, openBound } from './udp-socket.ts';

/** The byte that names a socket says no more. */
const SOCKETS_MAX = 256;

export class LinuxPortGroup implements PortGroup {
  readonly localAddress: Uint8Array;
  readonly descriptors: number[] = [];

  /**
   * @param sockets 1 .. 256
   * @throws SysError EINVAL; what bind or an option failed with; nothing stays open
   */
  constructor(local: Uint8Array, sockets: number, steering: Steering, options: UdpOptions) {
    if (!Number.isInteger(sockets) || sockets < 1 || sockets > SOCKETS_MAX) {
      throw new SysError('EINVAL', 'openPortGroup', `${sockets} sockets: give a whole number from 1 to ${SOCKETS_MAX}`);
    }
    try {
      // One that does not share finds out whether the port is free: the kernel lets any program of this user share it.
      const first = openBound(local, resolveUdpOptions(local, { ...options, reusePort: false }));
      const address = boundAddress(first, local);
      linuxCalls().close(first);
      const resolved = resolveUdpOptions(address, { ...options, reusePort: true });
      for (let i = 0; i < sockets; i++) this.descriptors.push(openBound(address, resolved));
      this.localAddress = address;
      this.#steer(steering);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    for (const fd of this.descriptors.splice(0)) linuxCalls().close(fd);
  }

  /** The program is the group's, not the socket's: whichever it is given to. */
  #steer(steering: Steering): void {
    const program = steeringProgram(this.descriptors.length, steering);
    attachProgram(this.descriptors[0]!, abi.SO_ATTACH_REUSEPORT_CBPF, 'SO_ATTACH_REUSEPORT_CBPF', program);
  }
}

/** The door to macOS and FreeBSD: kqueue, and UDP by sendto and recvfrom. Not run on either yet: see README.md. */

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
import { sysError } from '../errno.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import type { SharedParts } from '../shared-parts.ts';
import { type Dialect, dialectOf } from './abi.ts';
import { KqueuePoller } from './kqueue.ts';
import { ReceiveBatch } from './receive-batch.ts';
import { BsdUdpSocket } from './udp-socket.ts';

/** One thread's door to macOS or FreeBSD; on Linux to libkqueue, for tests. */
export class BsdSys implements Sys {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly capabilities: Capabilities;
  private readonly parts: SharedParts;
  private readonly dialect: Dialect;
  /** Receive batches by shape: sockets share them. */
  private readonly receivers = new Map<string, ReceiveBatch>();

  /** @throws SysError ENOSYS where koffi cannot load or there is no kqueue */
  constructor(parts: SharedParts) {
    const dialect = dialectOf(process.platform);
    if (dialect === null) throw sysError('ENOSYS', 'kqueue');
    this.parts = parts;
    this.dialect = dialect;
    this.clock = parts.clock;
    this.rng = parts.rng;
    this.capabilities = {
      backend: 'kqueue',
      maxDatagramBytes: DATAGRAM_BYTES_MAX,
      gso: false,
      gro: false,
      reusePort: dialect.soReusePort !== 0,
      portGroups: false,
      ipv6: this.canBind('::1'),
      receivedAt: false,
      localAddress: false,
    };
  }

  openAead(slots: number, slotBytes: number): Aead {
    return this.parts.openAead(slots, slotBytes);
  }

  openPoller(): Poller {
    return new KqueuePoller(() => this.clock.now(), this.dialect);
  }

  async openUdp(local: Uint8Array, options: UdpOptions = {}): Promise<DatagramSocket> {
    return this.open(local, options);
  }

  close(): void {
    this.receivers.clear();
  }

  private open(local: Uint8Array, options: UdpOptions): BsdUdpSocket {
    const resolved = resolveUdpOptions(local, options);
    return new BsdUdpSocket(local, resolved, this.receiverOf(resolved.rxSlots, resolved.slotBytes), this.dialect);
  }

  private receiverOf(slots: number, slotBytes: number): ReceiveBatch {
    const shape = `${slots}x${slotBytes}`;
    let receiver = this.receivers.get(shape);
    if (receiver === undefined) {
      receiver = new ReceiveBatch(slots, slotBytes, this.dialect);
      this.receivers.set(shape, receiver);
    }
    return receiver;
  }

  /** Whether a socket binds there: the family may be there and still be switched off. */
  private canBind(host: string): boolean {
    try {
      this.open(addressOf(host, 0)!, { rxSlots: 1, txSlots: 1, slotBytes: 1 }).close();
      return true;
    } catch (error) {
      if (error instanceof SysError) return false;
      throw error;
    }
  }
}

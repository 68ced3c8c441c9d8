/**
 * Makes the kernel really stamp what it receives before a socket that asked for it is handed out.
 *
 * SO_TIMESTAMPNS switches stamping on for the whole machine, but in the background, some milliseconds later. Until then
 * the kernel stamps a datagram when it is *read*, which looks the same and is wrong by the time it waited. And it
 * switches off with the last socket that asked. So one socket of ours asks as long as the `Sys` is open.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { ADDRESS_BYTES, addressOf, type Clock } from '../api.ts';
import { resolveUdpOptions } from '../posix/udp-options.ts';
import { ReceiveTable } from './receive-table.ts';
import { LinuxUdpSocket } from './udp-socket.ts';

/** Tries before we take what there is: 2 ms each; 1 or 2 are usual. Where loopback is down it cannot be seen at all. */
const TRIES_MAX = 25;
/** A datagram waits this long before it is read; `setTimeout` may be almost a millisecond short of it. */
const WAIT_MILLIS = 2;
/** A stamp this much older than the read was made on arrival. */
const OLDER_MICROS = 500;

/** A socket on loopback that keeps stamping switched on. */
export class ReceiveStamps {
  private readonly socket: LinuxUdpSocket;
  private readonly clock: Clock;
  /** Settles when the kernel is seen to stamp on arrival. */
  readonly ready: Promise<void>;

  constructor(clock: Clock) {
    const local = addressOf('127.0.0.1', 0)!;
    const options = resolveUdpOptions(local, {
      rxSlots: 1,
      txSlots: 1,
      slotBytes: 1,
      gso: false,
      columns: { receivedAt: true },
    });
    const { slotBytes, columns } = options;
    this.clock = clock;
    this.socket = new LinuxUdpSocket(
      local,
      options,
      new ReceiveTable({ slots: 1, slotBytes, gro: false, columns }, clock),
      false,
    );
    this.ready = this.awaitStamps();
  }

  close(): void {
    this.socket.close();
  }

  private async awaitStamps(): Promise<void> {
    const { socket } = this;
    for (let tries = 0; tries < TRIES_MAX && socket.pollHandle >= 0; tries++) {
      socket.tx.address.set(socket.localAddress.subarray(0, ADDRESS_BYTES));
      socket.tx.length[0] = 1;
      socket.tx.count = 1;
      socket.flush();
      socket.tx.count = 0;
      await sleep(WAIT_MILLIS);
      const asked = this.clock.now();
      if (socket.receive() > 0 && socket.rx.receivedAt![0]! <= asked - OLDER_MICROS) return;
    }
  }
}

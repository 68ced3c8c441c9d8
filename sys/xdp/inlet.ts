/** What one UDP socket receives from an interface by: an AF_XDP socket on each queue. Opened once, then used again and again. */

import type { Pollable } from '../api.ts';
import * as abi from './abi.ts';
import type { Gate } from './gate.ts';
import type { Interface } from './interface.ts';
import type { XdpQueue } from './queue.ts';
import { Xsk, type XskDrops } from './xsk.ts';

/** One place in the XSKMAP for every queue, and the sockets in them. */
export class Inlet {
  readonly xsks: readonly Xsk[];
  /** What a poller watches: becomes readable when a frame has come. */
  readonly bells: readonly Pollable[];
  /** Index of the first queue in the XSKMAP. */
  readonly index: number;

  /** @throws SysError; nothing stays open */
  constructor(at: Interface, queues: readonly XdpQueue[], gate: Gate, slot: number, ringSize: number) {
    this.index = slot * queues.length;
    const xsks: Xsk[] = [];
    try {
      for (const queue of queues) {
        const xsk = new Xsk(`queue ${queue.number} of ${at.name}`);
        xsks.push(xsk);
        xsk.openRings({ rx: ringSize });
        xsk.bind(at.index, queue.number, abi.XDP_SHARED_UMEM, queue.root.fd);
        gate.setXsk(this.index + queue.number, xsk.fd);
      }
    } catch (error) {
      for (const xsk of xsks) xsk.close();
      throw error;
    }
    this.xsks = xsks;
    // Asked each time: the descriptor of a closed socket may be somebody else's.
    this.bells = xsks.map((xsk) => ({
      get pollHandle(): number {
        return xsk.fd;
      },
    }));
  }

  /** Frames that were dropped for want of room, since the inlet was opened: also in lives of it before this one. */
  drops(): XskDrops {
    const sum = { ringFull: 0, noFrame: 0, other: 0 };
    for (const xsk of this.xsks) {
      const { ringFull, noFrame, other } = xsk.drops();
      sum.ringFull += ringFull;
      sum.noFrame += noFrame;
      sum.other += other;
    }
    return sum;
  }

  close(): void {
    for (const xsk of this.xsks) xsk.close();
  }
}

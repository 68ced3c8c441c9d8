/** AF_XDP on one interface: the program, the memory of frames, the queues, and what sockets of one `Sys` share of it. */

import { type Clock, type DatagramBatch, type Rng, SysError } from '../api.ts';
import { NextHops } from '../linux/netlink/next-hops.ts';
import { type ReceiveKind, ReceiveTable, receiveBufferBytes } from '../linux/receive-table.ts';
import * as abi from './abi.ts';
import { FrameReader } from './frame-reader.ts';
import { Gate } from './gate.ts';
import { Inlet } from './inlet.ts';
import { type Interface, isDown, namespaceName } from './interface.ts';
import { Outlet } from './outlet.ts';
import { XdpQueue } from './queue.ts';
import { Umem } from './umem.ts';
import type { ResolvedXdpOptions } from './xdp-options.ts';
import { Xsk } from './xsk.ts';

/** UDP sockets that one interface can serve; further ones are the kernel's alone. Each has a ring on every queue. */
const INLETS_MAX = 64;
/** Frames that a queue has at least, however many there are: a burst of a tick. */
const QUEUE_FRAMES_MIN = 256;

/** How an interface is used; for reports. */
export interface XdpDeviceReport {
  readonly interface: string;
  readonly mode: 'native' | 'generic';
  readonly zeroCopy: boolean;
  readonly queues: number;
  /** Frames that one system call sends at most. */
  readonly budget: number;
  /** Datagrams that the admission filter has dropped. */
  readonly refused: number;
  /** The interface went away or down: its sockets go on over the kernel. */
  readonly gone: boolean;
}

/** What receives one kind of batch: frames, and the kernel's socket, into the same batch. */
export interface Receiver {
  readonly batch: DatagramBatch;
  readonly frames: FrameReader;
  readonly kernel: ReceiveTable;
}

/** Frames that a kick sends where the kernel has no option for it. */
const BUDGET_OLD = 32;

/** AF_XDP on one interface. */
export class XdpDevice {
  readonly at: Interface;
  readonly umem: Umem;
  readonly gate: Gate;
  readonly queues: readonly XdpQueue[];
  readonly outlet: Outlet;
  readonly hops: NextHops;
  readonly zeroCopy: boolean;
  /** Of the thread that opened it. */
  private readonly namespace: string = namespaceName();
  private readonly budget: number;
  private readonly options: ResolvedXdpOptions;
  private readonly clock: Clock;
  private readonly receivers = new Map<string, Receiver>();
  /** All that were opened, and those of them that no socket has now. */
  private readonly inlets: Inlet[] = [];
  private readonly idle: Inlet[] = [];
  /** False once closed: sockets that are left are the kernel's alone. */
  open = true;

  /**
   * Attaches the program, and binds a socket to each queue.
   *
   * @throws SysError at the first step that fails; nothing stays
   */
  constructor(at: Interface, options: ResolvedXdpOptions, clock: Clock, rng: Rng) {
    this.at = at;
    this.options = options;
    this.clock = clock;
    const perQueue = Math.max(QUEUE_FRAMES_MIN, floorPowerOfTwo(options.rxFrames / at.queues));
    this.umem = new Umem(at.mtuBytes, perQueue * at.queues, options.txFrames);
    const { umem } = this;
    this.hops = new NextHops(rng);
    const roots: Xsk[] = [];
    let takesMetadata = false;
    let gate: Gate | null = null;
    try {
      gate = new Gate(at, INLETS_MAX, umem.frameBytesMax, options.mode, options.admission);
      for (let queue = 0; queue < at.queues; queue++) {
        const root = new Xsk(`queue ${queue} of ${at.name}`);
        roots.push(root);
        if (queue === 0) takesMetadata = root.registerUmem(umem.arena, umem.bytes, umem.chunkBytes);
        openRoot(root, at.index, queue, umem, perQueue, options, roots[0]!);
      }
      this.zeroCopy = roots[0]!.zeroCopy;
    } catch (error) {
      for (const root of roots) root.close();
      gate?.close();
      this.hops.close();
      throw error;
    }
    this.gate = gate;
    this.queues = roots.map(
      (root, queue) => new XdpQueue(root, queue, queue * perQueue * umem.chunkBytes, perQueue, umem.chunkBytes),
    );
    this.budget = roots[0]!.raiseBudget(options.txFrames) ? options.txFrames : BUDGET_OLD;
    // Checksums are the kernel's in copy mode: it computes what the card does not; a driver without a copy may not. Who asks
    // for generic programs may have the other end of a veth so too, and there a datagram without a checksum looks like a
    // joined one, which is the kernel's to take apart.
    const sums = takesMetadata && !this.zeroCopy && options.mode !== 'generic';
    this.outlet = new Outlet(roots[0]!, umem, this.zeroCopy, sums);
  }

  /** Whether the interface is not there any more, or down. */
  get gone(): boolean {
    return this.outlet.gone || !this.open;
  }

  /** Whether the interface is down, without a carrier or gone, as far as this thread can see it. For reports. */
  get isDown(): boolean {
    return namespaceName() === this.namespace && isDown(this.at.name);
  }

  report(): XdpDeviceReport {
    return {
      interface: this.at.name,
      mode: this.gate.mode,
      zeroCopy: this.zeroCopy,
      queues: this.queues.length,
      budget: this.budget,
      refused: this.gate.refused(),
      gone: this.gone,
    };
  }

  /** How the interface is used, in a few words. */
  describe(): string {
    const { interface: name, mode, zeroCopy, queues } = this.report();
    const { admission } = this.options;
    const words = [name, mode, zeroCopy ? 'zero-copy' : 'copied', `${queues} ${queues === 1 ? 'queue' : 'queues'}`];
    if (admission !== null) words.push(`each source ${admission.datagramsPerSecond} datagrams a second`);
    return words.join(', ');
  }

  /** An inlet for a socket, with nothing in it; null where all are taken. */
  takeInlet(): Inlet | null {
    const inlet = this.idle.pop() ?? this.openInlet();
    if (inlet === null) return null;
    this.discard(inlet); // what came for the socket before, after it had gone
    return inlet;
  }

  /** Takes back an inlet that no address leads to any more. */
  giveInlet(inlet: Inlet): void {
    if (!this.open) return;
    this.discard(inlet);
    this.idle.push(inlet);
    this.recycle();
  }

  /** The receiver of a kind: one for all sockets that ask for the same. */
  receiverOf(kind: ReceiveKind): Receiver {
    const name = JSON.stringify(kind);
    let receiver = this.receivers.get(name);
    if (receiver === undefined) {
      const at = this.umem.setAside(receiveBufferBytes(kind));
      const kernel = new ReceiveTable(kind, this.clock, { arena: this.umem.arena, at });
      const { batch } = kernel;
      const frames = new FrameReader(batch, this.umem, this.at.index, this.options.verifyChecksums);
      receiver = { batch, frames, kernel };
      this.receivers.set(name, receiver);
    }
    return receiver;
  }

  /** The frames that the last receive lent out are free again: before the next one, of whichever socket. */
  recycle(): void {
    for (let i = 0; i < this.queues.length; i++) this.queues[i]!.recycle();
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.gate.close();
    for (const inlet of this.inlets) inlet.close();
    for (const queue of this.queues) queue.close();
    this.hops.close();
  }

  private openInlet(): Inlet | null {
    if (this.inlets.length === INLETS_MAX) return null;
    const inlet = new Inlet(this.at, this.queues, this.gate, this.inlets.length, this.umem.rxFrames);
    this.inlets.push(inlet);
    return inlet;
  }

  private discard(inlet: Inlet): void {
    for (let i = 0; i < this.queues.length; i++) {
      const xsk = inlet.xsks[i]!;
      const ring = xsk.rx!;
      const count = ring.peek(ring.size);
      for (let j = 0; j < count; j++) {
        this.queues[i]!.lend(ring.words[ring.wordOf(j)]! & ~(this.umem.chunkBytes - 1));
      }
      ring.release(count);
    }
  }
}

/** Makes the socket that owns a queue: with its rings of frames, the first one with the memory and the ring to send by. */
function openRoot(
  root: Xsk,
  interfaceIndex: number,
  queue: number,
  umem: Umem,
  frames: number,
  options: ResolvedXdpOptions,
  first: Xsk,
): void {
  const isFirst = root === first;
  // A queue that only receives must have a completion ring too, and a socket must have one ring of its own.
  root.openRings(
    isFirst ? { fill: frames, completion: umem.txFrames, tx: umem.txFrames } : { fill: frames, completion: 1, rx: 1 },
  );
  if (!isFirst) {
    root.bind(interfaceIndex, queue, abi.XDP_SHARED_UMEM, first.fd);
    return;
  }
  const wakeup = abi.XDP_USE_NEED_WAKEUP;
  if (options.zeroCopy) {
    try {
      root.bind(interfaceIndex, queue, wakeup | abi.XDP_ZEROCOPY);
      return;
    } catch (error) {
      if (!(error instanceof SysError) || error.code === 'EBUSY' || error.code === 'ENETDOWN') throw error;
    }
  }
  root.bind(interfaceIndex, queue, wakeup | abi.XDP_COPY);
}

function floorPowerOfTwo(value: number): number {
  return 2 ** Math.floor(Math.log2(value));
}

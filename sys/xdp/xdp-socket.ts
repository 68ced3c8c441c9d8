/**
 * A UDP socket whose datagrams go past the kernel where they can: received from frames, sent as frames.
 *
 * Behind it stands the kernel's own socket on the same port. It gets what the program at the interface lets pass (fragments,
 * oversize, other interfaces, loopback), sends what has no known next hop, and says when there is no room to send: what
 * the interface cannot take at once is given to it, and only it blocks.
 */

import {
  ADDRESS_BYTES,
  type Clock,
  type DatagramBatch,
  type DatagramSocket,
  isIPv4,
  type Pollable,
  portOf,
  type SocketDrops,
  type SocketStats,
  type SocketWay,
} from '../api.ts';
import { FrameTemplates } from '../linux/netlink/frame-templates.ts';
import type { LinuxUdpSocket } from '../linux/udp-socket.ts';
import { ADDRESS_WORDS, addressWords } from '../posix/sockaddr.ts';
import type { ResolvedUdpOptions } from '../posix/udp-options.ts';
import type { Receiver, XdpDevice } from './device.ts';
import { FrameWriter } from './frame-writer.ts';
import type { Inlet } from './inlet.ts';
import { isWildcard, sameHost } from './interface.ts';
import { moveToFront } from './move-to-front.ts';
import { UNUSED_BYTES } from './outlet.ts';
import { XdpTraffic } from './traffic.ts';

/** Every how many receives the kernel's socket is asked first: it must not starve while frames pour in. */
const KERNEL_FIRST_EVERY = 16;
/** Hops of a datagram, as Linux has it. */
const HOPS = 64;

/** A bound socket. Made by `XdpSys.openUdp`. */
export class XdpSocket implements DatagramSocket {
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: Readonly<SocketStats>;
  readonly traffic: XdpTraffic = new XdpTraffic();
  /** What a poller watches for arrivals beside `pollHandle`, the kernel's socket. */
  readonly bells: readonly Pollable[];
  private readonly kernel: LinuxUdpSocket;
  private readonly device: XdpDevice;
  private readonly inlet: Inlet;
  private readonly receiver: Receiver;
  private readonly templates: FrameTemplates;
  private readonly writer: FrameWriter;
  private readonly clock: Clock;
  private readonly port: number;
  /** Whether the kernel would send to IPv4 and to IPv6 from this socket. */
  private readonly sendsIPv4: boolean;
  private readonly sendsIPv6: boolean;
  /** Addresses that lead here past the kernel. */
  private readonly admitted: Uint8Array[] = [];
  private readonly now: Float64Array = new Float64Array(1);
  /** Slots that are left to the kernel, and slots that were queued, of the flush under way. */
  private readonly left: Uint16Array;
  private readonly queuedSlots: Uint16Array;
  private readonly usedQueues: Uint8Array;
  private readonly onClose: (socket: XdpSocket) => void;
  private firstQueue = 0;
  private receives = 0;

  /**
   * @param kernel bound to the port, receiving into `receiver.kernel`
   * @param onClose called once, before the descriptors are given back
   */
  constructor(
    kernel: LinuxUdpSocket,
    device: XdpDevice,
    inlet: Inlet,
    receiver: Receiver,
    options: ResolvedUdpOptions,
    clock: Clock,
    onClose: (socket: XdpSocket) => void,
  ) {
    this.kernel = kernel;
    this.device = device;
    this.inlet = inlet;
    this.receiver = receiver;
    this.clock = clock;
    this.onClose = onClose;
    this.rx = receiver.batch;
    this.tx = kernel.tx;
    this.localAddress = kernel.localAddress;
    this.stats = kernel.stats;
    this.bells = inlet.bells;
    this.usedQueues = new Uint8Array(device.queues.length);
    this.left = new Uint16Array(this.tx.slots);
    this.queuedSlots = new Uint16Array(this.tx.slots);
    this.port = portOf(this.localAddress);
    this.sendsIPv6 = !isIPv4(this.localAddress);
    this.sendsIPv4 = !this.sendsIPv6 || (options.dualStack && isWildcard(this.localAddress));
    this.templates = new FrameTemplates(
      device.hops,
      addressWords(this.tx.address),
      addressWords(this.tx.localAddress ?? sourceOf(this.localAddress)),
      this.tx.localAddress === null ? 0 : ADDRESS_WORDS,
      {
        sourcePort: this.port,
        ttl: HOPS,
        hopLimit: HOPS,
        sendsIPv4: this.sendsIPv4,
        sendsIPv6: this.sendsIPv6,
        interfaceIndex: device.at.index,
        frameBytesMax: device.umem.chunkBytes - UNUSED_BYTES,
        prefix: 0,
      },
    );
    this.writer = new FrameWriter(device.umem, this.templates, this.tx, !device.outlet.sums);
    for (const address of this.ownAddresses()) {
      device.gate.admit(address, inlet.index, options.columns.receivedAt === true);
      this.admitted.push(address);
    }
  }

  /** The kernel's socket; -1 once closed. */
  get pollHandle(): number {
    return this.kernel.pollHandle;
  }

  /** What the admission filter has dropped, and frames that came for this socket and found no room. */
  drops(): SocketDrops {
    const { device } = this;
    const frames = device.open ? this.inlet.drops() : { ringFull: 0, noFrame: 0, other: 0 };
    return { notAdmitted: device.gate.refused(), ...frames };
  }

  way(): SocketWay {
    const { device } = this;
    const { name } = device.at;
    if (device.gone) {
      const fallback = `${name} has gone or was down while datagrams were sent: they go by the kernel until the socket is opened anew`;
      return { backend: 'udp', details: '', fallback };
    }
    if (device.isDown) {
      const fallback = `${name} is down or has gone: \`ip link show dev ${name}\``;
      return { backend: 'udp', details: '', fallback };
    }
    return { backend: 'xdp', details: device.describe(), fallback: '' };
  }

  /** Queues that frames have come by since the socket was opened: 1 where the card does not spread its peers. */
  get busyQueues(): number {
    return this.usedQueues.reduce((sum, used) => sum + used, 0);
  }

  receive(): number {
    if (this.pollHandle < 0) return 0;
    const { device, rx } = this;
    if (!device.open) return this.receiveFromKernel();
    device.recycle();
    const kernelFirst = ++this.receives % KERNEL_FIRST_EVERY === 0;
    if (kernelFirst && this.receiveFromKernel() > 0) return rx.count;
    rx.count = 0;
    this.receiveFrames();
    if (rx.count > 0 || kernelFirst) return rx.count;
    return this.receiveFromKernel();
  }

  flush(): number {
    if (this.pollHandle < 0 || this.tx.count === 0) return 0;
    const sent = this.device.gone ? 0 : this.flushFrames();
    if (this.tx.count === 0) return sent;
    const before = this.kernel.stats.datagramsOut;
    const left = this.kernel.flush();
    this.traffic.kernelOut += this.kernel.stats.datagramsOut - before;
    return sent + left;
  }

  close(): void {
    if (this.pollHandle < 0) return;
    this.onClose(this);
    if (this.device.open) for (const address of this.admitted) this.device.gate.dismiss(address);
    this.device.giveInlet(this.inlet);
    this.kernel.close();
  }

  private receiveFromKernel(): number {
    const count = this.kernel.receive();
    this.traffic.kernelIn += count;
    return count;
  }

  /** Fills the batch from the queues, beginning with another one each time. */
  private receiveFrames(): void {
    const { device, inlet, receiver, rx, traffic, now } = this;
    const { queues } = device;
    const { stats } = this.kernel;
    if (rx.receivedAt !== null) now[0] = this.clock.now();
    if (++this.firstQueue >= queues.length) this.firstQueue = 0;
    for (let i = 0; i < queues.length && rx.count < rx.slots; i++) {
      const queue = (this.firstQueue + i) % queues.length;
      const before = rx.count;
      receiver.frames.take(queues[queue]!, inlet.xsks[queue]!.rx!, this.port, stats, traffic, now);
      if (rx.count > before) this.usedQueues[queue] = 1;
    }
  }

  /** Sends what can go as frames and moves the rest to the front; returns how many have gone. */
  private flushFrames(): number {
    const { tx, device, templates, writer, left, queuedSlots } = this;
    const { outlet } = device;
    const { count, length } = tx;
    device.hops.look(this.clock.now());
    let slot = 0;
    let leftCount = 0;
    let gone = 0;
    let isSorted = true;
    while (slot < count && isSorted) {
      const room = outlet.begin(count - slot);
      if (room === 0) break;
      let queued = 0;
      for (; slot < count && queued < room; slot++) {
        const template = templates.find(slot, length[slot]!);
        if (template < 0) {
          left[leftCount++] = slot;
          continue;
        }
        outlet.queue(writer.write(template, slot, outlet.nextFrame()), templates.isIPv4(template));
        queuedSlots[queued++] = slot;
      }
      const sent = outlet.send(this.kernel.stats);
      this.countSent(sent);
      gone += sent;
      // What was not taken goes the other way, in its own order.
      for (let i = sent; i < queued; i++) left[leftCount++] = queuedSlots[i]!;
      isSorted = sent === queued;
    }
    for (; slot < count; slot++) left[leftCount++] = slot;
    if (!isSorted) left.subarray(0, leftCount).sort();
    if (gone > 0) moveToFront(tx, left, leftCount);
    return gone;
  }

  /** Counts the first `sent` of the slots that were queued. */
  private countSent(sent: number): void {
    const { stats } = this.kernel;
    const { length } = this.tx;
    let bytes = 0;
    for (let i = 0; i < sent; i++) bytes += length[this.queuedSlots[i]!]!;
    stats.datagramsOut += sent;
    stats.bytesOut += bytes;
    this.traffic.framesOut += sent;
  }

  /** The addresses of the interface that this socket is bound to, with its port. */
  private ownAddresses(): Uint8Array[] {
    const { localAddress, device } = this;
    const all = isWildcard(localAddress);
    return device.at.addresses
      .filter((address) =>
        all ? (isIPv4(address) ? this.sendsIPv4 : this.sendsIPv6) : sameHost(address, localAddress),
      )
      .map((address) => withPort(address, this.port));
  }
}

/** What `NextHops` is asked to send from: zeros, for the kernel to choose, where the socket is bound to all addresses. */
function sourceOf(local: Uint8Array): Uint8Array {
  const source = new Uint8Array(ADDRESS_BYTES);
  if (!isWildcard(local)) source.set(local);
  return source;
}

function withPort(address: Uint8Array, port: number): Uint8Array {
  const bytes = address.slice();
  bytes[16] = port & 0xff;
  bytes[17] = port >>> 8;
  return bytes;
}

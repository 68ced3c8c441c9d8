/**
 * A UDP socket over node:dgram, for machines where koffi cannot load: everything above works the same, slower.
 *
 * Node pushes datagrams, the contract pulls them: they wait in an `InboundQueue`. Node sends at once when the kernel takes
 * the datagram, and keeps it (and our bytes) otherwise: so each goes from a staging slot that stays taken until Node is
 * done with it, and when all are taken the socket is not writable.
 */

import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { ADDRESS_BYTES, isIPv4, portOf } from '../address.ts';
import type { DatagramSocket } from '../api.ts';
import { DatagramBatch, READABLE, SocketStats, SysError, WRITABLE } from '../api.ts';
import { sysError } from '../errno.ts';
import type { ResolvedUdpOptions } from '../posix/udp-options.ts';
import { forgetWatches, signalWatches, type Watch, type Watchable } from '../watch-list.ts';
import type { HostTexts } from './host-texts.ts';
import { InboundQueue } from './inbound-queue.ts';

/** Datagrams that Node may hold for a kernel that is full. More would only wait here instead of in `tx`. */
const STAGING_SLOTS = 8;
/** Writable again when this many are left: one system call then refills several. */
const WRITABLE_AT = STAGING_SLOTS / 2;
/** Bytes that wait for `receive()` where no size was asked for: Linux's own default (net.core.rmem_default). */
const INBOUND_BYTES = 212_992;
/** Smallest buffer worth asking for; where a kernel refuses even that, its default stays. */
const BUFFER_BYTES_MIN = 4096;

/** What the sockets of one `DgramSys` share. */
export interface DgramShared {
  readonly hosts: HostTexts;
  /** Open sockets by `pollHandle`. */
  readonly sockets: Map<number, Watchable>;
  /** The receive batch of all sockets of this shape. */
  rxBatch(slots: number, slotBytes: number): DatagramBatch;
}

/** Node's socket, bound. */
export interface BoundSocket {
  readonly socket: Socket;
  readonly localAddress: Uint8Array;
}

export class DgramUdpSocket implements DatagramSocket, Watchable {
  readonly pollHandle: number;
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly localAddress: Uint8Array;
  readonly stats: SocketStats = new SocketStats();
  readonly watches: Watch[] = [];

  private readonly shared: DgramShared;
  private readonly socket: Socket;
  private readonly ipv6: boolean;
  private readonly slotBytes: number;
  private readonly inbound: InboundQueue;
  private readonly sender = new Uint8Array(ADDRESS_BYTES);
  private staging: Uint8Array | null = null;
  /** Staging slots free now. */
  private readonly free: number[] = Array.from({ length: STAGING_SLOTS }, (_, index) => index);
  /** The number of the send that holds each staging slot; 0: none. */
  private readonly holder: number[] = new Array<number>(STAGING_SLOTS).fill(0);
  private sends = 0;
  private blocked = false;
  private open = true;

  constructor(shared: DgramShared, pollHandle: number, bound: BoundSocket, options: ResolvedUdpOptions) {
    this.shared = shared;
    this.pollHandle = pollHandle;
    this.socket = bound.socket;
    this.localAddress = bound.localAddress;
    this.ipv6 = !isIPv4(bound.localAddress);
    this.slotBytes = options.slotBytes;
    this.rx = shared.rxBatch(options.rxSlots, this.slotBytes);
    this.tx = DatagramBatch.allocate(options.txSlots, this.slotBytes, {}, options.txSpareBytes);
    this.inbound = new InboundQueue(options.receiveBufferBytes || INBOUND_BYTES);
    shared.sockets.set(pollHandle, this);
    this.socket.on('message', (message: Buffer, from: RemoteInfo) => this.arrive(message, from));
    // An ICMP answer to an earlier datagram: Windows reports it as a failed receive, and goes on receiving.
    this.socket.on('error', () => void this.stats.refused++);
  }

  readiness(): number {
    return (this.inbound.count > 0 ? READABLE : 0) | (this.blocked ? 0 : WRITABLE);
  }

  receive(): number {
    const { rx, inbound, stats } = this;
    let count = 0;
    if (this.open) {
      while (count < rx.slots && inbound.shiftInto(rx, count)) {
        stats.bytesIn += rx.length[count]!;
        count++;
      }
      stats.datagramsIn += count;
    }
    rx.count = count;
    return count;
  }

  flush(): number {
    const { tx } = this;
    if (!this.open || tx.count === 0) return 0;
    let taken = 0;
    while (taken < tx.count && this.free.length > 0) this.send(taken++);
    if (taken < tx.count) {
      this.blocked = true;
      this.stats.sendBlocked++;
    }
    tx.dropFront(taken);
    return taken;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    forgetWatches(this);
    this.shared.sockets.delete(this.pollHandle);
    this.inbound.clear();
    this.tx.count = 0;
    this.socket.close();
  }

  private arrive(message: Buffer, from: RemoteInfo): void {
    const { stats } = this;
    stats.syscalls++;
    if (message.length > this.slotBytes) {
      stats.truncated++;
      return;
    }
    if (!this.shared.hosts.write(this.sender, 0, from.address, from.port)) return;
    if (!this.inbound.push(message, this.sender)) {
      stats.overflowed++;
      return;
    }
    signalWatches(this, READABLE);
  }

  /** Hands the datagram in `slot` to Node. */
  private send(slot: number): void {
    const { tx, stats } = this;
    const port = portOf(tx.address, slot * ADDRESS_BYTES);
    const host = this.shared.hosts.text(tx.address, slot * ADDRESS_BYTES, this.ipv6);
    if (host === null || port === 0) {
      stats.sendFailed++;
      return;
    }
    const start = tx.offset[slot]!;
    const length = tx.length[slot]!;
    const stage = this.free[this.free.length - 1]!;
    const bytes = this.stage(stage, length);
    bytes.set(tx.arena.subarray(start, start + length));
    const number = ++this.sends;
    const queued = this.socket.getSendQueueCount();
    stats.syscalls++;
    stats.datagramsOut++;
    stats.bytesOut += length;
    this.socket.send(bytes, 0, length, port, host, (error) => this.sent(stage, number, length, error));
    if (this.socket.getSendQueueCount() === queued) return; // the kernel has it, or has refused it: the slot is free again
    this.free.pop();
    this.holder[stage] = number;
  }

  /** Node is done with a datagram. Comes in the next tick also for one that the kernel took at once. */
  private sent(stage: number, number: number, length: number, error: Error | null): void {
    if (error !== null) this.countFailure((error as NodeJS.ErrnoException).code ?? '', length);
    if (this.holder[stage] !== number) return;
    this.holder[stage] = 0;
    this.free.push(stage);
    if (!this.open || !this.blocked || this.free.length < STAGING_SLOTS - WRITABLE_AT) return;
    this.blocked = false;
    signalWatches(this, WRITABLE);
  }

  private countFailure(code: string, length: number): void {
    const { stats } = this;
    stats.datagramsOut--;
    stats.bytesOut -= length;
    if (code === 'EMSGSIZE') stats.tooLarge++;
    else if (code === 'ECONNREFUSED' || code === 'ECONNRESET') stats.refused++;
    else stats.sendFailed++;
  }

  private stage(slot: number, length: number): Uint8Array {
    this.staging ??= new Uint8Array(STAGING_SLOTS * this.tx.strideBytes);
    const start = slot * this.tx.strideBytes;
    return this.staging.subarray(start, start + length);
  }
}

/**
 * Binds one of Node's sockets at once: a lookup that answers at once makes `bind` synchronous.
 *
 * @throws SysError
 */
export function bindDgram(hosts: HostTexts, local: Uint8Array, options: ResolvedUdpOptions): BoundSocket {
  const ipv6 = !isIPv4(local);
  const host = hosts.text(local, 0, ipv6)!;
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    ipv6Only: ipv6 && !options.dualStack,
    // Newer Nodes know it; older ones ignore it, which `DgramSys` finds out before it says that it can.
    ...(options.reusePort ? { reusePort: true } : {}),
    lookup: (hostname, _options, answer) => answer(null, hostname, ipv6 ? 6 : 4),
  });
  socket.unref();
  let failure: NodeJS.ErrnoException | null = null;
  const onError = (error: NodeJS.ErrnoException) => {
    failure = error;
  };
  socket.on('error', onError);
  try {
    socket.bind({ port: portOf(local), address: host, exclusive: true });
  } catch (error) {
    failure = error as NodeJS.ErrnoException;
  }
  socket.off('error', onError);
  if (failure !== null) {
    const { code = 'EINVAL' } = failure as NodeJS.ErrnoException;
    socket.on('error', () => {}); // it is on its way out
    socket.close();
    throw sysError(code, 'bind', local);
  }
  if (options.receiveBufferBytes > 0) setBuffer(options.receiveBufferBytes, (n) => socket.setRecvBufferSize(n));
  if (options.sendBufferBytes > 0) setBuffer(options.sendBufferBytes, (n) => socket.setSendBufferSize(n));
  const bound = socket.address();
  const localAddress = new Uint8Array(ADDRESS_BYTES);
  if (!hosts.write(localAddress, 0, bound.address, bound.port)) {
    socket.close();
    throw new SysError('EINVAL', 'getsockname', `no address: ${bound.address}`);
  }
  return { socket, localAddress };
}

/** Sets a buffer to `bytes`, or to the largest half of it that the kernel grants: BSD refuses where Linux bounds. */
function setBuffer(bytes: number, set: (bytes: number) => void): void {
  for (let size = bytes; size >= BUFFER_BYTES_MIN; size = Math.floor(size / 2)) {
    try {
      set(size);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_SOCKET_BUFFER_SIZE') throw error;
    }
  }
}

/**
 * A UDP socket in the simulated network: the contract of `DatagramSocket` over the world's datagram pool.
 */

import {
  ADDRESS_BYTES,
  DatagramBatch,
  type DatagramSocket,
  type Micros,
  NEVER,
  READABLE,
  SocketStats,
  type UdpOptions,
  WRITABLE,
} from '../../sys/api.ts';
import { NONE } from './datagram-pool.ts';
import type { SimHost } from './host.ts';
import type { Network } from './network.ts';
import type { Registration } from './sim-poller.ts';

/** Linux' default SO_RCVBUF (net.core.rmem_default). */
const RECEIVE_BUFFER_BYTES = 212_992;
/** What Linux charges a small datagram besides its payload: sk_buff and rounding, 768 in all for 100 bytes on loopback. */
const DATAGRAM_OVERHEAD_BYTES = 640;
/** UDP's own limit over IPv4. */
const DATAGRAM_BYTES_MAX = 65_507;
const DEFAULT_SLOTS = 64;
const DEFAULT_SLOT_BYTES = 2_048;

/** One bound socket of a simulated host. */
export class SimSocket implements DatagramSocket {
  readonly pollHandle: number;
  readonly localAddress: Uint8Array;
  readonly rx: DatagramBatch;
  readonly tx: DatagramBatch;
  readonly stats: SocketStats = new SocketStats();
  readonly host: SimHost;
  readonly dualStack: boolean;
  readonly reusePort: boolean;
  closed = false;
  /** Where pollers watch this socket; theirs to change. Nearly always one. */
  readonly registrations: Registration[] = [];

  readonly #network: Network;
  /** What its owner asked for; the host may allow less. */
  readonly #receiveBufferBytes: number;
  #receiveBufferNow: number;
  /** Errors that receives are to meet. */
  #receiveErrors = 0;
  #queuedBytes = 0;
  #head = NONE;
  #tail = NONE;
  #blockedUntil: Micros = 0;

  constructor(network: Network, host: SimHost, handle: number, local: Uint8Array, options: UdpOptions) {
    this.#network = network;
    this.host = host;
    this.pollHandle = handle;
    this.localAddress = local;
    this.dualStack = options.dualStack ?? true;
    this.reusePort = options.reusePort ?? false;
    this.#receiveBufferBytes = options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES;
    this.#receiveBufferNow = Math.min(this.#receiveBufferBytes, host.receiveBufferBytesMax);
    const slotBytes = options.slotBytes ?? DEFAULT_SLOT_BYTES;
    this.rx = network.sharedReceiveBatch(options.rxSlots ?? DEFAULT_SLOTS, slotBytes, options.columns ?? {});
    this.tx = DatagramBatch.allocate(options.txSlots ?? DEFAULT_SLOTS, slotBytes, {}, options.txSpareBytes ?? 0);
  }

  /** READABLE and WRITABLE as they are now. */
  get readiness(): number {
    if (this.closed) return 0;
    const readable = this.#head !== NONE || this.#receiveErrors > 0;
    return (readable ? READABLE : 0) | (this.#network.timeline.now < this.#blockedUntil ? 0 : WRITABLE);
  }

  receive(): number {
    const rx = this.rx;
    rx.count = 0;
    if (this.closed) return 0;
    this.stats.syscalls++;
    if (this.#receiveErrors > 0) this.#meetErrors();
    const pool = this.#network.pool;
    const bytesBefore = this.stats.bytesIn;
    let count = 0;
    while (count < rx.slots && this.#head !== NONE) {
      const id = this.#head;
      const length = pool.lengthBytes[id]!;
      this.#head = pool.next[id]!;
      this.#queuedBytes -= length + DATAGRAM_OVERHEAD_BYTES;
      if (length > rx.slotBytes) {
        this.stats.truncated++;
      } else {
        this.#fill(count, id, length);
        count++;
      }
      pool.release(id);
    }
    if (this.#head === NONE) this.#tail = NONE;
    rx.count = count;
    this.host.cpu?.charge(count, this.stats.bytesIn - bytesBefore);
    return count;
  }

  flush(): number {
    const tx = this.tx;
    const count = tx.count;
    if (this.closed || count === 0) return 0;
    this.stats.syscalls++;
    const { cpu, socketFaults } = this.host;
    const now = this.#network.timeline.now;
    let admitted = now < this.#blockedUntil ? 0 : count;
    if (socketFaults !== null && admitted > 0) admitted = socketFaults.admits(this, count, now);
    if (admitted < count) this.stats.sendBlocked++;
    const bytesBefore = this.stats.bytesOut;
    for (let slot = 0; slot < admitted; slot++) {
      if (socketFaults === null || !socketFaults.refuses(this, now)) this.#send(slot);
      tx.offset[slot] = tx.home(slot);
    }
    cpu?.charge(admitted, this.stats.bytesOut - bytesBefore);
    if (admitted === count) tx.count = 0;
    else if (admitted > 0) moveToFront(tx, admitted);
    return admitted;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const registration of [...this.registrations]) registration.poller.remove(this);
    this.host.ports.release(this);
    this.#network.forget(this);
    const pool = this.#network.pool;
    while (this.#head !== NONE) {
      const id = this.#head;
      this.#head = pool.next[id]!;
      pool.release(id);
    }
    this.#tail = NONE;
    this.rx.count = 0;
    this.tx.count = 0;
  }

  /**
   * A full kernel: until world time `until` (NEVER: until the next call), `flush()` takes nothing. A poller that wants
   * WRITABLE hears when it is over.
   */
  blockSending(until: Micros): void {
    this.#blockedUntil = until;
    if (until === NEVER) return;
    this.host.at(until, () => {
      if (this.#network.timeline.now >= this.#blockedUntil) this.#changed(WRITABLE);
    });
  }

  /** A full device: the socket counts as writable all the while, and pollers hear at world time `time` that there is room. */
  tellRoomAt(time: Micros): void {
    this.host.at(time, () => this.#changed(WRITABLE));
  }

  /** The next `times` calls for datagrams meet an error first: the socket is readable though nothing may be there. */
  failReceives(times: number): void {
    this.#receiveErrors = times;
    this.#changed(READABLE);
  }

  /** The host allows receive buffers of at most so many bytes; what waits in a larger one stays. */
  boundReceiveBuffer(bytesMax: number): void {
    this.#receiveBufferNow = Math.min(this.#receiveBufferBytes, bytesMax);
  }

  /** A datagram has arrived. False when the receive buffer is full; the caller then drops it. */
  accept(id: number): boolean {
    const pool = this.#network.pool;
    const cost = pool.lengthBytes[id]! + DATAGRAM_OVERHEAD_BYTES;
    // An empty buffer takes any datagram, as the kernel does: else a small SO_RCVBUF would never hear anything.
    if (this.#head !== NONE && this.#queuedBytes + cost > this.#receiveBufferNow) {
      this.stats.overflowed++;
      return false;
    }
    this.#queuedBytes += cost;
    if (this.#tail === NONE) this.#head = id;
    else pool.next[this.#tail] = id;
    this.#tail = id;
    this.#changed(READABLE);
    return true;
  }

  /** One call, one error: the backend calls again at once, and so sees the datagrams behind it. */
  #meetErrors(): void {
    this.#receiveErrors--;
    this.stats.syscalls++;
    this.host.socketFaults?.onReceiveError();
  }

  #changed(flags: number): void {
    for (let i = 0; i < this.registrations.length; i++) this.registrations[i]!.changed(flags);
  }

  #send(slot: number): void {
    const tx = this.tx;
    const length = tx.length[slot]!;
    if (length > DATAGRAM_BYTES_MAX) {
      this.stats.tooLarge++;
    } else if (this.#network.send(this, slot)) {
      this.stats.datagramsOut++;
      this.stats.bytesOut += length;
    } else {
      this.stats.sendFailed++;
    }
  }

  #fill(slot: number, id: number, length: number): void {
    const rx = this.rx;
    const pool = this.#network.pool;
    const home = rx.home(slot);
    rx.offset[slot] = home;
    rx.length[slot] = length;
    pool.copyOut(id, rx.view, home);
    const source = id * 2 * ADDRESS_BYTES;
    const target = slot * ADDRESS_BYTES;
    for (let i = 0; i < ADDRESS_BYTES; i++) rx.address[target + i] = pool.addresses[source + i]!;
    if (rx.localAddress !== null) {
      for (let i = 0; i < ADDRESS_BYTES; i++) {
        rx.localAddress[target + i] = pool.addresses[source + ADDRESS_BYTES + i]!;
      }
    }
    if (rx.receivedAt !== null) rx.receivedAt[slot] = this.host.clock.at(pool.arrivedAt[id]!);
    this.stats.datagramsIn++;
    this.stats.bytesIn += length;
  }
}

/** The first `taken` datagrams leave; the rest moves to the front, each as far into its new slot as it was into its own. */
function moveToFront(tx: DatagramBatch, taken: number): void {
  const left = tx.count - taken;
  for (let slot = 0; slot < left; slot++) {
    const from = slot + taken;
    const start = tx.offset[from]!;
    const target = tx.home(slot) + start - tx.home(from);
    tx.arena.copyWithin(target, start, start + tx.length[from]!);
    tx.offset[slot] = target;
    tx.length[slot] = tx.length[from]!;
    tx.address.copyWithin(slot * ADDRESS_BYTES, from * ADDRESS_BYTES, (from + 1) * ADDRESS_BYTES);
  }
  for (let slot = left; slot < tx.count; slot++) tx.offset[slot] = tx.home(slot);
  tx.count = left;
}

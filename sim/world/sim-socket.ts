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
  readonly #receiveBufferBytes: number;
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
    const slotBytes = options.slotBytes ?? DEFAULT_SLOT_BYTES;
    this.rx = network.sharedReceiveBatch(options.rxSlots ?? DEFAULT_SLOTS, slotBytes, options.columns ?? {});
    this.tx = DatagramBatch.allocate(options.txSlots ?? DEFAULT_SLOTS, slotBytes, {}, options.txSpareBytes ?? 0);
  }

  /** READABLE and WRITABLE as they are now. */
  get readiness(): number {
    if (this.closed) return 0;
    return (this.#head === NONE ? 0 : READABLE) | (this.#network.timeline.now < this.#blockedUntil ? 0 : WRITABLE);
  }

  receive(): number {
    const rx = this.rx;
    rx.count = 0;
    if (this.closed) return 0;
    this.stats.syscalls++;
    const pool = this.#network.pool;
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
    return count;
  }

  flush(): number {
    const tx = this.tx;
    const count = tx.count;
    if (this.closed || count === 0) return 0;
    this.stats.syscalls++;
    if (this.#network.timeline.now < this.#blockedUntil) {
      this.stats.sendBlocked++;
      return 0;
    }
    for (let slot = 0; slot < count; slot++) {
      this.#send(slot);
      tx.offset[slot] = tx.home(slot);
    }
    tx.count = 0;
    return count;
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

  /** A datagram has arrived. False when the receive buffer is full; the caller then drops it. */
  accept(id: number): boolean {
    const pool = this.#network.pool;
    const cost = pool.lengthBytes[id]! + DATAGRAM_OVERHEAD_BYTES;
    // An empty buffer takes any datagram, as the kernel does: else a small SO_RCVBUF would never hear anything.
    if (this.#head !== NONE && this.#queuedBytes + cost > this.#receiveBufferBytes) {
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
    if (rx.receivedAt !== null) rx.receivedAt[slot] = pool.arrivedAt[id]! + this.host.clockOriginMicros;
    this.stats.datagramsIn++;
    this.stats.bytesIn += length;
  }
}

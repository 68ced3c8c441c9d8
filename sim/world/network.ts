/**
 * The network of a world: hosts, directions between them, sockets, and every datagram's way from flush to receive.
 *
 * Any host reaches any other. The direction between two hosts is made when it is first used or configured, and its chance
 * hangs on the two names only: adding a host changes no fate elsewhere.
 */

import {
  ADDRESS_BYTES,
  type BatchColumns,
  DatagramBatch,
  isIPv4,
  type Micros,
  type UdpOptions,
} from '../../sys/api.ts';
import { checkDirection, type DirectionOptions } from '../link/direction-options.ts';
import type { Fates } from '../link/fates.ts';
import type { LinkDirection } from '../link/link.ts';
import { type DatagramPool, NONE } from './datagram-pool.ts';
import { type Digest, EVENT_DELIVERED, EVENT_DROPPED } from './digest.ts';
import type { SimHost } from './host.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { Nat, outsideNumberOf, type RebindOptions } from './nat.ts';
import { isWildcard } from './port-table.ts';
import { SimPoller } from './sim-poller.ts';
import { SimSocket } from './sim-socket.ts';
import type { Streams } from './streams.ts';
import type { Timeline } from './timeline.ts';
import { type NetworkStats, Transit } from './transit.ts';
import { VirtualTimers } from './virtual-timers.ts';

/** Where datagrams live and travel. */
export class Network {
  /** Datagrams between hosts. */
  readonly transit: Transit;
  readonly timeline: Timeline;
  readonly timers: VirtualTimers;
  readonly pool: DatagramPool;
  readonly digest: Digest;
  readonly stats: NetworkStats;
  /** One-way delays of the datagrams that arrived over links (not within a host). */
  readonly latency: LatencyHistogram = new LatencyHistogram();
  readonly hosts: SimHost[] = [];
  /** Hosts touched in this turn, in that order. */
  readonly touched: SimHost[] = [];
  /** Whether any host has something that may keep its code from running. */
  someCpu = false;

  readonly #streams: Streams;
  readonly #defaults: DirectionOptions;
  /** Who has, or had, which outside address of a NAT. */
  readonly #outsideAddresses: Map<number, SimHost> = new Map();
  /** Destination host of each direction, by its number. */
  readonly #destinations: SimHost[] = [];
  /** Direction from host a to host b, at [a][b]. */
  readonly #between: (LinkDirection | undefined)[][] = [];
  readonly #sockets: Map<number, SimSocket> = new Map();
  readonly #pollers: (SimPoller | null)[] = [];
  readonly #receiveBatches: Map<string, DatagramBatch> = new Map();
  #nextHandle = 1;

  constructor(streams: Streams, defaults: DirectionOptions, fates: Fates | null = null) {
    checkDirection('link by default', defaults);
    this.#streams = streams;
    this.#defaults = defaults;
    this.transit = new Transit(streams, fates);
    this.transit.arrive = (id) => this.arrive(id);
    this.timeline = this.transit.timeline;
    this.timers = new VirtualTimers(this.timeline);
    this.pool = this.transit.pool;
    this.digest = this.transit.digest;
    this.stats = this.transit.stats;
  }

  addHost(host: SimHost): void {
    this.hosts.push(host);
    this.#between.push([]);
  }

  /** The direction from one host to another; within a host it has neither delay nor loss. */
  direction(from: SimHost, to: SimHost): LinkDirection {
    const known = this.#between[from.number]![to.number];
    if (known !== undefined) return known;
    const made = this.transit.addDirection(`${from.name}>${to.name}`, from === to ? {} : this.#defaults);
    this.#between[from.number]![to.number] = made;
    this.#destinations[made.number] = to;
    return made;
  }

  /** The directions between the hosts of `a` and those of `b`; with `oneWay` from `a` to `b` only. Throws RangeError. */
  across(a: readonly SimHost[], b: readonly SimHost[], oneWay: boolean): LinkDirection[] {
    for (const host of a) {
      if (b.includes(host)) throw new RangeError(`partition: host '${host.name}' is on both sides`);
    }
    const ways = a.flatMap((from) => b.map((to) => [this.direction(from, to), this.direction(to, from)]));
    return oneWay ? ways.map((way) => way[0]!) : ways.flat();
  }

  /** Binds `host` anew in its NAT, which it has from the first time on. */
  rebind(host: SimHost, options: RebindOptions): void {
    const nat = host.nat ?? this.#natOf(host);
    nat.rebind(options, this.#outsideAddresses);
    host.nat = nat;
    const fault = {
      kind: 'rebind',
      host: host.name,
      at: this.timeline.now,
      address: options.address ?? false,
    } as const;
    this.transit.fates?.note(fault);
  }

  /** The NAT of `host`, which it has from now on, forgets what has not sent for so long. */
  natTimeout(host: SimHost, timeoutMicros: Micros): void {
    const nat = host.nat ?? this.#natOf(host);
    nat.forgetAfter(timeoutMicros);
    host.nat = nat;
  }

  #natOf(host: SimHost): Nat {
    return new Nat(host, this.#streams.stream(`nat/${host.name}`), this.timeline, this.digest);
  }

  openSocket(host: SimHost, local: Uint8Array, options: UdpOptions): SimSocket {
    const socket = new SimSocket(this, host, this.#nextHandle++, local, options);
    this.#sockets.set(socket.pollHandle, socket);
    host.ports.add(socket);
    return socket;
  }

  /** Open sockets of a host, in the order in which they were opened. Cost: all sockets of the world. */
  socketsOf(host: SimHost): SimSocket[] {
    return [...this.#sockets.values()].filter((socket) => socket.host === host);
  }

  socketOf(handle: number): SimSocket | null {
    return this.#sockets.get(handle) ?? null;
  }

  forget(socket: SimSocket): void {
    this.#sockets.delete(socket.pollHandle);
  }

  openPoller(host: SimHost): SimPoller {
    const poller = new SimPoller(this, host, this.#pollers.length);
    this.#pollers.push(poller);
    if (host.isDown) poller.die(); // asked for by code that has outlived it
    return poller;
  }

  pollerOf(id: number): SimPoller | null {
    return this.#pollers[id] ?? null;
  }

  /** Ids of pollers are not given out again, so that events in the queue cannot reach another one. */
  forgetPoller(id: number): void {
    this.#pollers[id] = null;
  }

  /** The clock of `host` was changed: what it waits for is due at other world times. Cost: all pollers and timers of the world. */
  aimAnew(host: SimHost): void {
    for (const poller of this.#pollers) if (poller?.host === host) poller.aimAnew();
    this.timers.aimAnew(host);
  }

  /** Takes all sockets and pollers of a host away at once; nothing is sent. */
  takeDown(host: SimHost): void {
    for (const socket of this.socketsOf(host)) socket.close();
    for (const poller of this.#pollers) if (poller?.host === host) poller.die();
    host.end();
  }

  /** The receive batch that all sockets with these options share; valid until the next `receive()` of any of them. */
  sharedReceiveBatch(slots: number, slotBytes: number, columns: BatchColumns): DatagramBatch {
    const name = `${slots}x${slotBytes}/${columns.receivedAt ?? false}/${columns.localAddress ?? false}`;
    const known = this.#receiveBatches.get(name);
    if (known !== undefined) return known;
    const made = DatagramBatch.allocate(slots, slotBytes, columns);
    this.#receiveBatches.set(name, made);
    return made;
  }

  /** Sends the datagram in `slot` of the socket's transmit batch. False when its address cannot be reached from there. */
  send(socket: SimSocket, slot: number): boolean {
    const tx = socket.tx;
    const to = this.#route(socket, tx.address, slot * ADDRESS_BYTES);
    if (to === null) {
      this.stats.unreachable++;
      return false;
    }
    const id = this.pool.take(tx, slot);
    this.#address(id, socket, tx.address, slot * ADDRESS_BYTES);
    if (socket.host.nat !== null && to !== socket.host) {
      socket.host.nat.outward(this.pool.addresses, id * 2 * ADDRESS_BYTES);
    }
    this.transit.send(this.direction(socket.host, to), id);
    return true;
  }

  /** Datagram `id` reaches its host, or its source of cross traffic. */
  arrive(id: number): void {
    const pool = this.pool;
    const direction = this.transit.directions[pool.direction[id]!]!;
    if (direction.isHolding) {
      this.transit.hold(direction, id);
      return;
    }
    if (pool.source[id] !== NONE) {
      this.transit.arriveAtSource(id);
      return;
    }
    const now = this.timeline.now;
    const host = this.#destinations[direction.number]!;
    direction.stats.delivered++;
    pool.arrivedAt[id] = now;
    const within = this.#between[host.number]![host.number] === direction;
    const at = id * 2 * ADDRESS_BYTES;
    const known = within || host.nat === null || host.nat.inward(pool.addresses, at + ADDRESS_BYTES);
    const socket = known ? host.ports.find(pool.addresses, at) : null;
    const heard = socket?.accept(id) ?? false;
    this.transit.mix(heard ? EVENT_DELIVERED : EVENT_DROPPED, id);
    if (heard) {
      this.stats.delivered++;
      if (!within) this.latency.add(now - pool.sentAt[id]!);
      return;
    }
    if (socket === null) this.stats.unheard++;
    else this.stats.overflowed++;
    pool.release(id);
  }

  /** The host that has the destination address, as seen from `socket`; null when there is no way. */
  #route(socket: SimSocket, addresses: Uint8Array, offset: number): SimHost | null {
    const local = socket.localAddress;
    const four = isIPv4(addresses, offset);
    if (four !== isIPv4(local) && !(four && socket.dualStack && isWildcard(local))) return null;
    if (addresses[offset + 16] === 0 && addresses[offset + 17] === 0) return null; // port 0
    if (isLoopback(addresses, offset)) return isWildcard(local) || isLoopback(local, 0) ? socket.host : null;
    if (isLoopback(local, 0)) return null;
    const host = this.hosts[hostNumberOf(addresses, offset, four)] ?? null;
    if (host !== null || this.#outsideAddresses.size === 0) return host;
    const outside = this.#outsideAddresses.get(outsideNumberOf(addresses, offset)) ?? null;
    return outside === socket.host ? null : outside; // its NAT does not send back what came from inside
  }

  /** Writes source and destination of datagram `id`. A socket bound to a wildcard sends from the fitting address. */
  #address(id: number, socket: SimSocket, destinations: Uint8Array, offset: number): void {
    const addresses = this.pool.addresses;
    const at = id * 2 * ADDRESS_BYTES;
    const local = socket.localAddress;
    let source = local;
    if (isWildcard(local)) {
      if (isLoopback(destinations, offset)) source = destinations;
      else source = isIPv4(destinations, offset) ? socket.host.ipv4 : socket.host.ipv6;
    }
    const from = source === destinations ? offset : 0;
    for (let i = 0; i < 16; i++) addresses[at + i] = source[from + i]!;
    // Port of the socket; flags and scope stay zero, since these hosts have no link-local addresses.
    addresses[at + 16] = local[16]!;
    addresses[at + 17] = local[17]!;
    for (let i = 18; i < ADDRESS_BYTES; i++) addresses[at + i] = 0;
    for (let i = 0; i < ADDRESS_BYTES; i++) addresses[at + ADDRESS_BYTES + i] = destinations[offset + i]!;
  }
}

/** Whether the address at `offset` is of 127.0.0.0/8 or `::1`. */
export function isLoopback(addresses: Uint8Array, offset: number): boolean {
  if (isIPv4(addresses, offset)) return addresses[offset + 12] === 127;
  for (let i = 0; i < 15; i++) if (addresses[offset + i] !== 0) return false;
  return addresses[offset + 15] === 1;
}

/** The number of the host that has this `10.x.y.z` or `fd00::x:y`; -1 for an address of another kind. */
function hostNumberOf(addresses: Uint8Array, offset: number, four: boolean): number {
  if (four && addresses[offset + 12] !== 10) return -1;
  if (!four) {
    if (addresses[offset] !== 0xfd) return -1;
    for (let i = 1; i < 13; i++) if (addresses[offset + i] !== 0) return -1;
  }
  return addresses[offset + 13]! * 0x1_0000 + addresses[offset + 14]! * 0x100 + addresses[offset + 15]! - 1;
}

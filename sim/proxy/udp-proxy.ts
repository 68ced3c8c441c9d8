/**
 * A UDP proxy whose links are the simulator's: any game, real sockets, and the fates of a seed.
 *
 * The way of a datagram in one turn: receive -> pool -> transit.send -> ... -> arrival -> batch of the right socket -> flush.
 * `Transit` is the simulator's own, driven by a clock: events are taken as soon as their time has passed, and each happens
 * at the time that it was scheduled for, so being late never adds up. `proxy-loop.ts` calls `turn()`.
 */

import {
  ADDRESS_BYTES,
  type Clock,
  type DatagramSocket,
  isIPv4,
  type Micros,
  NEVER,
  READABLE,
  WRITABLE,
} from '../../sys/api.ts';
import { LinkDirection } from '../link/link.ts';
import { type DatagramPool, NONE } from '../world/datagram-pool.ts';
import { EVENT_DELIVERED, EVENT_DROPPED } from '../world/digest.ts';
import { type DatagramEvent, type DatagramObserver, observerOf } from '../world/observer.ts';
import { Streams } from '../world/streams.ts';
import { DUE_ARRIVAL, DUE_DEPARTURE, DUE_SOURCE, type Timeline } from '../world/timeline.ts';
import { Transit } from '../world/transit.ts';
import { Departures } from './departures.ts';
import { Mappings } from './mappings.ts';
import { ADDRESS_WORDS, DOWN, ProxyClients, UP, type WayCounters } from './proxy-clients.ts';
import {
  CLIENTS_DEFAULT,
  CLIENTS_MAX,
  DATAGRAM_BYTES_DEFAULT,
  HELD_MAX,
  IDLE_MICROS,
  type ProxyCounters,
  type ProxyMachine,
  type ProxyOptions,
} from './proxy-options.ts';
import { ProxyScene } from './proxy-scene.ts';
import { LISTENER, ProxySockets } from './proxy-sockets.ts';

/** Between two looks for clients that are idle. */
const SWEEP_MICROS = 1_000_000;
/** Packet indices of a direction are 32 bits wide; what comes after the last is dropped. */
const INDEX_MAX = 0xffff_fffe;

/** One proxy. Made by `open`; belongs to one thread. */
export class UdpProxy {
  readonly seed: string;
  /** World time 0, on the machine's clock. */
  readonly startedAt: Micros;
  readonly transit: Transit;
  readonly clients: ProxyClients;
  readonly sockets: ProxySockets;
  readonly departures: Departures;
  readonly counters: ProxyCounters = { refused: 0, crowded: 0, strangers: 0, rebinds: 0 };
  /** By way. */
  readonly ways: readonly [WayCounters, WayCounters] = [
    { unheard: 0, overflowed: 0 },
    { unheard: 0, overflowed: 0 },
  ];

  /** World time at which datagrams were last taken in. */
  lastAt: Micros = 0;

  readonly #clock: Clock;
  readonly #timeline: Timeline;
  readonly #pool: DatagramPool;
  readonly #scene: ProxyScene;
  readonly #mappings: Mappings;
  readonly #observe: DatagramObserver | null;
  /** What is told of datagrams that no link takes in. */
  readonly #outside: LinkDirection;
  readonly #outsideAddresses: Uint8Array = new Uint8Array(2 * ADDRESS_BYTES);
  readonly #server: Int32Array;
  readonly #heldMax: number;
  readonly #idleMicros: Micros;
  readonly #rebindEveryMicros: Micros;
  #sweepAt: Micros = SWEEP_MICROS;
  #rebindAt: Micros;

  private constructor(machine: ProxyMachine, options: ProxyOptions, sockets: ProxySockets, clientsMax: number) {
    this.#clock = machine.clock ?? machine.sys.clock;
    this.startedAt = this.#clock.now();
    const streams = new Streams(options.seed);
    this.seed = streams.seed;
    this.transit = new Transit(streams);
    this.#timeline = this.transit.timeline;
    this.#pool = this.transit.pool;
    this.sockets = sockets;
    this.clients = new ProxyClients(this.transit, clientsMax, machine.sys.rng);
    this.departures = new Departures(sockets, this.#pool, () => this.now);
    const { clients, departures, counters } = this;
    this.#mappings = new Mappings({
      ...{ clients, sockets, departures, counters },
      pool: this.#pool,
      timeline: this.#timeline,
      warn: options.warn ?? (() => {}),
      deliver: (client, id) => this.#deliver(client + 1, id, UP, this.#server, 0),
      drop: (id) => this.#drop(id, UP, 'overflowed'),
    });
    this.#scene = new ProxyScene(this.transit, streams, clients, this.#mappings, options);
    this.#observe = options.observe ?? null;
    this.#outside = new LinkDirection('outside>proxy', NONE, streams, {});
    this.#server = new Int32Array(options.to.slice().buffer);
    this.#heldMax = options.heldMax ?? HELD_MAX;
    this.#idleMicros = options.idleMicros ?? IDLE_MICROS;
    this.#rebindEveryMicros = options.rebindEveryMicros ?? NEVER;
    this.#rebindAt = this.#rebindEveryMicros;
    this.transit.arrive = (id) => this.#arrive(id);
    if (options.observe !== undefined) this.transit.observer = observerOf(this.transit, options.observe);
  }

  /** Binds the socket that clients send to. Rejects with SysError; RangeError for options that cannot be. */
  static async open(machine: ProxyMachine, options: ProxyOptions): Promise<UdpProxy> {
    const { clientsMax = CLIENTS_DEFAULT, datagramBytesMax = DATAGRAM_BYTES_DEFAULT } = options;
    if (!Number.isInteger(clientsMax) || clientsMax < 1 || clientsMax > CLIENTS_MAX) {
      throw new RangeError(`clientsMax is 1 .. ${CLIENTS_MAX}, not ${clientsMax}`);
    }
    // A link that cannot be is found now and not when the first client comes.
    const trial = new Transit(new Streams(options.seed));
    trial.addDirection('by default', options.link);
    trial.addDirection('down by default', options.down ?? options.link);
    const { capabilities } = machine.sys;
    const columns = {
      receivedAt: capabilities.receivedAt && machine.clock === undefined,
      localAddress: capabilities.localAddress && options.observe !== undefined,
    };
    const sockets = await ProxySockets.open(machine.sys, options, clientsMax, datagramBytesMax, columns);
    return new UdpProxy(machine, options, sockets, clientsMax);
  }

  /** World time, read now: microseconds since the proxy began. */
  get now(): Micros {
    return this.#clock.now() - this.startedAt;
  }

  /** Canonical bytes of the address that clients send to. */
  get address(): Uint8Array {
    return this.sockets.listener.localAddress;
  }

  /** World time of what is due next, apart from datagrams that come. */
  get deadline(): Micros {
    return Math.min(this.#timeline.nextTime, this.#sweepAt, this.#rebindAt);
  }

  /** One pass: waits up to `waitMicros` for datagrams (0: only looks), takes in what is there, sends what is due. */
  turn(waitMicros: Micros): void {
    const { poller } = this.sockets;
    const ready = poller.wait(waitMicros);
    for (let i = 0; i < ready; i++) {
      const key = poller.keys[i]!;
      const flags = poller.flags[i]!;
      if ((flags & WRITABLE) !== 0) this.departures.unblock(key);
      if ((flags & READABLE) !== 0) this.#receive(key);
    }
    const now = this.now;
    this.#advance(now);
    this.departures.flush();
    if (now >= this.#sweepAt) this.#sweep(now);
    if (now >= this.#rebindAt) {
      this.#rebindAt = now + this.#rebindEveryMicros;
      this.rebindAll();
    }
  }

  /**
   * From now on the server sees `client` under another port: the NAT in front of it has forgotten its mapping. What was
   * sent to the old one and has not reached the client is unheard.
   */
  rebind(client: number): void {
    this.#mappings.replace(client);
  }

  rebindAll(): void {
    for (let client = 0; client < this.clients.capacity; client++) this.rebind(client);
  }

  /** Closes all sockets. What is under way is lost. */
  close(): void {
    this.sockets.closeAll();
  }

  /** Takes in what waits at socket `key`, once: the others want their turn too. */
  #receive(key: number): void {
    const socket = this.sockets.byKey[key];
    if (!socket) return; // closed since the poller saw it
    const count = socket.receive();
    if (count === 0) return;
    const now = this.now;
    this.departures.flushLate(now);
    this.lastAt = now;
    if (key === LISTENER) this.#fromClients(socket, count, now);
    else this.#fromServer(socket, count, key - 1, now);
  }

  #fromClients(socket: DatagramSocket, count: number, now: Micros): void {
    const words = socket.rx.addressWords;
    for (let slot = 0; slot < count; slot++) {
      this.#passTo(socket.rx, slot, now);
      let client = this.clients.find(words, slot * ADDRESS_WORDS);
      if (client === NONE) {
        if (this.#scene.begin()) this.#advance(this.#timeline.now);
        client = this.#scene.admit(words, slot * ADDRESS_WORDS);
        if (client === NONE) {
          this.counters.refused++;
          this.#turnAway('refused', socket, slot);
          continue;
        }
        this.#mappings.open(client);
      }
      this.#enter(socket, slot, client, UP);
    }
  }

  #fromServer(socket: DatagramSocket, count: number, client: number, now: Micros): void {
    const words = socket.rx.addressWords;
    for (let slot = 0; slot < count; slot++) {
      this.#passTo(socket.rx, slot, now);
      if (this.#isServer(words, slot * ADDRESS_WORDS)) this.#enter(socket, slot, client, DOWN);
      else {
        this.counters.strangers++;
        this.#turnAway('stray', socket, slot);
      }
    }
  }

  /**
   * Lets time pass to when the kernel had the datagram in `slot`, so that its delay counts from there, however late we come
   * to it. Where the kernel does not say, that is now; never later, and never before what has happened already.
   */
  #passTo({ receivedAt }: DatagramSocket['rx'], slot: number, now: Micros): void {
    const timeline = this.#timeline;
    const came = receivedAt === null ? now : receivedAt[slot]! - this.startedAt;
    const at = came < now ? came : now;
    if (timeline.nextTime <= at) this.#advance(at);
    timeline.skipTo(at);
  }

  /** The datagram in `slot` sets out on the link of `client`. */
  #enter(socket: DatagramSocket, slot: number, client: number, way: number): void {
    const direction = (way === UP ? this.clients.up : this.clients.down)[client]!;
    if (this.#pool.held >= this.#heldMax || direction.nextIndex > INDEX_MAX) {
      this.counters.crowded++;
      this.#turnAway('crowded', socket, slot);
      return;
    }
    this.clients.lastAt[client] = this.#timeline.now;
    if (way === UP) this.#mappings.use(client);
    const id = this.#pool.take(socket.rx, slot);
    if (this.#observe !== null) writeAddresses(socket, slot, this.#pool.addresses, id * 2 * ADDRESS_BYTES);
    this.transit.send(direction, id);
  }

  /** No link takes in the datagram in `slot`: whoever observes is told. */
  #turnAway(why: DatagramEvent, socket: DatagramSocket, slot: number): void {
    if (this.#observe === null) return;
    const { arena, offset, length } = socket.rx;
    const bytes = arena.subarray(offset[slot]!, offset[slot]! + length[slot]!);
    const addresses = this.#outsideAddresses;
    writeAddresses(socket, slot, addresses, 0);
    const index = this.#outside.enter(bytes.length);
    for (const kind of ['received', why] as const) {
      this.#observe(this.#timeline.now, this.#outside, kind, index, bytes, addresses);
    }
  }

  /** All that happens up to `now`, each at its own time. */
  #advance(now: Micros): void {
    const timeline = this.#timeline;
    while (timeline.take(now)) {
      if (timeline.kind === DUE_ARRIVAL) this.#arrive(timeline.id);
      else if (timeline.kind === DUE_DEPARTURE) this.transit.depart(timeline.id);
      else if (timeline.kind === DUE_SOURCE) this.transit.sources[timeline.id]!.turn();
      else this.#scene.take(timeline.id);
    }
  }

  /** Datagram `id` is at the end of its link. */
  #arrive(id: number): void {
    const { clients } = this;
    const pool = this.#pool;
    const direction = this.transit.directions[pool.direction[id]!]!;
    if (direction.isHolding) {
      this.transit.hold(direction, id);
      return;
    }
    if (pool.source[id] !== NONE) {
      this.transit.arriveAtSource(id);
      return;
    }
    const side = clients.sides[pool.direction[id]!]!;
    const client = side >> 1;
    pool.arrivedAt[id] = this.#timeline.now;
    if ((side & 1) === UP) {
      if (this.sockets.byKey[client + 1] !== null) this.#deliver(client + 1, id, UP, this.#server, 0);
      else if (clients.opening[client] === 1) this.#mappings.hold(client, id);
      else this.#drop(id, UP, 'overflowed');
    } else if (pool.index[id]! < clients.mappedFrom[client]! || this.#mappings.isOver(client)) {
      this.#drop(id, DOWN, 'unheard');
    } else {
      this.#deliver(LISTENER, id, DOWN, clients.addressWords, client * ADDRESS_WORDS);
    }
  }

  #deliver(key: number, id: number, way: number, words: Int32Array, at: number): void {
    if (!this.departures.put(key, id, way, words, at)) {
      this.#drop(id, way, 'overflowed');
      return;
    }
    this.transit.observer?.(EVENT_DELIVERED, id);
    this.#leave(id);
  }

  #drop(id: number, way: number, why: keyof WayCounters): void {
    this.ways[way]![why]++;
    this.transit.observer?.(EVENT_DROPPED, id);
    this.#leave(id);
  }

  #leave(id: number): void {
    this.transit.directions[this.#pool.direction[id]!]!.stats.delivered++;
    this.#pool.release(id);
  }

  /** Forgets idle clients, and tries again to open the sockets of those that have none. */
  #sweep(now: Micros): void {
    this.#sweepAt = now + SWEEP_MICROS;
    const since = now - this.#idleMicros;
    for (let client = 0; client < this.clients.capacity; client++) {
      if (!this.clients.has(client) || this.clients.opening[client] === 1) continue;
      if (this.clients.idleSince(client, since)) {
        this.sockets.close(client + 1);
        this.departures.forget(client + 1);
        this.clients.forget(client);
      } else if (this.sockets.byKey[client + 1] === null) this.#mappings.open(client);
    }
  }

  #isServer(words: Int32Array, at: number): boolean {
    for (let i = 0; i < ADDRESS_WORDS; i++) if (words[at + i] !== this.#server[i]) return false;
    return true;
  }
}

/** Source and destination of the datagram in `slot`, as it came to `socket`, to `offset` of `addresses`. */
function writeAddresses(
  { rx, localAddress }: DatagramSocket,
  slot: number,
  addresses: Uint8Array,
  offset: number,
): void {
  const at = slot * ADDRESS_BYTES;
  const to = offset + ADDRESS_BYTES;
  for (let i = 0; i < ADDRESS_BYTES; i++) addresses[offset + i] = rx.address[at + i]!;
  // A socket on a wildcard has the address of the interface from the kernel, where it says.
  const said =
    rx.localAddress !== null && isIPv4(rx.localAddress, at) === isIPv4(rx.address, at) ? rx.localAddress : null;
  for (let i = 0; i < ADDRESS_BYTES; i++) addresses[to + i] = said === null ? localAddress[i]! : said[at + i]!;
}

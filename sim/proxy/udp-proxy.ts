/**
 * A UDP proxy whose links are the simulator's: any game, real sockets, and the fates of a seed.
 *
 * The way of a datagram in one turn: receive -> pool -> transit.send -> ... -> arrival -> batch of the right socket -> flush.
 * `Transit` is the simulator's own, driven by a clock: events are taken as soon as their time has passed, and each happens
 * at the time that it was scheduled for, so being late never adds up. `proxy-loop.ts` calls `turn()`.
 */

import { type Clock, type DatagramSocket, type Micros, NEVER, READABLE, WRITABLE } from '../../sys/api.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import { type DatagramPool, NONE } from '../world/datagram-pool.ts';
import { EVENT_DELIVERED, EVENT_DROPPED } from '../world/digest.ts';
import { Streams } from '../world/streams.ts';
import { DUE_ARRIVAL, type Timeline } from '../world/timeline.ts';
import { Transit } from '../world/transit.ts';
import { Departures } from './departures.ts';
import { ADDRESS_WORDS, DOWN, ProxyClients, UP, type WayCounters } from './proxy-clients.ts';
import {
  CLIENTS_DEFAULT,
  CLIENTS_MAX,
  DATAGRAM_BYTES_DEFAULT,
  EVENT_NAMES,
  HELD_MAX,
  IDLE_MICROS,
  type ProxyCounters,
  type ProxyEvent,
  type ProxyMachine,
  type ProxyObserver,
  type ProxyOptions,
} from './proxy-options.ts';
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

  /** World time at which datagrams last came in. */
  lastAt: Micros = 0;

  readonly #clock: Clock;
  readonly #timeline: Timeline;
  readonly #pool: DatagramPool;
  readonly #link: DirectionOptions;
  readonly #down: DirectionOptions;
  readonly #server: Int32Array;
  readonly #heldMax: number;
  readonly #idleMicros: Micros;
  readonly #rebindEveryMicros: Micros;
  readonly #observe: ProxyObserver | null;
  readonly #warn: (text: string) => void;
  #sweepAt: Micros = SWEEP_MICROS;
  #rebindAt: Micros;
  #warnedOf = '';

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
    this.#link = options.link;
    this.#down = options.down ?? options.link;
    this.#server = new Int32Array(options.to.slice().buffer);
    this.#heldMax = options.heldMax ?? HELD_MAX;
    this.#idleMicros = options.idleMicros ?? IDLE_MICROS;
    this.#rebindEveryMicros = options.rebindEveryMicros ?? NEVER;
    this.#rebindAt = this.#rebindEveryMicros;
    this.#warn = options.warn ?? (() => {});
    this.#observe = options.observe ?? null;
    if (this.#observe !== null) this.transit.observer = (kind, id) => this.#tell(EVENT_NAMES[kind], id);
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
    const sockets = await ProxySockets.open(machine.sys, options, clientsMax, datagramBytesMax);
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
    const { clients } = this;
    if (!clients.has(client) || this.sockets.byKey[client + 1] === null || clients.opening[client] === 1) return;
    clients.opening[client] = 1;
    this.sockets.openUpstream(client + 1, (error) => {
      clients.opening[client] = 0;
      if (error !== null) {
        this.#warnOnce(`a client keeps its port: ${(error as Error).message}`);
        return;
      }
      this.departures.forget(client + 1);
      this.counters.rebinds++;
      clients.mappedFrom[client] = clients.down[client]!.nextIndex;
    });
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
    this.#advance(now);
    this.departures.flushLate(now);
    this.#timeline.skipTo(now);
    this.lastAt = now;
    if (key === LISTENER) this.#fromClients(socket, count);
    else this.#fromServer(socket, count, key - 1);
  }

  #fromClients({ rx }: DatagramSocket, count: number): void {
    const { clients } = this;
    const words = rx.addressWords;
    for (let slot = 0; slot < count; slot++) {
      let client = clients.find(words, slot * ADDRESS_WORDS);
      if (client === NONE) {
        client = clients.add(words, slot * ADDRESS_WORDS, this.#link, this.#down);
        if (client === NONE) {
          this.counters.refused++;
          continue;
        }
        this.#openUpstream(client);
      }
      this.#enter(rx, slot, client, UP);
    }
  }

  #fromServer({ rx }: DatagramSocket, count: number, client: number): void {
    const words = rx.addressWords;
    for (let slot = 0; slot < count; slot++) {
      if (this.#isServer(words, slot * ADDRESS_WORDS)) this.#enter(rx, slot, client, DOWN);
      else this.counters.strangers++;
    }
  }

  /** The datagram in `slot` sets out on the link of `client`. */
  #enter(rx: DatagramSocket['rx'], slot: number, client: number, way: number): void {
    const direction = (way === UP ? this.clients.up : this.clients.down)[client]!;
    if (this.#pool.held >= this.#heldMax || direction.nextIndex > INDEX_MAX) {
      this.counters.crowded++;
      return;
    }
    this.clients.lastAt[client] = this.#timeline.now;
    const id = this.#pool.take(rx, slot);
    if (this.#observe !== null) {
      this.#pool.direction[id] = direction.number;
      this.#pool.index[id] = direction.nextIndex;
      this.#tell('received', id);
    }
    this.transit.send(direction, id);
  }

  /** All that happens up to `now`, each at its own time. */
  #advance(now: Micros): void {
    const timeline = this.#timeline;
    while (timeline.take(now)) {
      if (timeline.kind === DUE_ARRIVAL) this.#arrive(timeline.id);
      else this.transit.depart(timeline.id);
    }
  }

  /** Datagram `id` is at the end of its link. */
  #arrive(id: number): void {
    const { clients } = this;
    const pool = this.#pool;
    const side = clients.sides[pool.direction[id]!]!;
    const client = side >> 1;
    pool.arrivedAt[id] = this.#timeline.now;
    if ((side & 1) === UP) {
      if (this.sockets.byKey[client + 1] !== null) this.#deliver(client + 1, id, UP, this.#server, 0);
      else if (clients.opening[client] === 1) this.#hold(client, id);
      else this.#drop(id, UP, 'overflowed');
    } else if (pool.index[id]! < clients.mappedFrom[client]!) {
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
    if (this.#observe !== null) this.#tell(EVENT_NAMES[EVENT_DELIVERED], id);
    this.#leave(id);
  }

  #drop(id: number, way: number, why: keyof WayCounters): void {
    this.ways[way]![why]++;
    if (this.#observe !== null) this.#tell(EVENT_NAMES[EVENT_DROPPED], id);
    this.#leave(id);
  }

  #leave(id: number): void {
    this.transit.directions[this.#pool.direction[id]!]!.stats.delivered++;
    this.#pool.release(id);
  }

  /** Datagram `id` waits until the socket of its client is open. */
  #hold(client: number, id: number): void {
    const { clients } = this;
    const pool = this.#pool;
    pool.next[id] = NONE;
    if (clients.firstHeld[client] === NONE) clients.firstHeld[client] = id;
    else pool.next[clients.lastHeld[client]!] = id;
    clients.lastHeld[client] = id;
  }

  #openUpstream(client: number): void {
    this.clients.opening[client] = 1;
    this.sockets.openUpstream(client + 1, (error) => {
      this.clients.opening[client] = 0;
      if (error !== null) this.#warnOnce(`no socket towards the server: ${(error as Error).message}`);
      let id = this.clients.firstHeld[client]!;
      this.clients.firstHeld[client] = NONE;
      while (id !== NONE) {
        const next = this.#pool.next[id]!;
        if (error === null) this.#deliver(client + 1, id, UP, this.#server, 0);
        else this.#drop(id, UP, 'overflowed');
        id = next;
      }
      this.departures.flush();
    });
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
      } else if (this.sockets.byKey[client + 1] === null) this.#openUpstream(client);
    }
  }

  #isServer(words: Int32Array, at: number): boolean {
    for (let i = 0; i < ADDRESS_WORDS; i++) if (words[at + i] !== this.#server[i]) return false;
    return true;
  }

  #tell(kind: ProxyEvent | undefined, id: number): void {
    if (kind === undefined) return;
    const pool = this.#pool;
    const arena = pool.arenaOf(id);
    const bytes = new Uint8Array(arena.buffer, arena.byteOffset + pool.offsetOf(id), pool.lengthBytes[id]!);
    const direction = this.transit.directions[pool.direction[id]!]!;
    this.#observe!(this.#timeline.now, direction, kind, pool.index[id]!, bytes);
  }

  #warnOnce(text: string): void {
    if (text === this.#warnedOf) return;
    this.#warnedOf = text;
    this.#warn(text);
  }
}

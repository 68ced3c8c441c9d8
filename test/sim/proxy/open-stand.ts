// A proxy on loopback between sockets of the test, under a clock that the test moves: time stands still while datagrams are
// on their way through the kernel, so nothing here depends on how fast the machine is.

import type { ProxyOptions } from '../../../sim/proxy/proxy-options.ts';
import { UdpProxy } from '../../../sim/proxy/udp-proxy.ts';
import type { DatagramEvent } from '../../../sim/world/observer.ts';
import {
  ADDRESS_BYTES,
  addressOf,
  type DatagramSocket,
  formatAddress,
  type Micros,
  type Sys,
} from '../../../sys/api.ts';
import { openSys } from '../../../sys/index.ts';
import { append, copies, type Datagram } from '../../conformance/outside.ts';

/** One thing that the proxy's observer was told. */
export interface Seen {
  readonly time: Micros;
  readonly direction: string;
  readonly kind: DatagramEvent;
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly from: string;
  readonly to: string;
}

/** Passes of the proxy and of Node's loop that a datagram may need to get through the kernel: some seconds. */
const PASSES_MAX = 20_000;

export interface StandOptions extends Partial<ProxyOptions> {
  /** How sockets towards the server are opened, in place of the usual way, which is given. */
  readonly wrapOpenUdp?: (openUdp: Sys['openUdp']) => Sys['openUdp'];
  /** World times at which the kernel had datagrams, in the order in which they are read; the last one holds for the rest. */
  readonly stamps?: readonly Micros[];
}

/** World time 0 of a stand. */
const ZERO = 1_000_000;

export class Stand {
  readonly proxy: UdpProxy;
  readonly server: DatagramSocket;
  readonly seen: Seen[];
  readonly warnings: string[];
  readonly #sys: Sys;
  readonly #clock: { time: Micros };
  /** Sockets of the test, and what each has received. */
  readonly #inboxes: Map<DatagramSocket, Datagram[]> = new Map();

  private constructor(
    sys: Sys,
    server: DatagramSocket,
    proxy: UdpProxy,
    clock: { time: Micros },
    seen: Seen[],
    warnings: string[],
  ) {
    this.#sys = sys;
    this.server = server;
    this.proxy = proxy;
    this.#clock = clock;
    this.seen = seen;
    this.warnings = warnings;
    this.#inboxes.set(server, []);
  }

  static async open({ wrapOpenUdp, stamps, ...options }: StandOptions = {}): Promise<Stand> {
    const sys = openSys();
    const proxySys = openSys();
    const server = await sys.openUdp(loopback());
    if (stamps !== undefined) proxySys.openUdp = stamped(proxySys.openUdp.bind(proxySys), [...stamps]);
    const clock = { time: ZERO };
    const seen: Seen[] = [];
    const warnings: string[] = [];
    const proxy = await UdpProxy.open(
      { sys: proxySys, clock: { now: () => clock.time, unixSeconds: () => 0 } },
      {
        seed: 7,
        listen: loopback(),
        to: server.localAddress,
        link: {},
        observe: (time, direction, kind, index, bytes, addresses) => {
          const [from, to] = [formatAddress(addresses), formatAddress(addresses, ADDRESS_BYTES)];
          seen.push({ time, direction: direction.name, kind, index, bytes: bytes.slice(), from, to });
        },
        warn: (text) => warnings.push(text),
        ...options,
      },
    );
    if (wrapOpenUdp !== undefined) proxySys.openUdp = wrapOpenUdp(proxySys.openUdp.bind(proxySys));
    return new Stand(sys, server, proxy, clock, seen, warnings);
  }

  /** A socket of a client. */
  async client(host = '127.0.0.1'): Promise<DatagramSocket> {
    const socket = await this.#sys.openUdp(addressOf(host, 0)!);
    this.#inboxes.set(socket, []);
    return socket;
  }

  /** Sends one datagram to the proxy, which has it when this resolves. */
  async send(from: DatagramSocket, bytes: Uint8Array, to: Uint8Array = this.proxy.address): Promise<void> {
    const before = this.#cameIn();
    append(from, to, bytes);
    from.flush();
    await this.pass(() => this.#cameIn() > before);
  }

  /** Moves the clock to world time `time`, where it is not there yet. */
  async at(time: Micros): Promise<void> {
    this.#clock.time = Math.max(this.#clock.time, ZERO + time);
    this.proxy.turn(0);
    await this.pass(() => this.proxy.sockets.opening === 0);
  }

  /** Passes until `done`; throws when it never is. */
  async pass(done: () => boolean): Promise<void> {
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      if (done()) return;
      this.proxy.turn(0);
      // Each time, since what a socket's buffer cannot hold is lost.
      for (const [socket, inbox] of this.#inboxes) if (socket.receive() > 0) inbox.push(...copies(socket));
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    throw new Error('what the test waits for does not happen');
  }

  /** The next datagrams that reach `socket`, `count` of them. */
  async receive(socket: DatagramSocket, count: number): Promise<Datagram[]> {
    const inbox = this.#inboxes.get(socket)!;
    await this.pass(() => inbox.length >= count);
    return inbox.splice(0, count);
  }

  close(): void {
    this.proxy.close();
    for (const socket of this.#inboxes.keys()) socket.close();
    this.#sys.close();
  }

  /** Datagrams that the proxy has taken in or refused. */
  #cameIn(): number {
    const { refused, crowded, strangers } = this.proxy.counters;
    const { truncated } = this.proxy.sockets.totals();
    const way = (way: number): number => this.proxy.clients.totals(way).sent;
    return way(0) + way(1) + refused + crowded + strangers + truncated;
  }
}

/** Sockets whose kernel says what the test says, on the test's clock. */
function stamped(openUdp: Sys['openUdp'], stamps: Micros[]): Sys['openUdp'] {
  return async (local, options) => {
    const socket = await openUdp(local, { ...options, columns: { ...options?.columns, receivedAt: true } });
    const receive = socket.receive.bind(socket);
    socket.receive = () => {
      const count = receive();
      for (let slot = 0; slot < count; slot++) {
        socket.rx.receivedAt![slot] = ZERO + (stamps.length > 1 ? stamps.shift()! : stamps[0]!);
      }
      return count;
    };
    return socket;
  };
}

function loopback(): Uint8Array {
  return addressOf('127.0.0.1', 0)!;
}

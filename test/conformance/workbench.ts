/** A test's own tools: opens sockets and pollers of one backend, moves datagrams, and closes all of it afterwards. */

import { it } from 'vitest';
import type { DatagramSocket, Micros, Poller, UdpOptions } from '../../sys/api.ts';
import { addressOf, READABLE, WRITABLE } from '../../sys/api.ts';
import type { Backend, BackendFactory, Congestion, Need } from './backend.ts';
import type { Datagram, Outside } from './outside.ts';
import { append, copies } from './outside.ts';

/** How long a test waits for something that must happen, on the backend's clock. */
export const PATIENCE_MICROS = 2_000_000;
/** How long a test watches for something that must not happen. */
export const SILENCE_MICROS = 20_000;
/** The key under which the workbench's own poller watches the one socket it looks at. */
const WORKBENCH_KEY = 1;

/** Tools of one test. Everything opened through it is closed after the test, in reverse order. */
export class Workbench {
  readonly backend: Backend;
  readonly #factory: BackendFactory;
  readonly #closers: (() => void | Promise<void>)[] = [];
  #poller: Poller | null = null;

  constructor(factory: BackendFactory, backend: Backend) {
    this.#factory = factory;
    this.backend = backend;
  }

  get sys(): Backend['sys'] {
    return this.backend.sys;
  }

  /** A socket on `host` (default: the IPv4 loopback) and `port` (default: one the kernel picks). */
  async openUdp(options: UdpOptions = {}, host: string = this.#factory.ipv4, port = 0): Promise<DatagramSocket> {
    const socket = await this.sys.openUdp(addressOf(host, port)!, options);
    this.#closers.push(() => socket.close());
    return socket;
  }

  openPoller(): Poller {
    const poller = this.sys.openPoller();
    this.#closers.push(() => poller.close());
    return poller;
  }

  async openOutside(host: string = this.#factory.ipv4): Promise<Outside> {
    const outside = await this.backend.openOutside(host);
    this.#closers.push(() => outside.close());
    return outside;
  }

  async congest(options: UdpOptions): Promise<Congestion> {
    const congestion = await this.#factory.congest!(this.backend, options);
    this.#closers.push(() => congestion.close());
    return congestion;
  }

  settle(poller: Poller, timeoutMicros: Micros = PATIENCE_MICROS): Promise<number> {
    return this.backend.settle(poller, timeoutMicros);
  }

  /** Takes `count` datagrams from `socket`, fewer when patience ends; what comes in the same breath is kept too. */
  async collect(socket: DatagramSocket, count: number, patienceMicros: Micros = PATIENCE_MICROS): Promise<Datagram[]> {
    const poller = this.#watch(socket, READABLE);
    const until = this.sys.clock.now() + patienceMicros;
    const list: Datagram[] = [];
    for (;;) {
      while (socket.receive() > 0) list.push(...copies(socket));
      const left = until - this.sys.clock.now();
      if (list.length >= count || left <= 0) break;
      await this.settle(poller, left);
    }
    poller.remove(socket);
    return list;
  }

  /** Sends every datagram of `list` to `to`, in order, waiting for room where there is none. */
  async sendAll(socket: DatagramSocket, to: Uint8Array, list: readonly Uint8Array[]): Promise<void> {
    let next = 0;
    while (next < list.length || socket.tx.count > 0) {
      while (next < list.length && !socket.tx.full) append(socket, to, list[next++]!);
      socket.flush();
      if (socket.tx.count === 0) continue;
      const poller = this.#watch(socket, WRITABLE);
      await this.settle(poller);
      poller.remove(socket);
    }
  }

  /** Waits until `socket` has something to receive. */
  async readable(socket: DatagramSocket): Promise<void> {
    const poller = this.#watch(socket, READABLE);
    await this.settle(poller);
    poller.remove(socket);
  }

  /** Waits until what the backend still does in the background (error reports of sends) is done. */
  breathe(): Promise<void> {
    return this.backend.elapse(2000);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    this.#poller?.close();
    this.sys.close();
    await this.backend.close();
  }

  #watch(socket: DatagramSocket, interest: number): Poller {
    this.#poller ??= this.sys.openPoller();
    this.#poller.add(socket, WORKBENCH_KEY, interest);
    return this.#poller;
  }
}

/** Declares tests of one factory: `test(name, body)`, `test.needing(['ipv6'], name, body)`. */
export interface WorkbenchTest {
  (name: string, body: (workbench: Workbench) => Promise<void>): void;
  /** Skipped, with the reason in its name, where the factory says that something is missing. */
  needing(needs: readonly Need[], name: string, body: (workbench: Workbench) => Promise<void>): void;
  /** Needs a poller that Node's loop can watch. */
  attached(name: string, body: (workbench: Workbench) => Promise<void>): void;
  /** Skipped where `reason` is not null. */
  unless(reason: string | null, name: string, body: (workbench: Workbench) => Promise<void>): void;
}

export function workbenchTest(factory: BackendFactory): WorkbenchTest {
  const declare = (name: string, body: (workbench: Workbench) => Promise<void>, reason: string | null) => {
    it.skipIf(reason !== null)(reason === null ? name : `${name} (skipped: ${reason})`, async () => {
      const workbench = new Workbench(factory, await factory.open());
      try {
        await body(workbench);
      } finally {
        await workbench.close();
      }
    });
  };
  const reasonOf = (needs: readonly Need[]) => needs.map((need) => factory.missing[need]).find(Boolean) ?? null;
  const test: WorkbenchTest = (name, body) => declare(name, body, null);
  test.needing = (needs, name, body) => declare(name, body, reasonOf(needs));
  test.attached = (name, body) => test.needing(['attach'], name, body);
  test.unless = (reason, name, body) => declare(name, body, reason);
  return test;
}

/** `length` bytes that tell their datagram (`number`) and every position apart. */
export function pattern(length: number, number = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + number * 97) & 0xff;
  return bytes;
}

/** A datagram that carries `number`, padded to `length` (at least 4). */
export function numbered(number: number, length = 16): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

/** The numbers that `numbered` datagrams carry. */
export function numbersOf(list: readonly Datagram[]): number[] {
  return list.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true));
}

/** 0, 1, ... count - 1 */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

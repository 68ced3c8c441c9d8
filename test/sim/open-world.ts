// Worlds for tests, with a program that is small enough to see through: an echo server and clients that ask it.

import type { SimHost } from '../../sim/world/host.ts';
import type { SimSocket } from '../../sim/world/sim-socket.ts';
import { World, type WorldOptions } from '../../sim/world/world.ts';
import { addressOf, READABLE, type Sys } from '../../sys/api.ts';
import { append, copies, type Datagram } from '../conformance/outside.ts';

/** The port of the echo server. */
export const ECHO_PORT = 7;

/** A world with seed 7, unless told otherwise. */
export function openWorld(options: Partial<WorldOptions> = {}): World {
  return new World({ seed: 7, ...options });
}

/** A socket on `host` whose datagrams go to `listener`, one by one. */
export async function listen(
  host: SimHost,
  port: number,
  listener: (datagram: Datagram, socket: SimSocket) => void,
  any = '0.0.0.0',
): Promise<SimSocket> {
  const socket = await host.sys.openUdp(addressOf(any, port)!);
  const poller = host.sys.openPoller();
  poller.add(socket, 0, READABLE);
  poller.attach(() => {
    poller.wait(0);
    while (socket.receive() > 0) for (const datagram of copies(socket)) listener(datagram, socket);
  });
  return socket;
}

/** Sends one datagram at once. */
export function send(socket: SimSocket, to: Uint8Array, bytes: Uint8Array): void {
  append(socket, to, bytes);
  socket.flush();
}

/** A server that answers each datagram with itself. */
export function startEcho(world: World, name = 'server'): SimHost {
  const host = world.host(name);
  world.start(host, 0, () => listen(host, ECHO_PORT, ({ from, bytes }, socket) => send(socket, from, bytes)));
  return host;
}

/** A client that sends `count` datagrams 20 ms apart, of chance length and content, and notes when each echo came. */
export function startAsker(world: World, name: string, server: SimHost, count: number): { echoedAt: number[] } {
  const host = world.host(name);
  const echoedAt: number[] = [];
  world.start(host, 0, async () => {
    const socket = await listen(host, 0, () => echoedAt.push(world.now));
    const to = addressOf(`10.0.0.${server.number + 1}`, ECHO_PORT)!;
    for (let i = 0; i < count; i++) {
      send(socket, to, chanceBytes(host.sys));
      await new Promise<void>((resolve) => host.at(world.now + 20_000, resolve));
    }
  });
  return { echoedAt };
}

function chanceBytes(sys: Sys): Uint8Array {
  const bytes = new Uint8Array(1 + (sys.rng.u32() % 600));
  sys.rng.fill(bytes);
  return bytes;
}

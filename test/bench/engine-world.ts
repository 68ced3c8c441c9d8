/**
 * The engine in a simulated world, for benches in virtual time: one server and its clients, each on a host of its own, connected
 * over the links that a bench describes. Nothing of the engine is replaced: sockets, handshake, sessions, drives and channels are those
 * of a game, with the simulator's stand-in for the ciphers (the same layout and lengths).
 */

import type { Client } from '../../engine/client.ts';
import type { Host } from '../../engine/host.ts';
import { type ByteChannel, reliableOrdered, unreliable } from '../../engine/index.ts';
import type { MemoryOptions } from '../../engine/options.ts';
import type { Peer } from '../../engine/peer.ts';
import type { Server } from '../../engine/server.ts';
import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import { openEngine } from '../../sim/world/engine-host.ts';
import type { SimHost } from '../../sim/world/host.ts';
import type { World } from '../../sim/world/world.ts';
import type { Micros } from '../../sys/api.ts';

/** What a game of the benches says: where things are, what happened, and a map. */
export type BenchChannels = {
  readonly aim: ByteChannel<'unreliable'>;
  readonly story: ByteChannel<'reliableOrdered'>;
  readonly map: ByteChannel<'reliableOrdered'>;
};

const CHANNELS: BenchChannels = {
  aim: unreliable(),
  story: reliableOrdered(),
  map: reliableOrdered({ bulk: true }),
};
const PORT = 40_000;
const KEY: Uint8Array = new Uint8Array(32).fill(7);
/**
 * Clients dial a server that has been there for longer than a second, as most do: with tokens of its first second it begins at
 * packet numbers drawn from 52 bits, which take five bytes more in each packet.
 */
export const DIAL_MICROS: Micros = 2_000_000;
/** What a bench measures begins here, after a handshake that may have lost some packets. */
export const BEGIN_MICROS: Micros = 4_000_000;

/** One way each. */
export interface BenchLink {
  readonly up: DirectionOptions;
  readonly down: DirectionOptions;
}

export interface EngineWorldOptions {
  /** A client for each. */
  readonly links: readonly BenchLink[];
  /** Of the server and of the clients; 0: no ticks, a message leaves at the turn in which it was sent. */
  readonly tickRateHz: number;
  /** When the clients dial: their ticks count from there, the server's from the beginning. */
  readonly dialMicros?: Micros;
  readonly memory?: MemoryOptions;
}

/** A client and what the server knows it by. */
export interface BenchConnection {
  readonly host: SimHost;
  readonly client: Client<BenchChannels>;
  readonly peer: Peer<BenchChannels>;
}

export interface EngineWorld {
  readonly serverHost: SimHost;
  readonly server: Server<BenchChannels>;
  readonly connections: readonly BenchConnection[];
}

/** Opens server and clients in `world`, and returns at BEGIN_MICROS of its time with all of them connected. */
export async function openEngineWorld(world: World, options: EngineWorldOptions): Promise<EngineWorld> {
  const serverHost = world.host('server');
  const peers: Peer<BenchChannels>[] = [];
  const clients: Client<BenchChannels>[] = [];
  let server: Server<BenchChannels> | undefined;
  world.start(serverHost, 0, async () => {
    server = await listen(openEngine(world, serverHost, complain), serverHost, options, peers);
  });
  const hosts = options.links.map((link, index) => {
    const host = world.host(`client-${index}`);
    world.link(host, serverHost, link.up, link.down);
    const engine = openEngine(world, host, complain);
    world.start(host, options.dialMicros ?? DIAL_MICROS, async () => {
      clients[index] = await connect(engine, serverHost, options, index);
    });
    return host;
  });
  await world.run({ untilMicros: BEGIN_MICROS });
  const connections = hosts.map((host, index) => {
    const client = clients[index];
    const peer = peers[index];
    if (client === undefined || peer === undefined)
      throw new Error(`seed ${world.seed}: ${host.name} is not connected`);
    return { host, client, peer };
  });
  if (server === undefined) throw new Error('the server does not listen');
  return { serverHost, server, connections };
}

async function listen(
  engine: Host,
  host: SimHost,
  options: EngineWorldOptions,
  peers: Peer<BenchChannels>[],
): Promise<Server<BenchChannels>> {
  const server = await engine.listen({
    port: PORT,
    host: '0.0.0.0',
    publicAddresses: [host.address(PORT)],
    privateKey: KEY,
    channels: CHANNELS,
    tickRateHz: options.tickRateHz,
    ...options.memory,
  });
  server.on('connect', (peer) => {
    peers[Number(peer.clientId) - 1] = peer;
  });
  return server;
}

async function connect(
  engine: Host,
  server: SimHost,
  options: EngineWorldOptions,
  index: number,
): Promise<Client<BenchChannels>> {
  const token = await engine.mintToken({ privateKey: KEY, clientId: index + 1, addresses: [server.address(PORT)] });
  return engine.connect({ token, channels: CHANNELS, tickRateHz: options.tickRateHz, ...options.memory });
}

function complain(text: string): never {
  throw new Error(text);
}

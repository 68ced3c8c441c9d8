/**
 * The arena as a game module: the same `server` and `client` run over real sockets (`npm start`) and in the simulator
 * (`npm run sim -- run --scenario arena`).
 */

import type { Client, Host, Peer, Server } from 'tickwire';
import { Bot } from './bot.ts';
import { CHANNELS, decodeSnapshot, encodeSnapshot, PLAYERS_MAX, PROTOCOL_ID, type Snapshot } from './protocol.ts';
import { ArenaWorld, TICK_RATE_HZ } from './world.ts';

export { PROTOCOL_ID } from './protocol.ts';

export type ArenaChannels = typeof CHANNELS;

export interface ServerArgs {
  readonly port: number;
  readonly address?: string;
  readonly publicAddresses?: readonly string[];
  readonly privateKey: Uint8Array;
  /** The key was made for this run. */
  readonly freshKey?: boolean;
  readonly maxClients?: number;
}

export interface ArenaServer {
  readonly server: Server<ArenaChannels>;
  readonly world: ArenaWorld;
  /** Counted since the start. */
  readonly counters: { inputsReceived: number; inputsStale: number; snapshotsSent: number; clientsSeen: number };
}

/** The authoritative server: takes each player's newest input, steps the world, sends everybody the state. */
export async function server(host: Host, args: ServerArgs): Promise<ArenaServer> {
  const world = new ArenaWorld(host.random);
  const counters = { inputsReceived: 0, inputsStale: 0, snapshotsSent: 0, clientsSeen: 0 };
  const server = await host.listen({
    port: args.port,
    ...(args.address === undefined ? {} : { host: args.address }),
    ...(args.publicAddresses === undefined ? {} : { publicAddresses: args.publicAddresses }),
    privateKey: args.privateKey,
    freshKey: args.freshKey ?? false,
    protocolId: PROTOCOL_ID,
    maxClients: Math.min(args.maxClients ?? PLAYERS_MAX, PLAYERS_MAX),
    tickRateHz: TICK_RATE_HZ,
    channels: CHANNELS,
  });
  server.on('connect', (peer) => {
    counters.clientsSeen++;
    world.join(peer.id, nameOf(peer));
  });
  server.on('disconnect', (peer) => world.leave(peer.id));
  server.on('message', (peer, channel, message) => {
    if (channel !== 'input') return;
    counters.inputsReceived++;
    const player = world.players.get(peer.id)!;
    // Unreliable messages may overtake each other: an older input must not undo a newer one.
    if (message.sequence > player.input.sequence) player.input = message;
    else counters.inputsStale++;
  });
  server.on('tick', () => {
    world.step();
    const full = server.broadcast('state', encodeSnapshot(world));
    counters.snapshotsSent += server.peers.length - full;
  });
  return { server, world, counters };
}

export interface ClientArgs {
  readonly token: () => Uint8Array | Promise<Uint8Array>;
}

export interface ArenaClient {
  readonly client: Client<ArenaChannels>;
  /** The newest state, or null before the first came. */
  snapshot(): Snapshot | null;
}

/** A player's connection that keeps the newest state; whoever holds it sends the inputs. */
export async function join(host: Host, args: ClientArgs): Promise<ArenaClient> {
  let newest: Snapshot | null = null;
  const client = await host.connect({
    token: args.token,
    channels: CHANNELS,
    tickRateHz: TICK_RATE_HZ,
    reconnect: true,
  });
  client.on('message', (channel, message) => {
    if (channel !== 'state') return;
    const snapshot = decodeSnapshot(message);
    if (snapshot !== null && snapshot.tick > (newest?.tick ?? -1)) newest = snapshot;
  });
  client.on('reconnect', () => {
    newest = null;
  });
  return { client, snapshot: () => newest };
}

/** A bot, the client that the simulator and `npm start` run. */
export async function client(host: Host, args: ClientArgs): Promise<ArenaClient> {
  const player = await join(host, args);
  const bot = new Bot(host.random);
  player.client.on('tick', () => {
    player.client.send('input', bot.decide(player.client.index, player.snapshot()));
  });
  return player;
}

/** The name that the backend put into the connect token: UTF-8 up to the first zero. */
function nameOf(peer: Peer<ArenaChannels>): string {
  const end = peer.userData.indexOf(0);
  return (
    new TextDecoder().decode(peer.userData.subarray(0, end < 0 ? peer.userData.length : end)) || `player ${peer.id}`
  );
}

/**
 * The arena as a game module: the same `server` and `client` run over real sockets (`npm start`) and in the simulator
 * (`npm run sim -- run --scenario arena`).
 */

import type { Client, Host, Peer, Server } from 'tickwire';
import { Bot } from './bot.ts';
import { Feed } from './feed.ts';
import {
  type ArenaEvent,
  CHANNELS,
  CHAT_CHARACTERS_MAX,
  decodeSnapshot,
  encodeSnapshot,
  PLAYERS_MAX,
  PROTOCOL_ID,
  type Snapshot,
} from './protocol.ts';
import { ArenaWorld, TICK_RATE_HZ } from './world.ts';

export { PROTOCOL_ID } from './protocol.ts';

/** Share of its kills that a bot remarks on. */
const BOASTS = 0.2;

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
  readonly counters: {
    inputsReceived: number;
    inputsDropped: number;
    snapshotsSent: number;
    eventsSent: number;
    clientsSeen: number;
  };
}

/** The authoritative server: applies each tick's input of each player once, steps the world, tells everybody. */
export async function server(host: Host, args: ServerArgs): Promise<ArenaServer> {
  const world = new ArenaWorld(host.random);
  const counters = { inputsReceived: 0, inputsDropped: 0, snapshotsSent: 0, eventsSent: 0, clientsSeen: 0 };
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
  const tellAll = (event: ArenaEvent) => {
    counters.eventsSent += server.peers.length - server.broadcast('event', event);
  };
  server.on('connect', (peer) => {
    counters.clientsSeen++;
    for (const { id, name } of world.players.values()) peer.send('event', { kind: 'join', player: id, other: 0, name });
    const { name } = world.join(peer.id, nameOf(peer));
    tellAll({ kind: 'join', player: peer.id, other: 0, name });
  });
  server.on('disconnect', (peer) => {
    world.leave(peer.id);
    tellAll({ kind: 'leave', player: peer.id, other: 0, name: '' });
  });
  server.on('message', (peer, channel, message) => {
    if (channel === 'input') {
      counters.inputsReceived++;
      if (!world.enqueue(peer.id, message)) counters.inputsDropped++;
    } else if (channel === 'chat' && message.text.length <= CHAT_CHARACTERS_MAX) {
      server.broadcast('chat', { player: peer.id, text: message.text });
    }
  });
  server.on('tick', () => {
    world.step();
    for (const { killer, victim } of world.kills) tellAll({ kind: 'kill', player: victim, other: killer, name: '' });
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
  /** What has happened and been said. */
  readonly feed: Feed;
  /** The newest state, or null before the first came. */
  snapshot(): Snapshot | null;
}

/** A player's connection that keeps the newest state; whoever holds it sends the inputs. */
export async function join(host: Host, args: ClientArgs): Promise<ArenaClient> {
  let newest: Snapshot | null = null;
  const feed = new Feed();
  const client = await host.connect({
    token: args.token,
    channels: CHANNELS,
    tickRateHz: TICK_RATE_HZ,
    reconnect: true,
  });
  client.on('message', (channel, message) => {
    if (channel === 'event') feed.take(message);
    else if (channel === 'chat') feed.say(message);
    else if (channel === 'state') {
      // Unreliable messages may overtake each other: an older state must not undo a newer one.
      const snapshot = decodeSnapshot(message);
      if (snapshot !== null && snapshot.tick > (newest?.tick ?? -1)) newest = snapshot;
    }
  });
  client.on('reconnect', () => {
    newest = null;
    feed.clear();
  });
  return { client, feed, snapshot: () => newest };
}

/** A bot, the client that the simulator and `npm start` run. */
export async function client(host: Host, args: ClientArgs): Promise<ArenaClient> {
  const player = await join(host, args);
  const bot = new Bot(host.random);
  player.client.on('tick', () => {
    player.client.send('input', bot.decide(player.client.index, player.snapshot()));
  });
  player.feed.onKill = (killer, victim) => {
    if (killer !== player.client.index || host.random() > BOASTS) return;
    player.client.send('chat', { player: 0, text: `got you, ${player.feed.nameOf(victim)}` });
  };
  return player;
}

/** The name that the backend put into the connect token: UTF-8 up to the first zero. */
function nameOf(peer: Peer<ArenaChannels>): string {
  const end = peer.userData.indexOf(0);
  return (
    new TextDecoder().decode(peer.userData.subarray(0, end < 0 ? peer.userData.length : end)) || `player ${peer.id}`
  );
}

/** A simulated world with engines on its hosts, for tests of the engine: no ports, no waiting, the same every time. */

import type { Channels } from '../../engine/channel-types.ts';
import type { Client } from '../../engine/client.ts';
import type { Host } from '../../engine/host.ts';
import type { ClientOptions, ServerOptions } from '../../engine/options.ts';
import type { Peer } from '../../engine/peer.ts';
import type { Server } from '../../engine/server.ts';
import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import { openEngine } from '../../sim/world/engine-host.ts';
import type { SimHost } from '../../sim/world/host.ts';
import { World } from '../../sim/world/world.ts';

export const SECOND = 1_000_000;
export const KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
/** Where `server` listens in every test. */
export const SERVER_ADDRESS = '10.0.0.1:40000';

export interface SmallWorld {
  readonly world: World;
  readonly server: Host;
  /** Makes a further host. */
  client(name?: string): Host;
  /** Cuts or mends the links between the server and everybody. */
  cut(lossy: boolean): void;
  /** A token for the server. */
  token(clientId?: bigint, key?: Uint8Array, userData?: Uint8Array): Promise<Uint8Array>;
  readonly warnings: string[];
}

/**
 * Runs `play` in a world of 10 ms links until it ends; rejects with what it throws. Virtual time is bounded, so a test
 * that waits for ever fails and says so.
 */
export async function inSmallWorld(
  play: (small: SmallWorld) => Promise<void>,
  link: DirectionOptions = {},
): Promise<void> {
  const world = new World({ seed: 'test', link: { latencyMicros: 10_000, ...link } });
  const warnings: string[] = [];
  const warn = (text: string) => void warnings.push(text);
  const serverHost = world.host('server');
  const server = openEngine(world, serverHost, warn);
  const others: SimHost[] = [];
  let nextId = 1n;
  const small: SmallWorld = {
    world,
    server,
    warnings,
    client(name = `client-${others.length}`) {
      const host = world.host(name);
      others.push(host);
      return openEngine(world, host, warn);
    },
    cut(lossy) {
      for (const host of others) world.link(serverHost, host, { latencyMicros: 10_000, loss: lossy ? 1 : 0 });
    },
    token: (clientId = nextId++, privateKey = KEY, userData = new Uint8Array(0)) =>
      server.mintToken({ privateKey, clientId, addresses: [SERVER_ADDRESS], protocolId: 7, userData }),
  };
  let ended = false;
  world.start(serverHost, 0, () => play(small).finally(() => (ended = true)));
  await world.run({ untilMicros: 120 * SECOND, stopWhen: () => ended });
  if (!ended) throw new Error('the test still waited after two virtual minutes');
}

/** A server with one client, connected for a second. */
export interface Pair<C extends Channels> {
  readonly small: SmallWorld;
  readonly host: Host;
  readonly server: Server<C>;
  readonly peer: Peer<C>;
  readonly client: Client<C>;
}

/** What may differ from a plain pair. */
export interface PairOptions<C extends Channels> {
  readonly link?: DirectionOptions;
  readonly server?: Partial<ServerOptions<C>>;
  readonly client?: Partial<ClientOptions<C>>;
}

/** `inSmallWorld` with a pair. */
export function inPair<C extends Channels>(
  channels: C,
  play: (pair: Pair<C>) => Promise<void>,
  options: PairOptions<C> = {},
): Promise<void> {
  return inSmallWorld(async (small) => {
    const host = small.server;
    const server = await host.listen<C>({
      port: 40_000,
      host: '0.0.0.0',
      publicAddresses: [SERVER_ADDRESS],
      privateKey: KEY,
      freshKey: true,
      protocolId: 7,
      channels,
      ...options.server,
    });
    const client = await small.client().connect<C>({ token: () => small.token(), channels, ...options.client });
    await host.sleep(SECOND);
    await play({ small, host, server, peer: server.peers[0]!, client });
  }, options.link);
}

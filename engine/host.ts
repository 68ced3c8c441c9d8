/**
 * What a game module is given: a place in a network, real or simulated.
 *
 * **A game is a module** that exports `server(host, args)` and/or `client(host, args)`. `npm start`, a worker thread and
 * the simulator call the same exports; the game cannot tell which. So it asks the host for time and chance and does not
 * reach for `Date`, `Math.random` or timers.
 */

import type { Backend, BackendOptions, Micros } from '../sys/api.ts';
import type { Channels } from './channel-types.ts';
import { Client } from './client.ts';
import type { EngineContext } from './context.ts';
import { sharedContext } from './open.ts';
import type { ClientOptions, ServerOptions } from './options.ts';
import { Server } from './server.ts';
import { mintToken, type TokenOptions } from './token.ts';

export interface Host {
  /** Name of this place: `server`, `bot-3`; for status lines. */
  readonly name: string;
  listen<C extends Channels>(options: ServerOptions<C>): Promise<Server<C>>;
  connect<C extends Channels>(options: ClientOptions<C>): Promise<Client<C>>;
  mintToken(options: TokenOptions): Promise<Uint8Array>;
  /** Resolves after a duration in microseconds, never early. */
  sleep(micros: Micros): Promise<void>;
  /** Monotonic microseconds. */
  now(): Micros;
  /** A number in [0, 1), from the seed in the simulator. */
  random(): number;
}

/** The exports of a game module. `Args` is what the caller gives the game: addresses, tokens, sizes. */
export interface GameModule<ServerArgs = unknown, ClientArgs = unknown> {
  server?(host: Host, args: ServerArgs): unknown;
  client?(host: Host, args: ClientArgs): unknown;
}

/**
 * A host over a context, or over this machine (by the way to the network that is given) and Node's own loop.
 *
 * @throws ConfigError, SysError as `openContext`
 */
export function createHost(name: string, over?: EngineContext | Backend | BackendOptions): Host {
  const context = typeof over === 'object' && 'runtime' in over ? over : sharedContext(over);
  const { sys, runtime } = context;
  return {
    name,
    listen: (options) => Server.listen(options, context),
    connect: (options) => Client.connect(options, context),
    mintToken: (options) => mintToken(options, context),
    sleep: (micros) => runtime.sleep(micros),
    now: () => sys.clock.now(),
    random: () => sys.rng.u32() / 2 ** 32,
  };
}

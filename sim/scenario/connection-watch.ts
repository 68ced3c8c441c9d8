/**
 * Notes what a game opens on its hosts, so that a report can ask connections how they fare. The game is given the same
 * servers and clients as without it, at the same moments.
 */

import type { Channels } from '../../engine/channel-types.ts';
import type { Client } from '../../engine/client.ts';
import type { Host } from '../../engine/host.ts';
import { SERVER_DEFAULTS } from '../../engine/options.ts';
import type { Peer } from '../../engine/peer.ts';
import type { Server } from '../../engine/server.ts';
import type { Micros } from '../../sys/api.ts';
import type { Side } from './message-latencies.ts';

const MICROS_PER_SECOND = 1_000_000;

/** The newest server of a run, and the newest connection of each of its clients. */
export class ConnectionWatch {
  /** Interval of the ticks of each side; null while it has none. */
  readonly tickMicros: Record<Side, Micros | null> = { server: null, clients: null };
  #server: Server<Channels> | null = null;
  readonly #clients: Map<number, Client<Channels>> = new Map();

  /** The host for the game's server. */
  server(host: Host): Host {
    return {
      ...host,
      listen: (options) => {
        this.#tick('server', options.tickRateHz ?? SERVER_DEFAULTS.tickRateHz);
        return noted(host.listen(options), (server) => {
          this.#server = server as unknown as Server<Channels>;
        });
      },
    };
  }

  /** The host for client `index` of the game. */
  client(host: Host, index: number): Host {
    return {
      ...host,
      connect: (options) => {
        this.#tick('clients', options.tickRateHz ?? 0);
        return noted(host.connect(options), (client) => {
          this.#clients.set(index, client as unknown as Client<Channels>);
        });
      },
    };
  }

  /** Client `index`; null until it is connected. */
  clientOf(index: number): Client<Channels> | null {
    return this.#clients.get(index) ?? null;
  }

  /** The server's end of client `index`; null while there is none. */
  peerOf(index: number): Peer<Channels> | null {
    return this.#server?.peers.find((peer) => peer.clientId === BigInt(index + 1)) ?? null;
  }

  #tick(side: Side, rateHz: number): void {
    this.tickMicros[side] = rateHz > 0 ? Math.round(MICROS_PER_SECOND / rateHz) : null;
  }
}

/** The same promise; `note` is told what it brings, and its rejection stays the game's business. */
function noted<T>(promise: Promise<T>, note: (value: T) => void): Promise<T> {
  promise.then(note, () => {});
  return promise;
}

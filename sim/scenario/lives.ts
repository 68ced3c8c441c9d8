/** The lives of the hosts of a scenario: what each of them runs at first, and again when it is started after a crash. */

import type { Host } from '../../engine/host.ts';
import type { Micros } from '../../sys/api.ts';
import type { SimHost } from '../world/host.ts';
import type { World } from '../world/world.ts';
import type { MessageLatencies } from './message-latencies.ts';
import type { Restart } from './scene.ts';

/** What the hosts of a world run. */
export class Lives {
  readonly #world: World;
  readonly #again: Map<SimHost, () => unknown> = new Map();

  constructor(world: World) {
    this.#world = world;
  }

  /** The first life of `host`, at `time`: `play` as its code, over the engine that `open` gives; and so each later one. */
  begin(host: SimHost, time: Micros, open: () => Host, play: (engine: Host) => unknown): void {
    const engine = open();
    this.#world.start(host, time, () => play(engine));
    this.#again.set(host, () => play(open()));
  }

  /** Begins the next life of a host that has crashed. */
  readonly restart: Restart = (host) => {
    this.#world.restart(host, this.#again.get(host)!);
  };
}

/**
 * The host for a server, of which `messages` hears when a client comes with another connection. What was sent over the one
 * before does not come any more: else the next message of the same bytes would be taken for it, and seem to be late.
 */
export function forgetful(host: Host, messages: MessageLatencies): Host {
  return {
    ...host,
    listen: (options) => {
      const opened = host.listen(options);
      opened.then(
        (server) => server.on('connect', (peer) => messages.forget(peer.clientId)),
        () => {}, // is the game's to see
      );
      return opened;
    },
  };
}

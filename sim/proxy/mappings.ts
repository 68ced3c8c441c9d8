/**
 * The ports by which the server sees clients: one each, as behind a NAT. A port is opened when its client comes, and replaced
 * when the NAT forgets it: by hand, or since the client was silent for too long.
 */

import { type DatagramPool, NONE } from '../world/datagram-pool.ts';
import type { Timeline } from '../world/timeline.ts';
import type { Departures } from './departures.ts';
import type { ProxyClients } from './proxy-clients.ts';
import type { ProxyCounters } from './proxy-options.ts';
import type { ProxySockets } from './proxy-sockets.ts';

/** What mappings stand on. */
export interface MappingsParts {
  readonly clients: ProxyClients;
  readonly sockets: ProxySockets;
  readonly departures: Departures;
  readonly pool: DatagramPool;
  readonly timeline: Timeline;
  readonly counters: ProxyCounters;
  readonly warn: (text: string) => void;
  /** The port of `client` is there: datagram `id`, which has waited for it, goes out. */
  readonly deliver: (client: number, id: number) => void;
  /** There will be none. */
  readonly drop: (id: number) => void;
}

export class Mappings {
  readonly #parts: MappingsParts;
  #warnedOf = '';

  constructor(parts: MappingsParts) {
    this.#parts = parts;
  }

  /** Opens the port of a client that has none. */
  open(client: number): void {
    const { clients, sockets, departures, pool, deliver, drop } = this.#parts;
    clients.opening[client] = 1;
    sockets.openUpstream(client + 1, (error) => {
      clients.opening[client] = 0;
      if (error !== null) this.#warnOnce(`no socket towards the server: ${(error as Error).message}`);
      let id = clients.firstHeld[client]!;
      clients.firstHeld[client] = NONE;
      while (id !== NONE) {
        const next = pool.next[id]!;
        if (error === null) deliver(client, id);
        else drop(id);
        id = next;
      }
      departures.flush();
    });
  }

  /** Datagram `id` waits until the port of its client is open. */
  hold(client: number, id: number): void {
    const { clients, pool } = this.#parts;
    pool.next[id] = NONE;
    if (clients.firstHeld[client] === NONE) clients.firstHeld[client] = id;
    else pool.next[clients.lastHeld[client]!] = id;
    clients.lastHeld[client] = id;
  }

  /**
   * Gives `client` another port as soon as one is open. What was sent to the old one and has not reached the client by then
   * is unheard. Where none can be opened it keeps its port.
   */
  replace(client: number): void {
    const { clients, sockets, departures, counters } = this.#parts;
    if (!clients.has(client) || sockets.byKey[client + 1] === null || clients.opening[client] === 1) return;
    clients.opening[client] = 1;
    sockets.openUpstream(client + 1, (error) => {
      clients.opening[client] = 0;
      if (error !== null) {
        this.#warnOnce(`a client keeps its port: ${(error as Error).message}`);
        return;
      }
      departures.forget(client + 1);
      counters.rebinds++;
      clients.mappedFrom[client] = clients.down[client]!.nextIndex;
    });
  }

  /** `client` sends: after too long a silence from a new port, for which this datagram waits already. */
  use(client: number): void {
    const { clients, sockets, departures, counters, timeline } = this.#parts;
    const isOver = this.isOver(client);
    clients.sentAt[client] = timeline.now;
    if (!isOver || sockets.byKey[client + 1] === null || clients.opening[client] === 1) return;
    departures.flush();
    sockets.close(client + 1);
    departures.forget(client + 1);
    counters.rebinds++;
    clients.mappedFrom[client] = clients.down[client]!.nextIndex;
    this.open(client);
  }

  /** Whether the NAT has forgotten the port of `client`, which has been silent for so long. */
  isOver(client: number): boolean {
    const { sentAt, natTimeoutMicros } = this.#parts.clients;
    return this.#parts.timeline.now - sentAt[client]! >= natTimeoutMicros[client]!;
  }

  #warnOnce(text: string): void {
    if (text === this.#warnedOf) return;
    this.#warnedOf = text;
    this.#parts.warn(text);
  }
}

/** What can be read off a connection: how it fares, what it may use, what the peer's clock shows. */

import type { Micros } from '../sys/api.ts';
import { ConnectionStats } from '../transport/connection-stats.ts';
import type { Connections } from '../transport/connections.ts';

/** Without ticks the budget is for so long: what a game at 60 Hz would have. */
const TICK_RATE_ASSUMED_HZ = 60;

export class Gauges {
  readonly #connections: Connections;
  readonly #tickRateHz: number;
  readonly #now: () => Micros;

  constructor(connections: Connections, tickRateHz: number, now: () => Micros) {
    this.#connections = connections;
    this.#tickRateHz = tickRateHz > 0 ? tickRateHz : TICK_RATE_ASSUMED_HZ;
    this.#now = now;
  }

  budgetBytes(c: number): number {
    return Math.floor(this.#connections.flight.controller.budgetBytesPerSecond[c]! / this.#tickRateHz);
  }

  clockOffsetMicros(c: number): number {
    const now = this.#now();
    const peerNow = this.#connections.clock.peerNow(c, now);
    return peerNow < 0 ? Number.NaN : peerNow - now;
  }

  clockErrorMicros(c: number): number {
    const { clock } = this.#connections;
    return clock.peerNow(c, this.#now()) < 0 ? Number.POSITIVE_INFINITY : clock.errorMicros[c]!;
  }

  /** @param c -1: no connection, so a new object stays empty, and one that is given stays as it is */
  stats(c: number, into: ConnectionStats | undefined): ConnectionStats {
    const stats = into ?? new ConnectionStats(this.#connections.channels);
    return c < 0 ? stats : stats.fill(this.#connections, c, this.#now());
  }
}

/** Connections that end once everything sent to them has arrived, or at a time of their own at the latest. */

import { type Micros, NEVER } from '../sys/api.ts';
import type { DisconnectCode } from './endpoint.ts';

interface Draining {
  readonly connection: number;
  readonly code: DisconnectCode;
  readonly text: string;
  readonly by: Micros;
}

export class DrainingConnections {
  #draining: Draining[] = [];

  get count(): number {
    return this.#draining.length;
  }

  /** Begins to wait for a connection; a second call for it replaces the first. */
  start(connection: number, code: DisconnectCode, text: string, by: Micros): void {
    this.cancel(connection);
    this.#draining.push({ connection, code, text, by });
  }

  cancel(connection: number): void {
    this.#draining = this.#draining.filter((one) => one.connection !== connection);
  }

  /** Ends those that are settled or out of time. */
  check(now: Micros, isSettled: (connection: number) => boolean, end: (draining: Draining) => void): void {
    const over = this.#draining.filter(({ connection, by }) => by <= now || isSettled(connection));
    if (over.length === 0) return;
    this.#draining = this.#draining.filter((one) => !over.includes(one));
    for (const one of over) end(one);
  }

  /** When the first one is out of time. */
  deadline(): Micros {
    return this.#draining.reduce((least, { by }) => Math.min(least, by), NEVER);
  }
}

/** Connections that are to be handed over as soon as they are quiet, or not at all when that does not come about in time. */

import { type Micros, NEVER } from '../sys/api.ts';

/** What became of a wish to hand a connection over: it may go now, it did not come to rest in time, or it ended. */
export type Departure = 'quiet' | 'late' | 'ended';

interface Departing {
  readonly connection: number;
  readonly by: Micros;
  /** Whether the game's layer has nothing under way with it. */
  readonly isReady: () => boolean;
  readonly done: (departure: Departure) => void;
}

export class Departures {
  #departing: Departing[] = [];

  get count(): number {
    return this.#departing.length;
  }

  /** Begins to wait. `done` is called once, in a `check` or by `end`. */
  start(connection: number, by: Micros, isReady: () => boolean, done: (departure: Departure) => void): void {
    this.#departing.push({ connection, by, isReady, done });
  }

  /** The connection is over, or another one. */
  end(connection: number): void {
    this.#settle(
      (one) => one.connection === connection,
      () => 'ended',
    );
  }

  check(now: Micros, isQuiet: (connection: number) => boolean): void {
    const mayGo = ({ connection, isReady }: Departing): boolean => isReady() && isQuiet(connection);
    this.#settle(
      (one) => one.by <= now || mayGo(one),
      (one) => (mayGo(one) ? 'quiet' : 'late'),
    );
  }

  /** When the first one is out of time. */
  deadline(): Micros {
    return this.#departing.reduce((least, { by }) => Math.min(least, by), NEVER);
  }

  #settle(isOver: (one: Departing) => boolean, becomes: (one: Departing) => Departure): void {
    if (this.#departing.length === 0) return;
    const over = this.#departing.filter(isOver);
    this.#departing = this.#departing.filter((one) => !over.includes(one));
    for (const one of over) one.done(becomes(one));
  }
}

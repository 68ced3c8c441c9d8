/** How a connection leaves a server: a stranger at once, its number free when the game and the peer know. */

import type { DueWheel } from '../due-wheel.ts';
import type { DisconnectReason } from '../endpoint.ts';
import { EVENT_DISCONNECT, type EventQueue } from './event-queue.ts';
import type { Outbox } from './outbox.ts';
import type { ServerPaths } from './server-paths.ts';
import { ENDING, type ServerSessions } from './server-sessions.ts';

export class ServerEndings {
  readonly #rows: ServerSessions;
  readonly #paths: ServerPaths;
  readonly #outbox: Outbox;
  readonly #wheel: DueWheel;
  readonly #events: EventQueue;
  /** 1: the game has been told that the connection ended. */
  readonly #told: Uint8Array;

  constructor(rows: ServerSessions, paths: ServerPaths, outbox: Outbox, wheel: DueWheel, events: EventQueue) {
    this.#rows = rows;
    this.#paths = paths;
    this.#outbox = outbox;
    this.#wheel = wheel;
    this.#events = events;
    this.#told = new Uint8Array(rows.maxClients);
  }

  /** The number has been given to a client, whose end will have to be told. */
  open(connection: number): void {
    this.#told[connection] = 0;
  }

  /** Ends a connection here; what the peer is told is up to the caller. */
  end(connection: number, reason: DisconnectReason): void {
    this.#outbox.owes[connection] = 0;
    this.#wheel.cancel(connection);
    this.#paths.forget(connection);
    this.#rows.end(connection, reason);
    this.#events.push(EVENT_DISCONNECT, connection);
  }

  /** Notes that the game is being told. */
  tell(connection: number): void {
    this.#told[connection] = 1;
  }

  /** The number is given again when the game knows of the end and the peer has been told. */
  freeIfDone(connection: number): void {
    if (this.#rows.state[connection] !== ENDING) return;
    if (this.#told[connection] === 1 && this.#outbox.owes[connection] === 0) this.#rows.freeConnection(connection);
  }
}

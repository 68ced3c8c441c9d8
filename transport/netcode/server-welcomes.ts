/** How a server takes a client in: as a connection that the game has admitted, or as one that it already has. */

import type { Micros } from '../../sys/api.ts';
import { EVENT_CONNECT, EVENT_RESUME, type EventQueue } from './event-queue.ts';
import type { KeepAlives } from './keep-alive.ts';
import { type Outbox, OWES_WELCOME } from './outbox.ts';
import { TAG_BYTES } from './packets.ts';
import type { ServerSettings } from './server-options.ts';
import type { ServerPaths } from './server-paths.ts';
import { type ServerSessions, UNCONFIRMED } from './server-sessions.ts';
import type { TokenHistory } from './token-history.ts';

/** For a client whose token somebody has used at another server while the game was asked. */
export const TEXT_SPENT = 'this token has been used meanwhile: get a new one';

export class ServerWelcomes {
  readonly #settings: ServerSettings;
  readonly #rows: ServerSessions;
  readonly #history: TokenHistory;
  readonly #keepAlives: KeepAlives;
  readonly #paths: ServerPaths;
  readonly #outbox: Outbox;
  readonly #events: EventQueue;

  constructor(
    settings: ServerSettings,
    rows: ServerSessions,
    history: TokenHistory,
    keepAlives: KeepAlives,
    paths: ServerPaths,
    outbox: Outbox,
    events: EventQueue,
  ) {
    this.#settings = settings;
    this.#rows = rows;
    this.#history = history;
    this.#keepAlives = keepAlives;
    this.#paths = paths;
    this.#outbox = outbox;
    this.#events = events;
  }

  /** Lets in a client that the game has admitted. False where its token has been spent elsewhere meanwhile: nothing is done. */
  accept(connection: number, now: Micros): boolean {
    if (!this.#spend(connection)) return false;
    this.#rows.connectedAt[connection] = now;
    this.#welcome(connection, now);
    this.#events.push(EVENT_CONNECT, connection);
    return true;
  }

  /** Goes on with a connection whose keys have been replaced. What belonged to the old ones, ids too, is void. Else as `accept`. */
  resume(connection: number, now: Micros): boolean {
    if (!this.#spend(connection)) return false;
    this.#paths.forget(connection);
    this.#outbox.owes[connection] = 0;
    this.#welcome(connection, now);
    this.#events.push(EVENT_RESUME, connection);
    return true;
  }

  #spend(connection: number): boolean {
    const rows = this.#rows;
    const tagAt = connection * TAG_BYTES;
    this.#history.spend(rows.tag, tagAt);
    const store = this.#settings.spentTokens;
    return store?.spend(rows.tag.subarray(tagAt, tagAt + TAG_BYTES), rows.tokenExpires[connection]!) !== false;
  }

  /** The client is told its number until it answers. */
  #welcome(connection: number, now: Micros): void {
    const rows = this.#rows;
    rows.state[connection] = UNCONFIRMED;
    this.#keepAlives.start(connection, now);
    this.#outbox.owe(connection, OWES_WELCOME);
  }
}

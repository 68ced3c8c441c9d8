/**
 * When the connections of a server are due: a keep-alive after 100 ms without a packet to the client, the end after the
 * token's timeout without one from it. Sending and receiving only note the time; each connection is looked at about ten
 * times a second, whatever goes on.
 */

import type { Micros } from '../../sys/api.ts';
import type { DueWheel } from '../due-wheel.ts';
import { type Outbox, OWES_KEEP_ALIVE } from './outbox.ts';
import type { Sessions } from './sessions.ts';
import { KEEP_ALIVE_MICROS } from './timing.ts';

export class KeepAlives {
  readonly #sessions: Sessions;
  readonly #wheel: DueWheel;
  readonly #outbox: Outbox;

  constructor(sessions: Sessions, wheel: DueWheel, outbox: Outbox) {
    this.#sessions = sessions;
    this.#wheel = wheel;
    this.#outbox = outbox;
  }

  /** Starts to watch a connection that has just been made. */
  start(connection: number, now: Micros): void {
    this.#sessions.lastReceivedAt[connection] = now;
    this.#sessions.lastSentAt[connection] = now;
    this.#wheel.at[connection] = now + KEEP_ALIVE_MICROS;
    this.#wheel.set(connection);
  }

  /** The connection's timer has fired: owes it a keep-alive if one is due. False when its peer has timed out. */
  fire(connection: number, now: Micros): boolean {
    const { lastSentAt, lastReceivedAt, timeoutMicros } = this.#sessions;
    const timeout = timeoutMicros[connection]!;
    const silentAt = lastReceivedAt[connection]! + timeout;
    if (timeout > 0 && silentAt <= now) return false;
    let next = lastSentAt[connection]! + KEEP_ALIVE_MICROS;
    if (next <= now) {
      this.#outbox.owe(connection, OWES_KEEP_ALIVE);
      next = now + KEEP_ALIVE_MICROS;
    }
    this.#wheel.at[connection] = timeout > 0 ? Math.min(silentAt, next) : next;
    this.#wheel.set(connection);
    return true;
  }
}

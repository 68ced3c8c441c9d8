/**
 * How a session leaves a server for another one of the same game, and how it arrives there: the client is not asked and not told.
 * Of all servers only one at a time may have a session, since no two may use a packet number twice.
 */

import type { Micros } from '../../sys/api.ts';
import type { DueWheel } from '../due-wheel.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { ConnectionIds } from './connection-ids.ts';
import type { KeepAlives } from './keep-alive.ts';
import type { Outbox } from './outbox.ts';
import type { ServerEndings } from './server-endings.ts';
import type { ServerPaths } from './server-paths.ts';
import { CONFIRMED, type ServerSessions } from './server-sessions.ts';

export class ServerHandovers {
  readonly #rows: ServerSessions;
  readonly #ids: ConnectionIds;
  readonly #paths: ServerPaths;
  readonly #endings: ServerEndings;
  readonly #keepAlives: KeepAlives;
  readonly #outbox: Outbox;
  readonly #wheel: DueWheel;

  constructor(
    rows: ServerSessions,
    ids: ConnectionIds,
    paths: ServerPaths,
    endings: ServerEndings,
    keepAlives: KeepAlives,
    outbox: Outbox,
    wheel: DueWheel,
  ) {
    this.#rows = rows;
    this.#ids = ids;
    this.#paths = paths;
    this.#endings = endings;
    this.#keepAlives = keepAlives;
    this.#outbox = outbox;
    this.#wheel = wheel;
  }

  /** Whether a connection can be handed over now: let in, heard, and not about to go on under another token. */
  isReady(connection: number): boolean {
    return this.#rows.state[connection] === CONFIRMED && this.#rows.successor[connection]! < 0;
  }

  /** Copies of the ids under which a connection is found, 8 bytes each. */
  idsOf(connection: number): readonly Uint8Array[] {
    return this.#ids.idsOf(connection);
  }

  /**
   * Writes a connection down that `isReady`, and knows its client no more. Its number stays taken until `release`, or until
   * `takeOver` brings it back.
   */
  handOver(connection: number, writer: ByteWriter): void {
    this.#outbox.owes[connection] = 0;
    this.#wheel.cancel(connection);
    this.#rows.save(connection, writer);
    this.#paths.save(connection, writer);
    this.#paths.forget(connection);
  }

  /** Frees the number of a connection that was handed over. */
  release(connection: number): void {
    this.#rows.freeConnection(connection);
  }

  /**
   * Reads what `handOver` wrote. For the client nothing has changed, but that it is asked to go on under an id of ours.
   *
   * @param taken the number that it had here, when it comes back; else -1
   * @param numbersUsed packet numbers that another server may have used meanwhile
   * @returns the connection; -1: all are taken, or the client has one here
   */
  takeOver(reader: ByteReader, taken: number, numbersUsed: number, now: Micros): number {
    const rows = this.#rows;
    const connection = rows.load(reader, taken);
    if (connection < 0) return -1;
    rows.sessions.leap(connection, numbersUsed);
    this.#paths.load(connection, reader);
    this.#endings.open(connection);
    this.#keepAlives.start(connection, now);
    return connection;
  }

  /** Undoes a `takeOver` without a word to the client: the number is as it was before. */
  discard(connection: number, taken: number): void {
    this.#wheel.cancel(connection);
    this.#paths.forget(connection);
    this.#rows.forget(connection);
    if (taken < 0) this.#rows.freeConnection(connection);
  }
}

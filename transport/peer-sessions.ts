/**
 * Whether the two ends of a connection mean the same one. Each end names its state of a connection by a random number, says it
 * in hello, and keeps it when it goes on under new keys. Who hears another number than before knows that the other end has
 * begun anew (PROTOCOL.md, section 2, hello).
 *
 *     OPEN -> (our peer comes back with other keys) -> RESUMED -> (hello, the same number) -> OPEN
 *     OPEN -> (we come back with other keys) -> REJOINING -> (hello) -> OPEN, and the state is void when the number is another one
 */

import type { Rng } from '../sys/api.ts';
import { loadRow, saveRow } from './rows.ts';
import type { ByteReader } from './wire/byte-reader.ts';
import type { ByteWriter } from './wire/byte-writer.ts';

/** What the peer's hello must say: anything, but never two different things. */
const OPEN = 0;
/** The number that is known: the peer claims to go on. */
const RESUMED = 1;
/** The number that is known, or another one: then our state is void, since the peer's is new. */
const REJOINING = 2;

/** Answers of `take`. */
export const SESSION_KNOWN = 0;
/** After `rejoin`: the peer goes on with the connection, or has a new one. */
export const SESSION_RESUMED = 1;
export const SESSION_NEW = 2;
/** The peer is not the one that it was. */
export const SESSION_FORGOTTEN = 3;

export class PeerSessions {
  /** The number in our hello, by connection. */
  readonly own: Uint32Array;
  /** The number in the peer's, 0: it has not come. */
  readonly #peer: Uint32Array;
  readonly #awaits: Uint8Array;
  readonly #rng: Rng;

  constructor(connections: number, rng: Rng) {
    this.own = new Uint32Array(connections);
    this.#peer = new Uint32Array(connections);
    this.#awaits = new Uint8Array(connections);
    this.#rng = rng;
  }

  /** A connection begins. */
  open(c: number): void {
    this.own[c] = this.#rng.u32() || 1;
    this.#peer[c] = 0;
    this.#awaits[c] = OPEN;
  }

  save(c: number, writer: ByteWriter): void {
    saveRow(writer, c, [this.own, this.#peer]);
  }

  load(c: number, reader: ByteReader): void {
    loadRow(reader, c, [this.own, this.#peer]);
  }

  /** The peer has come back. `heard`: anything ever came from it; else nothing depends on what it remembers. */
  resume(c: number, heard: boolean): void {
    this.#awaits[c] = heard ? RESUMED : OPEN;
  }

  /** We have come back. False when the peer's number never came: there is nothing to know it by. */
  rejoin(c: number): boolean {
    if (this.#peer[c] === 0) return false;
    this.#awaits[c] = REJOINING;
    return true;
  }

  /** Whether the peer's hello must come before any message counts or is said. */
  awaitsHello(c: number): boolean {
    return this.#awaits[c] !== OPEN;
  }

  /** Takes the number of a hello; returns a SESSION_. After SESSION_NEW our own number is a new one. */
  take(c: number, session: number): number {
    const known = this.#peer[c]!;
    const awaits = this.#awaits[c]!;
    const differs = session !== known;
    if (differs && awaits !== REJOINING && (known !== 0 || awaits === RESUMED)) return SESSION_FORGOTTEN;
    this.#peer[c] = session;
    this.#awaits[c] = OPEN;
    if (awaits !== REJOINING) return SESSION_KNOWN;
    // Another server than the one that took us in may still have our old connection: it must not take us for that client.
    if (differs) this.own[c] = this.#rng.u32() || 1;
    return differs ? SESSION_NEW : SESSION_RESUMED;
  }
}

/**
 * How a client keeps its session when its address changes: the ids that the server gave it, and the attempt to tell the
 * server where it is now.
 *
 *     a cause -> request, every 100 ms -> challenge -> response -> confirmed: payloads carry the id from now on
 *
 * An attempt that silence began ends as a false alarm when the server is heard again, one that began because we are not heard
 * with the server's word only; its id was shown but not used up, and serves the next one. While an attempt runs, payloads
 * carry its id already, so that they count from the new address.
 */

import { type DatagramBatch, type Micros, NEVER } from '../../sys/api.ts';
import { ACCEPTED, DROP_PATH, DROP_PATH_LATE, DROP_WRONG_STATE } from './drop-counters.ts';
import type { EventQueue } from './event-queue.ts';
import { CONNECTION_ID_BYTES, PACKET_PATH, PATH_FROM_CLIENT_BYTES, PATH_FROM_SERVER_BYTES } from './packets.ts';
import {
  PATH_CHALLENGE,
  PATH_CONFIRMED,
  PATH_DATA_BYTES,
  PATH_REQUEST,
  PATH_RESPONSE,
  PATH_UNCHANGED,
} from './path.ts';
import type { Sessions } from './sessions.ts';

/** Requests are repeated as often as everything else (netcode 1.02: ten times a second). */
const REQUEST_INTERVAL_MICROS = 100_000;
/** Ids kept; one more than a server of ours gives ahead. The newest stay. */
export const IDS_STORED_MAX = 4;
/** Causes of an attempt. Nothing was heard for too long: whatever is heard ends it. */
export const CAUSE_SILENCE = 0;
/** The server is heard, but does not hear us: only its word ends it. */
export const CAUSE_UNHEARD = 1;
/** We have moved, or will: likewise, and under an id that nobody has seen. */
export const CAUSE_MOVED = 2;
const ROW = 0;

export class ClientPath {
  /** Ids that wait to be used. */
  stored = 0;
  /** Whether the server is being told where we are. */
  attempting = false;
  /** The id that packets carry now, or null. */
  id: Uint8Array | null = null;
  readonly #sessions: Sessions;
  readonly #events: EventQueue;
  readonly #silenceMicros: Micros;
  readonly #ids: Uint8Array = new Uint8Array(IDS_STORED_MAX * CONNECTION_ID_BYTES);
  /** 1: an attempt without success has shown this id to whoever watches. */
  readonly #shown: Uint8Array = new Uint8Array(IDS_STORED_MAX);
  /** The id that the server has confirmed last. */
  readonly #current: Uint8Array = new Uint8Array(CONNECTION_ID_BYTES);
  #hasCurrent = false;
  /** The id of the attempt, and what the server wants to have back. */
  readonly #attempt: Uint8Array = new Uint8Array(CONNECTION_ID_BYTES);
  readonly #challenge: Uint8Array = new Uint8Array(PATH_DATA_BYTES);
  /** A challenge has come in this attempt: the server sees us at another address. */
  #challenged = false;
  #owesResponse = false;
  /** A CAUSE_. */
  #cause = CAUSE_SILENCE;
  /** Element 0: when the next request is due. */
  readonly #times: Float64Array = new Float64Array(1);

  /** @param silenceMicros silence that begins an attempt; 0: none does */
  constructor(sessions: Sessions, events: EventQueue, silenceMicros: Micros) {
    this.#silenceMicros = silenceMicros;
    this.#sessions = sessions;
    this.#events = events;
  }

  /** Forgets and wipes every id: another session. */
  clear(): void {
    this.stored = 0;
    this.attempting = false;
    this.id = null;
    this.#hasCurrent = false;
    this.#ids.fill(0);
    this.#current.fill(0);
    this.#attempt.fill(0);
  }

  /** Keeps the id at `bytes[at ..]`. One that is known already is not kept twice; when there is no room, the oldest goes. */
  store(bytes: Uint8Array, at: number): void {
    this.#keep(bytes.subarray(at, at + CONNECTION_ID_BYTES), 0);
  }

  /** Whether there is an id to rebind with. */
  get able(): boolean {
    return this.stored > 0 || this.#hasCurrent;
  }

  /**
   * Begins an attempt. One because we move takes an id that nobody has seen, so that an observer cannot tell that the client at
   * the new address is the one from the old. Else the id in use will do: our payloads have shown it there already.
   */
  begin(cause: number, now: Micros): void {
    this.#keepAttempt();
    const moves = cause === CAUSE_MOVED;
    if (this.stored > 0 && (moves || !this.#hasCurrent)) this.#takeOut(this.#choose(moves));
    else this.#attempt.set(this.#current);
    this.#start(cause, now);
  }

  #start(cause: number, now: Micros): void {
    this.#cause = cause;
    this.attempting = true;
    this.id = this.#attempt;
    this.#challenged = false;
    this.#owesResponse = false;
    this.#times[0] = now;
  }

  /** The server was heard: an alarm of ours was false, unless the server has asked where we are. */
  heard(): void {
    if (!this.#challenged && this.#cause === CAUSE_SILENCE) this.#giveUp();
  }

  /** Whether the id at `bytes[at ..]` is the one that our packets carry now. */
  sendsWith(bytes: Uint8Array, at: number): boolean {
    return this.id !== null && sameId(this.id, 0, bytes, at);
  }

  /**
   * The server challenges us under the id at `bytes[at ..]`, which waits to be used: another of its workers has the session now, and
   * this id leads there. Begins an attempt under it, in place of one that an
   * alarm began. False when it is no such id, or we move.
   */
  isInvited(bytes: Uint8Array, at: number, kind: number, isNewest: boolean, now: Micros): boolean {
    if (kind !== PATH_CHALLENGE || !isNewest || (this.attempting && this.#cause === CAUSE_MOVED)) return false;
    for (let i = 0; i < this.stored; i++) {
      if (!sameId(this.#ids, i * CONNECTION_ID_BYTES, bytes, at)) continue;
      const before = this.attempting ? this.#attempt.slice() : null;
      this.#takeOut(i);
      if (before !== null) this.#keep(before, 1);
      this.#start(CAUSE_MOVED, now);
      return true;
    }
    return false;
  }

  /**
   * Acts on an authentic path packet with our id, whose data lies at `bytes[at ..]`.
   *
   * @param isNewest no packet with a higher number has been received before it
   * @returns ACCEPTED or the reason to drop it
   */
  take(bytes: Uint8Array, at: number, isNewest: boolean, now: Micros): number {
    const kind = bytes[at];
    if (kind === PATH_CHALLENGE) {
      // Where a challenge goes, nothing else of the session does; what is newer has come because it is answered already.
      if (!isNewest) return DROP_PATH_LATE;
      // Without an attempt the server has noticed by itself, from our payloads, that we moved.
      if (!this.attempting) this.begin(CAUSE_SILENCE, now);
      this.#challenged = true;
      this.#owesResponse = true;
      for (let i = 0; i < PATH_DATA_BYTES; i++) this.#challenge[i] = bytes[at + 1 + i]!;
      return ACCEPTED;
    }
    if (kind !== PATH_CONFIRMED && kind !== PATH_UNCHANGED) return DROP_PATH;
    if (!this.attempting) return DROP_WRONG_STATE; // said twice
    if (kind === PATH_CONFIRMED) this.#confirm(bytes[at + 1] === 1);
    else this.#giveUp();
    return ACCEPTED;
  }

  /** Appends what is due, while there is room. */
  transmit(batch: DatagramBatch, now: Micros): void {
    if (!this.attempting) return;
    if (this.#owesResponse && !batch.full) {
      this.#owesResponse = false;
      this.#write(batch, PATH_RESPONSE, now);
    } else if (now >= this.#times[0]! && !batch.full) this.#write(batch, PATH_REQUEST, now);
  }

  /** Begins an attempt when the server has been silent for too long. */
  advance(now: Micros): void {
    if (now >= this.#alarmAt()) this.begin(CAUSE_SILENCE, now);
  }

  /** When there is something to do, if nothing is heard. */
  deadline(): Micros {
    if (!this.attempting) return this.#alarmAt();
    return this.#owesResponse ? 0 : this.#times[0]!;
  }

  /** When silence becomes an alarm. Ids are there only while the client is connected. */
  #alarmAt(): Micros {
    if (this.attempting || !this.able || this.#silenceMicros === 0) return NEVER;
    return this.#sessions.lastReceivedAt[ROW]! + this.#silenceMicros;
  }

  /** The server sends to where we are now. */
  #confirm(hostChanged: boolean): void {
    const isCurrent = this.#hasCurrent && sameId(this.#current, 0, this.#attempt, 0);
    this.#current.set(this.#attempt);
    this.#hasCurrent = true;
    this.attempting = false;
    this.id = this.#current;
    // With the id in use and no challenge it only says that we have not moved since.
    if (this.#challenged || !isCurrent) this.#events.pushPath(ROW, hostChanged);
  }

  /** Ends the attempt as if it had not been; its id can serve again. */
  #giveUp(): void {
    this.#keepAttempt();
    this.attempting = false;
    this.id = this.#hasCurrent ? this.#current : null;
  }

  #keepAttempt(): void {
    if (this.attempting) this.#keep(this.#attempt, 1);
  }

  #keep(id: Uint8Array, shown: number): void {
    if (this.#hasCurrent && sameId(this.#current, 0, id, 0)) return;
    if (shown === 0 && this.attempting && sameId(this.#attempt, 0, id, 0)) return;
    for (let i = 0; i < this.stored; i++) if (sameId(this.#ids, i * CONNECTION_ID_BYTES, id, 0)) return;
    if (this.stored === IDS_STORED_MAX) this.#remove(0);
    this.#ids.set(id, this.stored * CONNECTION_ID_BYTES);
    this.#shown[this.stored++] = shown;
  }

  /** The oldest that nobody has seen when we move, one that was shown otherwise; else the oldest. */
  #choose(moves: boolean): number {
    const wanted = moves ? 0 : 1;
    for (let i = 0; i < this.stored; i++) if (this.#shown[i] === wanted) return i;
    return 0;
  }

  #takeOut(index: number): void {
    const at = index * CONNECTION_ID_BYTES;
    this.#attempt.set(this.#ids.subarray(at, at + CONNECTION_ID_BYTES));
    this.#remove(index);
  }

  #remove(index: number): void {
    this.#ids.copyWithin(index * CONNECTION_ID_BYTES, (index + 1) * CONNECTION_ID_BYTES);
    this.#shown.copyWithin(index, index + 1);
    this.stored--;
  }

  #write(batch: DatagramBatch, kind: number, now: Micros): void {
    const { arena } = batch;
    const at = batch.home(batch.count);
    arena.fill(0, at, at + PATH_FROM_CLIENT_BYTES);
    arena[at] = kind;
    if (kind === PATH_RESPONSE) arena.set(this.#challenge, at + 1);
    arena.set(this.#attempt, at + PATH_FROM_SERVER_BYTES);
    batch.length[batch.count] = PATH_FROM_CLIENT_BYTES;
    this.#sessions.writePacketWithId(batch, ROW, PACKET_PATH, this.#attempt, 0, now);
    this.#times[0] = now + REQUEST_INTERVAL_MICROS;
  }
}

function sameId(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): boolean {
  for (let i = 0; i < CONNECTION_ID_BYTES; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}

/**
 * The packets that a server writes of its own accord: challenge, denied, keep-alive, and the farewell of a connection.
 *
 * Before a connection there is one counter for all handshakes, from a random number above 2^63 on: two servers that share a
 * token's keys, or one that was restarted, never use a number twice. (The reference starts at 2^63 exactly.)
 */

import type { DatagramBatch, Micros, Rng } from '../../sys/api.ts';
import type { ChallengeBook } from './challenge.ts';
import {
  type Outbox,
  OWES_CHALLENGE,
  OWES_DENIED,
  OWES_FAREWELL,
  OWES_KEEP_ALIVE,
  OWES_REASON,
  OWES_WELCOME,
} from './outbox.ts';
import {
  CHALLENGE_DATA_BYTES,
  KEEP_ALIVE_DATA_BYTES,
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_REASON,
} from './packets.ts';
import { CLIENT_ID_BYTES, type ServerSessions } from './server-sessions.ts';
import { putData } from './sessions.ts';
import { DISCONNECT_PACKETS, FAREWELL_PACKETS, KEEP_ALIVE_MICROS } from './timing.ts';

const NUMBER_HIGH_MIN = 1 << 31; // 2^63: handshake packets are numbered from there on
const NUMBER_HIGH_RANDOM = 0x3fffffff; // 62 random bits, and 2^62 numbers left before the counter could wrap

export class ServerAnswers {
  /** Farewell packets that each connection is still owed, while OWES_FAREWELL is set. */
  readonly #farewellLeft: Uint8Array;
  readonly #rows: ServerSessions;
  readonly #outbox: Outbox;
  readonly #challenges: ChallengeBook;
  #nextLow: number;
  #nextHigh: number;

  constructor(rows: ServerSessions, outbox: Outbox, challenges: ChallengeBook, rng: Rng) {
    this.#rows = rows;
    this.#outbox = outbox;
    this.#challenges = challenges;
    this.#farewellLeft = new Uint8Array(rows.maxClients);
    this.#nextLow = rng.u32() | 0;
    this.#nextHigh = NUMBER_HIGH_MIN | (rng.u32() & NUMBER_HIGH_RANDOM);
  }

  /** Writes what a row is owed, as far as the batch has room. */
  write(batch: DatagramBatch, row: number, now: Micros): void {
    const owed = this.#outbox.owes[row]!;
    if (owed & OWES_CHALLENGE && !batch.full) this.#writeChallenge(batch, row);
    if (owed & OWES_REASON && !batch.full) {
      this.#writeReasonNumbered(batch, row);
      this.#outbox.settle(row, OWES_REASON);
    }
    if (owed & OWES_DENIED && !batch.full) {
      batch.length[batch.count] = 0;
      this.#writeNumbered(batch, row, PACKET_DENIED);
      this.#outbox.settle(row, OWES_DENIED);
    }
    if (owed & OWES_WELCOME && !batch.full) this.writeKeepAlive(batch, row, now);
    else if (owed & OWES_KEEP_ALIVE && !batch.full) this.#writeKeepAliveIfDue(batch, row, now);
    if (owed & OWES_FAREWELL) this.#writeFarewell(batch, row, now);
  }

  /** Writes a keep-alive, which settles both kinds that can be owed. The batch must have room. */
  writeKeepAlive(batch: DatagramBatch, connection: number, now: Micros): void {
    const at = batch.home(batch.count);
    batch.view.setUint32(at, connection, true);
    batch.view.setUint32(at + 4, this.#rows.maxClients, true);
    batch.length[batch.count] = KEEP_ALIVE_DATA_BYTES;
    this.#rows.sessions.writePacket(batch, connection, PACKET_KEEP_ALIVE, now);
    this.#outbox.settle(connection, OWES_KEEP_ALIVE | OWES_WELCOME);
  }

  /** Writes a keep-alive before the payload that lies at the next slot's home, which moves on by a slot, if both fit. */
  writeKeepAliveBefore(batch: DatagramBatch, connection: number, now: Micros): void {
    const slot = batch.count;
    if (slot + 2 > batch.slots) return;
    const from = batch.home(slot);
    batch.length[slot + 1] = batch.length[slot]!;
    batch.arena.copyWithin(batch.home(slot + 1), from, from + batch.length[slot]!);
    this.writeKeepAlive(batch, connection, now);
  }

  /** Owes a connection its farewell: `rows.farewell` as reason packets, then disconnect packets. */
  sayFarewell(connection: number): void {
    this.#farewellLeft[connection] = FAREWELL_PACKETS;
    this.#outbox.owe(connection, OWES_FAREWELL);
  }

  #writeKeepAliveIfDue(batch: DatagramBatch, connection: number, now: Micros): void {
    if (now - this.#rows.sessions.lastSentAt[connection]! >= KEEP_ALIVE_MICROS)
      this.writeKeepAlive(batch, connection, now);
    else this.#outbox.settle(connection, OWES_KEEP_ALIVE);
  }

  #writeChallenge(batch: DatagramBatch, row: number): void {
    const rows = this.#rows;
    this.#challenges.write(
      batch.arena,
      batch.home(batch.count),
      rows.owner[row]!,
      rows.clientId,
      row * CLIENT_ID_BYTES,
      rows.userData.pageOf(row),
      rows.userData.startOf(row),
    );
    batch.length[batch.count] = CHALLENGE_DATA_BYTES;
    this.#writeNumbered(batch, row, PACKET_CHALLENGE);
    this.#outbox.settle(row, OWES_CHALLENGE);
  }

  #writeReasonNumbered(batch: DatagramBatch, row: number): void {
    const farewell = this.#rows.farewell[row];
    if (farewell === null || farewell === undefined) return;
    putData(batch, farewell);
    this.#writeNumbered(batch, row, PACKET_REASON);
  }

  #writeFarewell(batch: DatagramBatch, connection: number, now: Micros): void {
    const { sessions, farewell } = this.#rows;
    const text = farewell[connection]!;
    while (this.#farewellLeft[connection]! > 0 && !batch.full) {
      const isReason = this.#farewellLeft[connection]! > DISCONNECT_PACKETS;
      if (isReason) putData(batch, text);
      else batch.length[batch.count] = 0;
      sessions.writePacket(batch, connection, isReason ? PACKET_REASON : PACKET_DISCONNECT, now);
      this.#farewellLeft[connection]!--;
    }
    if (this.#farewellLeft[connection] === 0) this.#outbox.settle(connection, OWES_FAREWELL);
  }

  /** Writes a packet of the handshake, with the next number of the common counter. */
  #writeNumbered(batch: DatagramBatch, row: number, type: number): void {
    this.#rows.sessions.writeNumbered(batch, row, type, this.#nextLow, this.#nextHigh);
    this.#nextLow = (this.#nextLow + 1) | 0;
    if (this.#nextLow === 0) this.#nextHigh = (this.#nextHigh + 1) | 0;
  }
}

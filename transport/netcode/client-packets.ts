/** The packets that a client writes of its own accord: request, response, keep-alive, and the farewell of a connection. */

import type { DatagramBatch, Micros } from '../../sys/api.ts';
import type { ConnectAttempt } from './connect-attempt.ts';
import {
  KEEP_ALIVE_DATA_BYTES,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_REASON,
  PACKET_RESPONSE,
} from './packets.ts';
import { putData, type Sessions } from './sessions.ts';
import { DISCONNECT_PACKETS, FAREWELL_PACKETS } from './timing.ts';

const ROW = 0;
const NO_DATA: Uint8Array = new Uint8Array(0);

export class ClientPackets {
  /** Packets of the farewell that are still to be written. */
  farewellLeft = 0;
  readonly #sessions: Sessions;
  readonly #attempt: ConnectAttempt;
  #farewell: Uint8Array = NO_DATA;

  constructor(sessions: Sessions, attempt: ConnectAttempt) {
    this.#sessions = sessions;
    this.#attempt = attempt;
  }

  /** Starts a farewell with an encoded reason; the caller ends the session. */
  sayFarewell(reason: Uint8Array): void {
    this.#farewell = reason;
    this.farewellLeft = FAREWELL_PACKETS;
  }

  /** Writes what is left of the farewell, as far as the batch has room. */
  writeFarewell(batch: DatagramBatch, now: Micros): void {
    while (this.farewellLeft > 0 && !batch.full) {
      if (this.farewellLeft > DISCONNECT_PACKETS) this.#write(batch, PACKET_REASON, this.#farewell, now);
      else this.#write(batch, PACKET_DISCONNECT, NO_DATA, now);
      this.farewellLeft--;
    }
  }

  /** All of the following need room for one packet. */
  writeRequest(batch: DatagramBatch, now: Micros): void {
    this.#attempt.writeRequest(batch);
    this.#sessions.skipNumber(ROW); // requests count too, as in the reference
    this.#sessions.lastSentAt[ROW] = now;
  }

  writeResponse(batch: DatagramBatch, now: Micros): void {
    this.#write(batch, PACKET_RESPONSE, this.#attempt.challenge, now);
  }

  writeKeepAlive(batch: DatagramBatch, now: Micros): void {
    const at = batch.home(batch.count);
    batch.arena.fill(0, at, at + KEEP_ALIVE_DATA_BYTES); // a client has nothing to say in it
    batch.length[batch.count] = KEEP_ALIVE_DATA_BYTES;
    this.#sessions.writePacket(batch, ROW, PACKET_KEEP_ALIVE, now);
  }

  #write(batch: DatagramBatch, type: number, data: Uint8Array, now: Micros): void {
    putData(batch, data);
    this.#sessions.writePacket(batch, ROW, type, now);
  }
}

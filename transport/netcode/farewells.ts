/**
 * The last words of a server whose thread is gone: tells each of its clients why, from what its ledger has kept, so that
 * they come back at once in place of waiting for their timeout.
 */

import { ADDRESS_BYTES, type Aead, type DatagramBatch } from '../../sys/api.ts';
import type { DisconnectCode } from '../endpoint.ts';
import { KEY_BYTES, PACKET_DISCONNECT, PACKET_REASON } from './packets.ts';
import { encodeReason } from './reason.ts';
import { LEAP, type SessionLedger } from './session-ledger.ts';
import { copyAddress, putData, Sessions } from './sessions.ts';
import { FAREWELL_PACKETS, REASON_PACKETS } from './timing.ts';

const ROW = 0;

/** Whoever makes one must be sure that the server's thread has ended: two that count on use a number twice. */
export class Farewells {
  readonly #ledger: SessionLedger;
  readonly #clients: number;
  readonly #reason: Uint8Array;
  readonly #session: Sessions;
  #client = 0;
  #said = 0;
  /** Clients that have been told. */
  told = 0;

  /** @param clients rows of the ledger that are clients, the first; the rest are handshakes */
  constructor(ledger: SessionLedger, clients: number, aead: Aead, code: DisconnectCode, text: string) {
    this.#ledger = ledger;
    this.#clients = clients;
    this.#reason = encodeReason(code, text);
    this.#session = new Sessions(1, 1, 256, aead);
  }

  /** Fills the batch with what is still to say. Returns whether there is more. */
  write(batch: DatagramBatch): boolean {
    for (; this.#client < this.#clients; this.#client++) {
      if (this.#ledger.held[this.#client] !== 1) continue;
      if (batch.full) return true;
      if (this.#said === 0) this.#takeOver(this.#client);
      while (this.#said < FAREWELL_PACKETS) {
        if (batch.full) return true;
        this.#say(batch);
      }
      this.#session.freeKeys(ROW);
      this.#ledger.wipe(this.#client);
      this.#said = 0;
      this.told++;
    }
    return false;
  }

  #takeOver(client: number): void {
    const ledger = this.#ledger;
    const session = this.#session;
    const key = ledger.sealKey.slice(client * KEY_BYTES, (client + 1) * KEY_BYTES);
    session.setKeys(ROW, key, key, ledger.associated.slice()); // nothing is opened here
    key.fill(0);
    session.nextLow[ROW] = ledger.nextLow[client]!;
    session.nextHigh[ROW] = ledger.nextHigh[client]!;
    session.leap(ROW, LEAP);
    copyAddress(ledger.address, client * ADDRESS_BYTES, session.address, ROW);
  }

  #say(batch: DatagramBatch): void {
    const isReason = this.#said++ < REASON_PACKETS;
    if (isReason) putData(batch, this.#reason);
    else batch.length[batch.count] = 0;
    this.#session.writePacket(batch, ROW, isReason ? PACKET_REASON : PACKET_DISCONNECT, 0);
  }
}

/** What a client holds while it connects: its token, the server that it tries, the challenge that it was given. */

import { ADDRESS_BYTES, type DatagramBatch, type Micros, NEVER } from '../../sys/api.ts';
import { CHALLENGE_DATA_BYTES, REQUEST_BYTES, tokenAssociatedDataOf, writeRequest } from './packets.ts';
import { copyAddress } from './sessions.ts';
import { type ConnectToken, readConnectToken } from './token.ts';

const SECOND_MICROS = 1_000_000;
const NO_BYTES: Uint8Array = new Uint8Array(0);

export class ConnectAttempt {
  token: ConnectToken | null = null;
  /** Which server of the token is being tried or spoken with. */
  serverIndex = 0;
  /** What the response has to bring back, once a challenge has come. */
  readonly challenge: Uint8Array = new Uint8Array(CHALLENGE_DATA_BYTES);
  /** When the token runs out, on the client's own clock. */
  expiresAt: Micros = NEVER;
  #addresses: readonly Uint8Array[] = [];
  #associated: Uint8Array = NO_BYTES;

  /**
   * Starts with the first server of another token.
   *
   * @returns whether its keys are new: then packets are counted from 0. Null when the bytes are no token
   */
  begin(bytes: Uint8Array, now: Micros): boolean | null {
    const previous = this.token;
    const token = readConnectToken(bytes);
    this.token = token;
    this.serverIndex = 0;
    if (token === null) return null;
    this.#addresses = token.addresses;
    this.#associated = tokenAssociatedDataOf(token.protocolId, token.expires);
    const lifeMicros = Number(token.expires - token.created) * SECOND_MICROS;
    this.expiresAt = lifeMicros < NEVER - now ? now + lifeMicros : NEVER;
    return previous === null || !sameBytes(previous.clientToServerKey, token.clientToServerKey);
  }

  /** Canonical address of the server, or null without a token. */
  get serverAddress(): Uint8Array | null {
    return this.token === null ? null : this.#addresses[this.serverIndex]!;
  }

  /** Goes on to the next server. False when this was the last one. */
  next(): boolean {
    if (this.serverIndex + 1 >= this.#addresses.length) return false;
    this.serverIndex++;
    return true;
  }

  /** Appends a request to the batch, which has room. */
  writeRequest(batch: DatagramBatch): void {
    const token = this.token!;
    const slot = batch.count++;
    const home = batch.home(slot);
    batch.offset[slot] = home;
    batch.length[slot] = REQUEST_BYTES;
    writeRequest(batch.arena, home, this.#associated, token.nonce, token.privateToken);
    copyAddress(this.serverAddress!, 0, batch.address, slot * ADDRESS_BYTES);
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

/**
 * Challenge tokens: what a server gives to an address to see whether it hears there.
 *
 *     client id 8 | user data 256 | zeros up to 284 | tag 16      sealed with a key that lives as long as the server
 *
 * The standard ties a challenge to nobody: whoever returns it is let in under the name inside. Here each challenge belongs
 * to the handshake that it was made for (one address, one token), and a response of another one does not count.
 */

import type { Aead, Rng } from '../../sys/api.ts';
import { CHALLENGE_TOKEN_BYTES, KEY_BYTES, USER_DATA_BYTES } from './packets.ts';

const CHALLENGE_CLEAR_BYTES = 264;
const SEQUENCE_BYTES = 8;
const NONCE_BYTES = 12;
const NO_ASSOCIATED_DATA: Uint8Array = new Uint8Array(0);
const TWO_32 = 4294967296;
/** Challenges whose owner is remembered: at 10 a second and handshake, 8 s of 800 handshakes at once. 256 KiB. */
const REMEMBERED = 65_536;

/** Seals and opens one server's challenges, and remembers whose each was. */
export class ChallengeBook {
  readonly #aead: Aead;
  readonly #key: Uint8Array = new Uint8Array(KEY_BYTES);
  readonly #nonce = new Uint8Array(NONCE_BYTES);
  readonly #nonceView = new DataView(this.#nonce.buffer);
  readonly #token = new Uint8Array(CHALLENGE_TOKEN_BYTES);
  /** Owner of each remembered challenge, by sequence modulo REMEMBERED. */
  readonly #owner = new Uint32Array(REMEMBERED);
  /** Challenges made; the sequence of the next one. Never wraps: 2^53 of them take 28 years at 10 million a second. */
  #made = 0;

  constructor(aead: Aead, rng: Rng) {
    this.#aead = aead;
    rng.fill(this.#key);
  }

  /**
   * Writes challenge sequence and sealed challenge token, 308 bytes, at `bytes[at ..]`.
   *
   * @param owner a number of the handshake, 1 .. 2^32 - 1, not used for another one
   */
  write(
    bytes: Uint8Array,
    at: number,
    owner: number,
    clientId: Uint8Array,
    clientIdAt: number,
    userData: Uint8Array,
    userDataAt: number,
  ): void {
    const token = this.#token;
    token.fill(0);
    for (let i = 0; i < 8; i++) token[i] = clientId[clientIdAt + i]!;
    for (let i = 0; i < USER_DATA_BYTES; i++) token[8 + i] = userData[userDataAt + i]!;
    this.#nonceView.setUint32(4, this.#made % TWO_32, true);
    this.#nonceView.setUint32(8, Math.floor(this.#made / TWO_32), true);
    this.#aead.sealOnce(this.#key, this.#nonce, NO_ASSOCIATED_DATA, token);
    for (let i = 0; i < SEQUENCE_BYTES; i++) bytes[at + i] = this.#nonce[4 + i]!;
    bytes.set(token, at + SEQUENCE_BYTES);
    this.#owner[this.#made % REMEMBERED] = owner;
    this.#made++;
  }

  /** Whether the 308 bytes at `bytes[at ..]` are a challenge that was made for `owner` and the client id at `clientIdAt`. */
  verify(bytes: Uint8Array, at: number, owner: number, clientId: Uint8Array, clientIdAt: number): boolean {
    for (let i = 0; i < SEQUENCE_BYTES; i++) this.#nonce[4 + i] = bytes[at + i]!;
    const sequence = this.#nonceView.getUint32(4, true) + this.#nonceView.getUint32(8, true) * TWO_32;
    if (sequence >= this.#made || sequence < this.#made - REMEMBERED) return false;
    if (this.#owner[sequence % REMEMBERED] !== owner) return false;
    const token = this.#token;
    for (let i = 0; i < CHALLENGE_TOKEN_BYTES; i++) token[i] = bytes[at + SEQUENCE_BYTES + i]!;
    if (!this.#aead.openOnce(this.#key, this.#nonce, NO_ASSOCIATED_DATA, token)) return false;
    for (let i = 0; i < 8; i++) if (token[i] !== clientId[clientIdAt + i]) return false;
    for (let i = CHALLENGE_CLEAR_BYTES; i < CHALLENGE_TOKEN_BYTES - 16; i++) if (token[i] !== 0) return false;
    return true;
  }
}

/**
 * How many connect tokens a server opens. Opening one costs microseconds, and a stranger makes a request for nothing, so a
 * flood must not take the processor; and it must not keep honest players out either.
 *
 * A bucket of opens fills at the allowed rate. While it is more than half full every request is opened. Below, a request is
 * opened with the probability that the bucket is filled (of the half): the share of requests that are opened settles by
 * itself where the flood is cut to the rate, and each request, honest or not, at the start or the end of a turn, has nearly
 * the same chance. A plain bucket would always be empty for the players whose requests arrive late in every turn.
 */

import type { Aead, Micros, Rng } from '../../sys/api.ts';
import { checkWhole } from '../config-error.ts';

/**
 * Opens a second that take at most a quarter of a core, by AEAD provider. Measured with test/bench/netcode.ts: a forged
 * token of 1,024 bytes is refused in about 4 us with OpenSSL's primitives, 6 us over EVP and 20 us over node:crypto.
 */
const OPENS_PER_SECOND: Readonly<Record<string, number>> = {
  'openssl-primitives': 40_000,
  'openssl-evp': 25_000,
  'node-crypto': 8_000,
  simulated: 40_000,
};
const OPENS_PER_SECOND_UNKNOWN = 8_000;
const OPENS_PER_SECOND_MAX = 10_000_000;
/** Opens that may come at once: those of a tenth of a second, 25 ms of work, so that a burst does not cost a whole turn. */
const BURST_SECONDS = 0.1;
const BURST_OPENS_MIN = 8;

const SECOND_MICROS = 1_000_000;
const TWO_32 = 4294967296;

export class OpenBudget {
  /** Opens allowed a second. */
  readonly perSecond: number;
  readonly #burst: number;
  #filled: number;
  #filledAt: Micros = 0;
  #random: number;

  /** @param perSecond opens a second; default by the provider's cost */
  constructor(perSecond: number | undefined, aead: Aead, rng: Rng) {
    this.perSecond = checkWhole(
      'tokenOpensPerSecondMax',
      perSecond ?? OPENS_PER_SECOND[aead.name] ?? OPENS_PER_SECOND_UNKNOWN,
      1,
      OPENS_PER_SECOND_MAX,
    );
    this.#burst = Math.max(BURST_OPENS_MIN, this.perSecond * BURST_SECONDS);
    this.#filled = this.#burst;
    this.#random = rng.u32() | 1; // xorshift stays at 0 for ever
  }

  /** Whether a request may be opened now; takes one open out of the budget when it says yes. */
  take(now: Micros): boolean {
    if (now > this.#filledAt) {
      const gained = ((now - this.#filledAt) * this.perSecond) / SECOND_MICROS;
      this.#filled = Math.min(this.#burst, this.#filled + gained);
      this.#filledAt = now;
    }
    if (this.#filled < 1) return false;
    const half = this.#burst / 2;
    if (this.#filled < half && this.#chance() * half >= this.#filled) return false;
    this.#filled--;
    return true;
  }

  /** Takes a further open without asking: the second private key of a request. */
  charge(): void {
    this.#filled = Math.max(0, this.#filled - 1);
  }

  /** 0 .. 1, from a generator that nobody outside sees (xorshift32, Marsaglia 2003). */
  #chance(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return (x >>> 0) / TWO_32;
  }
}

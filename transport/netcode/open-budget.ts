/**
 * How many connect tokens a server opens. Opening one costs microseconds, and a stranger makes a request for nothing, so a
 * flood must not take the processor; and it must not keep honest players out either.
 *
 * While more requests come than may be opened, each is opened with the same probability: the allowed rate divided by the
 * rate of the last tenth of a second. A bucket bounds what a sudden burst can cost. With a bucket alone, the requests that
 * arrive early in a turn would empty it, and a player whose requests fall late in every turn (clients ask ten times a
 * second, servers turn sixty times) would stay out for ever.
 */

import type { Aead, Micros, Rng } from '../../sys/api.ts';
import { checkWhole } from '../config-error.ts';

/**
 * Opens a second that take at most a quarter of a core, by AEAD provider. To refuse a request with a forged token costs about
 * 1.3 us with OpenSSL's primitives, 2.7 us over EVP and 15 us over node:crypto (test/bench/netcode.ts, test/bench/aead.ts);
 * the rest is room for machines half as fast.
 */
const OPENS_PER_SECOND: Readonly<Record<string, number>> = {
  'openssl-primitives': 80_000,
  'openssl-evp': 45_000,
  'node-crypto': 8_000,
  simulated: 80_000,
};
const OPENS_PER_SECOND_UNKNOWN = 8_000;
const OPENS_PER_SECOND_MAX = 10_000_000;
/** Opens that may come at once: those of a tenth of a second, at most 25 ms of work. */
const BURST_SECONDS = 0.1;
const BURST_OPENS_MIN = 8;

/** Over how long the rate of requests is measured. */
const RATE_MICROS = 100_000;
/** Share of the allowed rate that a flood is cut to; the rest keeps the bucket from running dry by chance. */
const FLOOD_SHARE = 0.9;

const SECOND_MICROS = 1_000_000;
const TWO_32 = 4294967296;

export class OpenBudget {
  /** Opens allowed a second. */
  readonly perSecond: number;
  readonly #burst: number;
  #filled: number;
  #updatedAt: Micros = -1;
  /** Opens asked for since `#updatedAt`. */
  #asked = 0;
  /** Opens asked for a second, smoothed. */
  #askedPerSecond = 0;
  /** Share of the requests that is opened: 0 .. 1. */
  #share = 1;
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
    if (now > this.#updatedAt) this.#update(now);
    this.#asked++;
    if (this.#filled < 1) return false;
    if (this.#share < 1 && this.#chance() >= this.#share) return false;
    this.#filled--;
    return true;
  }

  /** Counts a further open of a request that was let through: the second private key. */
  charge(): void {
    this.#asked++;
    this.#filled = Math.max(0, this.#filled - 1);
  }

  #update(now: Micros): void {
    const elapsed = this.#updatedAt < 0 ? RATE_MICROS : now - this.#updatedAt;
    const asked = (this.#asked * SECOND_MICROS) / elapsed;
    this.#askedPerSecond += (asked - this.#askedPerSecond) * (elapsed / (elapsed + RATE_MICROS));
    this.#share = Math.min(1, (FLOOD_SHARE * this.perSecond) / Math.max(1, this.#askedPerSecond));
    this.#filled = Math.min(this.#burst, this.#filled + (elapsed * this.perSecond) / SECOND_MICROS);
    this.#updatedAt = now;
    this.#asked = 0;
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

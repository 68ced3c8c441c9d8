/**
 * By how much the window grows in a round while the queue is short.
 *
 * One packet a round at 10 Mbit/s and 50 ms. It grows with the root of the window: in proportion to it, unequal flows would
 * stay unequal (each cut is in proportion too); the same for all windows, a large one would need minutes to fill its path.
 * It grows with the round trip, so that far connections are not starved by near ones. After rounds without any queue it grows
 * by itself: then there is room that nobody uses.
 */

import { PACKET_BYTES } from './limits.ts';

/** Where the step is one packet. */
const PLAIN_CWND_BYTES: number = 50 * PACKET_BYTES;
const PLAIN_RTT_MICROS = 50_000;
/** Bounds of the factor for the round trip: a queue of two packets more in each round is what the target bears. */
const FAR_MIN = 0.25;
const FAR_MAX = 2;
/** Rounds without a queue that a cycle of yields has of itself; beyond them the step grows, ... */
const CALM_ROUNDS = 8;
const CALM_GROWTH = 1.25;
/** ... to an eighth of the window: the queue that it builds before it is seen is an eighth of a round trip. */
const STEP_SHARE_MAX = 0.125;

export class WindowStep {
  /** Bytes that the window grows by in a round. */
  readonly bytes: Float64Array;
  readonly #calmRounds: Uint8Array;

  constructor(connections: number) {
    this.bytes = new Float64Array(connections);
    this.#calmRounds = new Uint8Array(connections);
  }

  reset(connection: number): void {
    this.bytes[connection] = PACKET_BYTES;
    this.#calmRounds[connection] = 0;
  }

  /** After a cut, and after each round. Both columns are the caller's. `calm`: no queue and no loss worth the name. Writes `bytes`. */
  endRound(connection: number, cwndBytes: Float64Array, rttMicros: Float64Array, calm: boolean): void {
    const cwnd = cwndBytes[connection]!;
    const far = Math.min(FAR_MAX, Math.max(FAR_MIN, rttMicros[connection]! / PLAIN_RTT_MICROS));
    const plain = PACKET_BYTES * Math.sqrt(cwnd / PLAIN_CWND_BYTES) * far;
    if (!calm) this.#calmRounds[connection] = 0;
    else if (this.#calmRounds[connection]! < 255) this.#calmRounds[connection]!++;
    if (this.#calmRounds[connection]! <= CALM_ROUNDS) this.bytes[connection] = plain;
    else {
      const grown = Math.min(this.bytes[connection]! * CALM_GROWTH, STEP_SHARE_MAX * cwnd);
      this.bytes[connection] = Math.max(plain, grown);
    }
  }
}

/**
 * When bulk may leave: a token bucket a connection, filled at the controller's pacing rate.
 *
 * Real-time packets are never held back: they are charged, and may take the bucket into debt, which bulk pays by waiting.
 * Bulk leaves while there are tokens; the last packet may overdraw by itself. The bucket holds what flows in 1.5 ms, since
 * the timers above are a millisecond coarse: with less, the rate would be lost between two of their beats.
 */

import type { Micros } from '../../sys/api.ts';
import { PACKET_BYTES, SECOND_MICROS } from './limits.ts';

/** What the bucket holds: one beat of the timers (1 ms) and half a beat of lateness. */
const BURST_MICROS = 1500;
/** A bucket of fewer than two packets could not keep a path busy at low rates when a timer comes late. */
const BURST_MIN_BYTES: number = 2 * PACKET_BYTES;
/**
 * Debt of the real-time class: what flows in 20 ms, more than one tick at 60 Hz. A larger one would silence bulk for longer than
 * a burst of real time lasts.
 */
const DEBT_MICROS = 20_000;
const DEBT_MIN_BYTES: number = 4 * PACKET_BYTES;

/** The controller, as the pacer sees it. */
export interface PacingSource {
  readonly cwndBytes: Float64Array;
  readonly pacingBytesPerSecond: Float64Array;
}

export class Pacer {
  /** When the bucket will next hold a token for bulk; written by `canSendBulk` when it says no for want of tokens, else 0. */
  readonly nextBulkAt: Float64Array;
  readonly #tokens: Float64Array;
  readonly #filledAt: Float64Array;
  readonly #source: PacingSource;

  constructor(connections: number, source: PacingSource) {
    this.nextBulkAt = new Float64Array(connections);
    this.#tokens = new Float64Array(connections);
    this.#filledAt = new Float64Array(connections);
    this.#source = source;
  }

  reset(connection: number, now: Micros): void {
    this.nextBulkAt[connection] = 0;
    this.#tokens[connection] = BURST_MIN_BYTES;
    this.#filledAt[connection] = now;
  }

  /**
   * Whether a bulk packet may leave now. False for one of two reasons: the window is full (`nextBulkAt` is 0: wait for an
   * acknowledgement), or the bucket is empty (`nextBulkAt` says until when).
   */
  canSendBulk(connection: number, inFlightBytes: number, now: Micros): boolean {
    this.nextBulkAt[connection] = 0;
    if (inFlightBytes + PACKET_BYTES > this.#source.cwndBytes[connection]!) return false;
    this.#refill(connection, now);
    const tokens = this.#tokens[connection]!;
    if (tokens > 0) return true;
    const rate = this.#source.pacingBytesPerSecond[connection]!;
    this.nextBulkAt[connection] = now + Math.max(1, Math.ceil(((1 - tokens) * SECOND_MICROS) / rate));
    return false;
  }

  /** Charges a packet of either class. */
  onSent(connection: number, bytes: number, now: Micros): void {
    this.#refill(connection, now);
    const debt = Math.max(
      DEBT_MIN_BYTES,
      (this.#source.pacingBytesPerSecond[connection]! * DEBT_MICROS) / SECOND_MICROS,
    );
    this.#tokens[connection] = Math.max(-debt, this.#tokens[connection]! - bytes);
  }

  #refill(connection: number, now: Micros): void {
    const elapsed = now - this.#filledAt[connection]!;
    if (elapsed <= 0) return;
    this.#filledAt[connection] = now;
    const rate = this.#source.pacingBytesPerSecond[connection]!;
    const burst = Math.max(BURST_MIN_BYTES, (rate * BURST_MICROS) / SECOND_MICROS);
    this.#tokens[connection] = Math.min(burst, this.#tokens[connection]! + (rate * elapsed) / SECOND_MICROS);
  }
}

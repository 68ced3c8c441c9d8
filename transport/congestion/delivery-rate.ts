/**
 * How fast packets arrive: bytes delivered between two moments, divided by the longer of the time it took to send them and
 * the time it took to hear of them (draft-ietf-ccwg-bbr, "delivery rate samples").
 *
 * Each sent packet remembers what had been delivered when it left. When it is acknowledged, the bytes delivered since then
 * and the time since then are a rate over one round trip. The longer of the two times counts, so that neither
 * acknowledgements that arrive in a heap nor packets that left in a heap make the path look faster than it is.
 */

import type { Micros } from '../../sys/api.ts';
import type { AckSample } from './ack-sample.ts';
import { SECOND_MICROS } from './limits.ts';

/**
 * Columns beside each sent packet, owned by the ring of sent packets: slot numbers are the ring's. Arrays may be replaced
 * when the ring grows, so they are read from the object each time. `sentAt` is written by the ring.
 */
export interface RateColumns {
  /** Bytes that had been delivered when the packet left. */
  readonly deliveredBytes: Float64Array;
  /** When they had been. */
  readonly deliveredAt: Float64Array;
  /** When the packet left whose acknowledgement was the newest then: where this flight begins. */
  readonly firstSentAt: Float64Array;
  /** 1 when the application had nothing more to send. */
  readonly appLimited: Uint8Array;
  readonly sentAt: Float64Array;
}

export class DeliveryRate {
  /** Bytes acknowledged since the beginning. */
  readonly deliveredBytes: Float64Array;
  readonly #deliveredAt: Float64Array;
  readonly #firstSentAt: Float64Array;
  /** Packets sent until this much is delivered are application-limited; 0: none. */
  readonly #limitedUntilBytes: Float64Array;

  // The newest packet of the frame being folded; one frame at a time, so one for all connections.
  readonly #priorDelivered: Float64Array = new Float64Array(1);
  readonly #priorAt: Float64Array = new Float64Array(1);
  readonly #sendElapsed: Float64Array = new Float64Array(1);
  readonly #newestSentAt: Float64Array = new Float64Array(1);
  #folded = false;
  #appLimited = false;

  constructor(connections: number) {
    this.deliveredBytes = new Float64Array(connections);
    this.#deliveredAt = new Float64Array(connections);
    this.#firstSentAt = new Float64Array(connections);
    this.#limitedUntilBytes = new Float64Array(connections);
  }

  reset(connection: number, now: Micros): void {
    this.deliveredBytes[connection] = 0;
    this.#deliveredAt[connection] = now;
    this.#firstSentAt[connection] = now;
    this.#limitedUntilBytes[connection] = 0;
  }

  /** Notes what is known when a packet leaves. `inFlightBytes` is without this packet. */
  onSent(connection: number, columns: RateColumns, slot: number, inFlightBytes: number, now: Micros): void {
    if (inFlightBytes <= 0) {
      // Nothing was on its way: the silence before is not the path's.
      this.#firstSentAt[connection] = now;
      this.#deliveredAt[connection] = now;
    }
    columns.deliveredBytes[slot] = this.deliveredBytes[connection]!;
    columns.deliveredAt[slot] = this.#deliveredAt[connection]!;
    columns.firstSentAt[slot] = this.#firstSentAt[connection]!;
    columns.appLimited[slot] = this.#limitedUntilBytes[connection]! > 0 ? 1 : 0;
  }

  /** Counts one packet of an ack frame that arrived at `sample.now`. Call for each newly acknowledged packet, then `finish`. */
  onAcked(connection: number, columns: RateColumns, slot: number, bytes: number, sample: AckSample): void {
    this.deliveredBytes[connection]! += bytes;
    this.#deliveredAt[connection] = sample.now;
    const sentAt = columns.sentAt[slot]!;
    if (this.#folded && sentAt < this.#newestSentAt[0]!) return;
    this.#folded = true;
    this.#newestSentAt[0] = sentAt;
    this.#priorDelivered[0] = columns.deliveredBytes[slot]!;
    this.#priorAt[0] = columns.deliveredAt[slot]!;
    this.#sendElapsed[0] = sentAt - columns.firstSentAt[slot]!;
    this.#appLimited = columns.appLimited[slot] === 1;
  }

  /**
   * Writes `deliveryRate`, `rateAppLimited` and `newestSentAt` of `sample` and ends the frame. The rate is 0 when nothing
   * was folded, or when the time is shorter than the least round trip: packets cannot be delivered faster than that.
   */
  finish(connection: number, sample: AckSample): void {
    sample.deliveryRate = 0;
    sample.rateAppLimited = false;
    sample.newestSentAt = 0;
    const limitedUntil = this.#limitedUntilBytes[connection]!;
    if (limitedUntil > 0 && this.deliveredBytes[connection]! > limitedUntil) this.#limitedUntilBytes[connection] = 0;
    if (!this.#folded) return;
    this.#folded = false;
    const newest = this.#newestSentAt[0]!;
    if (newest > this.#firstSentAt[connection]!) this.#firstSentAt[connection] = newest;
    sample.newestSentAt = newest;
    sample.rateAppLimited = this.#appLimited;
    const heard = this.#deliveredAt[connection]! - this.#priorAt[0]!;
    const sent = this.#sendElapsed[0]!;
    const elapsed = sent > heard ? sent : heard;
    if (elapsed <= 0 || elapsed < sample.minRttMicros) return;
    sample.deliveryRate = ((this.deliveredBytes[connection]! - this.#priorDelivered[0]!) * SECOND_MICROS) / elapsed;
  }

  /** The application has nothing more to send, and the window and the pacer would have let it: what is on its way now tells little. */
  appLimited(connection: number, inFlightBytes: number): void {
    // At least 1, since 0 means "not limited".
    this.#limitedUntilBytes[connection] = Math.max(1, this.deliveredBytes[connection]! + inFlightBytes);
  }
}

/**
 * What one ack frame taught, carried from the loss detector and the rate sampler to the controller.
 *
 * One object for each endpoint, filled anew for each frame. Every field is set by whoever fills it; nothing survives.
 */

import type { Micros } from '../../sys/api.ts';

export class AckSample {
  now: Micros = 0;
  /** Round trip of the newest newly acknowledged packet, without the receiver's delay; 0: none. */
  rttMicros = 0;
  /** Least round trip of the connection as the RTT estimator knows it; 0: none. The controller keeps its own window. */
  minRttMicros = 0;
  smoothedRttMicros = 0;
  /** Bytes newly acknowledged. */
  ackedBytes = 0;
  /** Bytes newly declared lost. */
  lostBytes = 0;
  ackedPackets = 0;
  lostPackets = 0;
  /** Bytes in flight after this frame. */
  inFlightBytes = 0;
  /** Bytes a second, over about one round trip; 0: none. */
  deliveryRate = 0;
  /** Whether the rate was bounded by what the application had to send. */
  rateAppLimited = false;
  /** When the newest newly acknowledged packet was sent; rounds are counted by it. */
  newestSentAt: Micros = 0;

  /** Nothing acknowledged, nothing lost. */
  clear(now: Micros): void {
    this.now = now;
    this.rttMicros = 0;
    this.minRttMicros = 0;
    this.smoothedRttMicros = 0;
    this.ackedBytes = 0;
    this.lostBytes = 0;
    this.ackedPackets = 0;
    this.lostPackets = 0;
    this.inFlightBytes = 0;
    this.deliveryRate = 0;
    this.rateAppLimited = false;
    this.newestSentAt = 0;
  }
}

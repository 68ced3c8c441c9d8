/** How long the standing queue may be before we yield. */

import { PACKET_BYTES } from './limits.ts';
import type { QueueDelay } from './queue-delay.ts';

/** Keeps the bottleneck busy through timers of 1 ms and bursts of two packets at 10 Mbit/s; a player feels nothing of it. */
const PLAIN_MICROS = 3500;
/** At low rates a packet alone takes long: two and a half at our own rate must fit, ... */
const PACKETS = 2.5;
/** ... up to a tick at 60 Hz. */
const MAX_MICROS = 15_000;
/** Jitter lifts the least of a few round trips: the target rises by the spread that this and a packet do not explain. */
const SPREAD_PLAIN_MICROS = 1500;

export class QueueTarget {
  readonly micros: Float64Array;

  constructor(connections: number) {
    this.micros = new Float64Array(connections);
  }

  reset(connection: number): void {
    this.micros[connection] = PLAIN_MICROS;
  }

  /** After each round trip that was measured. */
  update(connection: number, queue: QueueDelay, cwndBytes: Float64Array): void {
    const rtt = queue.baseMicros[connection]! + queue.queueMicros[connection]!;
    const packet = (PACKET_BYTES * rtt) / cwndBytes[connection]!;
    const jitter = Math.max(0, queue.spreadMicros[connection]! - SPREAD_PLAIN_MICROS - packet);
    this.micros[connection] = Math.min(MAX_MICROS, Math.max(PLAIN_MICROS, PACKETS * packet) + jitter);
  }
}

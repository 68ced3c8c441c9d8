/** What both kinds of flow share: sent packets in a ring, each one's fate decided once, the round trip as in RFC 9002. */

import type { AckSample } from '../../../transport/congestion/ack-sample.ts';
import type { RateColumns } from '../../../transport/congestion/delivery-rate.ts';
import type { Receiver } from './bottleneck.ts';

const SLOTS = 1 << 15;
const FREE = 0;
const IN_FLIGHT = 1;
const ACKED = 2;
const LOST = 3;

export class SentRing implements RateColumns {
  readonly deliveredBytes: Float64Array = new Float64Array(SLOTS);
  readonly deliveredAt: Float64Array = new Float64Array(SLOTS);
  readonly firstSentAt: Float64Array = new Float64Array(SLOTS);
  readonly appLimited: Uint8Array = new Uint8Array(SLOTS);
  readonly sentAt: Float64Array = new Float64Array(SLOTS);
  readonly #bytes: Uint16Array = new Uint16Array(SLOTS);
  readonly #state: Uint8Array = new Uint8Array(SLOTS);
  next = 0;
  inFlightBytes = 0;
  srtt = 0;
  minRtt = 0;
  rttvar = 0;
  /** Packets declared lost that arrived after all. */
  spurious = 0;
  lost = 0;
  /** When a packet was sent that was last declared lost; for NewReno's recovery. */
  newestLostSentAt = -1;
  lossDueAt = -1;
  onAcked: (slot: number, bytes: number, now: number) => void = () => {};
  #oldest = 0;
  #largestAcked = -1;
  #read = 0;
  /** Adaptive reordering: packets that may overtake, and the part of a round trip that they may be late. */
  #reordering = 3;
  #patience = 1 / 8;
  #patienceAt = 0;

  slot(number: number): number {
    return number & (SLOTS - 1);
  }

  sent(bytes: number, now: number): number {
    const number = this.next++;
    const slot = number & (SLOTS - 1);
    this.#bytes[slot] = bytes;
    this.#state[slot] = IN_FLIGHT;
    this.sentAt[slot] = now;
    this.inFlightBytes += bytes;
    return number;
  }

  /** Takes the receiver's log up to `logged`; false when it brought nothing new. */
  acknowledge(receiver: Receiver, logged: number, delay: number, now: number, sample: AckSample): boolean {
    let newest = -1;
    for (; this.#read < logged; this.#read++) {
      const number = receiver.log[this.#read]!;
      const slot = number & (SLOTS - 1);
      if (number < this.#oldest || this.#state[slot] === LOST) {
        this.spurious++;
        this.#reordering = Math.min(128, Math.max(this.#reordering, this.#largestAcked - number + 1));
        if (now >= this.#patienceAt) {
          // At most once in a round trip, as RACK does.
          this.#patience = Math.min(1, this.#patience * 2);
          this.#patienceAt = now + this.srtt;
        }
        continue;
      }
      this.#state[slot] = ACKED;
      const bytes = this.#bytes[slot]!;
      this.inFlightBytes -= bytes;
      sample.ackedBytes += bytes;
      sample.ackedPackets++;
      if (number > newest) newest = number;
      this.onAcked(slot, bytes, now);
    }
    if (newest > this.#largestAcked) {
      this.#largestAcked = newest;
      const rtt = now - this.sentAt[newest & (SLOTS - 1)]! - delay;
      if (rtt > 0) this.#rtt(rtt, sample);
    }
    this.detectLoss(now, sample);
    return sample.ackedPackets + sample.lostPackets > 0;
  }

  detectLoss(now: number, sample: AckSample): void {
    const limit = Math.max(1000, this.srtt * (1 + this.#patience));
    this.lossDueAt = -1;
    for (let number = this.#oldest; number <= this.#largestAcked; number++) {
      const slot = number & (SLOTS - 1);
      if (this.#state[slot] !== IN_FLIGHT) {
        if (number === this.#oldest) {
          this.#state[slot] = FREE;
          this.#oldest++;
        }
        continue;
      }
      const byCount = this.#largestAcked - number >= this.#reordering;
      const byTime = now - this.sentAt[slot]! >= limit;
      if (byCount || byTime) {
        this.#state[slot] = LOST;
        const bytes = this.#bytes[slot]!;
        this.inFlightBytes -= bytes;
        sample.lostBytes += bytes;
        sample.lostPackets++;
        this.lost++;
        this.newestLostSentAt = Math.max(this.newestLostSentAt, this.sentAt[slot]!);
      } else {
        const due = this.sentAt[slot]! + limit;
        if (this.lossDueAt < 0 || due < this.lossDueAt) this.lossDueAt = due;
        // Packets are in the order they were sent: younger ones are not due either.
        if (this.#largestAcked - number < this.#reordering) break;
      }
    }
    sample.inFlightBytes = this.inFlightBytes;
    sample.smoothedRttMicros = Math.round(this.srtt);
    sample.minRttMicros = this.minRtt;
  }

  pto(): number {
    return this.srtt === 0 ? 300_000 : this.srtt + Math.max(4 * this.rttvar, 1000) + 25_000;
  }

  #rtt(rtt: number, sample: AckSample): void {
    sample.rttMicros = rtt;
    if (this.srtt === 0) {
      this.srtt = rtt;
      this.rttvar = rtt / 2;
      this.minRtt = rtt;
      return;
    }
    this.minRtt = Math.min(this.minRtt, rtt);
    this.rttvar += (Math.abs(rtt - this.srtt) - this.rttvar) / 4;
    this.srtt += (rtt - this.srtt) / 8;
  }
}

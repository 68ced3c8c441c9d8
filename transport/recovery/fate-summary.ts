/** What becomes of packets: who is told of each fate, and what the fates of one look come to. */

/**
 * Told of each fate, once, acks of one frame in rising order of number. `packetAcked` is also told of packets that were not
 * ack-eliciting. The frames in the slot are the sink's to take: they are forgotten when it returns. It must not record.
 */
export interface FateSink {
  packetAcked(c: number, slot: number): void;
  packetLost(c: number, slot: number): void;
}

/** What the last `onAck` or `onLossTimer` came to, for congestion control. Only ack-eliciting packets count. */
export class FateSummary {
  ackedBytes = 0;
  ackedPackets = 0;
  lostBytes = 0;
  lostPackets = 0;
  /** Sample taken, the peer's delay still in it; 0: none. */
  rttMicros = 0;
  /** The lost ones span so long without an ack that the path must be taken as a new one (RFC 9002, 7.6). */
  persistentCongestion = false;
  /** Element 0: when the newest packet newly acked was sent, -1: none. */
  readonly newestSentAt: Float64Array = new Float64Array(1).fill(-1);
  /** Element 0: when the newest packet newly lost was sent, -1: none. */
  readonly newestLostSentAt: Float64Array = new Float64Array(1).fill(-1);

  clear(): void {
    this.ackedBytes = 0;
    this.ackedPackets = 0;
    this.lostBytes = 0;
    this.lostPackets = 0;
    this.rttMicros = 0;
    this.persistentCongestion = false;
    this.newestSentAt[0] = -1;
    this.newestLostSentAt[0] = -1;
  }
}

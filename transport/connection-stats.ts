/** How one connection fares, as numbers in one object that is filled again and again. */

import type { Micros } from '../sys/api.ts';
import type { ChannelSet } from './channel/channel-set.ts';
import type { Connections } from './connections.ts';
import { FRAME_FAMILIES } from './frame-counts.ts';

/**
 * Filled by `fill`; all 0 before, and of a connection that is over. Counters are since the connection began, shares are 0 .. 1.
 * Until `rttIsMeasured` the round trips are assumptions.
 */
export class ConnectionStats {
  /** Whether a round trip has been measured on this path. */
  rttIsMeasured = false;
  /** Round trip: smoothed, the last one, the smallest of the last 5 to 10 s, its variation, and the mean change from one to the next. */
  rttMicros = 0;
  rttLatestMicros = 0;
  rttMinMicros = 0;
  rttVarianceMicros = 0;
  jitterMicros = 0;
  /** Share of lost packets (of our sending), and of those that follow a lost one: above the first, losses come in bursts. */
  lossShare = 0;
  lostAfterLostShare = 0;
  /** Packets of a burst of losses: mean and longest. */
  burstMeanPackets = 0;
  burstLongestPackets = 0;
  /** Packets that were given up and had arrived after all. */
  spuriousLosses = 0;
  /** Packets that were overtaken by later ones: of ours, as acks show, and of the peer's. */
  latePackets = 0;
  latePacketsIn = 0;
  /**
   * The way in, in this session: packets that arrived, keep-alives and all; numbers of the peer's that did not, and their share. A peer
   * of ours leaves one number in about 512 out on purpose.
   */
  packetsIn = 0;
  missingIn = 0;
  lossShareIn = 0;
  /** Messages, or pieces of them, sent again because they were lost. */
  retransmits = 0;
  /** Bytes of small messages that rode again before anybody knew whether they were lost. */
  redundancyBytes = 0;
  /** What may be in flight, and what is. */
  cwndBytes = 0;
  inFlightBytes = 0;
  /** How fast bulk may leave, and what the real-time class may use. */
  pacingBytesPerSecond = 0;
  budgetBytesPerSecond = 0;
  /** Messages and bytes that wait to be sent; messages sent whose fate is not known. */
  waitingMessages = 0;
  waitingBytes = 0;
  unsettledMessages = 0;
  /** Packets that carried something, of them those that only acknowledged, and their payload bytes. */
  packetsSent = 0;
  packetsReceived = 0;
  ackOnlyPackets = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** The peer's clock less ours, and how far that may be off; both 0 while `clockIsKnown` is false. */
  clockIsKnown = false;
  clockOffsetMicros = 0;
  clockErrorMicros = 0;
  /** By channel number: its name, messages that wait, and how long the first of them has waited. */
  readonly channelNames: readonly string[];
  readonly channelWaitingMessages: Int32Array;
  readonly channelWaitedMicros: Float64Array;
  /** By family of frames, while the option `frameStats` is set, else 0: frames and their bytes, sent and received. */
  readonly frameFamilies: readonly string[] = FRAME_FAMILIES;
  readonly framesSent: Float64Array = new Float64Array(FRAME_FAMILIES.length);
  readonly frameBytesSent: Float64Array = new Float64Array(FRAME_FAMILIES.length);
  readonly framesReceived: Float64Array = new Float64Array(FRAME_FAMILIES.length);
  readonly frameBytesReceived: Float64Array = new Float64Array(FRAME_FAMILIES.length);
  readonly #since: Float64Array = new Float64Array(1);

  constructor(channels: ChannelSet) {
    this.channelNames = channels.names;
    this.channelWaitingMessages = new Int32Array(channels.count);
    this.channelWaitedMicros = new Float64Array(channels.count);
  }

  /** Takes the numbers of connection `c`. Returns this. */
  fill(connections: Connections, c: number, now: Micros): this {
    const { flight, outgoing, clock } = connections;
    const { rtt, lossRate, controller } = flight;
    const { packer } = connections.builder;
    this.rttIsMeasured = rtt.firstSampleAt[c]! >= 0;
    this.rttMicros = rtt.smoothed[c]!;
    this.rttLatestMicros = rtt.latest[c]!;
    this.rttMinMicros = rtt.min[c]!;
    this.rttVarianceMicros = rtt.variance[c]!;
    this.jitterMicros = rtt.jitter[c]!;
    this.lossShare = lossRate.lossRate[c]!;
    this.lostAfterLostShare = lossRate.lostAfterLost[c]!;
    this.burstMeanPackets = lossRate.meanBurst[c]!;
    this.burstLongestPackets = lossRate.longestBurst[c]!;
    this.spuriousLosses = flight.detector.spuriousPackets[c]!;
    this.retransmits = packer.retransmits[c]!;
    this.redundancyBytes = packer.copyBytes[c]!;
    this.cwndBytes = controller.cwndBytes[c]!;
    this.inFlightBytes = flight.sent.inFlightBytes[c]!;
    this.pacingBytesPerSecond = controller.pacingBytesPerSecond[c]!;
    this.budgetBytesPerSecond = controller.budgetBytesPerSecond[c]!;
    this.waitingMessages = outgoing.backlog.messagesOf(c);
    this.waitingBytes = outgoing.backlog.bytesOf(c);
    this.unsettledMessages = outgoing.unsettled[c]!;
    this.packetsSent = connections.packetsSent[c]!;
    this.packetsReceived = connections.packetsReceived[c]!;
    this.ackOnlyPackets = connections.ackOnlyPackets[c]!;
    this.bytesSent = connections.payloadBytesSent[c]!;
    this.bytesReceived = connections.payloadBytesReceived[c]!;
    this.#fillArrivals(connections, c);
    connections.builder.counts?.copyTo(c, this);
    const peerNow = clock.peerNow(c, now);
    this.clockIsKnown = peerNow >= 0;
    this.clockOffsetMicros = this.clockIsKnown ? peerNow - now : 0;
    this.clockErrorMicros = this.clockIsKnown ? clock.errorMicros[c]! : 0;
    const { count } = outgoing.channels;
    for (let channel = 0; channel < count; channel++) {
      this.channelWaitingMessages[channel] = outgoing.rings.waiting[c * count + channel]!;
      outgoing.longestWaitingSince(c, channel, this.#since);
      this.channelWaitedMicros[channel] = this.#since[0]! < 0 ? 0 : now - this.#since[0]!;
    }
    return this;
  }

  #fillArrivals({ arrivals, flight }: Connections, c: number): void {
    this.latePackets = flight.detector.latePackets[c]!;
    if (arrivals === undefined) return;
    this.packetsIn = arrivals.received[c]!;
    this.latePacketsIn = arrivals.late[c]!;
    this.missingIn = arrivals.missing[c]!;
    this.lossShareIn = this.packetsIn === 0 ? 0 : this.missingIn / (this.missingIn + this.packetsIn);
  }
}

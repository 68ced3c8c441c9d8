/**
 * The conductor of all connections of an endpoint, between sealed payloads and the game's messages. It decides; its parts do the work.
 *
 *     payload -> FrameReader: ack -> LossDetector -> fates -> Outgoing, DeliveryRate, AckTracker; then CongestionController
 *                             messages -> Incoming -> the game
 *     message -> Outgoing (queue) -> PacketBuilder, Packer (whose turn) -> payload -> SentPackets, Pacer
 *     time    -> ConnectionTimers -> lost by time, probe, ack, copy, pacing
 *
 * PROTOCOL.md says what and why; here is when. Connections are numbers, used again after `close`. Nothing is allocated a packet.
 */

import type { DatagramBatch, Micros, Rng } from '../sys/api.ts';
import { BlockPool } from './block-pool.ts';
import { CONTROL, END } from './channel/carried.ts';
import type { ChannelSet } from './channel/channel-set.ts';
import { Incoming, MALFORMED, type MessageSink, TAKEN, VIOLATION } from './channel/incoming.ts';
import { Outgoing } from './channel/outgoing.ts';
import type { OutgoingSink } from './channel/outgoing-events.ts';
import { AckSample } from './congestion/ack-sample.ts';
import { CongestionController } from './congestion/controller.ts';
import { DeliveryRate } from './congestion/delivery-rate.ts';
import { Pacer } from './congestion/pacer.ts';
import { ConnectionTimers } from './connection-timers.ts';
import { ControlFrames } from './control-frames.ts';
import { FrameReader, type FrameTaker } from './frame-reader.ts';
import {
  FOR_ACK,
  FOR_BULK,
  FOR_CONTROL,
  FOR_COPIES,
  FOR_PROBE,
  FOR_REAL_TIME,
  PacketBuilder,
} from './packet-builder.ts';
import { ReadyRing } from './ready-ring.ts';
import { AckTracker } from './recovery/ack-tracker.ts';
import { ACK_OK, ACK_VIOLATION, type FateSink, LossDetector } from './recovery/loss-detector.ts';
import { LossRate } from './recovery/loss-rate.ts';
import { PeerClock } from './recovery/peer-clock.ts';
import { RttEstimator } from './recovery/rtt-estimator.ts';
import { type FramesSink, SentPackets } from './recovery/sent-packets.ts';

/** The half of netcode that carries payloads. */
export interface Session {
  /** Element 0: number of the packet that is being read. */
  readonly receivedNumber: Float64Array;
  /** Element 0: number that `writePayload` or `skipNumber` used last. */
  readonly writtenNumber: Float64Array;
  isConnected(connection: number): boolean;
  /** Seals the plaintext at `batch.home(batch.count)`, `batch.length[batch.count]` bytes, and appends it to the batch. */
  writePayload(batch: DatagramBatch, connection: number, now: Micros): boolean;
  /** Uses up one packet number. */
  skipNumber(connection: number): void;
  /** How many ids the connection should be offered; 0 on a client. */
  idsWanted(connection: number): number;
  /** Writes a fresh id of 8 bytes at `into[at ..]`; false: no more now. */
  issueId(connection: number, into: Uint8Array, at: number): boolean;
  /** Keeps an id that the peer offered; a server keeps none. */
  storeId(bytes: Uint8Array, at: number): void;
}

export interface ConnectionsOptions {
  readonly connections: number;
  readonly channels: ChannelSet;
  /** Messages and bytes that may wait for one connection. */
  readonly backlogMax: number;
  readonly backlogBytesMax: number;
  /** Bytes of messages that may wait or be on their way, of all connections. */
  readonly sendMemoryBytesMax: number;
  /** Bytes of messages that may be held back or put together, of all connections. */
  readonly receiveMemoryBytesMax: number;
  /** Bytes of a connection's reliable fragments that we hold: what hello promises. */
  readonly windowBytes: number;
}

/** Packets in a row for one connection: neighbours of one peer go out as one send, but nobody waits for a long queue. */
const BURST_PACKETS = 8;
/** One number in so many is left out, at random (PROTOCOL.md, 4). */
const SKIP_EVERY_PACKETS = 512;

export class Connections implements FateSink, FrameTaker, FramesSink {
  readonly channels: ChannelSet;
  /** Memory of messages on their way out. */
  readonly pool: BlockPool;
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  readonly sent: SentPackets;
  readonly tracker: AckTracker;
  readonly detector: LossDetector;
  readonly rtt: RttEstimator;
  readonly lossRate: LossRate;
  readonly clock: PeerClock;
  readonly controller: CongestionController;
  readonly frames: FrameReader;
  readonly builder: PacketBuilder;
  /** Payload packets and bytes written, by connection; packets that carried nothing but an ack. */
  readonly packetsSent: Float64Array;
  readonly payloadBytesSent: Float64Array;
  readonly ackOnlyPackets: Float64Array;
  readonly packetsReceived: Float64Array;
  readonly #session: Session;
  readonly #rng: Rng;
  readonly #control: ControlFrames;
  readonly #rate: DeliveryRate;
  readonly #pacer: Pacer;
  readonly #sample: AckSample = new AckSample();
  readonly #timers: ConnectionTimers;
  readonly #ready: ReadyRing;
  readonly #isOpen: Uint8Array;
  readonly #probes: Uint8Array;
  readonly #untilSkip: Int32Array;
  readonly #hasBulk: Uint8Array;
  #bulkConnections = 0;

  /** @param tx the batch that `transmit` will be given; messages wait in its memory behind the slots first */
  constructor(options: ConnectionsOptions, session: Session, rng: Rng, tx: DatagramBatch) {
    const { connections, channels, backlogMax, backlogBytesMax, windowBytes } = options;
    this.channels = channels;
    this.#session = session;
    this.#rng = rng;
    this.pool = new BlockPool(options.sendMemoryBytesMax, { bytes: tx.arena, view: tx.view, at: tx.spareOffset });
    this.outgoing = new Outgoing({ connections, channels, pool: this.pool, backlogMax, backlogBytesMax });
    const pool = new BlockPool(options.receiveMemoryBytesMax);
    this.incoming = new Incoming({ connections, channels, windowBytes, pool });
    this.sent = new SentPackets(connections);
    this.tracker = new AckTracker(connections, session.receivedNumber);
    this.rtt = new RttEstimator(connections);
    this.lossRate = new LossRate(connections);
    this.detector = new LossDetector(connections, this.sent, this.rtt, this.lossRate);
    this.clock = new PeerClock(connections, this.rtt);
    this.controller = new CongestionController(connections);
    this.#rate = new DeliveryRate(connections);
    this.#pacer = new Pacer(connections, this.controller);
    this.#control = new ControlFrames(connections, channels.hash, windowBytes);
    this.builder = new PacketBuilder(connections, this.outgoing, this.#control, this.tracker, this.clock);
    this.frames = new FrameReader(this.incoming, this.clock, channels.hash, this);
    this.#timers = new ConnectionTimers(connections, this.tracker, this.detector, this.#pacer);
    this.#ready = new ReadyRing(connections);
    this.packetsSent = new Float64Array(connections);
    this.payloadBytesSent = new Float64Array(connections);
    this.ackOnlyPackets = new Float64Array(connections);
    this.packetsReceived = new Float64Array(connections);
    this.#isOpen = new Uint8Array(connections);
    this.#probes = new Uint8Array(connections);
    this.#untilSkip = new Int32Array(connections);
    this.#hasBulk = new Uint8Array(connections);
  }

  /** A session has come about: nothing of an earlier one is left. */
  open(c: number, now: Micros): void {
    if (this.#isOpen[c] === 1) this.close(c, now);
    this.#isOpen[c] = 1;
    this.tracker.reset(c);
    this.lossRate.reset(c);
    this.detector.reset(c);
    this.clock.reset(c);
    this.#resetPath(c, now);
    this.#control.open(c);
    this.incoming.open(c);
    this.packetsSent[c] = 0;
    this.payloadBytesSent[c] = 0;
    this.ackOnlyPackets[c] = 0;
    this.packetsReceived[c] = 0;
    this.#probes[c] = 0;
    this.#untilSkip[c] = this.#drawSkip();
    this.#ready.add(c);
  }

  /** The session is over: everything is given back. Messages that nobody knows to have arrived are lost. */
  close(c: number, now: Micros): void {
    if (this.#isOpen[c] === 0) return;
    this.#isOpen[c] = 0;
    this.sent.clear(c, this);
    this.outgoing.clear(c);
    this.incoming.close(c);
    this.#setBulk(c, false, now);
    this.#timers.disarm(c);
  }

  /**
   * Queues a message that lies in `block` of `pool`, whose user the caller stays. False when too much waits; `writable`
   * follows then. Arguments as in `Outgoing.enqueue`.
   */
  send(
    c: number,
    channel: number,
    block: number,
    length: number,
    tag: number,
    receipt: number,
    ttlMicros: number,
    now: Micros,
  ): boolean {
    if (!this.outgoing.enqueue(c, channel, block, length, tag, receipt, ttlMicros, now)) return false;
    this.#ready.add(c);
    return true;
  }

  /**
   * Reads one payload and hands its messages over. What could not be taken is counted and not acked.
   *
   * @returns false when the peer broke the protocol: the connection must be ended, `frames.violationText` says why
   */
  receive(c: number, bytes: Uint8Array, offset: number, length: number, now: Micros, sink: MessageSink): boolean {
    if (this.#isOpen[c] === 0) return true;
    this.packetsReceived[c] = this.packetsReceived[c]! + 1;
    const answer = this.frames.read(c, bytes, offset, length, sink, now);
    if (answer === VIOLATION) return false;
    if (answer === TAKEN && this.#isOpen[c] === 1) {
      this.tracker.onPacket(c, this.frames.eliciting, now);
      if (this.tracker.dueAt[c]! <= now) this.#ready.add(c);
    }
    this.#timers.arm(c);
    return true;
  }

  /** Fires every timer that is due. */
  advance(now: Micros): void {
    const { detector } = this;
    for (let c = this.#timers.takeDue(now); c >= 0; c = this.#timers.takeDue(now)) {
      if (this.#isOpen[c] === 0) continue;
      if (detector.lossAt[c]! <= now) {
        this.#sample.clear(now);
        detector.onLossTimer(c, now, this);
        this.#learn(c, now);
      }
      if (detector.probeAt[c]! <= now) {
        detector.onProbe(c, now);
        this.#probes[c] = 1;
      }
      this.#ready.add(c);
    }
    if (this.outgoing.refusals.count > 0) this.outgoing.checkWritable();
  }

  /** Tells receipts, and channels that have room again. Messages that cannot be completed any more are given up. */
  drain(sink: MessageSink & OutgoingSink, now: Micros): void {
    if (this.outgoing.events.count > 0) this.outgoing.events.drain(sink);
    if (this.incoming.deadline() <= now) this.incoming.expire(now, sink);
  }

  /** Packs and seals what is due until `batch` is full or nothing is left. */
  transmit(batch: DatagramBatch, now: Micros): void {
    const ready = this.#ready;
    while (ready.count > 0 && !batch.full) {
      const c = ready.take();
      if (this.#isOpen[c] === 0 || !this.#session.isConnected(c)) continue;
      let packets = 0;
      while (packets < BURST_PACKETS && !batch.full && this.#putPacket(c, batch, now)) packets++;
      // Otherwise there was nothing more that may go now: an ack, a timer or another message brings it back.
      if (packets === BURST_PACKETS || batch.full) ready.add(c);
      this.#timers.arm(c);
    }
  }

  /** When there is next something to do. */
  deadline(): Micros {
    if (this.#ready.count > 0 || this.outgoing.events.count > 0) return 0;
    return Math.min(this.#timers.deadline(), this.incoming.deadline());
  }

  /** Whether a bulk transfer is on its way somewhere, so that acks and deadlines cannot wait for a tick. */
  get isPressing(): boolean {
    return this.#bulkConnections > 0;
  }

  /** Whether everything that was sent to a connection has arrived or been given up. */
  isSettled(c: number): boolean {
    return this.#isOpen[c] === 0 || this.outgoing.unsettled[c] === 0;
  }

  /** The peer is at another address. Another host means another path: what was known of the old one is void. */
  onPath(c: number, hostChanged: boolean, now: Micros): void {
    if (this.#isOpen[c] === 0) return;
    if (hostChanged) this.#resetPath(c, now);
    this.#probes[c] = 1;
    this.#ready.add(c);
  }

  /** FrameTaker: an ack frame, whose type has been read. */
  onAckFrame(c: number, type: number, now: Micros): number {
    this.#sample.clear(now);
    const answer = this.detector.onAck(c, type, this.frames.cursor, now, this);
    if (answer === ACK_VIOLATION) {
      this.frames.violationText = 'it acknowledged a packet that was never sent';
      return VIOLATION;
    }
    if (answer !== ACK_OK) return MALFORMED;
    this.#learn(c, now);
    return TAKEN;
  }

  /** FrameTaker: the peer says what it holds for us. */
  onHello(c: number, windowBytes: number): void {
    this.outgoing.window[c] = windowBytes;
    this.outgoing.wakeAll(c);
    this.#ready.add(c);
  }

  /** FrameTaker: a connection id for later. */
  onId(_c: number, bytes: Uint8Array, at: number): void {
    this.#session.storeId(bytes, at);
  }

  /** FateSink: a packet has arrived, and so has all that it carried. */
  packetAcked(c: number, slot: number): void {
    const { carried } = this.outgoing;
    const { sent } = this;
    for (let row = sent.frames[slot]!; row !== END; row = carried.free(row)) {
      if (carried.stream[row] === CONTROL) this.#control.onAcked(c, carried.id[row]!);
      else this.outgoing.onAcked(c, row);
    }
    sent.frames[slot] = END;
    if (sent.eliciting[slot] === 1) this.#rate.onAcked(c, sent, slot, sent.bytes[slot]!, this.#sample);
    this.tracker.onAckHeard(c, sent, slot);
  }

  /** FateSink: a packet is lost; what it carried is due again where it still matters. */
  packetLost(c: number, slot: number): void {
    const { carried } = this.outgoing;
    const { sent } = this;
    for (let row = sent.frames[slot]!; row !== END; row = carried.free(row)) {
      if (carried.stream[row] === CONTROL) this.#control.onLost(c, carried.id[row]!);
      else this.outgoing.onLost(c, row);
    }
    sent.frames[slot] = END;
  }

  /** FramesSink: the packet of this list is forgotten, its connection is over. */
  framesDropped(_c: number, frames: number): void {
    const { carried } = this.outgoing;
    for (let row = frames; row !== END; row = carried.free(row));
  }

  /** What fates have taught goes to the controller, and the connection may go on. */
  #learn(c: number, now: Micros): void {
    const { summary } = this.detector;
    if (summary.ackedPackets + summary.lostPackets === 0) return;
    const sample = this.#sample;
    const { rtt } = this;
    sample.now = now;
    sample.rttMicros = summary.rttMicros;
    sample.minRttMicros = rtt.min[c]!;
    sample.smoothedRttMicros = rtt.smoothed[c]!;
    sample.ackedBytes = summary.ackedBytes;
    sample.ackedPackets = summary.ackedPackets;
    sample.lostBytes = summary.lostBytes;
    sample.lostPackets = summary.lostPackets;
    sample.inFlightBytes = this.sent.inFlightBytes[c]!;
    this.#rate.finish(c, sample);
    this.controller.onAck(c, sample);
    if (summary.persistentCongestion) this.controller.onTimeout(c, now);
    this.#ready.add(c);
  }

  /** Builds, seals and records one packet, when there is a reason for one. */
  #putPacket(c: number, batch: DatagramBatch, now: Micros): boolean {
    const reasons = this.#reasons(c, now);
    if (reasons === 0) return false;
    const { builder, sent, outgoing } = this;
    const length = builder.build(c, batch, reasons, this.lossRate.copies(c), now);
    if ((reasons & FOR_PROBE) !== 0) this.#probes[c] = 0;
    if (length === 0) return false;
    if (!this.#session.writePayload(batch, c, now)) {
      this.framesDropped(c, outgoing.carried.building);
      return false;
    }
    const inFlight = sent.inFlightBytes[c]!;
    const bytes = length + PACKET_OVERHEAD_BYTES;
    const { eliciting } = builder;
    const slot = sent.record(
      c,
      bytes,
      eliciting,
      outgoing.carried.building,
      builder.ackNewest,
      this.#session.writtenNumber,
      now,
    );
    this.#rate.onSent(c, sent, slot, inFlight, now);
    this.detector.onSent(c);
    this.#pacer.onSent(c, bytes, now);
    this.packetsSent[c] = this.packetsSent[c]! + 1;
    this.payloadBytesSent[c] = this.payloadBytesSent[c]! + length;
    if (!eliciting) this.ackOnlyPackets[c] = this.ackOnlyPackets[c]! + 1;
    this.#timers.onSent(c, eliciting, outgoing.copying[c]! > 0, now);
    if (--this.#untilSkip[c]! <= 0) this.#skipNumber(c);
    return true;
  }

  /** Why a packet should go to a connection now, FOR_ bits; 0: no reason. */
  #reasons(c: number, now: Micros): number {
    const { outgoing, tracker } = this;
    let reasons = tracker.dueAt[c]! <= now ? FOR_ACK : 0;
    const bulk = outgoing.lanes.isBulkReady(c);
    if (bulk !== (this.#hasBulk[c] === 1)) this.#setBulk(c, bulk, now);
    if (!bulk) this.#pacer.nextBulkAt[c] = 0;
    if (!this.sent.canSend(c)) return reasons; // too many numbers without an ack: nothing new
    if (outgoing.lanes.isReady(c, false)) reasons |= FOR_REAL_TIME;
    if (bulk && this.#pacer.canSendBulk(c, this.sent.inFlightBytes[c]!, now)) reasons |= FOR_BULK;
    if (this.#probes[c]! > 0) reasons |= FOR_PROBE;
    if (outgoing.copying[c]! > 0 && this.#timers.copyAt[c]! <= now) reasons |= FOR_COPIES;
    if (this.#session.idsWanted(c) > 0) this.#offerId(c);
    if (this.#control.isDue(c)) reasons |= FOR_CONTROL;
    return reasons;
  }

  #offerId(c: number): void {
    if (!this.#control.canOfferIds(c)) return;
    if (this.#session.issueId(c, this.#control.idBytes, this.#control.idOffset(c))) this.#control.offerId(c);
  }

  #setBulk(c: number, bulk: boolean, now: Micros): void {
    if (bulk === (this.#hasBulk[c] === 1)) return;
    this.#hasBulk[c] = bulk ? 1 : 0;
    this.#bulkConnections += bulk ? 1 : -1;
    this.controller.bulkActive(c, bulk, now);
    if (!bulk) this.#rate.appLimited(c, this.sent.inFlightBytes[c]!);
  }

  #resetPath(c: number, now: Micros): void {
    this.rtt.reset(c);
    this.controller.reset(c, now);
    this.#rate.reset(c, now);
    this.#pacer.reset(c, now);
  }

  #skipNumber(c: number): void {
    this.#untilSkip[c] = this.#drawSkip();
    this.#session.skipNumber(c);
    this.sent.skip(c, this.#session.writtenNumber);
  }

  /** Packets until a number is left out: anywhere in the next SKIP_EVERY_PACKETS, so that nobody can tell which. */
  #drawSkip(): number {
    return 1 + (this.#rng.u32() % (2 * SKIP_EVERY_PACKETS));
  }
}

/** Header and tag of a packet under a number of up to 4 bytes: what a payload costs more than its length. */
const PACKET_OVERHEAD_BYTES = 21;

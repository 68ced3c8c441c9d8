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
import { type ChannelSet, checkMessage } from './channel/channel-set.ts';
import { Incoming, MALFORMED, type MessageSink, TAKEN, VIOLATION } from './channel/incoming.ts';
import { Outgoing } from './channel/outgoing.ts';
import type { OutgoingSink } from './channel/outgoing-events.ts';
import { ConnectionTimers } from './connection-timers.ts';
import { ControlFrames } from './control-frames.ts';
import { Flight } from './flight.ts';
import { FrameCounts } from './frame-counts.ts';
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
import { PeerSessions, SESSION_FORGOTTEN, SESSION_KNOWN, SESSION_NEW } from './peer-sessions.ts';
import { ReadyRing } from './ready-ring.ts';
import { AckTracker } from './recovery/ack-tracker.ts';
import { ACK_OK, ACK_VIOLATION } from './recovery/loss-detector.ts';
import { PeerClock } from './recovery/peer-clock.ts';
import type { Arrivals, Session } from './session.ts';

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
  readonly frameStats?: boolean;
}

/** Packets in a row for one connection: neighbours of one peer go out as one send, but nobody waits for a long queue. */
const BURST_PACKETS = 8;
/** One number in so many is left out, at random (PROTOCOL.md, 4). */
const SKIP_EVERY_PACKETS = 512;

/** What `receive` tells: messages, and after a resume that the peer is known, before its messages. */
export interface ConnectionSink extends MessageSink {
  /** `anew`: the peer does not have the state that `rejoin` kept. It is gone, and its receipts are in `outgoing.events`. */
  rejoined?(c: number, anew: boolean): void;
}

const TEXT_FORGOTTEN = 'the other side has forgotten the session';

export class Connections implements FrameTaker {
  readonly channels: ChannelSet;
  /** Memory of messages on their way out. */
  readonly pool: BlockPool;
  /** Memory of messages that are put together, or wait for an earlier one. */
  readonly receivePool: BlockPool;
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  /** Packets on their way, and what is known of each path. */
  readonly flight: Flight;
  readonly tracker: AckTracker;
  readonly clock: PeerClock;
  readonly frames: FrameReader;
  readonly builder: PacketBuilder;
  /** Payload packets and bytes written, by connection; packets that carried nothing but an ack. */
  readonly packetsSent: Float64Array;
  readonly payloadBytesSent: Float64Array;
  readonly ackOnlyPackets: Float64Array;
  readonly packetsReceived: Float64Array;
  readonly payloadBytesReceived: Float64Array;
  readonly arrivals: Arrivals | undefined;
  readonly #session: Session;
  readonly #rng: Rng;
  readonly sessions: PeerSessions;
  readonly control: ControlFrames;
  readonly #timers: ConnectionTimers;
  readonly #ready: ReadyRing;
  readonly #isOpen: Uint8Array;
  /** Whom `receive` was called for. */
  #sink: ConnectionSink | null = null;
  readonly #probes: Uint8Array;
  readonly #untilSkip: Int32Array;

  /** @param tx the batch that `transmit` will be given; messages wait in its memory behind the slots first */
  constructor(options: ConnectionsOptions, session: Session, rng: Rng, tx: DatagramBatch) {
    const { connections, channels, backlogMax, backlogBytesMax, windowBytes } = options;
    this.channels = channels;
    this.#session = session;
    this.#rng = rng;
    this.pool = new BlockPool(options.sendMemoryBytesMax, { bytes: tx.arena, view: tx.view, at: tx.spareOffset });
    this.outgoing = new Outgoing({ connections, channels, pool: this.pool, backlogMax, backlogBytesMax });
    this.receivePool = new BlockPool(options.receiveMemoryBytesMax);
    this.incoming = new Incoming({ connections, channels, windowBytes, pool: this.receivePool });
    this.tracker = new AckTracker(connections, session.receivedNumber);
    this.sessions = new PeerSessions(connections, rng);
    this.control = new ControlFrames(connections, channels.hash, windowBytes, this.sessions.own);
    this.flight = new Flight(connections, this.outgoing, this.control, this.tracker);
    this.clock = new PeerClock(connections, this.flight.rtt);
    this.builder = new PacketBuilder(connections, this.outgoing, this.control, this.tracker, this.clock);
    this.frames = new FrameReader(this.incoming, this.clock, channels.hash, this);
    this.arrivals = session.arrivals;
    this.builder.counts = this.frames.counts = options.frameStats ? new FrameCounts(connections) : null;
    this.#timers = new ConnectionTimers(connections, this.tracker, this.flight.detector, this.flight.pacer);
    this.#ready = new ReadyRing(connections);
    this.packetsSent = new Float64Array(connections);
    this.payloadBytesSent = new Float64Array(connections);
    this.ackOnlyPackets = new Float64Array(connections);
    this.packetsReceived = new Float64Array(connections);
    this.payloadBytesReceived = new Float64Array(connections);
    this.#isOpen = new Uint8Array(connections);
    this.#probes = new Uint8Array(connections);
    this.#untilSkip = new Int32Array(connections);
  }

  /** A session has come about: nothing of an earlier one is left. */
  open(c: number, now: Micros): void {
    if (this.#isOpen[c] === 1) this.close(c, now);
    this.#isOpen[c] = 1;
    this.sessions.open(c);
    this.tracker.reset(c);
    this.clock.reset(c);
    this.flight.open(c, now);
    this.control.open(c);
    this.incoming.open(c);
    this.packetsSent[c] = 0;
    this.payloadBytesSent[c] = 0;
    this.ackOnlyPackets[c] = 0;
    this.packetsReceived[c] = 0;
    this.payloadBytesReceived[c] = 0;
    this.builder.reset(c);
    this.#probes[c] = 0;
    this.#untilSkip[c] = this.#drawSkip();
    this.#ready.add(c);
  }

  /** The session is over: everything is given back. Messages that nobody knows to have arrived are lost. */
  close(c: number, now: Micros): void {
    if (this.#isOpen[c] === 0) return;
    this.#isOpen[c] = 0;
    this.flight.close(c, now);
    this.outgoing.clear(c);
    this.incoming.close(c);
    this.#timers.disarm(c);
  }

  /**
   * The peer goes on under new keys: packets are numbered anew, what was on its way is due again, the path is another one. The
   * channels go on. Until its hello has come we say no messages and take none, since it may have forgotten them.
   */
  onResume(c: number, now: Micros): void {
    if (this.#isOpen[c] === 0) return;
    this.sessions.resume(c, this.packetsReceived[c]! > 0);
    this.#restart(c, now);
    this.control.open(c);
  }

  /**
   * A server has taken us in, and may have kept the connection as we have: it speaks first, `rejoined` says what came of it.
   * False when there is nothing to go on with: then `open`.
   */
  rejoin(c: number, now: Micros): boolean {
    if (this.#isOpen[c] === 0 || !this.sessions.rejoin(c)) return false;
    this.#restart(c, now);
    this.control.hold(c);
    return true;
  }

  #restart(c: number, now: Micros): void {
    this.#timers.disarm(c);
    this.flight.restart(c, now);
    this.tracker.reset(c);
    this.#probes[c] = 0;
    this.#ready.add(c);
  }

  /**
   * Queues a message that lies in `block` of `pool`, whose user the caller stays. False when too much waits; `writable`
   * follows then. Arguments as in `Outgoing.enqueue`. Throws RangeError for a length or a tag that the channel cannot have.
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
    checkMessage(this.channels, channel, length, tag, this.pool.sizeOf(block));
    if (!this.outgoing.enqueue(c, channel, block, length, tag, receipt, ttlMicros, now)) return false;
    this.#ready.add(c);
    return true;
  }

  /**
   * Reads one payload and hands its messages over. What could not be taken is counted and not acked.
   *
   * @returns false when the peer broke the protocol: the connection must be ended, `frames.violationText` says why
   */
  receive(c: number, bytes: Uint8Array, offset: number, length: number, now: Micros, sink: ConnectionSink): boolean {
    if (this.#isOpen[c] === 0) return true;
    this.packetsReceived[c] = this.packetsReceived[c]! + 1;
    this.payloadBytesReceived[c] = this.payloadBytesReceived[c]! + length;
    this.#sink = sink;
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
    const { detector } = this.flight;
    for (let c = this.#timers.takeDue(now); c >= 0; c = this.#timers.takeDue(now)) {
      if (this.#isOpen[c] === 0) continue;
      if (detector.lossAt[c]! <= now) this.flight.onLossTimer(c, now);
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
    return this.flight.bulkConnections > 0;
  }

  isOpen(c: number): boolean {
    return this.#isOpen[c] === 1;
  }

  /** Whether everything that was sent to a connection has arrived or been given up. */
  isSettled(c: number): boolean {
    return this.#isOpen[c] === 0 || this.outgoing.unsettled[c] === 0;
  }

  /** The peer is at another address. Another host means another path: what was known of the old one is void. */
  onPath(c: number, hostChanged: boolean, now: Micros): void {
    if (this.#isOpen[c] === 0) return;
    if (hostChanged) this.flight.resetPath(c, now);
    this.#probes[c] = 1;
    this.#ready.add(c);
  }

  /** FrameTaker: an ack frame, whose type has been read. */
  onAckFrame(c: number, type: number, now: Micros): number {
    const answer = this.flight.onAckFrame(c, type, this.frames.cursor, now);
    if (answer === ACK_VIOLATION) {
      this.frames.violationText = 'it acknowledged a packet that was never sent';
      return VIOLATION;
    }
    if (answer !== ACK_OK) return MALFORMED;
    this.#ready.add(c); // there may be room in the window again
    return TAKEN;
  }

  /** FrameTaker: the peer says which state it has, and what it holds for us. */
  onHello(c: number, session: number, windowBytes: number): number {
    const answer = this.sessions.take(c, session);
    if (answer === SESSION_FORGOTTEN) {
      this.frames.violationText = TEXT_FORGOTTEN;
      return VIOLATION;
    }
    if (answer !== SESSION_KNOWN) this.#rejoined(c, answer === SESSION_NEW);
    this.outgoing.window[c] = windowBytes;
    this.outgoing.wakeAll(c);
    this.#ready.add(c);
    return TAKEN;
  }

  /** FrameTaker: whether messages must wait. */
  awaitsHello(c: number): boolean {
    return this.sessions.awaitsHello(c);
  }

  /** The server has spoken; now we do. When its connection is a new one so is ours, but for the packets since it took us in. */
  #rejoined(c: number, anew: boolean): void {
    if (anew) {
      this.outgoing.clear(c); // no packet on its way carries messages
      this.incoming.open(c);
    }
    this.control.sayHello(c);
    this.#sink?.rejoined?.(c, anew);
  }

  /** FrameTaker: a connection id for later. */
  onId(_c: number, bytes: Uint8Array, at: number): void {
    this.#session.storeId(bytes, at);
  }

  /** Builds, seals and records one packet, when there is a reason for one. */
  #putPacket(c: number, batch: DatagramBatch, now: Micros): boolean {
    const reasons = this.#reasons(c, now);
    if (reasons === 0) return false;
    const { builder, flight, outgoing } = this;
    const length = builder.build(c, batch, reasons, flight.lossRate.copies(c), now);
    if ((reasons & FOR_PROBE) !== 0) this.#probes[c] = 0;
    if (length === 0) return false;
    if (!this.#session.writePayload(batch, c, now)) {
      flight.framesDropped(c, outgoing.carried.building);
      return false;
    }
    const { eliciting } = builder;
    flight.onSent(c, length, eliciting, builder.ackNewest, this.#session.writtenNumber, now);
    this.packetsSent[c] = this.packetsSent[c]! + 1;
    this.payloadBytesSent[c] = this.payloadBytesSent[c]! + length;
    if (!eliciting) this.ackOnlyPackets[c] = this.ackOnlyPackets[c]! + 1;
    this.#timers.onSent(c, eliciting, outgoing.copying[c]! > 0 && !this.awaitsHello(c), now);
    if (--this.#untilSkip[c]! <= 0) this.#skipNumber(c);
    return true;
  }

  /** Why a packet should go to a connection now, FOR_ bits; 0: no reason. */
  #reasons(c: number, now: Micros): number {
    const { outgoing, tracker, flight } = this;
    let reasons = tracker.dueAt[c]! <= now ? FOR_ACK : 0;
    if (this.awaitsHello(c)) {
      if (this.#probes[c]! > 0) this.control.repeatHello(c);
      this.#probes[c] = 0;
      return this.control.isDue(c) ? reasons | FOR_CONTROL : reasons;
    }
    const bulk = flight.maySendBulk(c, outgoing.lanes.isBulkReady(c), now);
    if (!flight.sent.canSend(c)) return reasons; // too many numbers without an ack: nothing new
    if (outgoing.lanes.isReady(c, false)) reasons |= FOR_REAL_TIME;
    if (bulk) reasons |= FOR_BULK;
    if (this.#probes[c]! > 0) reasons |= FOR_PROBE;
    if (outgoing.copying[c]! > 0 && this.#timers.copyAt[c]! <= now) reasons |= FOR_COPIES;
    if (this.#session.idsWanted(c) > 0) this.#offerId(c);
    if (this.control.isDue(c)) reasons |= FOR_CONTROL;
    return reasons;
  }

  #offerId(c: number): void {
    if (!this.control.canOfferIds(c)) return;
    if (this.#session.issueId(c, this.control.idBytes, this.control.idOffset(c))) this.control.offerId(c);
  }

  #skipNumber(c: number): void {
    this.#untilSkip[c] = this.#drawSkip();
    this.#session.skipNumber(c);
    this.flight.sent.skip(c, this.#session.writtenNumber);
  }

  /** Packets until a number is left out: anywhere in the next SKIP_EVERY_PACKETS, so that nobody can tell which. */
  #drawSkip(): number {
    return 1 + (this.#rng.u32() % (2 * SKIP_EVERY_PACKETS));
  }
}

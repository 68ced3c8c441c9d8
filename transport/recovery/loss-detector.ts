/**
 * Reads acks and decides fates: which packets arrived, which are lost, when to look again, when to probe (RFC 9002, sections 5
 * to 7.6, with the changes that PROTOCOL.md, section 4 names).
 *
 * A fate is decided once. An ack for a packet that was declared lost is counted, and teaches the thresholds to wait longer.
 * An ack frame is read and checked as a whole before anything changes.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { ACK_DELAY_UNIT_MICROS, ACK_DELAY_UNKNOWN, ACK_GAPS_MAX, FRAME_ACK } from '../wire/frame-types.ts';
import { type FateSink, FateSummary } from './fate-summary.ts';
import type { LossRate } from './loss-rate.ts';
import { GRANULARITY_MICROS, RTT_MAX_MICROS, type RttEstimator } from './rtt-estimator.ts';
import {
  PACKET_ACKED,
  PACKET_IN_FLIGHT,
  PACKET_LOST,
  PACKET_NONE,
  PACKET_SILENT,
  PACKET_SKIPPED,
  PACKET_SPURIOUS,
  type SentPackets,
} from './sent-packets.ts';

export type { FateSink } from './fate-summary.ts';

export const ACK_OK = 0;
/** Cut off, or reaching below 0: nothing changed. */
export const ACK_MALFORMED = 1;
/** Covers a number that was never sent, or was skipped: nothing changed, the connection must end. */
export const ACK_VIOLATION = 2;

/** RFC 9002, 6.1.1. */
const PACKET_THRESHOLD = 3;
/** Reordering beyond is left to the time threshold. */
const PACKET_THRESHOLD_MAX = 256;
/** The time threshold in eighths of a round trip: 9 (RFC 9002, 6.1.2), up to 16. */
const TIME_EIGHTHS = 9;
const TIME_EIGHTHS_MAX = 16;
/** The first probes come sooner than doubling would have them: a player waits for what was lost. */
const BACKOFF = [1, 1.5, 2.25] as const;
/** Doublings that are counted: with the bound below nothing more would change. */
const PROBES_MAX = 16;
/** No connection waits longer between probes: after a minute it is long past its timeout. */
const PROBE_MICROS_MAX = 60_000_000;
/** Probe timeouts without any ack between two lost packets (RFC 9002, 7.6.1, kPersistentCongestionThreshold). */
const PERSISTENT_TIMEOUTS = 3;

export class LossDetector {
  /** When a packet becomes lost by time, NEVER: none can. Then call `onLossTimer`. */
  readonly lossAt: Float64Array;
  /** When a probe is due, NEVER when nothing is in flight. Then send an ack-eliciting packet and call `onProbe`. */
  readonly probeAt: Float64Array;
  /** Packets that were acked after they were declared lost. */
  readonly spuriousPackets: Float64Array;
  /** Packets that were acked for the first time after an ack had reported a later one and not them: they were overtaken. */
  readonly latePackets: Float64Array;
  readonly summary: FateSummary = new FateSummary();
  readonly #sent: SentPackets;
  readonly #rtt: RttEstimator;
  readonly #rates: LossRate;
  readonly #threshold: Uint16Array;
  readonly #timeEighths: Uint8Array;
  /** Probes since the last ack. */
  readonly #probes: Uint8Array;
  /** When the first of the packets lost in a row was sent, -1: the last one was acked. */
  readonly #lostSince: Float64Array;
  /** The ranges of the frame being read, as distances below the last number sent: newest end, oldest end. */
  readonly #near: Float64Array = new Float64Array(ACK_GAPS_MAX + 1);
  readonly #far: Float64Array = new Float64Array(ACK_GAPS_MAX + 1);

  constructor(connections: number, sent: SentPackets, rtt: RttEstimator, rates: LossRate) {
    this.lossAt = new Float64Array(connections);
    this.probeAt = new Float64Array(connections);
    this.spuriousPackets = new Float64Array(connections);
    this.latePackets = new Float64Array(connections);
    this.#sent = sent;
    this.#rtt = rtt;
    this.#rates = rates;
    this.#threshold = new Uint16Array(connections);
    this.#timeEighths = new Uint8Array(connections);
    this.#probes = new Uint8Array(connections);
    this.#lostSince = new Float64Array(connections);
    for (let c = 0; c < connections; c++) this.reset(c);
  }

  /** Forgets what was learned of `c`. The packets, the round trip and the rates have a reset of their own. */
  reset(c: number): void {
    this.lossAt[c] = NEVER;
    this.probeAt[c] = NEVER;
    this.spuriousPackets[c] = 0;
    this.latePackets[c] = 0;
    this.#threshold[c] = PACKET_THRESHOLD;
    this.#timeEighths[c] = TIME_EIGHTHS;
    this.#probes[c] = 0;
    this.#lostSince[c] = -1;
  }

  /** An ack-eliciting packet was recorded: it restarts the probe timer. */
  onSent(c: number): void {
    this.#armProbe(c);
  }

  /** Reads the ack frame whose type byte has been read. Returns ACK_OK, ACK_MALFORMED or ACK_VIOLATION. */
  onAck(c: number, type: number, cursor: FrameCursor, now: Micros, sink: FateSink): number {
    const summary = this.summary;
    summary.clear();
    const gaps = type - FRAME_ACK;
    const newest = cursor.u16();
    const delayUnits = cursor.u16();
    const verdict = this.#readRanges(c, newest, gaps, cursor);
    if (verdict !== ACK_OK) return verdict;

    const sent = this.#sent;
    const back = this.#near[0]!;
    const newestSlot = back < sent.ringSlots(c) ? this.#slotBack(c, back) : -1;
    const state = newestSlot < 0 ? PACKET_NONE : sent.state[newestSlot]!;
    const newestIsNew = state === PACKET_IN_FLIGHT || state === PACKET_SILENT;
    const anyNew = this.#takeRanges(c, gaps, sink);
    const number = sent.next[c]! - 1 - back;
    if (number > sent.largestAcked[c]!) sent.largestAcked[c] = number;
    if (newestIsNew && summary.ackedPackets > 0 && delayUnits !== ACK_DELAY_UNKNOWN) {
      // From the newest packet, since its arrival is what the peer's delay counts from; some packet must have asked for the ack.
      const sample = now - sent.sentAt[newestSlot]!;
      this.#rtt.onSample(c, sample, delayUnits * ACK_DELAY_UNIT_MICROS, now);
      summary.rttMicros = Math.max(1, Math.min(sample, RTT_MAX_MICROS)) | 0;
    }
    if (summary.ackedPackets > 0) this.#probes[c] = 0;
    if (anyNew) this.#settle(c, now, sink);
    return ACK_OK;
  }

  /** The time in `lossAt` has come. */
  onLossTimer(c: number, now: Micros, sink: FateSink): void {
    this.summary.clear();
    this.#settle(c, now, sink);
  }

  /** The time in `probeAt` has come, whether or not a packet could be sent: the next probe is further off. */
  onProbe(c: number, now: Micros): void {
    if (this.#probes[c]! < PROBES_MAX) this.#probes[c]!++;
    this.probeAt[c] = this.#sent.inFlightPackets[c] === 0 ? NEVER : now + this.#probeTimeout(c);
  }

  /** Probes sent since the last ack. */
  probes(c: number): number {
    return this.#probes[c]!;
  }

  /** Reads and checks the ranges of a frame. */
  #readRanges(c: number, newest: number, gaps: number, cursor: FrameCursor): number {
    const sent = this.#sent;
    const last = sent.next[c]! - 1;
    // The greatest number used that has these low bits.
    let near = ((last & 0xffff) - newest) & 0xffff;
    let far = near + cursor.varint();
    this.#near[0] = near;
    this.#far[0] = far;
    for (let i = 1; i <= gaps; i++) {
      near = far + cursor.varint() + 2;
      far = near + cursor.varint();
      this.#near[i] = near;
      this.#far[i] = far;
    }
    if (!cursor.ok) return ACK_MALFORMED;
    const first = sent.first[c]!;
    if (first < 0 || this.#near[0]! > last - first) return ACK_VIOLATION;
    if (far > last) return ACK_MALFORMED;
    if (far > last - first) return ACK_VIOLATION;
    return this.#coversHole(c, gaps) ? ACK_VIOLATION : ACK_OK;
  }

  /** Whether a range covers a number that was skipped or never sent, as far as the ring remembers. */
  #coversHole(c: number, gaps: number): boolean {
    const sent = this.#sent;
    const { state } = sent;
    const base = sent.base[c]!;
    const mask = sent.ringSlots(c) - 1;
    const last = (sent.next[c]! - 1) & mask;
    const hole = sent.newestHole[c]! < 0 ? mask + 1 : sent.next[c]! - 1 - sent.newestHole[c]!;
    for (let i = 0; i <= gaps; i++) {
      const far = Math.min(this.#far[i]!, mask);
      for (let back = Math.max(this.#near[i]!, hole); back <= far; back++) {
        const found = state[base + ((last - back) & mask)]!;
        if (found === PACKET_NONE || found === PACKET_SKIPPED) return true;
      }
    }
    return false;
  }

  /** Slot of the number `back` below the last one sent. */
  #slotBack(c: number, back: number): number {
    const mask = this.#sent.ringSlots(c) - 1;
    return this.#sent.base[c]! + ((((this.#sent.next[c]! - 1) & mask) - back) & mask);
  }

  /** Takes the acked numbers, the oldest first. Returns whether any was new. */
  #takeRanges(c: number, gaps: number, sink: FateSink): boolean {
    const sent = this.#sent;
    const base = sent.base[c]!;
    const mask = sent.ringSlots(c) - 1;
    const last = (sent.next[c]! - 1) & mask;
    // How far below the last number the newest acked one lay before this frame.
    const heardBack = sent.largestAcked[c]! < 0 ? -1 : sent.next[c]! - 1 - sent.largestAcked[c]!;
    let anyNew = false;
    let late = false;
    for (let i = gaps; i >= 0; i--) {
      const near = this.#near[i]!;
      for (let back = Math.min(this.#far[i]!, mask); back >= near; back--) {
        const slot = base + ((last - back) & mask);
        const state = sent.state[slot]!;
        if (state === PACKET_IN_FLIGHT || state === PACKET_SILENT) {
          anyNew = true;
          if (back > heardBack && heardBack >= 0) this.latePackets[c]!++;
          this.#acked(c, slot, state, sink);
        } else if (state === PACKET_LOST) {
          sent.state[slot] = PACKET_SPURIOUS;
          this.spuriousPackets[c]!++;
          this.latePackets[c]!++;
          this.#widenThreshold(c, back - heardBack);
          late = true;
        }
      }
    }
    if (late && this.#timeEighths[c]! < TIME_EIGHTHS_MAX) this.#timeEighths[c]!++; // once a frame: it is one event of the path
    return anyNew;
  }

  #acked(c: number, slot: number, state: number, sink: FateSink): void {
    const sent = this.#sent;
    sent.state[slot] = PACKET_ACKED;
    if (state === PACKET_IN_FLIGHT) {
      const bytes = sent.bytes[slot]!;
      sent.inFlightBytes[c]! -= bytes;
      sent.inFlightPackets[c]!--;
      this.summary.ackedBytes += bytes;
      this.summary.ackedPackets++;
      this.summary.newestSentAt[0] = sent.sentAt[slot]!;
    }
    sink.packetAcked(c, slot);
    sent.frames[slot] = -1;
  }

  /** A packet came after one sent `distance` later: so far it was only late, not lost. */
  #widenThreshold(c: number, distance: number): void {
    const wanted = Math.min(distance + 1, PACKET_THRESHOLD_MAX);
    if (wanted > this.#threshold[c]!) this.#threshold[c] = wanted;
  }

  /** Declares lost what is, lets the statistics see the fates in order, and sets the timers. */
  #settle(c: number, now: Micros, sink: FateSink): void {
    this.#detectLost(c, now, sink);
    this.#passSettled(c);
    this.#armProbe(c);
    this.#sent.shrinkIfIdle(c);
  }

  #detectLost(c: number, now: Micros, sink: FateSink): void {
    const sent = this.#sent;
    this.lossAt[c] = NEVER;
    const below = sent.largestAcked[c]! - sent.oldest[c]!;
    if (!(below > 0) || sent.inFlightPackets[c] === 0) return;
    const base = sent.base[c]!;
    const mask = sent.ringSlots(c) - 1;
    const start = sent.oldest[c]! & mask;
    const threshold = this.#threshold[c]!;
    const wait = Math.max(GRANULARITY_MICROS, Math.ceil((this.#rtt.longerMicros(c) * this.#timeEighths[c]!) / 8));
    for (let i = 0; i < below; i++) {
      const slot = base + ((start + i) & mask);
      if (sent.state[slot] !== PACKET_IN_FLIGHT) continue;
      const lostAt = sent.sentAt[slot]! + wait;
      if (below - i < threshold && lostAt > now) {
        this.lossAt[c] = lostAt; // those after it were sent later still
        return;
      }
      const bytes = sent.bytes[slot]!;
      sent.state[slot] = PACKET_LOST;
      sent.inFlightBytes[c]! -= bytes;
      sent.inFlightPackets[c]!--;
      this.summary.lostBytes += bytes;
      this.summary.lostPackets++;
      this.summary.newestLostSentAt[0] = sent.sentAt[slot]!;
      sink.packetLost(c, slot);
      sent.frames[slot] = -1;
    }
  }

  /** Moves `oldest` over what has its fate, and shows it to those who want fates in order. */
  #passSettled(c: number): void {
    const sent = this.#sent;
    const base = sent.base[c]!;
    if (base < 0) return;
    const mask = sent.ringSlots(c) - 1;
    const start = sent.oldest[c]! & mask;
    const undecided = sent.next[c]! - sent.oldest[c]!;
    let i = 0;
    for (; i < undecided; i++) {
      const slot = base + ((start + i) & mask);
      const state = sent.state[slot]!;
      if (state === PACKET_IN_FLIGHT) break;
      if (state === PACKET_LOST) {
        this.#rates.onFate(c, true);
        this.#noteLost(c, slot);
      } else if (state === PACKET_ACKED || state === PACKET_SPURIOUS) {
        if (sent.eliciting[slot] !== 0) this.#rates.onFate(c, false);
        this.#lostSince[c] = -1;
      }
    }
    sent.oldest[c]! += i;
  }

  /** Persistent congestion: two packets lost, far apart in time, and none acked between them (RFC 9002, 7.6.2). */
  #noteLost(c: number, slot: number): void {
    const sentAt = this.#sent.sentAt[slot]!;
    const since = this.#lostSince[c]!;
    if (since < 0) {
      // Only what was sent with a round trip known counts: before, the timeout is a guess.
      if (this.#rtt.hasSample(c) && sentAt > this.#rtt.firstSampleAt[c]!) this.#lostSince[c] = sentAt;
    } else if (sentAt - since > PERSISTENT_TIMEOUTS * this.#rtt.ptoMicros(c)) {
      this.summary.persistentCongestion = true;
      this.#lostSince[c] = sentAt;
    }
  }

  #armProbe(c: number): void {
    const sent = this.#sent;
    // Two stores and no choice of a value: what joins NEVER with a sum would be boxed.
    if (sent.inFlightPackets[c] === 0) this.probeAt[c] = NEVER;
    else this.probeAt[c] = sent.lastElicitingAt[c]! + this.#probeTimeout(c);
  }

  /** The probe timeout times 1, 1.5, 2.25, 4.5, 9 ... by the probes sent since the last ack; a whole number. */
  #probeTimeout(c: number): number {
    const probes = this.#probes[c]!;
    const early = Math.min(probes, BACKOFF.length - 1);
    const factor = BACKOFF[early]! * (1 << (probes - early));
    return Math.min(Math.ceil(this.#rtt.ptoMicros(c) * factor), PROBE_MICROS_MAX) | 0;
  }
}

/**
 * How long a packet and its ack take: latest, minimum, smoothed and variance of each connection (RFC 9002, section 5), and
 * the probe timeout that follows from them. All in microseconds.
 *
 * The minimum is of the last 5 to 10 s (two halves of 5 s, the older one dropped), so that a path that has become longer is
 * learned; RFC 9002 keeps the minimum of all time.
 */

import type { Micros } from '../../sys/api.ts';
import { loadRow, saveRow } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import { ACK_DELAY_MAX_MICROS } from './ack-tracker.ts';

/**
 * Assumed before the first sample. RFC 9002 takes 333 ms, which makes a lost first packet cost a whole second. Players are
 * nearly always within 100 ms of their server, and where they are not, probing early costs one small packet.
 */
export const RTT_INITIAL_MICROS = 100_000;
/** Samples beyond are cut: a machine that slept, or an ack held back on purpose, must not park the timers for minutes. */
export const RTT_MAX_MICROS = 10_000_000;
/** Timers are no finer than this (RFC 9002, kGranularity). */
export const GRANULARITY_MICROS = 1_000;
const MIN_HALF_MICROS = 5_000_000;
/** Weight of a sample in jitter: 1/16 (RFC 3550, 6.4.1). */
const JITTER_GAIN = 1 / 16;

export class RttEstimator {
  readonly latest: Float64Array;
  /** Smallest sample of the last 5 to 10 s, with the peer's delay still in it. */
  readonly min: Float64Array;
  readonly smoothed: Float64Array;
  readonly variance: Float64Array;
  /** Mean change from one sample to the next, for statistics (RFC 3550 style). */
  readonly jitter: Float64Array;
  /** When the first sample was taken, -1: there is none, and the columns hold assumptions. */
  readonly firstSampleAt: Float64Array;
  readonly #minHalf: Float64Array;
  readonly #minHalfBefore: Float64Array;
  readonly #halfSince: Float64Array;

  constructor(connections: number) {
    this.latest = new Float64Array(connections);
    this.min = new Float64Array(connections);
    this.smoothed = new Float64Array(connections);
    this.variance = new Float64Array(connections);
    this.jitter = new Float64Array(connections);
    this.firstSampleAt = new Float64Array(connections);
    this.#minHalf = new Float64Array(connections);
    this.#minHalfBefore = new Float64Array(connections);
    this.#halfSince = new Float64Array(connections);
    for (let c = 0; c < connections; c++) this.reset(c);
  }

  reset(c: number): void {
    this.latest[c] = RTT_INITIAL_MICROS;
    this.min[c] = RTT_INITIAL_MICROS;
    this.smoothed[c] = RTT_INITIAL_MICROS;
    this.variance[c] = RTT_INITIAL_MICROS / 2;
    this.jitter[c] = 0;
    this.firstSampleAt[c] = -1;
  }

  save(c: number, writer: ByteWriter): void {
    saveRow(writer, c, this.#columns);
  }

  load(c: number, reader: ByteReader): void {
    loadRow(reader, c, this.#columns);
  }

  get #columns(): Float64Array[] {
    const { latest, min, smoothed, variance, jitter, firstSampleAt } = this;
    return [
      latest,
      min,
      smoothed,
      variance,
      jitter,
      firstSampleAt,
      this.#minHalf,
      this.#minHalfBefore,
      this.#halfSince,
    ];
  }

  hasSample(c: number): boolean {
    return this.firstSampleAt[c]! >= 0;
  }

  /**
   * Takes a sample.
   *
   * @param delayMicros how long the peer says that it held the ack back. It is taken off only where the rest is no less than
   *   the minimum, so that a peer cannot talk the round trip away.
   */
  onSample(c: number, sampleMicros: number, delayMicros: number, now: Micros): void {
    const sample = Math.min(Math.max(sampleMicros, 1), RTT_MAX_MICROS);
    if (this.firstSampleAt[c]! < 0) {
      this.firstSampleAt[c] = now;
      this.latest[c] = sample;
      this.min[c] = sample;
      this.#minHalf[c] = sample;
      this.#minHalfBefore[c] = sample;
      this.#halfSince[c] = now;
      this.smoothed[c] = sample;
      this.variance[c] = sample / 2;
      return;
    }
    this.#updateMin(c, sample, now);
    const rest = sample - delayMicros;
    const adjusted = rest >= this.min[c]! ? rest : sample;
    this.jitter[c]! += (Math.abs(adjusted - this.latest[c]!) - this.jitter[c]!) * JITTER_GAIN;
    this.latest[c] = adjusted;
    const smoothed = this.smoothed[c]!;
    this.variance[c] = 0.75 * this.variance[c]! + 0.25 * Math.abs(smoothed - adjusted);
    this.smoothed[c] = 0.875 * smoothed + 0.125 * adjusted;
  }

  #updateMin(c: number, sample: number, now: Micros): void {
    const age = now - this.#halfSince[c]!;
    if (age >= MIN_HALF_MICROS) {
      this.#minHalfBefore[c] = age >= 2 * MIN_HALF_MICROS ? sample : this.#minHalf[c]!;
      this.#minHalf[c] = sample;
      this.#halfSince[c] = now;
    } else if (sample < this.#minHalf[c]!) {
      this.#minHalf[c] = sample;
    }
    this.min[c] = Math.min(this.#minHalf[c]!, this.#minHalfBefore[c]!);
  }

  /** The probe timeout without backoff: smoothed + max(4 variance, 1 ms) + 25 ms, a whole number below 2^26. */
  ptoMicros(c: number): number {
    const spread = Math.max(4 * this.variance[c]!, GRANULARITY_MICROS);
    return Math.ceil(this.smoothed[c]! + spread + ACK_DELAY_MAX_MICROS) | 0;
  }

  /** The larger of smoothed and latest, from which the time threshold of loss is taken. */
  longerMicros(c: number): number {
    return Math.ceil(Math.max(this.smoothed[c]!, this.latest[c]!)) | 0;
  }
}

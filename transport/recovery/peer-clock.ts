/**
 * What the peer's clock shows now, from its time frames and the round trip (PROTOCOL.md, section 2, time).
 *
 * A frame says what the peer's clock showed when it left; what it shows on arrival is that plus the way. The fastest of the
 * last eight frames is believed, since everything that disturbs a packet makes it late, and half the smallest round trip is
 * taken for its way. The pace of the two clocks (drift) is learned from the fastest frames of 16 s each, so that older frames
 * may be compared with newer ones.
 *
 * The clock that is shown follows that estimate but **never goes back**, and it does not jump for errors of less than a
 * second: it runs up to 5 % faster or slower until they are gone. At 5 % an error of 20 ms is gone in 0.4 s and nobody sees it
 * in the movement of a game; the 500 ppm of NTP would take 40 s.
 */

import type { Micros } from '../../sys/api.ts';
import { loadRow, loadSpan, saveRow, saveSpan } from '../rows.ts';
import type { ByteReader } from '../wire/byte-reader.ts';
import type { ByteWriter } from '../wire/byte-writer.ts';
import type { FrameCursor } from '../wire/frame-cursor.ts';
import { FRAME_TIME } from '../wire/frame-types.ts';
import type { RttEstimator } from './rtt-estimator.ts';

/** type, clock. */
export const TIME_FRAME_BYTES = 7;
/** Frames are this far apart for the first three seconds, and then a second. */
const EARLY_INTERVAL_MICROS = 250_000;
const EARLY_MICROS = 3_000_000;
const INTERVAL_MICROS = 1_000_000;
/** How much faster or slower the clock runs while it corrects itself. */
const SLEW = 0.05;
/** Beyond a second behind it jumps; beyond a second ahead it runs at half its pace. */
const JUMP_MICROS = 1_000_000;
const SLEW_FAR_AHEAD = 0.5;
/** Frames that are compared: eight seconds. */
const FRAMES = 8;
/** One fastest frame is kept of each 16 s, eight of them. */
const EPOCH_MICROS = 16_000_000;
const EPOCHS = 8;
/** Drift is believed from so many epochs on: two points close together would show the jitter. */
const EPOCHS_MIN = 4;
/** Quartz is within 100 ppm; what seems to be more than 500 is something else (NTP's limit too). */
const DRIFT_MAX = 500e-6;
const DRIFT_GAIN = 1 / 4;
/** What the drift may still be wrong by while it is being learned: two clocks, each off by as much as quartz is. */
const DRIFT_UNSURE = 200e-6;
/** And afterwards: the fastest frames of two epochs 48 s apart may differ by 240 us in what delayed them. */
const DRIFT_UNSURE_LEARNED = 5e-6;
const TWO_48 = 281_474_976_710_656;
const TWO_32 = 4_294_967_296;

export class PeerClock {
  /** How much faster the peer's clock runs than ours, 0 while unknown. */
  readonly drift: Float64Array;
  /** How far `peerNow` may be off, in microseconds, as of the last frame: half the round trip and what is yet to be corrected. */
  readonly errorMicros: Float64Array;
  /** Frames read; 0: nothing is known of the peer's clock. */
  readonly frames: Float64Array;
  readonly #rtt: RttEstimator;
  /** The clock that is shown: it stood at #shown when ours stood at #shownAt, and #correction is to be added slowly. */
  readonly #shown: Float64Array;
  readonly #shownAt: Float64Array;
  readonly #correction: Float64Array;
  /** The last frames: our clock, and the peer's less ours. */
  readonly #frameAt: Float64Array;
  readonly #frameAhead: Float64Array;
  /** The fastest frame of each epoch. */
  readonly #epochAt: Float64Array;
  readonly #epochAhead: Float64Array;
  readonly #epochCount: Float64Array;
  readonly #epochSince: Float64Array;
  readonly #firstWrittenAt: Float64Array;
  readonly #lastWrittenAt: Float64Array;

  constructor(connections: number, rtt: RttEstimator) {
    this.#rtt = rtt;
    this.drift = new Float64Array(connections);
    this.errorMicros = new Float64Array(connections);
    this.frames = new Float64Array(connections);
    this.#shown = new Float64Array(connections);
    this.#shownAt = new Float64Array(connections);
    this.#correction = new Float64Array(connections);
    this.#frameAt = new Float64Array(connections * FRAMES);
    this.#frameAhead = new Float64Array(connections * FRAMES);
    this.#epochAt = new Float64Array(connections * EPOCHS);
    this.#epochAhead = new Float64Array(connections * EPOCHS);
    this.#epochCount = new Float64Array(connections);
    this.#epochSince = new Float64Array(connections);
    this.#firstWrittenAt = new Float64Array(connections);
    this.#lastWrittenAt = new Float64Array(connections);
    for (let c = 0; c < connections; c++) this.reset(c);
  }

  reset(c: number): void {
    this.drift[c] = 0;
    this.errorMicros[c] = 0;
    this.frames[c] = 0;
    this.#epochCount[c] = 0;
    this.#firstWrittenAt[c] = -1;
    this.#lastWrittenAt[c] = -1;
  }

  save(c: number, writer: ByteWriter): void {
    saveRow(writer, c, this.#columns);
    for (const column of [this.#frameAt, this.#frameAhead]) saveSpan(writer, column, c * FRAMES, FRAMES);
    for (const column of [this.#epochAt, this.#epochAhead]) saveSpan(writer, column, c * EPOCHS, EPOCHS);
  }

  /** Reads what `save` wrote, of the same clock. */
  load(c: number, reader: ByteReader): void {
    loadRow(reader, c, this.#columns);
    for (const column of [this.#frameAt, this.#frameAhead]) loadSpan(reader, column, c * FRAMES, FRAMES);
    for (const column of [this.#epochAt, this.#epochAhead]) loadSpan(reader, column, c * EPOCHS, EPOCHS);
  }

  get #columns(): Float64Array[] {
    const { drift, errorMicros, frames } = this;
    return [
      drift,
      errorMicros,
      frames,
      this.#shown,
      this.#shownAt,
      this.#correction,
      this.#epochCount,
      this.#epochSince,
      this.#firstWrittenAt,
      this.#lastWrittenAt,
    ];
  }

  /** Whether a packet that leaves now should carry a time frame: four a second for the first 3 s, then one. */
  timeDue(c: number, now: Micros): boolean {
    const last = this.#lastWrittenAt[c]!;
    if (last < 0) return true;
    const early = now - this.#firstWrittenAt[c]! < EARLY_MICROS;
    return now - last >= (early ? EARLY_INTERVAL_MICROS : INTERVAL_MICROS);
  }

  /** Writes a time frame at `bytes[at ..]`, which needs 7 bytes; returns where it ends. */
  writeTime(c: number, bytes: Uint8Array, at: number, now: Micros): number {
    if (this.#firstWrittenAt[c]! < 0) this.#firstWrittenAt[c] = now;
    this.#lastWrittenAt[c] = now;
    const high = Math.floor(now / TWO_32);
    bytes[at] = FRAME_TIME;
    bytes[at + 1] = now;
    bytes[at + 2] = now >>> 8;
    bytes[at + 3] = now >>> 16;
    bytes[at + 4] = now >>> 24;
    bytes[at + 5] = high;
    bytes[at + 6] = high >>> 8;
    return at + TIME_FRAME_BYTES;
  }

  /** Reads a time frame whose type byte has been read, in a packet that came at `now`. False: it is cut off. */
  onTime(c: number, cursor: FrameCursor, now: Micros): boolean {
    const low = cursor.u16();
    const middle = cursor.u16();
    const clock = low + middle * 65_536 + cursor.u16() * TWO_32;
    if (!cursor.ok) return false;
    const known = this.frames[c]! > 0;
    let ahead = clock - now;
    if (known) {
      // 48 bits last 8.9 years: the value nearest to the clock that is shown.
      this.#rebase(c, now);
      ahead += TWO_48 * Math.round((this.#shown[c]! - clock) / TWO_48);
    }
    this.#keep(c, ahead, now);
    const target = now + this.#fastestAhead(c, now) + this.#rtt.min[c]! / 2;
    if (!known) {
      this.#shown[c] = target;
      this.#shownAt[c] = now;
      this.#correction[c] = 0;
    } else {
      this.#correctBy(c, target - this.#shown[c]!);
    }
    // Learned when the epoch after the first EPOCHS_MIN has begun.
    const unsure = this.#epochCount[c]! > EPOCHS_MIN ? DRIFT_UNSURE_LEARNED : DRIFT_UNSURE;
    const way = this.#rtt.smoothed[c]! / 2 + this.#rtt.variance[c]!;
    this.errorMicros[c] = way + unsure * INTERVAL_MICROS * FRAMES + Math.abs(this.#correction[c]!);
    return true;
  }

  /** What the peer's clock shows now; -1: no frame has come. Never less than it said before. */
  peerNow(c: number, now: Micros): Micros {
    if (this.frames[c] === 0) return -1;
    const elapsed = Math.max(0, now - this.#shownAt[c]!);
    return this.#shown[c]! + elapsed * (1 + this.drift[c]!) + this.#corrected(c, elapsed);
  }

  /** The shown clock is so far behind the estimate. */
  #correctBy(c: number, micros: number): void {
    this.#correction[c] = micros;
    if (Math.abs(micros) <= JUMP_MICROS) return;
    this.#epochCount[c] = 0; // the peer's clock was set: no slope leads from before to after
    if (micros < 0) return;
    this.#shown[c]! += micros;
    this.#correction[c] = 0;
  }

  /** How much of the correction has been made after so long. */
  #corrected(c: number, elapsed: number): number {
    const correction = this.#correction[c]!;
    if (correction >= 0) return Math.min(correction, elapsed * SLEW);
    return Math.max(correction, -elapsed * (correction < -JUMP_MICROS ? SLEW_FAR_AHEAD : SLEW));
  }

  /** Moves the point from which the shown clock is reckoned to now. */
  #rebase(c: number, now: Micros): void {
    this.#shown[c] = this.peerNow(c, now);
    this.#shownAt[c] = Math.max(now, this.#shownAt[c]!);
  }

  /** Keeps a frame among the last eight, and among the fastest of the epochs. */
  #keep(c: number, ahead: number, now: Micros): void {
    const frame = c * FRAMES + (this.frames[c]! % FRAMES);
    this.#frameAt[frame] = now;
    this.#frameAhead[frame] = ahead;
    this.frames[c]!++;
    if (this.#epochCount[c] === 0 || now - this.#epochSince[c]! >= EPOCH_MICROS) {
      this.#learnDrift(c);
      const epoch = c * EPOCHS + (this.#epochCount[c]! % EPOCHS);
      this.#epochCount[c]!++;
      this.#epochSince[c] = now;
      this.#epochAt[epoch] = now;
      this.#epochAhead[epoch] = ahead;
      return;
    }
    const epoch = c * EPOCHS + ((this.#epochCount[c]! - 1) % EPOCHS);
    const before = this.#epochAhead[epoch]! + (now - this.#epochAt[epoch]!) * this.drift[c]!;
    if (ahead > before) {
      this.#epochAt[epoch] = now;
      this.#epochAhead[epoch] = ahead;
    }
  }

  /** The slope from the oldest epoch kept to the newest: taken at first, then approached. Called when an epoch is over. */
  #learnDrift(c: number): void {
    const count = this.#epochCount[c]!;
    if (count < EPOCHS_MIN) return;
    const newest = c * EPOCHS + ((count - 1) % EPOCHS);
    const oldest = c * EPOCHS + (count > EPOCHS ? count % EPOCHS : 0);
    const slope =
      (this.#epochAhead[newest]! - this.#epochAhead[oldest]!) / (this.#epochAt[newest]! - this.#epochAt[oldest]!);
    const bounded = Math.min(Math.max(slope, -DRIFT_MAX), DRIFT_MAX);
    this.drift[c]! += (bounded - this.drift[c]!) * (count === EPOCHS_MIN ? 1 : DRIFT_GAIN);
  }

  /** The peer's clock less ours by the fastest of the last frames: the one that has it furthest ahead. */
  #fastestAhead(c: number, now: Micros): number {
    const count = Math.min(this.frames[c]!, FRAMES);
    const drift = this.drift[c]!;
    let fastest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const frame = c * FRAMES + i;
      const ahead = this.#frameAhead[frame]! + (now - this.#frameAt[frame]!) * drift;
      if (ahead > fastest) fastest = ahead;
    }
    return fastest;
  }
}

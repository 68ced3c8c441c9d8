/**
 * How long packets wait in the queue before the bottleneck: the standing round trip less the base round trip.
 *
 * The base is the least round trip of the last 5 to 10 seconds, so that a path that grew longer is believed after a while.
 * The standing one is the least of the last quarter to half of a round trip (Copa's idea): jitter and aggregation only ever
 * add to a round trip, so the least of several samples shows the queue through them.
 */

import type { Micros } from '../../sys/api.ts';
import type { AckSample } from './ack-sample.ts';
import { RTT_MAX_MICROS } from './limits.ts';

/** Half of the window of the base. Ten seconds is BBR's; shorter windows forget the base while a competitor holds the queue. */
const BASE_TURN_MICROS = 5_000_000;
/** A bucket of the standing minimum is a quarter of a round trip, and at least three samples: a minimum of fewer is noise. */
const STANDING_SHARE = 0.25;
const STANDING_SAMPLES = 3;
/** Weight of a bucket in the smoothed spread: about the last four round trips. */
const SPREAD_SMOOTHING = 1 / 16;
/** More than any round trip: a bucket without a sample. */
const NONE = 2 * RTT_MAX_MICROS;

export class QueueDelay {
  /** Least round trip of the path; 0: not known. */
  readonly baseMicros: Float64Array;
  /** Standing delay in the queue. */
  readonly queueMicros: Float64Array;
  /** 1 when `queueMicros` stands on a whole bucket since the last `restart`. */
  readonly settled: Uint8Array;
  /** Smoothed spread of the round trips of a bucket: jitter, and what the queue moves in a quarter of a round trip. */
  readonly spreadMicros: Float64Array;
  readonly #greatest: Float64Array;
  readonly #base: Float64Array;
  readonly #basePrevious: Float64Array;
  readonly #baseTurnsAt: Float64Array;
  readonly #standing: Float64Array;
  readonly #standingPrevious: Float64Array;
  readonly #standingTurnsAt: Float64Array;
  readonly #samples: Uint8Array;

  constructor(connections: number) {
    this.baseMicros = new Float64Array(connections);
    this.queueMicros = new Float64Array(connections);
    this.settled = new Uint8Array(connections);
    this.spreadMicros = new Float64Array(connections);
    this.#greatest = new Float64Array(connections);
    this.#base = new Float64Array(connections);
    this.#basePrevious = new Float64Array(connections);
    this.#baseTurnsAt = new Float64Array(connections);
    this.#standing = new Float64Array(connections);
    this.#standingPrevious = new Float64Array(connections);
    this.#standingTurnsAt = new Float64Array(connections);
    this.#samples = new Uint8Array(connections);
  }

  reset(connection: number): void {
    this.baseMicros[connection] = 0;
    this.#base[connection] = NONE;
    this.#basePrevious[connection] = NONE;
    this.#baseTurnsAt[connection] = 0;
    this.spreadMicros[connection] = 0;
    this.restart(connection);
  }

  /** Forgets the standing round trip: something was changed, and only what comes after it counts. */
  restart(connection: number): void {
    this.queueMicros[connection] = 0;
    this.settled[connection] = 0;
    this.#standing[connection] = NONE;
    this.#standingPrevious[connection] = NONE;
    this.#standingTurnsAt[connection] = 0;
    this.#samples[connection] = 0;
    this.#greatest[connection] = 0;
  }

  /** Takes what stands now for the base: the path has grown longer. */
  adopt(connection: number, now: Micros): void {
    const base = this.baseMicros[connection]! + this.queueMicros[connection]!;
    this.baseMicros[connection] = base;
    this.#base[connection] = base;
    this.#basePrevious[connection] = NONE;
    this.#baseTurnsAt[connection] = now + BASE_TURN_MICROS;
    this.queueMicros[connection] = 0;
  }

  /** Folds the round trip of a frame, which has one. `holdBase` keeps the base from being forgotten while it cannot be seen. */
  onRtt(connection: number, sample: AckSample, holdBase: boolean): void {
    const now = sample.now;
    const rtt = Math.min(sample.rttMicros, RTT_MAX_MICROS);
    const smoothed = sample.smoothedRttMicros > 0 ? sample.smoothedRttMicros : rtt;
    if (now >= this.#baseTurnsAt[connection]! && !holdBase) {
      if (this.#baseTurnsAt[connection]! > 0) this.#basePrevious[connection] = this.#base[connection]!;
      this.#base[connection] = rtt;
      this.#baseTurnsAt[connection] = now + BASE_TURN_MICROS;
    } else if (rtt < this.#base[connection]!) this.#base[connection] = rtt;
    const base = Math.min(this.#base[connection]!, this.#basePrevious[connection]!);
    this.baseMicros[connection] = base;

    if (this.#standingTurnsAt[connection] === 0) this.#standingTurnsAt[connection] = now + STANDING_SHARE * smoothed;
    if (rtt < this.#standing[connection]!) this.#standing[connection] = rtt;
    if (rtt > this.#greatest[connection]!) this.#greatest[connection] = rtt;
    if (this.#samples[connection]! < STANDING_SAMPLES) this.#samples[connection]!++;
    const standing = Math.min(this.#standing[connection]!, this.#standingPrevious[connection]!);
    this.queueMicros[connection] = standing - base;
    if (now >= this.#standingTurnsAt[connection]! && this.#samples[connection]! >= STANDING_SAMPLES) {
      const spread = this.#greatest[connection]! - this.#standing[connection]!;
      this.spreadMicros[connection]! += SPREAD_SMOOTHING * (spread - this.spreadMicros[connection]!);
      this.#greatest[connection] = 0;
      this.#standingPrevious[connection] = this.#standing[connection]!;
      this.#standing[connection] = NONE;
      this.#standingTurnsAt[connection] = now + STANDING_SHARE * smoothed;
      this.#samples[connection] = 0;
      this.settled[connection] = 1;
    }
  }
}

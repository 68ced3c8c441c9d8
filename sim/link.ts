/**
 * A link: two directions, each with its own latency, jitter, loss, fates and counters.
 *
 * Packet n of a direction asks its chance what happens to packet n (`chance.ts`), so a direction is the same whatever
 * else is in the world. It has no queue and no rate yet: a packet that is not lost arrives after its own delay.
 */

import type { Micros } from '../sys/api.ts';
import { Chance, LANE_JITTER, LANE_JITTER_SUM, LANE_LOSS, thresholdOf } from './chance.ts';
import type { Streams } from './streams.ts';

/** How jitter is spread over latency - jitter .. latency + jitter. */
export type JitterShape =
  /** Each delay is as likely as the others (what `tc netem delay 50ms 10ms` does). */
  | 'uniform'
  /** The sum of four uniform parts: most delays near the latency, the bounds almost never. */
  | 'bell';

/** What one direction does to packets. */
export interface DirectionOptions {
  /** One-way delay, 0 .. 60,000,000. Default 0. */
  readonly latencyMicros?: Micros;
  /** Delays lie within latency +- jitter; 0 .. latency. Default 0. */
  readonly jitterMicros?: Micros;
  /** Default `uniform`. */
  readonly jitterShape?: JitterShape;
  /** Packets never overtake each other: a fast one waits for a slow one before it, as on Wi-Fi and LTE. Default false. */
  readonly keepOrder?: boolean;
  /** Probability that a packet is lost, 0 .. 1, each on its own. Default 0. */
  readonly loss?: number;
}

/** Counters of one direction; `sent = lost + delivered + in flight` always. */
export interface DirectionStats {
  sent: number;
  sentBytes: number;
  lost: number;
  delivered: number;
}

/** A minute: longer delays are a mistake in the unit. */
const LATENCY_MICROS_MAX = 60_000_000;
/** Packet indices are 32 bits wide; at 200,000 packets a second that is six hours of wall time on one direction. */
const INDEX_MAX = 0xffff_ffff;
/** The answer of `admit` for a packet that is lost. */
export const LOST = -1;

/** One way of a link. */
export class LinkDirection {
  /** `client-0>server`: what its chance is named after. */
  readonly name: string;
  /** Its place in `World.directions`; stands for it in the digest. */
  readonly number: number;
  readonly stats: DirectionStats = { sent: 0, sentBytes: 0, lost: 0, delivered: 0 };

  readonly #chance: Chance;
  #latencyMicros = 0;
  #jitterMicros = 0;
  #bell = false;
  #keepOrder = false;
  #lossThreshold = 0;
  #lastArrival = 0;

  constructor(name: string, number: number, streams: Streams, options: DirectionOptions) {
    this.name = name;
    this.number = number;
    this.#chance = new Chance(streams.stream(`link/${name}`));
    this.configure(options);
  }

  /** Sets what happens to packets from the next one on. What is not named returns to its default. Throws RangeError. */
  configure(options: DirectionOptions): void {
    const { latencyMicros = 0, jitterMicros = 0, loss = 0 } = options;
    checkInteger(this.name, 'latencyMicros', latencyMicros, LATENCY_MICROS_MAX);
    checkInteger(this.name, 'jitterMicros', jitterMicros, LATENCY_MICROS_MAX);
    if (jitterMicros > latencyMicros) {
      throw new RangeError(
        `link ${this.name}: jitter (${jitterMicros} us) is larger than latency (${latencyMicros} us)`,
      );
    }
    if (!(loss >= 0 && loss <= 1))
      throw new RangeError(`link ${this.name}: loss is a probability, 0 .. 1, not ${loss}`);
    this.#latencyMicros = latencyMicros;
    this.#jitterMicros = jitterMicros;
    this.#bell = options.jitterShape === 'bell';
    this.#keepOrder = options.keepOrder ?? false;
    this.#lossThreshold = thresholdOf(loss);
  }

  /** The index that the next packet gets. */
  get nextIndex(): number {
    return this.stats.sent;
  }

  /** Takes the next packet in at `now` and returns when it arrives, or LOST. */
  admit(now: Micros, lengthBytes: number): Micros {
    const index = this.stats.sent++;
    if (index >= INDEX_MAX) throw new RangeError(`link ${this.name}: more than 2^32 packets in one direction`);
    this.stats.sentBytes += lengthBytes;
    if (this.#chance.happens(index, LANE_LOSS, this.#lossThreshold)) {
      this.stats.lost++;
      return LOST;
    }
    let arrival = now + this.delayMicros(index);
    if (this.#keepOrder) {
      if (arrival < this.#lastArrival) arrival = this.#lastArrival;
      this.#lastArrival = arrival;
    }
    return arrival;
  }

  /** The delay of packet `index` on its own, whether it is lost or not. */
  delayMicros(index: number): Micros {
    const jitter = this.#jitterMicros;
    if (jitter === 0) return this.#latencyMicros;
    const offset = this.#bell ? this.#bellOffset(index) : this.#chance.below(index, LANE_JITTER, 2 * jitter + 1);
    return this.#latencyMicros - jitter + offset;
  }

  /** 0 .. 2 * jitter as a sum of four uniform parts that share the range exactly. */
  #bellOffset(index: number): number {
    const range = 2 * this.#jitterMicros;
    const quarter = Math.floor(range / 4);
    let offset = this.#chance.below(index, LANE_JITTER, range - 3 * quarter + 1);
    for (let part = 0; part < 3; part++) {
      offset += this.#chance.below(index, LANE_JITTER_SUM + part, quarter + 1);
    }
    return offset;
  }
}

/** Throws RangeError with the field's name when an option of `link` is out of its range. */
export function checkDirection(link: string, options: DirectionOptions): void {
  const { latencyMicros = 0, jitterMicros = 0, loss = 0 } = options;
  checkInteger(link, 'latencyMicros', latencyMicros, LATENCY_MICROS_MAX);
  checkInteger(link, 'jitterMicros', jitterMicros, LATENCY_MICROS_MAX);
  if (jitterMicros > latencyMicros) {
    throw new RangeError(`link ${link}: jitter (${jitterMicros} us) is larger than latency (${latencyMicros} us)`);
  }
  if (!(loss >= 0 && loss <= 1)) throw new RangeError(`link ${link}: loss is a probability, 0 .. 1, not ${loss}`);
}

function checkInteger(link: string, field: string, value: number, max: number): void {
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`link ${link}: ${field} is an integer in 0 .. ${max}, not ${value}`);
  }
}

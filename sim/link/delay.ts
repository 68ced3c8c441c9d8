/**
 * The way itself: latency, and jitter around it that either lets packets overtake each other or keeps their order.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_JITTER, LANE_JITTER_SUM } from './chance.ts';
import type { DirectionOptions } from './direction-options.ts';
import { checkInteger, DELAY_MICROS_MAX } from './option-checks.ts';
import {
  exponentialTable,
  gammaTable,
  lognormalTable,
  normalTable,
  paretoTable,
  type QuantileTable,
  UNIT,
} from './quantile-table.ts';
import { checkWifi, WifiDelay } from './wifi-delay.ts';

/**
 * How jitter is spread. `uniform` and `bell` lie within latency +- jitter (its half width). For all others jitter is the
 * standard deviation: `normal` lies around the latency, and never below zero; for the rest the latency is the least delay,
 * and what lies above it is a queue.
 */
export type JitterShape =
  /** Each delay is as likely as the others (what `tc netem delay 50ms 10ms` does). */
  | 'uniform'
  /** The sum of four uniform parts: most delays near the latency, the bounds almost never. */
  | 'bell'
  | 'normal'
  /** Sigma 1: the median lies 0.463 jitter above the latency, one packet in a hundred 4.7. */
  | 'lognormal'
  /** Shape 2: two waits one after another. */
  | 'gamma'
  /** Index 3, the heaviest tail: one packet in a hundred lies 4.2 jitter above the latency, one in a million 114. */
  | 'pareto'
  /** One wait without memory. */
  | 'exponential';

/** The table of each shape that has one. */
const TABLES: { readonly [shape: string]: () => QuantileTable } = {
  normal: normalTable,
  lognormal: lognormalTable,
  gamma: gammaTable,
  pareto: paretoTable,
  exponential: exponentialTable,
};
/** Finer tables than 16 bits of chance tell nothing more. */
const DELAY_TABLE_MAX = 65_536;

const TWO_TO_32 = 0x1_0000_0000;

/** Delays of one direction. */
export class Delay {
  /** Set by `configure` only. */
  latencyMicros: Micros = 0;
  readonly #chance: Chance;
  #jitterMicros = 0;
  #bell = false;
  /** In place of the two shapes that lie within bounds. */
  #table: QuantileTable | null = null;
  /** Quantiles of the delay at equal steps; in place of jitter. */
  #quantiles: Float64Array | null = null;
  #wifi: WifiDelay | null = null;
  #keepOrder = false;
  #lastArrival = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Options are checked. */
  configure(options: DirectionOptions): void {
    const { latencyMicros = 0, jitterMicros = 0, jitterShape = 'uniform', delayTableMicros, wifi } = options;
    this.latencyMicros = latencyMicros;
    this.#jitterMicros = jitterMicros;
    this.#bell = jitterShape === 'bell';
    this.#table = jitterMicros === 0 ? null : (TABLES[jitterShape]?.() ?? null);
    this.#quantiles = delayTableMicros === undefined ? null : Float64Array.from(delayTableMicros);
    this.#wifi = wifi === undefined ? null : new WifiDelay(this.#chance, wifi);
    this.#keepOrder = options.keepOrder ?? wifi !== undefined;
  }

  /** When packet `index`, sent at `now`, arrives. */
  arrival(index: number, now: Micros): Micros {
    let arrival = now + this.micros(index);
    if (this.#wifi !== null) arrival += this.#wifi.extraMicros(index, now);
    if (this.#keepOrder) {
      if (arrival < this.#lastArrival) arrival = this.#lastArrival;
      this.#lastArrival = arrival;
    }
    return arrival;
  }

  /** The delay of packet `index` on its own, without that of Wi-Fi. */
  micros(index: number): Micros {
    if (this.#quantiles !== null) return this.latencyMicros + this.#tableMicros(this.#quantiles, index);
    const jitter = this.#jitterMicros;
    if (jitter === 0) return this.latencyMicros;
    if (this.#table !== null) {
      // At most 6 * 10^7 times 1.3 * 10^8: exact.
      const offset = Math.round((this.#table.at(this.#chance.int32(index, LANE_JITTER)) * jitter) / UNIT);
      return Math.min(Math.max(this.latencyMicros + offset, 0), DELAY_MICROS_MAX);
    }
    const offset = this.#bell ? this.#bellOffset(index) : this.#chance.below(index, LANE_JITTER, 2 * jitter + 1);
    return this.latencyMicros - jitter + offset;
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

  /** On the straight line between the two quantiles on either side of the draw. */
  #tableMicros(quantiles: Float64Array, index: number): number {
    const place = ((this.#chance.int32(index, LANE_JITTER) >>> 0) * (quantiles.length - 1)) / TWO_TO_32;
    const step = Math.floor(place);
    const value = quantiles[step]!;
    return Math.round(value + (quantiles[step + 1]! - value) * (place - step));
  }
}

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkDelay(whose: string, options: DirectionOptions): void {
  const { latencyMicros = 0, jitterMicros = 0, jitterShape = 'uniform', delayTableMicros, wifi } = options;
  checkInteger(whose, 'latencyMicros', latencyMicros, DELAY_MICROS_MAX);
  checkInteger(whose, 'jitterMicros', jitterMicros, DELAY_MICROS_MAX);
  const bounded = jitterShape === 'uniform' || jitterShape === 'bell';
  if (!bounded && !Object.hasOwn(TABLES, jitterShape)) {
    const shapes = ['uniform', 'bell', ...Object.keys(TABLES)].join(', ');
    throw new RangeError(`${whose}: jitterShape is one of ${shapes}, not ${jitterShape}`);
  }
  if ((bounded || jitterShape === 'normal') && jitterMicros > latencyMicros) {
    throw new RangeError(`${whose}: jitter (${jitterMicros} us) is larger than latency (${latencyMicros} us)`);
  }
  if (wifi !== undefined) {
    checkWifi(whose, wifi);
    if (options.keepOrder === false) {
      throw new RangeError(
        `${whose}: wifi delivers in order: leave keepOrder out, and give reorder for what overtakes`,
      );
    }
  }
  if (delayTableMicros !== undefined) checkTable(whose, delayTableMicros, jitterMicros);
}

function checkTable(whose: string, table: readonly number[], jitterMicros: Micros): void {
  if (jitterMicros > 0) {
    throw new RangeError(`${whose}: delayTableMicros and jitterMicros both spread the delay: give one of them`);
  }
  if (!Array.isArray(table) || table.length < 2 || table.length > DELAY_TABLE_MAX) {
    throw new RangeError(
      `${whose}: delayTableMicros is a list of 2 .. ${DELAY_TABLE_MAX} quantiles, from the least to the largest delay`,
    );
  }
  for (let i = 0; i < table.length; i++) {
    checkInteger(whose, `delayTableMicros[${i}]`, table[i]!, DELAY_MICROS_MAX);
    if (i > 0 && table[i]! < table[i - 1]!) {
      throw new RangeError(
        `${whose}: delayTableMicros[${i}] is less than the one before it: quantiles rise, sort them`,
      );
    }
  }
}

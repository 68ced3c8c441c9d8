/**
 * Bad Wi-Fi: the radio tries again until a frame gets through, meets others that send, and sometimes does not listen.
 *
 * Three things add up. Every packet waits a Poisson number of short steps, one in the mean, less a uniform part of a step
 * so that delays do not lie in rows. Some meet a busy channel and wait a Poisson number of long steps, twelve in the mean.
 * And the radio suspends now and then, as when it looks for other stations: what is sent meanwhile goes when it is back.
 * The link layer delivers in order, so a packet that waits holds up those behind it (`keepOrder`).
 */

import type { Micros } from '../../sys/api.ts';
import {
  type Chance,
  LANE_WIFI_BUSY,
  LANE_WIFI_BUSY_STEPS,
  LANE_WIFI_PART,
  LANE_WIFI_STEPS,
  LANE_WIFI_SUSPENSION,
  thresholdOf,
} from './chance.ts';
import { exponential } from './elementary.ts';
import { checkInteger, checkProbability } from './option-checks.ts';
import { exponentialTable, UNIT } from './quantile-table.ts';

/** A radio. All delays come on top of latency and jitter. */
export interface WifiOptions {
  /** One short step, 0 .. 1,000,000. Default 1,000. */
  readonly stepMicros?: Micros;
  /** Probability that a packet meets a busy channel. Default 0.01. */
  readonly busy?: number;
  /** One long step, 0 .. 1,000,000. Default 7,500: twelve are 90 ms. */
  readonly busyStepMicros?: Micros;
  /** Mean time from one suspension to the next, 1,000 .. 4,000,000,000; exponential. Default: never. */
  readonly suspendEveryMicros?: Micros;
  /** How long a suspension lasts, 1 .. 60,000,000. Default 150,000: a scan of the channels. */
  readonly suspendMicros?: Micros;
}

const STEP_MICROS = 1_000;
const STEP_MICROS_MAX = 1_000_000;
const BUSY = 0.01;
const BUSY_STEP_MICROS = 7_500;
const SUSPEND_MICROS = 150_000;
const SUSPEND_MICROS_MAX = 60_000_000;
/** More often, and walking through them would cost more than the packets. */
const SUSPEND_EVERY_MICROS_MIN = 1_000;
/** Times the largest quantile in units still exact. */
const SUSPEND_EVERY_MICROS_MAX = 4_000_000_000;

/** Means of the two Poisson numbers of steps. */
const STEPS_MEAN = 1;
const BUSY_STEPS_MEAN = 12;
const TWO_TO_32 = 0x1_0000_0000;

/** P(N <= k) of a Poisson number N, times 2^32, for k up to where no draw comes. */
function cumulative(mean: number): Float64Array {
  const sums: number[] = [];
  let term = exponential(-mean);
  let sum = term;
  for (let k = 1; term * TWO_TO_32 > 0.5 || k <= mean; k++) {
    sums.push(Math.round(sum * TWO_TO_32));
    term *= mean / k;
    sum += term;
  }
  return Float64Array.from(sums);
}

const STEPS: Float64Array = cumulative(STEPS_MEAN);
const BUSY_STEPS: Float64Array = cumulative(BUSY_STEPS_MEAN);

/** The radio of one direction. */
export class WifiDelay {
  readonly #chance: Chance;
  readonly #stepMicros: Micros;
  readonly #busyThreshold: number;
  readonly #busyStepMicros: Micros;
  readonly #everyMicros: Micros;
  readonly #suspendMicros: Micros;
  /** The next suspension, or the one that lasts; and how many were before it. */
  #suspension = 0;
  #suspendedFrom: Micros = Number.POSITIVE_INFINITY;
  #suspendedUntil: Micros = Number.POSITIVE_INFINITY;

  /** Options are checked. */
  constructor(chance: Chance, options: WifiOptions) {
    this.#chance = chance;
    this.#stepMicros = options.stepMicros ?? STEP_MICROS;
    this.#busyThreshold = thresholdOf(options.busy ?? BUSY);
    this.#busyStepMicros = options.busyStepMicros ?? BUSY_STEP_MICROS;
    this.#everyMicros = options.suspendEveryMicros ?? 0;
    this.#suspendMicros = options.suspendMicros ?? SUSPEND_MICROS;
    if (this.#everyMicros > 0) this.#suspendAfter(0);
  }

  /** How much later than it would packet `index`, sent at `now`, arrives. To be asked in the order of time. */
  extraMicros(index: number, now: Micros): Micros {
    while (now >= this.#suspendedUntil) this.#suspendAfter(this.#suspendedUntil);
    const held = now >= this.#suspendedFrom ? this.#suspendedUntil - now : 0;
    return held + this.#steps(index);
  }

  #steps(index: number): Micros {
    const chance = this.#chance;
    const steps = poisson(STEPS, chance.int32(index, LANE_WIFI_STEPS) >>> 0);
    let micros = steps * this.#stepMicros;
    if (steps > 0) micros -= chance.below(index, LANE_WIFI_PART, this.#stepMicros + 1);
    if (chance.happens(index, LANE_WIFI_BUSY, this.#busyThreshold)) {
      micros += poisson(BUSY_STEPS, chance.int32(index, LANE_WIFI_BUSY_STEPS) >>> 0) * this.#busyStepMicros;
    }
    return micros;
  }

  #suspendAfter(time: Micros): void {
    const word = this.#chance.int32(this.#suspension++, LANE_WIFI_SUSPENSION);
    this.#suspendedFrom = time + Math.round((exponentialTable().at(word) * this.#everyMicros) / UNIT);
    this.#suspendedUntil = this.#suspendedFrom + this.#suspendMicros;
  }
}

/** The number of a draw of 32 bits. */
function poisson(sums: Float64Array, draw: number): number {
  let k = 0;
  while (k < sums.length && draw >= sums[k]!) k++;
  return k;
}

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkWifi(whose: string, options: WifiOptions): void {
  if (options === null || typeof options !== 'object') throw new RangeError(`${whose}: wifi is an object, say {}`);
  checkInteger(whose, 'wifi.stepMicros', options.stepMicros ?? STEP_MICROS, STEP_MICROS_MAX);
  checkProbability(whose, 'wifi.busy', options.busy ?? BUSY);
  checkInteger(whose, 'wifi.busyStepMicros', options.busyStepMicros ?? BUSY_STEP_MICROS, STEP_MICROS_MAX);
  checkInteger(
    whose,
    'wifi.suspendEveryMicros',
    options.suspendEveryMicros ?? SUSPEND_EVERY_MICROS_MIN,
    SUSPEND_EVERY_MICROS_MAX,
    SUSPEND_EVERY_MICROS_MIN,
  );
  checkInteger(whose, 'wifi.suspendMicros', options.suspendMicros ?? SUSPEND_MICROS, SUSPEND_MICROS_MAX, 1);
}

/**
 * Outages: the chain of Gilbert and Elliott in continuous time, whose bad periods last milliseconds and not packets.
 *
 * A fade of the radio knows nothing of who sends: at 60 packets a second it takes six in a row, at 10 one. Period k lasts
 * what chance says for k, from world time 0 on, so that the state at a time is a function of the seed, the options and
 * that time.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_OUTAGE, LANE_OUTAGE_FIRST, thresholdOf } from './chance.ts';
import { checkInteger, checkProbability } from './option-checks.ts';
import { exponentialTable, type QuantileTable, UNIT } from './quantile-table.ts';

/** Outages by what can be measured. All that is sent in an outage is lost, and nothing else. */
export interface TimeLoss {
  readonly model: 'gilbert-elliott-time';
  /** Share of time that is outage in the long run, 0 .. 1, 1 excluded. */
  readonly loss: number;
  /** Mean length of an outage, 100 .. 60,000,000; the lengths are exponential. */
  readonly meanBurstMicros: Micros;
}

/** Shorter ones end before the next packet of any sender, and would cost more to walk through than the packets. */
const BURST_MICROS_MIN = 100;
const BURST_MICROS_MAX = 60_000_000;
/** An hour and more between two outages; times the largest quantile in units still exact. */
const GAP_MICROS_MAX = 0x1_0000_0000;

/** Outages of one direction. */
export class LossInTime {
  readonly #chance: Chance;
  readonly #table: QuantileTable = exponentialTable();
  readonly #badMicros: number;
  readonly #goodMicros: number;
  /** The period that lasts until `#until`; periods take turns, so its number and the first state tell its state. */
  #period = 0;
  #bad: boolean;
  #until: Micros = 0;

  /** Options are checked. */
  constructor(chance: Chance, { loss, meanBurstMicros }: TimeLoss) {
    this.#chance = chance;
    this.#badMicros = meanBurstMicros;
    this.#goodMicros = loss === 0 ? 0 : (meanBurstMicros * (1 - loss)) / loss;
    this.#bad = chance.happens(0, LANE_OUTAGE_FIRST, thresholdOf(loss));
    // An exponential has no memory: what is left of the period at time 0 is as long as a whole one.
    this.#until = loss === 0 ? Number.POSITIVE_INFINITY : this.#length();
  }

  /** Whether a packet is lost that is in the air at `now`. To be asked in the order of time. */
  loses(_index: number, now: Micros): boolean {
    while (now >= this.#until) {
      this.#period++;
      this.#bad = !this.#bad;
      this.#until += this.#length();
    }
    return this.#bad;
  }

  #length(): Micros {
    const mean = this.#bad ? this.#badMicros : this.#goodMicros;
    return Math.round((this.#table.at(this.#chance.int32(this.#period, LANE_OUTAGE)) * mean) / UNIT);
  }
}

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkTimeLoss(whose: string, { loss, meanBurstMicros }: TimeLoss): void {
  checkProbability(whose, 'loss.loss', loss);
  if (loss === 1) throw new RangeError(`${whose}: loss.loss is below 1 in outages; to lose every packet, give loss: 1`);
  checkInteger(whose, 'loss.meanBurstMicros', meanBurstMicros, BURST_MICROS_MAX, BURST_MICROS_MIN);
  if (loss > 0 && (meanBurstMicros * (1 - loss)) / loss > GAP_MICROS_MAX) {
    throw new RangeError(
      `${whose}: loss.loss ${loss} leaves more than an hour between outages of ${meanBurstMicros} us: ` +
        `give at least ${meanBurstMicros / GAP_MICROS_MAX}, or 0`,
    );
  }
  if (loss > 0 && (meanBurstMicros * (1 - loss)) / loss < 1) {
    throw new RangeError(`${whose}: loss.loss ${loss} leaves no microsecond between two outages: give loss: 1`);
  }
}

/**
 * Loss in the air: packets lost each on its own, or in bursts by the two-state chain of Gilbert and Elliott,
 * or by one of the models of `loss-*.ts`.
 *
 * The chain moves once for each packet index, lost before or not, and each move is chance with an address: whether packet
 * n is lost depends on the seed and n, never on what a queue dropped or when the packet was sent. Both are coupled
 * to one draw a packet, so that more loss (of the same burst length) loses all that less loss did.
 */

import type { Micros } from '../../sys/api.ts';
import { type Chance, LANE_LOSS, LANE_LOSS_STATE, thresholdOf } from './chance.ts';
import { checkList, checkTrace, type ListLoss, LossByList, LossByTrace, type TraceLoss } from './loss-by-list.ts';
import { checkFourState, type FourStateLoss, LossFourState } from './loss-four-state.ts';
import { checkTimeLoss, LossInTime, type TimeLoss } from './loss-in-time.ts';
import { checkProbability } from './option-checks.ts';

/** Bursts by what can be measured: the chain's bad state loses everything, its good state nothing. */
export interface BurstLoss {
  readonly model: 'gilbert-elliott';
  /** Share of packets that are lost in the long run, exactly this. */
  readonly loss: number;
  /** Mean number of packets that are lost in a row, from 1; the lengths are geometric. At least loss / (1 - loss). */
  readonly meanBurstPackets: number;
}

/** Bursts by the chain's own four numbers. Long-run loss: (r * lossInGood + p * lossInBad) / (p + r). */
export interface ChainLoss {
  readonly model: 'gilbert-elliott';
  /** Probability to move from the good to the bad state before a packet (p). */
  readonly goodToBad: number;
  /** Probability to move back (r); the bad state lasts 1 / r packets in the mean. */
  readonly badToGood: number;
  /** Probability of loss in the good state (1 - k). Default 0. */
  readonly lossInGood?: number;
  /** Probability of loss in the bad state (1 - h). Default 1. */
  readonly lossInBad?: number;
}

/** How packets are lost when not each on its own. */
export type LossModel = BurstLoss | ChainLoss | OtherLoss;

type OtherLoss = TimeLoss | FourStateLoss | ListLoss | TraceLoss;

/** Models that are files of their own; each begins anew when it is configured. */
interface LossProcess {
  loses(index: number, now: Micros): boolean;
}

/** Loss of one direction. */
export class Loss {
  readonly #chance: Chance;
  /** Decides in place of what follows. */
  #other: LossProcess | null = null;
  /** The state of the chain matters. */
  #inBursts = false;
  #bad = false;
  /** The first index that the chain has not moved for. */
  #next = 0;
  #toBadThreshold = 0;
  #stayBadThreshold = 0;
  #longRunThreshold = 0;
  #goodThreshold = 0;
  #badThreshold = 0;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** Sets what happens from the next question on; the chain keeps its state. Options are checked. */
  configure(loss: number | LossModel): void {
    this.#other = null;
    if (typeof loss === 'number') {
      this.#inBursts = false;
      this.#goodThreshold = thresholdOf(loss);
      return;
    }
    if (loss.model !== 'gilbert-elliott') {
      this.#other = processOf(this.#chance, loss);
      return;
    }
    const chain = 'loss' in loss ? chainOf(loss) : loss;
    const { goodToBad, badToGood, lossInGood = 0, lossInBad = 1 } = chain;
    const moves = goodToBad + badToGood;
    this.#inBursts = true;
    this.#toBadThreshold = thresholdOf(goodToBad);
    this.#stayBadThreshold = thresholdOf(1 - badToGood);
    this.#longRunThreshold = moves === 0 ? 0 : thresholdOf(goodToBad / moves);
    this.#goodThreshold = thresholdOf(lossInGood);
    this.#badThreshold = thresholdOf(lossInBad);
  }

  /** Whether packet `index`, in the air at `now`, is lost. To be asked in the order of indices; some may be left out. */
  loses(index: number, now: Micros): boolean {
    if (this.#other !== null) return this.#other.loses(index, now);
    if (!this.#inBursts) return this.#chance.happens(index, LANE_LOSS, this.#goodThreshold);
    while (this.#next <= index) this.#move(this.#next++);
    return this.#chance.happens(index, LANE_LOSS, this.#bad ? this.#badThreshold : this.#goodThreshold);
  }

  /**
   * Into the state that packet `index` meets; that of the first packet is drawn from the long run. One draw decides both
   * moves, low draws for the bad state: a chain that is more often or longer bad is then bad wherever a better one is.
   */
  #move(index: number): void {
    let threshold = this.#longRunThreshold;
    if (index > 0) threshold = this.#bad ? this.#stayBadThreshold : this.#toBadThreshold;
    this.#bad = this.#chance.happens(index, LANE_LOSS_STATE, threshold);
  }
}

function processOf(chance: Chance, loss: OtherLoss): LossProcess {
  switch (loss.model) {
    case 'gilbert-elliott-time':
      return new LossInTime(chance, loss);
    case 'four-state':
      return new LossFourState(chance, loss);
    case 'list':
      return new LossByList(loss);
    case 'trace':
      return new LossByTrace(loss);
  }
}

/** The chain whose long-run loss and mean burst are exactly these. */
function chainOf({ loss, meanBurstPackets }: BurstLoss): ChainLoss {
  const goodToBad = loss === 0 ? 0 : loss / ((1 - loss) * meanBurstPackets);
  return { model: 'gilbert-elliott', goodToBad, badToGood: 1 / meanBurstPackets };
}

/** Longest mean burst: a million packets is an outage of hours, not a burst. */
const BURST_PACKETS_MAX = 1_000_000;

/** Throws RangeError that names `whose` it is and the field when a loss is not one. */
export function checkLoss(whose: string, loss: number | LossModel): void {
  if (typeof loss === 'number') {
    checkProbability(whose, 'loss', loss);
    return;
  }
  switch (loss?.model) {
    case 'gilbert-elliott':
      checkChain(whose, loss);
      return;
    case 'gilbert-elliott-time':
      checkTimeLoss(whose, loss);
      return;
    case 'four-state':
      checkFourState(whose, loss);
      return;
    case 'list':
      checkList(whose, loss);
      return;
    case 'trace':
      checkTrace(whose, loss);
      return;
    default:
      throw new RangeError(
        `${whose}: loss is a probability, 0 .. 1, or { model: 'gilbert-elliott', ... } ` +
          "(or 'gilbert-elliott-time', 'four-state', 'list', 'trace')",
      );
  }
}

function checkChain(whose: string, loss: BurstLoss | ChainLoss): void {
  if ('loss' in loss && 'goodToBad' in loss) {
    throw new RangeError(
      `${whose}: loss.goodToBad and loss.loss both set the loss: give loss and meanBurstPackets, or the chain`,
    );
  }
  if ('loss' in loss) checkBurst(whose, loss);
  else {
    checkProbability(whose, 'loss.goodToBad', loss.goodToBad);
    checkProbability(whose, 'loss.badToGood', loss.badToGood);
    checkProbability(whose, 'loss.lossInGood', loss.lossInGood ?? 0);
    checkProbability(whose, 'loss.lossInBad', loss.lossInBad ?? 1);
  }
}

function checkBurst(whose: string, { loss, meanBurstPackets }: BurstLoss): void {
  checkProbability(whose, 'loss.loss', loss);
  if (loss === 1) throw new RangeError(`${whose}: loss.loss is below 1 in bursts; to lose every packet, give loss: 1`);
  if (!(meanBurstPackets >= 1 && meanBurstPackets <= BURST_PACKETS_MAX)) {
    throw new RangeError(
      `${whose}: loss.meanBurstPackets is a number in 1 .. ${BURST_PACKETS_MAX}, not ${meanBurstPackets}`,
    );
  }
  if (loss / (1 - loss) > meanBurstPackets) {
    throw new RangeError(
      `${whose}: loss.meanBurstPackets ${meanBurstPackets} is too short for a loss of ${loss}, since at least one ` +
        `packet gets through between two bursts: give ${Math.ceil((loss / (1 - loss)) * 100) / 100} or more`,
    );
  }
}

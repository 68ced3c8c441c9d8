/**
 * What one direction of a link can be told, and what it refuses.
 */

import type { Micros } from '../../sys/api.ts';
import { Bottleneck } from './bottleneck.ts';
import { type BottleneckOptions, checkBottleneck } from './bottleneck-options.ts';
import { CORRUPT_KINDS, type CorruptKind, checkCorrupt } from './corrupt.ts';
import { checkDelay, type JitterShape } from './delay.ts';
import { checkLoss, type LossModel } from './loss.ts';
import { checkInteger, checkProbability, DELAY_MICROS_MAX } from './option-checks.ts';
import { checkPolicer, type PolicerOptions } from './policer.ts';
import type { WifiOptions } from './wifi-delay.ts';

/**
 * What one direction does to packets, in the order in which they meet it; after the policer comes the line of
 * `BottleneckOptions`. Without a rate (and a trace, and a shared line) there is no limit, and so no queue.
 */
export interface DirectionOptions extends BottleneckOptions {
  /**
   * Largest IP packet that gets through, 68 .. 65,535: what is larger than that with 28 bytes of headers is silently
   * dropped, as in a tunnel whose messages about it are filtered. Default: no limit.
   */
  readonly mtuBytes?: number;
  /** A rate above which datagrams are dropped, without a queue. Default: none. */
  readonly policer?: PolicerOptions;
  /** In place of a rate of its own: a line and queue shared with other directions (`World.bottleneck`). */
  readonly bottleneck?: Bottleneck;
  /** Probability that a packet is lost, 0 .. 1, each on its own; or a model of bursts. Default 0. */
  readonly loss?: number | LossModel;
  /** Probability that a packet which is not lost arrives with other bytes. Cross traffic is left out. Default 0. */
  readonly corrupt?: number;
  /** What is done to it, each as often as the others. Default all: `flip`, `truncate`, `extend`, `splice`. */
  readonly corruptKinds?: readonly CorruptKind[];
  /** One-way delay, 0 .. 60,000,000. Default 0. */
  readonly latencyMicros?: Micros;
  /**
   * How far delays lie from the latency: half the width of `uniform` and `bell`, the standard deviation of the other
   * shapes. 0 .. latency for those two and `normal`, 0 .. 60,000,000 for the rest. Default 0.
   */
  readonly jitterMicros?: Micros;
  /** Default `uniform`. */
  readonly jitterShape?: JitterShape;
  /**
   * In place of jitter, what comes on top of the latency by its quantiles at equal steps, from the least to the largest:
   * 2 .. 65,536 rising numbers, between which delays lie on straight lines.
   */
  readonly delayTableMicros?: readonly number[];
  /** A radio that tries again, meets others and suspends, on top of latency and jitter. Keeps the order. Default: none. */
  readonly wifi?: WifiOptions;
  /**
   * Packets never overtake each other: a fast one waits for a slow one before it, as on Wi-Fi and LTE. Default false, with
   * `wifi` true.
   */
  readonly keepOrder?: boolean;
  /** Probability that a packet is held back so that later ones overtake it, also with `keepOrder`. Default 0. */
  readonly reorder?: number;
  /** How long it is held back, 1 .. 60,000,000. Default 20,000: longer than a tick at 60 Hz. */
  readonly reorderMicros?: Micros;
  /** Probability that a packet which is not lost arrives twice. Default 0. */
  readonly duplicate?: number;
  /** The copy arrives up to this long after its original, 0 .. 60,000,000. Default 0: with it. */
  readonly duplicateDelayMicros?: Micros;
}

/** RFC 791: every module must be able to forward as much; and what fits in the length field. */
const MTU_BYTES_MIN = 68;
export const MTU_BYTES_MAX = 65_535;
/** Longer than a tick at 60 Hz, so that the next packet of a game overtakes the one held back. */
export const REORDER_MICROS = 20_000;

/** Throws RangeError that names `whose` (`link a>b`) and the field when an option is out of its range. */
export function checkDirection(whose: string, options: DirectionOptions): void {
  checkLoss(whose, options.loss ?? 0);
  checkCorrupt(whose, options.corrupt ?? 0, options.corruptKinds ?? CORRUPT_KINDS);
  checkDelay(whose, options);
  checkInteger(whose, 'mtuBytes', options.mtuBytes ?? MTU_BYTES_MAX, MTU_BYTES_MAX, MTU_BYTES_MIN);
  if (options.policer !== undefined) checkPolicer(whose, options.policer);
  checkProbability(whose, 'reorder', options.reorder ?? 0);
  checkInteger(whose, 'reorderMicros', options.reorderMicros ?? REORDER_MICROS, DELAY_MICROS_MAX, 1);
  checkProbability(whose, 'duplicate', options.duplicate ?? 0);
  checkInteger(whose, 'duplicateDelayMicros', options.duplicateDelayMicros ?? 0, DELAY_MICROS_MAX);
  checkLine(whose, options);
}

/** A rate of its own, or a shared one, or neither; a queue only before a rate. */
function checkLine(whose: string, options: DirectionOptions): void {
  const { rateBitsPerSecond, rateTrace, bottleneck } = options;
  if (bottleneck !== undefined && !(bottleneck instanceof Bottleneck)) {
    throw new RangeError(`${whose}: bottleneck is what world.bottleneck(name, options) returned`);
  }
  if (rateBitsPerSecond !== undefined || rateTrace !== undefined) {
    if (bottleneck !== undefined) {
      const field = rateTrace === undefined ? 'rateBitsPerSecond' : 'rateTrace';
      throw new RangeError(`${whose}: ${field} and bottleneck both set a rate: give one of them`);
    }
    checkBottleneck(whose, options);
    return;
  }
  for (const field of ['queueBytes', 'queuePackets', 'queue', 'ecn', 'overheadBytes'] as const) {
    if (options[field] === undefined) continue;
    const where = bottleneck === undefined ? 'give rateBitsPerSecond too' : `set it on bottleneck '${bottleneck.name}'`;
    throw new RangeError(`${whose}: ${field} belongs to a rate: ${where}`);
  }
}

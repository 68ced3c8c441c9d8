/**
 * What a line and its queue can be told, and what they refuse.
 */

import { checkInteger } from './option-checks.ts';
import { checkRateTrace, type RateTraceTimes } from './rate-trace.ts';

/** What is dropped, and when. */
export type QueueDiscipline =
  /** What finds the queue full. */
  | 'tail'
  /** What has waited longest, when the queue is full: what is left is fresh. */
  | 'head'
  /** What has waited too long for too long, from the head (`codel.ts`); what finds the queue full too. */
  | 'codel'
  /** By chance, the more the longer the queue is in the mean (`red.ts`); what finds the queue full too. */
  | 'red';

/** A rate and the queue before it. */
export interface BottleneckOptions {
  /** Bits a second on the line, 1,000 .. 10^12; or else give `rateTrace`. */
  readonly rateBitsPerSecond?: number;
  /** In place of a rate: when packets may go (`rate-trace.ts`), from the beginning of the world. */
  readonly rateTrace?: RateTraceTimes;
  /** Bytes that may wait, not counting the packet on the line; 0: none may wait. Default: 64 MiB. */
  readonly queueBytes?: number;
  /** Packets that may wait, 0 .. 262,144. Default: no limit but that. */
  readonly queuePackets?: number;
  /** Default `tail`. `red` takes its thresholds from `queueBytes`, which it needs. */
  readonly queue?: QueueDiscipline;
  /** `codel` and `red` mark packets (ECN) in place of dropping them; counted, and not told to the sockets. Default false. */
  readonly ecn?: boolean;
  /**
   * Bytes that each datagram takes on the line and in the queue besides its payload. Default 28: IPv4 and UDP headers; with
   * `rateTrace` 32, as mm-link counts.
   */
  readonly overheadBytes?: number;
}

/** Slower lines are a mistake in the unit: a full frame would take more than ten seconds. */
const RATE_BITS_MIN = 1_000;
/** A terabit: bits times 10^6 and remainders stay far below 2^53. */
const RATE_BITS_MAX = 1e12;
/** The most that may wait: five seconds at 100 Mbit/s, and of packets with 100 bytes half of what a world may hold. */
export const QUEUE_BYTES_MAX: number = 64 * 1024 * 1024;
/** Packets that may wait however small they are: a quarter of the datagrams that a world may hold. */
export const QUEUE_PACKETS_MAX: number = 1 << 18;
/** IPv4 header without options, and UDP header. */
export const OVERHEAD_BYTES = 28;
/** More than any stack of tunnels adds. */
const OVERHEAD_BYTES_MAX = 1_000;

/** Throws RangeError that names `whose` it is and the field when an option is out of its range. */
export function checkBottleneck(whose: string, options: BottleneckOptions): void {
  const { rateBitsPerSecond, rateTrace } = options;
  if (rateTrace === undefined)
    checkInteger(whose, 'rateBitsPerSecond', rateBitsPerSecond!, RATE_BITS_MAX, RATE_BITS_MIN);
  else if (rateBitsPerSecond === undefined) checkRateTrace(whose, rateTrace);
  else throw new RangeError(`${whose}: rateBitsPerSecond and rateTrace both set a rate: give one of them`);
  checkInteger(whose, 'queueBytes', options.queueBytes ?? 0, QUEUE_BYTES_MAX);
  checkInteger(whose, 'queuePackets', options.queuePackets ?? 0, QUEUE_PACKETS_MAX);
  const { queue = 'tail', ecn = false } = options;
  if (!['tail', 'head', 'codel', 'red'].includes(queue)) {
    throw new RangeError(`${whose}: queue is one of tail, head, codel, red, not ${queue}`);
  }
  if (queue === 'red' && options.queueBytes === undefined) {
    throw new RangeError(`${whose}: queue 'red' takes its thresholds from queueBytes: give it, say 250,000`);
  }
  if (ecn && queue !== 'codel' && queue !== 'red') {
    throw new RangeError(`${whose}: ecn marks what codel or red would drop: give queue: 'codel' or 'red'`);
  }
  checkInteger(whose, 'overheadBytes', options.overheadBytes ?? 0, OVERHEAD_BYTES_MAX);
}

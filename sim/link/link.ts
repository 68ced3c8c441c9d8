/**
 * A link: two directions, each a row of stages with its own settings, fates and counters.
 *
 * A packet passes the stages in this order, and the network (`transit.ts`) takes it from one to the next:
 *
 *     MTU  ->  policer  ->  bottleneck (rate, queue)  ->  loss  ->  corrupt  ->  delay  ->  reorder  ->  duplicate
 *
 * Loss comes after the queue, since what is lost in the air has used the line before it: else a lossy link would look
 * faster than it is. Copies are made last, so they cost no share of the line. Packet n of a direction asks its chance
 * what happens to packet n (`chance.ts`), so a direction is the same whatever else is in the world; only the time in a
 * queue depends on what is sent.
 */

import type { Micros } from '../../sys/api.ts';
import type { Streams } from '../world/streams.ts';
import { Bottleneck } from './bottleneck.ts';
import { OVERHEAD_BYTES } from './bottleneck-options.ts';
import { Chance } from './chance.ts';
import { CORRUPT_KINDS, Corrupt } from './corrupt.ts';
import { Delay } from './delay.ts';
import { checkDirection, type DirectionOptions, MTU_BYTES_MAX, REORDER_MICROS } from './direction-options.ts';
import { Duplicate, NO_COPY } from './duplicate.ts';
import type { DirectionFates } from './fates.ts';
import { Loss } from './loss.ts';
import { Policer } from './policer.ts';
import { Reorder } from './reorder.ts';

/** Counters of one direction; `sent + duplicated = delivered + lost + dropped + cut + tooLarge + policed + under way`. */
export interface DirectionStats {
  sent: number;
  sentBytes: number;
  /** Came while it was cut. */
  cut: number;
  /** Larger than its MTU. */
  tooLarge: number;
  /** By its policer. */
  policed: number;
  /** By the queue of its bottleneck, or while it held as many as it can. */
  dropped: number;
  /** In the air. */
  lost: number;
  /** Went on with other bytes than they had. */
  corrupted: number;
  /** Copies that the network made. */
  duplicated: number;
  /** Came to the end while it held, copies too: they wait there, or waited. */
  held: number;
  /** Reached their host, copies too. */
  delivered: number;
}

/** Packet indices are 32 bits wide; at 200,000 packets a second that is six hours of wall time on one direction. */
const INDEX_MAX = 0xffff_ffff;
/** The answer of `cross` for a packet that is lost. */
export const LOST = -1;
/** Answers of `admit`. */
export const ADMITTED = 0;
export const TOO_LARGE = 1;
export const POLICED = 2;
export const CUT = 3;

/** Counters that have counted nothing. */
export function noDirectionStats(): DirectionStats {
  return {
    sent: 0,
    sentBytes: 0,
    cut: 0,
    tooLarge: 0,
    policed: 0,
    dropped: 0,
    lost: 0,
    corrupted: 0,
    duplicated: 0,
    held: 0,
    delivered: 0,
  };
}

/** What is done to a direction by hand; what the digest knows it by. */
export const FAULT_CUT = 1;
export const FAULT_MEND = 2;
export const FAULT_HOLD = 3;
export const FAULT_RELEASE = 4;

/** Hears what is done to a direction by hand, after it was done. */
export interface DirectionWatcher {
  onFault(direction: LinkDirection, fault: number): void;
}

/** One way of a link. */
export class LinkDirection {
  /** `client-0>server`: what its chance is named after. */
  readonly name: string;
  /** Its place in `Transit.directions`; stands for it in the digest. */
  readonly number: number;
  readonly stats: DirectionStats = noDirectionStats();
  /** Damages the packets that its `kind` says, after `cross`. */
  readonly corrupt: Corrupt;
  /** The world that it is in, if any. */
  watcher: DirectionWatcher | null = null;

  readonly #chance: Chance;
  readonly #loss: Loss;
  readonly #delay: Delay;
  readonly #reorder: Reorder;
  readonly #duplicate: Duplicate;
  #isCut = false;
  #isHolding = false;
  #mtuBytes = MTU_BYTES_MAX;
  #policer: Policer | null = null;
  /** Its own queue, from the first rate on that it is given. */
  #own: Bottleneck | null = null;
  #shared: Bottleneck | null = null;
  /** Says or records what becomes of packets; null, as nearly always: chance alone decides. */
  #fates: DirectionFates | null = null;

  constructor(name: string, number: number, streams: Streams, options: DirectionOptions) {
    this.name = name;
    this.number = number;
    const chance = new Chance(streams.stream(`link/${name}`));
    this.#chance = chance;
    this.#loss = new Loss(chance);
    this.#delay = new Delay(chance);
    this.#reorder = new Reorder(chance);
    this.#duplicate = new Duplicate(chance);
    this.corrupt = new Corrupt(chance);
    this.configure(options);
  }

  /**
   * Sets what happens to packets from the next stage on that they come to; those on the line or in the air keep their
   * times. What is not named returns to its default. Throws RangeError.
   */
  configure(options: DirectionOptions): void {
    checkDirection(`link ${this.name}`, options);
    this.#delay.configure(options);
    this.#loss.configure(options.loss ?? 0);
    this.#reorder.configure(options.reorder ?? 0, options.reorderMicros ?? REORDER_MICROS);
    this.#duplicate.configure(options.duplicate ?? 0, options.duplicateDelayMicros ?? 0);
    this.corrupt.configure(options.corrupt ?? 0, options.corruptKinds ?? CORRUPT_KINDS);
    this.#mtuBytes = options.mtuBytes ?? MTU_BYTES_MAX;
    if (options.policer === undefined) this.#policer = null;
    else {
      this.#policer ??= new Policer();
      this.#policer.configure(options.policer);
    }
    this.#shared = options.bottleneck ?? null;
    if (options.rateBitsPerSecond === undefined && options.rateTrace === undefined) this.#own?.open();
    else if (this.#own === null) this.#own = new Bottleneck(this.name, options, this.#chance);
    else this.#own.configure(options);
  }

  /** From now on nothing enters: a partition of this way. What is under way still arrives. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.watcher?.onFault(this, FAULT_CUT);
  }

  /** Undoes `cut`. */
  mend(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.watcher?.onFault(this, FAULT_MEND);
  }

  /** From now on nothing arrives: what would waits, in order, up to a number that the world sets. */
  hold(): void {
    if (this.#isHolding) return;
    this.#isHolding = true;
    this.watcher?.onFault(this, FAULT_HOLD);
  }

  /** Undoes `hold`: all that has waited arrives at this instant. */
  release(): void {
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.watcher?.onFault(this, FAULT_RELEASE);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  get isHolding(): boolean {
    return this.#isHolding;
  }

  /** From now on `fates` has the last word on what becomes of packets (`fates.ts`); null: chance has. Outlives `configure`. */
  follow(fates: DirectionFates | null): void {
    this.#fates = fates;
    this.corrupt.follow(fates);
  }

  /** What packets have to pass first: the shared bottleneck, or the direction's own; null when there is no limit. */
  get bottleneck(): Bottleneck | null {
    if (this.#shared !== null) return this.#shared;
    return this.#own === null || this.#own.isOpen ? null : this.#own;
  }

  /** The direction's own queue with its counters; null while it never had a rate. */
  get queue(): Bottleneck | null {
    return this.#own;
  }

  /** The latency that is set now. */
  get latencyMicros(): Micros {
    return this.#delay.latencyMicros;
  }

  /** The index that the next packet gets. */
  get nextIndex(): number {
    return this.stats.sent;
  }

  /** Packets in the queue, on the line and in the air. */
  get underWay(): number {
    const { sent, duplicated, delivered, lost, dropped, cut, tooLarge, policed } = this.stats;
    return sent + duplicated - delivered - lost - dropped - cut - tooLarge - policed;
  }

  /** Counts a packet in and returns its index. */
  enter(lengthBytes: number): number {
    const index = this.stats.sent++;
    if (index >= INDEX_MAX) throw new RangeError(`link ${this.name}: more than 2^32 packets in one direction`);
    this.stats.sentBytes += lengthBytes;
    return index;
  }

  /** Whether a packet that has entered at `now` may go on to the bottleneck: ADMITTED, or why not. */
  admit(lengthBytes: number, now: Micros): number {
    if (this.#isCut) {
      this.stats.cut++;
      return CUT;
    }
    const bytes = lengthBytes + OVERHEAD_BYTES;
    if (bytes > this.#mtuBytes) {
      this.stats.tooLarge++;
      return TOO_LARGE;
    }
    if (this.#policer === null || this.#policer.passes(bytes, now)) return ADMITTED;
    this.stats.policed++;
    return POLICED;
  }

  /** Packet `index` has the bottleneck, if any, behind it at `now`: when it arrives, or LOST. In the order of indices. */
  cross(index: number, now: Micros): Micros {
    const arrival = this.#fates === null ? this.#drawn(index, now) : this.#decided(this.#fates, index, now);
    if (arrival === LOST) this.stats.lost++;
    return arrival;
  }

  #drawn(index: number, now: Micros): Micros {
    if (this.#loss.loses(index, now)) return LOST;
    return this.#delay.arrival(index, now) + this.#reorder.holdMicros(index);
  }

  /** Chance is asked also where a script decides, so that the packets after this one meet what they would have met. */
  #decided(fates: DirectionFates, index: number, now: Micros): Micros {
    const { latencyMicros } = this.#delay;
    return fates.arrival(index, now, latencyMicros, fates.replaces ? now + latencyMicros : this.#drawn(index, now));
  }

  /** How long after packet `index`, which was not lost, a copy of it arrives; NO_COPY when there is none. */
  copyExtraMicros(index: number): Micros {
    const fates = this.#fates;
    if (fates === null) return this.#duplicate.extraMicros(index);
    return fates.copyExtra(index, fates.replaces ? NO_COPY : this.#duplicate.extraMicros(index));
  }

  /** The delay of packet `index` by latency and jitter, whether it is lost or not. */
  delayMicros(index: number): Micros {
    return this.#delay.micros(index);
  }
}

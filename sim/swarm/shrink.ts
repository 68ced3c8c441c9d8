/**
 * Boils a failing run of the swarm down: fewer faults, fewer messages, a shorter bad time, and the same complaint.
 *
 * First the faults of the run are listed and played back without chance, which must be the same run. Then the bad time is
 * cut, since a short run is a cheap one with few faults; then whole parts are left out (kinds of faults, directions, a
 * client, most messages, all but the last faults before the complaint); and the rest goes in halves, quarters, and so on down to
 * single faults. A candidate ends at its first complaint of the kind that is looked for, and faults that met no packet
 * until then are gone with it.
 *
 * A fault that is left out changes all that is sent after it, so what is left may hang together for no reason. Where no
 * single fault can go, parts of it drawn at random are tried: a smaller part that fails as well is a new beginning.
 */

import { NEVER } from '../../sys/api.ts';
import type { Fault } from '../link/fault.ts';
import { Stream } from '../world/streams.ts';
import type { SwarmLimits, SwarmScript } from './script.ts';
import { firstThatFails } from './trial-race.ts';
import { kindOf, type Outcome, type Trial, type Trials } from './trials.ts';

/** The network heals no earlier: clients begin within the first 21 ms. */
const HEALS_MIN = 25_000;
/** Of the bad time, or of the messages, this is tried to be left; the boldest first, which are also the cheapest. */
const PARTS_LEFT = [1 / 64, 1 / 16, 1 / 4, 1 / 2, 3 / 4, 7 / 8];
/** So few faults can be read: no search for parts of them at random. */
const FEW_FAULTS = 4;
/** Parts drawn at random before they are given up, and the shares of the faults in them, in turn. */
const DRAWN_PARTS = 240;
const DRAWN_SHARES = [1 / 2, 3 / 4, 7 / 8, 1 / 4];
/** Trials ahead of the first whose outcome is not known, for each that is made at once. */
const AHEAD = 2;

export interface ShrinkOptions {
  readonly script: SwarmScript;
  /** Who makes the runs. */
  readonly trials: Trials;
  /** Asked before each run: true ends the search with the best so far. */
  readonly isOver: () => boolean;
  /** Told of each step forward. */
  readonly progress: (text: string) => void;
}

export interface Shrunk {
  readonly script: SwarmScript;
  /** The first complaint of the kind that was looked for, of the run that is left. */
  readonly complaint: string;
  readonly faultsBefore: number;
  readonly runs: number;
  /** No single fault can be left out; false: the time was over. */
  readonly isMinimal: boolean;
}

/** The run breaks no promise: there is nothing to shrink. */
export class NothingToShrink extends Error {}

export async function shrink(options: ShrinkOptions): Promise<Shrunk> {
  const search = new Search(options);
  await search.begin();
  await search.leaveOutAll();
  await search.limit();
  await search.cutDown();
  for (let before = -1; before < search.steps && !search.isOver; ) {
    before = search.steps;
    await search.halve();
    await search.leaveOut();
    await search.limit();
    if (before === search.steps) await search.drawParts();
  }
  return search.result();
}

class Search {
  readonly #options: ShrinkOptions;
  readonly #draws: Stream;
  /** Trials that did not fail, as text: they are not made again. */
  readonly #tried: Set<string> = new Set();
  /** All faults of the run; the others name their places in it. */
  #all: readonly Fault[] = [];
  /** How often something went: each step leaves fewer faults, or less of something else. */
  steps = 0;
  /** The best so far. */
  #picked: readonly number[] = [];
  #limits: SwarmLimits;
  #complaint = '';
  #faultsBefore = 0;
  #runs = 0;
  #sent = 0;
  #endsAt = NEVER;
  #healsAt = NEVER;
  #isMinimal = false;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#limits = options.script.limits;
    this.#draws = new Stream(`shrink/${options.script.seed}`);
  }

  get isOver(): boolean {
    return this.#options.isOver();
  }

  async begin(): Promise<void> {
    const { script, trials, progress } = this.#options;
    this.#runs++;
    const first = await trials.record(script);
    if (first.complaints.length === 0)
      throw new NothingToShrink('the run breaks no promise: there is nothing to shrink');
    const kind = kindOf(first.complaints[0]!);
    this.#all = first.faults;
    this.#faultsBefore = first.faults.length;
    trials.lookFor(script, first.faults, kind);
    progress(`${first.faults.length} faults; looked for: ${kind}`);
    if ((await this.#tries([{ picked: [...first.faults.keys()], limits: this.#limits }], () => false)) < 0) {
      throw new Error(
        'the faults alone do not break the promise again: this is a bug of the simulator, please report it',
      );
    }
  }

  /** Some bugs need no fault at all. Asked first: in a short time, or with few messages, they may need some. */
  async leaveOutAll(): Promise<void> {
    await this.#triesFaults([[]]);
  }

  /** Less of everything that is not a fault. */
  async limit(): Promise<void> {
    const heals = (part: number): SwarmLimits => ({
      ...this.#limits,
      healsAt: Math.max(HEALS_MIN, Math.ceil(Math.min(this.#endsAt, this.#healsAt) * part)),
    });
    while (Math.min(this.#endsAt, this.#healsAt) > HEALS_MIN && (await this.#triesLimits(PARTS_LEFT.map(heals))));
    if (this.#limits.clients !== 1) await this.#triesLimits([{ ...this.#limits, clients: 1 }]);
    const says = (part: number): SwarmLimits => ({ ...this.#limits, messages: Math.floor(this.#mostSaid * part) });
    while (this.#mostSaid > 1 && (await this.#triesLimits(PARTS_LEFT.map(says))));
  }

  /** The big steps, before faults are looked at one by one. */
  async cutDown(): Promise<void> {
    const all = this.#picked;
    const lasts: (readonly number[])[] = [];
    for (let count = 1; count < all.length / 2; count *= 4) lasts.push(all.slice(all.length - count));
    await this.#triesFaults(lasts);
    for (const groupOf of [kindOfFault, placeOf]) {
      await this.#triesFaults(this.#groups(groupOf).map((group) => this.#those((fault) => groupOf(fault) === group)));
    }
    await this.leaveOut();
  }

  /** Leaves out all faults of a kind, or of a place: together they may do without what each of them needs. */
  async leaveOut(): Promise<void> {
    for (const groupOf of [kindOfFault, placeOf]) {
      const groups = this.#groups(groupOf);
      while (groups.length > 0) {
        const without = groups.map((group) => this.#those((fault) => groupOf(fault) !== group));
        const which = await this.#triesFaults(without);
        if (which < 0) break;
        groups.splice(0, which + 1);
      }
    }
  }

  /** Leaves out one part of many, of ever smaller parts, down to single faults. */
  async halve(): Promise<void> {
    this.#isMinimal = false;
    for (let size = this.#picked.length; size > 0 && !this.isOver; size = size > 1 ? Math.ceil(size / 2) : 0) {
      size = Math.min(size, this.#picked.length);
      const went = await this.#leaveOutParts(size);
      if (size === 1) this.#isMinimal = !went && !this.isOver;
    }
    this.#isMinimal ||= this.#picked.length === 0;
  }

  /** Parts of what is left, drawn at random. */
  async drawParts(): Promise<void> {
    if (this.#picked.length <= FEW_FAULTS) return;
    const drawn = Array.from({ length: DRAWN_PARTS }, (_, i) => {
      const share = DRAWN_SHARES[i % DRAWN_SHARES.length]!;
      return this.#picked.filter(() => this.#draws.double() < share);
    });
    const smaller = drawn.filter((picked) => picked.length < this.#picked.length);
    if ((await this.#triesFaults(smaller)) >= 0) this.#isMinimal = false;
  }

  result(): Shrunk {
    return {
      script: { ...this.#options.script, faults: this.#picked.map((place) => this.#all[place]!), limits: this.#limits },
      complaint: this.#complaint,
      faultsBefore: this.#faultsBefore,
      runs: this.#runs,
      isMinimal: this.#isMinimal,
    };
  }

  /** One pass over parts of that size, from the end: the last faults before a complaint have most to do with it. */
  async #leaveOutParts(size: number): Promise<boolean> {
    let went = false;
    // What is at or behind this place in the list of all faults has been looked at.
    for (let end = this.#all.length; !this.isOver; ) {
      const before = this.#picked.filter((place) => place < end).length;
      const starts: number[] = [];
      for (let at = before; at > 0 && starts.length < this.#options.trials.width * AHEAD; at -= size) {
        starts.push(Math.max(0, at - size));
      }
      if (starts.length === 0) break;
      const picked = this.#picked;
      const without = starts.map((from, i) => [
        ...picked.slice(0, from),
        ...picked.slice(i === 0 ? before : starts[i - 1]!),
      ]);
      const which = await this.#triesFaults(without);
      went ||= which >= 0;
      end = picked[starts[which >= 0 ? which : starts.length - 1]!]!;
    }
    return went;
  }

  get #mostSaid(): number {
    return Math.min(this.#sent, this.#limits.messages ?? Number.POSITIVE_INFINITY);
  }

  #groups(groupOf: (fault: Fault) => string): string[] {
    return [...new Set(this.#picked.map((place) => groupOf(this.#all[place]!)))];
  }

  #those(isOne: (fault: Fault) => boolean): readonly number[] {
    return this.#picked.filter((place) => isOne(this.#all[place]!));
  }

  async #triesLimits(limits: readonly SwarmLimits[]): Promise<boolean> {
    return (await this.#tries(limits.map((one) => ({ picked: this.#picked, limits: one })))) >= 0;
  }

  /** The place of the first of them that still fails, which is the best so far then; -1: none. */
  async #tries(trials: readonly Trial[], isOver: () => boolean = this.#options.isOver): Promise<number> {
    const places: number[] = [];
    const texts = trials.map(textOf);
    texts.forEach((text, place) => {
      if (!this.#tried.has(text) && texts.indexOf(text) === place) places.push(place);
    });
    const found = await firstThatFails(
      places.map((place) => trials[place]!),
      {
        trials: this.#options.trials,
        isOver,
        onRun: () => void this.#runs++,
        onPassed: (which) => void this.#tried.add(texts[places[which]!]!),
      },
    );
    if (found === null) return -1;
    const place = places[found.which]!;
    this.#adopt(trials[place]!, found.outcome);
    return place;
  }

  #adopt({ limits }: Trial, { met, complaint, sent, virtualMicros, healsAt }: Outcome): void {
    const isFirst = this.#complaint === '';
    const went = this.#picked.length - met.length;
    this.steps++;
    this.#picked = met;
    this.#limits = limits;
    this.#complaint = complaint!;
    this.#sent = sent;
    this.#endsAt = virtualMicros;
    this.#healsAt = healsAt;
    if (went > 0 || isFirst) this.#options.progress(`${met.length} faults left after ${this.#runs} runs`);
  }

  #triesFaults(faults: readonly (readonly number[])[]): Promise<number> {
    return this.#tries(faults.map((picked) => ({ picked, limits: this.#limits })));
  }
}

function textOf({ picked, limits }: Trial): string {
  return `${limits.healsAt} ${limits.messages} ${limits.clients} ${picked.join(' ')}`;
}

function kindOfFault(fault: Fault): string {
  return fault.kind;
}

function placeOf(fault: Fault): string {
  return fault.kind === 'rebind' ? fault.host : fault.direction;
}

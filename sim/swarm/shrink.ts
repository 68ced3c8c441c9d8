/**
 * Boils a failing run of the swarm down: fewer faults, fewer messages, a shorter bad time, and the same complaint.
 *
 * First the faults of the run are listed and played back without chance, which must be the same run. Then the bad time is
 * cut, since a short run is a cheap one with few faults; then whole parts are left out (a client, kinds of faults, directions,
 * all but the last faults before the complaint, most messages); and the rest goes in halves, quarters, and so on down to
 * single faults. What lasts is made shorter, from either end. A candidate ends at its first complaint of the kind that is looked
 * for, and faults that met nothing until then are gone with it.
 *
 * A fault that is left out changes all that is sent after it, so what is left may hang together for no reason. Where no
 * single fault can go, parts of it drawn at random are tried: a smaller part that fails as well is a new beginning. And where
 * many faults are left at the end, it all begins again with its steps in another order.
 */

import { type Micros, NEVER } from '../../sys/api.ts';
import type { Fault } from '../link/fault.ts';
import { Stream } from '../world/streams.ts';
import type { SwarmLimits, SwarmScript } from './script.ts';
import { firstThatFails } from './trial-race.ts';
import { faultAt, kindOf, type Outcome, type Span, type Trial, type Trials } from './trials.ts';

/** The network heals no earlier: clients begin within the first 21 ms. */
const HEALS_MIN = 25_000;
/** Of the bad time, or of the messages, this is tried to be left; the boldest first, which are also the cheapest. */
const PARTS_LEFT = [1 / 64, 1 / 16, 1 / 4, 1 / 2, 3 / 4, 7 / 8];
/** What lasts is made shorter to whole milliseconds, which can be read. */
const SPAN_UNIT_MICROS = 1_000;
/** So few faults can be read: no search for fewer at random, or from the beginning in another order. */
const FEW_FAULTS = 5;
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
  // Some bugs need no fault at all. Asked first: in a short time, or with few messages, they may need some.
  await search.leaveOutAll();
  const start = search.best;
  await search.descend('time first');
  for (const order of ['faults first', 'all first'] as const) {
    if (search.best.picked.length <= FEW_FAULTS || search.isOver) break;
    const before = search.best;
    search.best = start;
    await search.descend(order);
    // A descent that ran out of time may have more faults, or be as far as the other.
    if (search.best.picked.length >= before.picked.length) search.best = before;
  }
  return search.result();
}

/** What is cut before single faults are looked at. What is cut first goes far, and may make the rest need more faults. */
type Order = 'time first' | 'faults first' | 'all first';

/** A run that fails. */
interface Failing {
  readonly picked: readonly number[];
  readonly limits: SwarmLimits;
  readonly spans: ReadonlyMap<number, Span>;
  readonly complaint: string;
  readonly sent: number;
  readonly endsAt: Micros;
  readonly healsAt: Micros;
  /** No single fault can be left out. */
  readonly isMinimal: boolean;
}

class Search {
  /** The best so far. */
  best: Failing;
  readonly #options: ShrinkOptions;
  readonly #draws: Stream;
  /** Trials that did not fail, as text: they are not made again. */
  readonly #tried: Set<string> = new Set();
  /** All faults of the run; the others name their places in it. */
  #all: readonly Fault[] = [];
  /** How often something went: each step leaves fewer faults, or less of something else. */
  #steps = 0;
  #fewestTold = Number.POSITIVE_INFINITY;
  #faultsBefore = 0;
  #runs = 0;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#draws = new Stream(`shrink/${options.script.seed}`);
    const { limits } = options.script;
    const failing = { complaint: '', sent: 0, endsAt: NEVER, healsAt: NEVER, isMinimal: false };
    this.best = { picked: [], limits, spans: new Map(), ...failing };
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
    const all = { picked: [...first.faults.keys()], limits: script.limits, spans: this.best.spans };
    if ((await this.#tries([all], () => false)) < 0) {
      throw new Error(
        'the faults alone do not break the promise again: this is a bug of the simulator, please report it',
      );
    }
  }

  async leaveOutAll(): Promise<void> {
    await this.#triesFaults([[]]);
  }

  /** From the best so far to one from which no single fault can go. */
  async descend(order: Order): Promise<void> {
    if (order !== 'faults first') await this.#limitTime();
    if (order === 'all first') await this.#limitTalk();
    await this.#cutDown();
    for (let before = -1; before < this.#steps && !this.isOver; ) {
      before = this.#steps;
      await this.#halve();
      await this.#leaveOut();
      await this.#limitTime();
      await this.#limitTalk();
      await this.#shorten();
      if (before === this.#steps) await this.#drawParts();
    }
  }

  /** A shorter bad time, and one client. */
  async #limitTime(): Promise<void> {
    const { best } = this;
    if (best.limits.clients !== 1) await this.#triesLimits([{ ...best.limits, clients: 1 }]);
    for (;;) {
      const { limits, healsAt, endsAt } = this.best;
      const bad = Math.min(endsAt, healsAt);
      if (bad <= HEALS_MIN) return;
      const shorter = PARTS_LEFT.map((part) => ({ ...limits, healsAt: Math.max(HEALS_MIN, Math.ceil(bad * part)) }));
      if (!(await this.#triesLimits(shorter))) return;
    }
  }

  /** Fewer messages. */
  async #limitTalk(): Promise<void> {
    for (;;) {
      const { limits, sent } = this.best;
      const most = Math.min(sent, limits.messages ?? Number.POSITIVE_INFINITY);
      if (most <= 1) return;
      if (!(await this.#triesLimits(PARTS_LEFT.map((part) => ({ ...limits, messages: Math.floor(most * part) }))))) {
        return;
      }
    }
  }

  /** Shorter spells: an earlier end, then a later beginning. */
  async #shorten(): Promise<void> {
    for (const place of this.best.picked) {
      for (const end of ['end', 'beginning'] as const) {
        while (!this.isOver && this.best.picked.includes(place)) {
          const fault = faultAt(this.#all, this.best.spans, place);
          if (!('lastsMicros' in fault) || fault.lastsMicros <= SPAN_UNIT_MICROS) break;
          const shorter = shorterSpans(fault, end).map((span) => new Map(this.best.spans).set(place, span));
          const { picked, limits } = this.best;
          if ((await this.#tries(shorter.map((spans) => ({ picked, limits, spans })))) < 0) break;
        }
      }
    }
  }

  /** The big steps, before faults are looked at one by one. */
  async #cutDown(): Promise<void> {
    const all = this.best.picked;
    const lasts: (readonly number[])[] = [];
    for (let count = 1; count < all.length / 2; count *= 4) lasts.push(all.slice(all.length - count));
    await this.#triesFaults(lasts);
    for (const groupOf of [kindOfFault, placeOf]) {
      await this.#triesFaults(this.#groups(groupOf).map((group) => this.#those((fault) => groupOf(fault) === group)));
    }
    await this.#leaveOut();
  }

  /** Leaves out all faults of a kind, or of a place: together they may do without what each of them needs. */
  async #leaveOut(): Promise<void> {
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
  async #halve(): Promise<void> {
    for (let size = this.best.picked.length; size > 0 && !this.isOver; size = size > 1 ? Math.ceil(size / 2) : 0) {
      size = Math.min(size, this.best.picked.length);
      const went = await this.#leaveOutParts(size);
      if (size === 1 && !went && !this.isOver) this.best = { ...this.best, isMinimal: true };
    }
  }

  /** Parts of what is left, drawn at random. */
  async #drawParts(): Promise<void> {
    if (this.best.picked.length <= FEW_FAULTS) return;
    const drawn = Array.from({ length: DRAWN_PARTS }, (_, i) => {
      const share = DRAWN_SHARES[i % DRAWN_SHARES.length]!;
      return this.best.picked.filter(() => this.#draws.double() < share);
    });
    const smaller = drawn.filter((picked) => picked.length < this.best.picked.length);
    await this.#triesFaults(smaller);
  }

  result(): Shrunk {
    const { picked, limits, spans, complaint, isMinimal } = this.best;
    return {
      script: { ...this.#options.script, faults: picked.map((place) => faultAt(this.#all, spans, place)), limits },
      complaint,
      faultsBefore: this.#faultsBefore,
      runs: this.#runs,
      isMinimal: isMinimal || picked.length === 0,
    };
  }

  /** One pass over parts of that size, from the end: the last faults before a complaint have most to do with it. */
  async #leaveOutParts(size: number): Promise<boolean> {
    let went = false;
    // What is at or behind this place in the list of all faults has been looked at.
    for (let end = this.#all.length; !this.isOver; ) {
      const before = this.best.picked.filter((place) => place < end).length;
      const starts: number[] = [];
      for (let at = before; at > 0 && starts.length < this.#options.trials.width * AHEAD; at -= size) {
        starts.push(Math.max(0, at - size));
      }
      if (starts.length === 0) break;
      const picked = this.best.picked;
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

  #groups(groupOf: (fault: Fault) => string): string[] {
    return [...new Set(this.best.picked.map((place) => groupOf(this.#all[place]!)))];
  }

  #those(isOne: (fault: Fault) => boolean): readonly number[] {
    return this.best.picked.filter((place) => isOne(this.#all[place]!));
  }

  async #triesLimits(limits: readonly SwarmLimits[]): Promise<boolean> {
    const { picked, spans } = this.best;
    return (await this.#tries(limits.map((one) => ({ picked, limits: one, spans })))) >= 0;
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

  #adopt({ limits, spans }: Trial, { met, complaint, sent, virtualMicros, healsAt }: Outcome): void {
    this.#steps++;
    const failing = { complaint: complaint!, sent, endsAt: virtualMicros, healsAt, isMinimal: false };
    this.best = { picked: met, limits, spans, ...failing };
    if (met.length >= this.#fewestTold) return;
    this.#fewestTold = met.length;
    this.#options.progress(`${met.length} faults left after ${this.#runs} runs`);
  }

  #triesFaults(faults: readonly (readonly number[])[]): Promise<number> {
    const { limits, spans } = this.best;
    return this.#tries(faults.map((picked) => ({ picked, limits, spans })));
  }
}

function textOf({ picked, limits, spans }: Trial): string {
  const shortened = picked.flatMap((place) => {
    const span = spans.get(place);
    return span === undefined ? [] : [`${place}:${span.at}+${span.lastsMicros}`];
  });
  return `${limits.healsAt} ${limits.messages} ${limits.clients} ${picked.join(' ')} ${shortened.join(' ')}`;
}

/** What is tried to be left of a spell, the boldest first. */
function shorterSpans({ at, lastsMicros }: Span, end: 'end' | 'beginning'): Span[] {
  const ends = at + lastsMicros;
  const left = PARTS_LEFT.map((part) => Math.ceil((lastsMicros * part) / SPAN_UNIT_MICROS) * SPAN_UNIT_MICROS);
  const shorter = [...new Set(left)].filter((micros) => micros < lastsMicros);
  return shorter.map((micros) => ({ at: end === 'end' ? at : ends - micros, lastsMicros: micros }));
}

function kindOfFault(fault: Fault): string {
  return fault.kind;
}

function placeOf(fault: Fault): string {
  return 'host' in fault ? fault.host : fault.direction;
}

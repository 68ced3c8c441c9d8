/**
 * Boils a failing run of the swarm down: fewer faults, fewer messages, a shorter bad time, and the same complaint.
 *
 * First the faults of the run are listed and played back without chance, which must be the same run. Then whole parts are
 * left out (kinds of faults, directions, a client, most messages, all but the last faults before the complaint), and the
 * rest is halved and halved again (Zeller's delta debugging). A candidate ends at its first complaint of the kind that is
 * looked for, and faults that met no packet until then are gone with it.
 */

import { NEVER } from '../../sys/api.ts';
import type { Fault } from '../link/fault.ts';
import type { SwarmLimits, SwarmScript } from './script.ts';
import { runSwarm, type SwarmReport } from './swarm.ts';

/** The network heals no earlier: clients begin within the first 21 ms. */
const HEALS_MIN = 25_000;

export interface ShrinkOptions {
  readonly script: SwarmScript;
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
  /** Nothing more can be left out; false: the time was over. */
  readonly isMinimal: boolean;
}

/** The run breaks no promise: there is nothing to shrink. */
export class NothingToShrink extends Error {}

/** A complaint without names and numbers: two failures of one kind have the same. */
export function kindOf(complaint: string): string {
  const first = complaint.split('\n', 1)[0]!.replace(/\d+(\.\d+)?/g, '#');
  return first.replace(/^(client-#|server)( to(Server|Client) \w+)?:? (\(.*\) )?/, '');
}

export async function shrink(options: ShrinkOptions): Promise<Shrunk> {
  const search = new Search(options);
  await search.begin();
  await search.cutDown();
  for (let before = Number.POSITIVE_INFINITY; search.size < before && !search.isOver; ) {
    before = search.size;
    await search.halve();
    await search.leaveOut();
    await search.limit();
  }
  return search.result();
}

class Search {
  readonly #options: ShrinkOptions;
  /** The best so far. */
  #faults: readonly Fault[] = [];
  #limits: SwarmLimits;
  #complaint = '';
  #kind = '';
  #faultsBefore = 0;
  #runs = 0;
  #sent = 0;
  #endsAt = NEVER;
  #isMinimal = false;

  constructor(options: ShrinkOptions) {
    this.#options = options;
    this.#limits = options.script.limits;
  }

  get isOver(): boolean {
    return this.#options.isOver();
  }

  get size(): number {
    return this.#faults.length + (this.#limits.messages ?? 1e6) + (this.#limits.clients ?? 2) + this.#endsAt / 1e6;
  }

  async begin(): Promise<void> {
    const first = await this.#run(this.#options.script.faults, this.#limits, null, true);
    if (first.complaints.length === 0)
      throw new NothingToShrink('the run breaks no promise: there is nothing to shrink');
    this.#kind = kindOf(first.complaints[0]!);
    this.#faultsBefore = first.faults.length;
    this.#options.progress(`${first.faults.length} faults; looked for: ${this.#kind}`);
    if (!(await this.#tries(first.faults, this.#limits))) {
      throw new Error(
        'the faults alone do not break the promise again: this is a bug of the simulator, please report it',
      );
    }
  }

  /** The big steps, before faults are looked at one by one. */
  async cutDown(): Promise<void> {
    await this.leaveOut();
    await this.limit();
    await this.#lastOnes();
  }

  /** Leaves out all faults of a kind, or of a place: together they may do without what each of them needs. */
  async leaveOut(): Promise<void> {
    for (const kind of new Set(this.#faults.map((fault) => fault.kind))) {
      await this.#tries(
        this.#faults.filter((fault) => fault.kind !== kind),
        this.#limits,
      );
    }
    for (const place of new Set(this.#faults.map(placeOf))) {
      await this.#tries(
        this.#faults.filter((fault) => placeOf(fault) !== place),
        this.#limits,
      );
    }
  }

  /** Less of everything that is not a fault. */
  async limit(): Promise<void> {
    if (this.#limits.clients !== 1) await this.#tries(this.#faults, { ...this.#limits, clients: 1 });
    const most = Math.min(this.#sent, this.#limits.messages ?? Number.POSITIVE_INFINITY);
    for (let messages = 1; messages < most; messages *= 2) {
      if (await this.#tries(this.#faults, { ...this.#limits, messages })) break;
    }
    for (let part = 0.25; part < 1; ) {
      const healsAt = Math.ceil(Math.min(this.#endsAt, this.#limits.healsAt ?? NEVER) * part);
      if (this.isOver || healsAt < HEALS_MIN) break;
      if (!(await this.#tries(this.#faults, { ...this.#limits, healsAt }))) part += 0.25;
    }
  }

  /** Delta debugging: leaves out one part of many, of ever smaller parts, until no single fault can go. */
  async halve(): Promise<void> {
    let parts = 2;
    this.#isMinimal = false;
    while (this.#faults.length > 0 && !this.isOver) {
      const all = this.#faults;
      const size = Math.ceil(all.length / Math.min(parts, all.length));
      let reduced = false;
      // From the end: the last faults before a complaint have most to do with it, so the first ones can mostly go.
      for (let at = 0; at < all.length && !reduced && !this.isOver; at += size) {
        const rest = [...all.slice(0, at), ...all.slice(at + size)];
        reduced = await this.#tries(rest, this.#limits);
      }
      if (reduced) parts = Math.max(2, parts - 1);
      else if (size === 1) {
        this.#isMinimal = !this.isOver;
        return;
      } else parts *= 2;
    }
    this.#isMinimal = this.#faults.length === 0;
  }

  result(): Shrunk {
    return {
      script: { ...this.#options.script, faults: this.#faults, limits: this.#limits },
      complaint: this.#complaint,
      faultsBefore: this.#faultsBefore,
      runs: this.#runs,
      isMinimal: this.#isMinimal,
    };
  }

  /** Only the last faults before the complaint: one, two, four, ... */
  async #lastOnes(): Promise<void> {
    const all = this.#faults;
    for (let count = 1; count < all.length / 2; count *= 2) {
      if (this.isOver || (await this.#tries(all.slice(all.length - count), this.#limits))) return;
    }
  }

  /** Whether the run still fails with these; then they are the best so far. */
  async #tries(faults: readonly Fault[], limits: SwarmLimits): Promise<boolean> {
    if (this.isOver && this.#complaint !== '') return false;
    const report = await this.#run(faults, limits, this.#kind, false);
    const complaint = report.complaints.find((one) => kindOf(one) === this.#kind);
    if (complaint === undefined) return false;
    const left = faults.filter((fault) => report.met.has(fault));
    const went = left.length < this.#faults.length || this.#complaint === '';
    this.#faults = left;
    this.#limits = limits;
    this.#complaint = complaint;
    this.#sent = report.sent;
    this.#endsAt = report.virtualMicros;
    if (went) this.#options.progress(`${left.length} faults left after ${this.#runs} runs`);
    return true;
  }

  #run(
    faults: readonly Fault[] | null,
    limits: SwarmLimits,
    kind: string | null,
    record: boolean,
  ): Promise<SwarmReport> {
    this.#runs++;
    const { seed, seconds } = this.#options.script;
    const isEnough = kind === null ? {} : { isEnough: (complaint: string) => kindOf(complaint) === kind };
    return runSwarm({ seed, secondsMax: seconds, faults, limits, record, ...isEnough });
  }
}

function placeOf(fault: Fault): string {
  return fault.kind === 'rebind' ? fault.host : fault.direction;
}

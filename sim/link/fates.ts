/**
 * Fates by script, and the record of fates: the one place where what becomes of a packet can be said instead of drawn.
 *
 * A packet that the script names has the fate that the script says, all of it: one that is only duplicated there is not
 * lost. The others keep theirs, since chance has an address. A script that `replaces` chance leaves a link its latency,
 * rate, queue, policer and MTU, and nothing else happens than what it says. A record lists every fate that is not "arrives
 * once after the plain latency, as it was": played back as a script, it is the same run.
 */

import type { Micros } from '../../sys/api.ts';
import { CORRUPT_KINDS, INTACT } from './corrupt.ts';
import { NO_COPY } from './duplicate.ts';
import { type Fault, isPacketFault, type PacketFault } from './fault.ts';
import type { TimedFault } from './timed-fault.ts';

/** The same as LOST of `link.ts`, which imports this file. */
const GONE = -1;

export interface FatesOptions {
  /** What happens to the packets that it names. Default: nothing is said. */
  readonly script?: readonly Fault[];
  /** Nothing happens but what the script says. Default false: chance decides about the others. */
  readonly replaces?: boolean;
  /** Faults are listed as they happen (`recorded`). Default false. */
  readonly record?: boolean;
}

/** Scripts and records of all directions of a world, or of a proxy. */
export class Fates {
  readonly replaces: boolean;
  /** Faults that have happened, in that order; stays empty without `record`. */
  readonly recorded: Fault[] = [];
  /** Of the script, what befalls ways and hosts in time: for `TimedFaults` to do. */
  readonly timed: readonly TimedFault[];
  readonly #metTimed: Set<TimedFault> = new Set();
  readonly #records: boolean;
  readonly #script: Map<string, PacketFault[]> = new Map();
  readonly #directions: Map<string, DirectionFates> = new Map();

  constructor({ script = [], replaces = false, record = false }: FatesOptions) {
    this.replaces = replaces;
    this.#records = record;
    this.timed = script.filter((fault) => !isPacketFault(fault));
    for (const fault of script) {
      if (!isPacketFault(fault)) continue;
      const known = this.#script.get(fault.direction);
      if (known === undefined) this.#script.set(fault.direction, [fault]);
      else known.push(fault);
    }
  }

  /** Those of the direction of that name (`client-0>server`); the same each time. */
  of(direction: string): DirectionFates {
    const known = this.#directions.get(direction);
    if (known !== undefined) return known;
    const script = this.#script.get(direction) ?? [];
    const made = new DirectionFates(direction, script, this.replaces, this.#records ? this.recorded : null);
    this.#directions.set(direction, made);
    return made;
  }

  /** How much earlier than after the latency a packet of a direction may come by script; 0 or less. */
  earliest(direction: string): Micros {
    return (this.#script.get(direction) ?? []).reduce((least, { micros }) => Math.min(least, micros), 0);
  }

  /** From now on nothing befalls anybody by script: the network is well. Where the script replaces chance, nothing does at all. */
  end(): void {
    this.#script.clear();
    for (const direction of this.#directions.values()) direction.end();
  }

  /** Lists what happened to a way or a host. */
  note(fault: TimedFault): void {
    if (this.#records) this.recorded.push(fault);
  }

  /** A fault in time was done, and something came of it. */
  meet(fault: TimedFault): void {
    this.#metTimed.add(fault);
  }

  /** Faults whose packet came; and of those in time, which were done and met something. */
  get met(): ReadonlySet<Fault> {
    return new Set<Fault>([...[...this.#directions.values()].flatMap(({ met }) => [...met]), ...this.#metTimed]);
  }
}

/** Fates of one direction. */
export class DirectionFates {
  readonly direction: string;
  /** Chance is not asked. */
  readonly replaces: boolean;
  readonly met: Set<PacketFault> = new Set();
  readonly #script: Map<number, PacketFault[]> = new Map();
  readonly #record: Fault[] | null;
  #now: Micros = 0;

  constructor(direction: string, script: readonly PacketFault[], replaces: boolean, record: Fault[] | null) {
    this.direction = direction;
    this.replaces = replaces;
    this.#record = record;
    for (const fault of script) {
      const known = this.#script.get(fault.index);
      if (known === undefined) this.#script.set(fault.index, [fault]);
      else known.push(fault);
    }
  }

  /** Nothing is said any more. */
  end(): void {
    this.#script.clear();
  }

  /** When packet `index` arrives, or LOST, if chance says `byChance` and the plain latency is `latency`. */
  arrival(index: number, now: Micros, latency: Micros, byChance: Micros): Micros {
    this.#now = now;
    let arrival = byChance;
    const said = this.#said(index);
    if (said !== null) {
      const micros = this.#find(said, 'delay')?.micros ?? 0;
      arrival = this.#find(said, 'drop') === null ? Math.max(now, now + latency + micros) : GONE;
      this.#find(said, 'deliver');
    }
    if (this.#record !== null && arrival !== now + latency) {
      if (arrival === GONE) this.#note('drop', index, 0, INTACT);
      else this.#note('delay', index, arrival - now - latency, INTACT);
    }
    return arrival;
  }

  /** How long after packet `index` its copy arrives, or NO_COPY. */
  copyExtra(index: number, byChance: Micros): Micros {
    const said = this.#said(index);
    const extra = said === null ? byChance : (this.#find(said, 'duplicate')?.micros ?? NO_COPY);
    if (extra !== NO_COPY) this.#note('duplicate', index, extra, INTACT);
    return extra;
  }

  /** What is done to the bytes of packet `index`: a place in CORRUPT_KINDS, or INTACT. */
  damage(index: number, byChance: number): number {
    const said = this.#said(index);
    let kind = byChance;
    if (said !== null) kind = CORRUPT_KINDS.indexOf(this.#find(said, 'corrupt')?.damage ?? ('none' as 'flip'));
    if (kind !== INTACT) this.#note('corrupt', index, 0, kind);
    return kind;
  }

  /** What a stranger does with packet `index` by script. */
  replays(index: number): readonly PacketFault[] {
    const found = this.#script.get(index)?.filter((fault) => fault.kind === 'replay') ?? [];
    for (const fault of found) this.met.add(fault);
    return found;
  }

  /** Lists what a stranger does. */
  noteReplay(fault: PacketFault): void {
    this.#record?.push(fault);
  }

  /** What the script says of a packet's own way; null: nothing. A replay leaves it alone. */
  #said(index: number): readonly PacketFault[] | null {
    const said = this.#script.get(index);
    return said?.some((fault) => fault.kind !== 'replay') ? said : null;
  }

  /** The fault of that kind; it has been met then. */
  #find(said: readonly PacketFault[], kind: PacketFault['kind']): PacketFault | null {
    const found = said.find((fault) => fault.kind === kind) ?? null;
    if (found !== null) this.met.add(found);
    return found;
  }

  #note(kind: PacketFault['kind'], index: number, micros: Micros, damage: number): void {
    this.#record?.push({
      kind,
      direction: this.direction,
      index,
      micros,
      damage: damage === INTACT ? null : CORRUPT_KINDS[damage]!,
      elsewhere: false,
      at: this.#now,
    });
  }
}

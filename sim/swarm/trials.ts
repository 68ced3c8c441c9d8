/**
 * Runs that a search asks for: the script of a failure with only some of its faults, or with less of something else.
 *
 * `LocalTrials` makes them here, one at a time; the command has them made by workers, several at once. A trial ends at the first
 * complaint of the kind that is looked for.
 */

import type { Micros } from '../../sys/api.ts';
import type { Fault } from '../link/fault.ts';
import type { SwarmLimits, SwarmScript } from './script.ts';
import { runSwarm, type SwarmReport } from './swarm.ts';

/** When a fault that lasts begins, and how long it lasts, in place of what the list says. */
export interface Span {
  readonly at: Micros;
  readonly lastsMicros: Micros;
}

/** What befalls a run: these faults of the list, by their places in it, in order. */
export interface Trial {
  readonly picked: readonly number[];
  readonly limits: SwarmLimits;
  /** By places in the list. */
  readonly spans: ReadonlyMap<number, Span>;
}

/** The fault at a place of the list as a trial has it. */
export function faultAt(all: readonly Fault[], spans: ReadonlyMap<number, Span>, place: number): Fault {
  const span = spans.get(place);
  return span === undefined ? all[place]! : ({ ...all[place]!, ...span } as Fault);
}

/** What came of it. */
export interface Outcome {
  /** The first complaint of the kind that was looked for; null: there was none. */
  readonly complaint: string | null;
  /** Those of the picked faults that befell something. */
  readonly met: readonly number[];
  readonly sent: number;
  readonly virtualMicros: Micros;
  readonly healsAt: Micros;
}

export interface RunningTrial {
  /** Never rejects for what happens in the run. Null when it was cancelled. */
  readonly outcome: Promise<Outcome | null>;
  cancel(): void;
}

/** Who makes the runs. */
export interface Trials {
  /** How many it makes at once. */
  readonly width: number;
  /** Runs a script as it is to its end, and lists its faults. */
  record(script: SwarmScript): Promise<SwarmReport>;
  /** What trials pick from, and what they look for, from now on. */
  lookFor(script: SwarmScript, faults: readonly Fault[], kind: string): void;
  start(trial: Trial): RunningTrial;
}

/** A complaint without names and numbers: two failures of one kind have the same. */
export function kindOf(complaint: string): string {
  const first = complaint.split('\n', 1)[0]!.replace(/\d+(\.\d+)?/g, '#');
  return first.replace(/^(client-#|server)( to(Server|Client) \w+)?:? (\(.*\) )?/, '');
}

/** Makes one trial. Null when it was cancelled. */
export async function tryFaults(
  { seed, seconds }: SwarmScript,
  { picked, limits, spans }: Trial,
  all: readonly Fault[],
  kind: string,
  isCancelled: () => boolean,
): Promise<Outcome | null> {
  const faults = picked.map((place) => faultAt(all, spans, place));
  const report = await runSwarm({
    seed,
    secondsMax: seconds,
    faults,
    limits,
    isEnough: (complaint) => kindOf(complaint) === kind,
    isCancelled,
  });
  if (isCancelled()) return null;
  return {
    complaint: report.complaints.find((one) => kindOf(one) === kind) ?? null,
    met: picked.filter((_, i) => report.met.has(faults[i]!)),
    sent: report.sent,
    virtualMicros: report.virtualMicros,
    healsAt: report.healsAt,
  };
}

/** Runs a script as it is, and lists its faults. */
export function recordScript({ seed, seconds, limits, faults }: SwarmScript): Promise<SwarmReport> {
  return runSwarm({ seed, secondsMax: seconds, limits, faults, record: true });
}

export class LocalTrials implements Trials {
  readonly width = 1;
  #script: SwarmScript | null = null;
  #faults: readonly Fault[] = [];
  #kind = '';

  record(script: SwarmScript): Promise<SwarmReport> {
    return recordScript(script);
  }

  lookFor(script: SwarmScript, faults: readonly Fault[], kind: string): void {
    this.#script = script;
    this.#faults = faults;
    this.#kind = kind;
  }

  start(trial: Trial): RunningTrial {
    let isCancelled = false;
    return {
      outcome: tryFaults(this.#script!, trial, this.#faults, this.#kind, () => isCancelled),
      cancel: () => {
        isCancelled = true;
      },
    };
  }
}

/** A run of a sweep: what is asked of a worker, what it answers, and what is written down. */

import { DEADLINE_MICROS } from '../scenario/message-latencies.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { commandLineOf, type NetworkOptions } from './network-options.ts';
import { givenOf, type PlacedVerdict, type ScenarioOptions } from './scenario-options.ts';
import { SIM } from './spoken.ts';

/** A run: one cell of the grid under one seed. */
export interface SweepTask {
  /** Its place in the results. */
  readonly number: number;
  readonly options: ScenarioOptions;
}

export type SweepAnswer =
  | { readonly number: number; readonly report: ScenarioReport }
  | { readonly number: number; readonly error: string };

/** One run of a sweep: a line of the file that `--out` names. */
export interface SweepRecord {
  readonly schema: 'tickwire-sweep/1';
  /** What this cell sets. */
  readonly cell: Partial<NetworkOptions>;
  readonly seed: string;
  /** Repeats this run alone. */
  readonly command: string;
  readonly report: ScenarioReport;
  /** What became of what the scenario file expects, if it does. */
  readonly expectations?: readonly PlacedVerdict[];
}

/** The command that repeats a run alone. */
export function commandOf({ options }: SweepTask): string {
  const { file, seconds, seed } = options;
  const game = options.game === undefined ? `--scenario ${options.scenario}` : `--game ${options.game}`;
  const run = `${SIM} run`;
  const late = options.deadline === DEADLINE_MICROS / 1000 ? [] : [`--deadline ${options.deadline}`];
  if (file === undefined) {
    return [run, game, commandLineOf(options), `--seconds ${seconds}`, ...late, `--seed ${seed}`].join(' ');
  }
  const given = givenOf(options);
  return [
    run,
    file,
    ...(given.game === undefined && given.scenario === undefined ? [] : [game]),
    ...[commandLineOf(given)].filter((text) => text !== ''),
    ...(given.seconds === undefined ? [] : [`--seconds ${seconds}`]),
    ...late,
    `--seed ${seed}`,
  ].join(' ');
}

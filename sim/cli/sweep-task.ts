/** A run of a sweep: what is asked of a worker, what it answers, and what is written down. */

import { DEADLINE_MICROS } from '../scenario/message-latencies.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import type { GameOptions } from './game-options.ts';
import { commandLineOf, type NetworkOptions } from './network-options.ts';

/** A run: one cell of the grid under one seed. */
export interface SweepTask {
  /** Its place in the results. */
  readonly number: number;
  readonly options: GameOptions & NetworkOptions;
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
}

/** The command that repeats a run alone. */
export function commandOf({ options }: SweepTask): string {
  const game = options.game === undefined ? `--scenario ${options.scenario}` : `--game ${options.game}`;
  const deadline = options.deadline === DEADLINE_MICROS / 1000 ? '' : ` --deadline ${options.deadline}`;
  return (
    `npm run sim -- run ${game} ${commandLineOf(options)} --seconds ${options.seconds}${deadline} ` +
    `--seed ${options.seed}`
  );
}

/** Of a command's options those that decide a run; the same for equal runs. */
export function settingsOf(options: GameOptions & NetworkOptions): GameOptions & NetworkOptions {
  return { ...gameOf(options), ...networkOf(options) };
}

function gameOf({ scenario, game, seconds, seed, deadline }: GameOptions): GameOptions {
  return { scenario, seconds, seed, deadline, ...(game === undefined ? {} : { game }) };
}

function networkOf(options: NetworkOptions): NetworkOptions {
  const { preset, clients, latency, jitter, loss, burst, rate, queue, duplicate, reorder } = options;
  return {
    clients,
    latency,
    jitter,
    loss,
    duplicate,
    reorder,
    ...(preset === undefined ? {} : { preset }),
    ...(burst === undefined ? {} : { burst }),
    ...(rate === undefined ? {} : { rate }),
    ...(queue === undefined ? {} : { queue }),
  };
}

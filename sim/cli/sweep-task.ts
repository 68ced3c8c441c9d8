/** What the sweep and its workers say to each other. */

import type { ScenarioReport } from '../scenario/scenario.ts';
import type { GameOptions } from './game-options.ts';
import type { NetworkOptions } from './network-options.ts';

/** A run: one cell of the grid under one seed. */
export interface SweepTask {
  /** Its place in the results. */
  readonly number: number;
  readonly options: GameOptions & NetworkOptions;
}

export type SweepAnswer =
  | { readonly number: number; readonly report: ScenarioReport; readonly warnings: readonly string[] }
  | { readonly number: number; readonly error: string };

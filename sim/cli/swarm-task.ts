/** What a worker of the swarm is told, and what it answers. */

import type { Fault } from '../link/fault.ts';
import type { SwarmScript } from '../swarm/script.ts';
import type { SwarmOptions, SwarmReport } from '../swarm/swarm.ts';
import type { Outcome, Trial } from '../swarm/trials.ts';

/** A run of its own; or what the trials after it pick from, which has no answer; or a trial. */
export type SwarmTask =
  | { readonly number: number; readonly run: SwarmOptions }
  | { readonly lookFor: { readonly script: SwarmScript; readonly faults: readonly Fault[]; readonly kind: string } }
  | { readonly number: number; readonly trial: Trial };

/** Of a task with a number. */
export type SwarmAnswer =
  | { readonly number: number; readonly report: SwarmReport }
  | { readonly number: number; readonly outcome: Outcome | null }
  | { readonly number: number; readonly error: string };

/** What a worker is born with. */
export interface SwarmWorkerData {
  /** The number of the task that is to end early stands in its first word. */
  readonly cancelled: Int32Array;
  /** As `rejections.areFatal` of the command. */
  readonly rejectionsAreFatal: boolean;
}

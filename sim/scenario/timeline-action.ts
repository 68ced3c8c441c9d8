/** What an action of a timeline is, and how a file names the hosts that one is for. */

import { z } from 'zod';
import type { Stage } from './stage.ts';
import type { Shape } from './unit-schemas.ts';

/** One kind of event. Its name is the field by which an entry is known. */
export interface TimelineAction {
  /** Besides `at`, or `from`, `every` and `until`. */
  readonly fields: Shape;
  /** The patterns by which an entry names hosts: clients that none of them tells apart fare alike. */
  readonly named: (entry: unknown) => readonly string[];
  /** Does it, at the stage's time. Throws RangeError when it cannot be. */
  readonly act: (stage: Stage, entry: unknown) => void;
}

/** An action with the type of its entries. */
export function action<Entry>(
  fields: Shape,
  named: (entry: Entry) => readonly string[],
  act: (stage: Stage, entry: Entry) => void,
): TimelineAction {
  return { fields, named: named as TimelineAction['named'], act: act as TimelineAction['act'] };
}

const GLOB_SAY = 'give a name such as "client-3", or a pattern such as "client-*" or "client-[0..9]"';
export const hostGlob: z.ZodType<string> = z.string({ error: GLOB_SAY }).min(1, { error: GLOB_SAY });

/** Patterns in one list are more than anybody reads. */
const GLOBS_MAX = 100;
/** One pattern, or several. */
export type Hosts = string | readonly string[];
const HOSTS_SAY = `${GLOB_SAY}, or a list of them`;
const several = z
  .array(hostGlob)
  .min(1, { error: HOSTS_SAY })
  .max(GLOBS_MAX, { error: `give at most ${GLOBS_MAX}` });
export const hosts: z.ZodType<Hosts> = z.union([hostGlob, several], { error: HOSTS_SAY });

/** As a list. */
export function globsOf(named: Hosts): readonly string[] {
  return typeof named === 'string' ? [named] : named;
}

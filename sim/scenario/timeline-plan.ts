/** The timeline of a scenario file: when which of its actions is done. */

import { inWordsOfTheFile } from './link-settings.ts';
import type { TimelineEntry } from './scenario-schema.ts';
import type { Problem } from './scenario-text.ts';
import type { Stage } from './stage.ts';
import type { TimelineAction } from './timeline-action.ts';
import { ACTIONS } from './timeline-actions.ts';
import { DURATION_UNITS, writeQuantity } from './units.ts';

/**
 * Puts all entries on the stage, in the order of the file, up to `until`. In a rehearsal it plays them too; returns what
 * cannot be, one problem an entry at most.
 */
export function playTimeline(timeline: readonly TimelineEntry[], stage: Stage, until: number): Problem[] {
  const problems: Problem[] = [];
  const fail = (index: number, error: unknown): void => {
    problems.push({ path: ['timeline', index], message: inWordsOfTheFile(error) });
  };
  for (const [index, entry] of timeline.entries()) {
    problems.push(...checkTimes(['timeline', index], entry, until));
    const action = actionOf(entry);
    stage.enter(index);
    putOn(stage, entry, until, () => action.act(stage, entry));
  }
  stage.rehearse(until, fail);
  return problems;
}

/** The patterns by which entries name hosts. */
export function globsNamed(timeline: readonly TimelineEntry[]): readonly string[] {
  return timeline.flatMap((entry) => actionOf(entry).named(entry));
}

/** An entry that would never be done, or never undone, is a mistake in a unit. */
function checkTimes(path: Problem['path'], entry: TimelineEntry, until: number): Problem[] {
  const problems: Problem[] = [];
  const say = (field: string, message: string) => problems.push({ path: [...path, field], message });
  const end = writeQuantity(until, DURATION_UNITS);
  const { at, from, every, for: lasts } = entry;
  if (at !== undefined && at > until) say('at', `lies beyond the end of the run (${end}): it would never be done`);
  if (from !== undefined && from > until)
    say('from', `lies beyond the end of the run (${end}): it would never be done`);
  if (lasts === undefined || problems.length > 0) return problems;
  if (every !== undefined && lasts >= every) say('for', 'is not shorter than "every": it would never end');
  if (at !== undefined && at + lasts > until) {
    say('for', `reaches beyond the end of the run (${end}): give a shorter time, or leave it out where it may be`);
  }
  return problems;
}

function putOn(stage: Stage, entry: TimelineEntry, until: number, act: () => void): void {
  const { at, from, every, until: last = until } = entry;
  if (every === undefined) {
    stage.at(at!, act);
    return;
  }
  const again = (): void => {
    act();
    const next = stage.now + every;
    if (next <= last && next <= until) stage.at(next, again);
  };
  if (from! <= last) stage.at(from!, again);
}

/** The name of its action, which is a field of the entry: the schema lets exactly one through. */
export function actionNameOf(entry: TimelineEntry): string {
  return Object.keys(ACTIONS).find((name) => name in entry)!;
}

function actionOf(entry: TimelineEntry): TimelineAction {
  return ACTIONS[actionNameOf(entry)]!;
}

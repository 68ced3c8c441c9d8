/** The timeline of a scenario file: when which of its actions is done. */

import { inWordsOfTheFile } from './link-settings.ts';
import type { TimelineEntry } from './scenario-schema.ts';
import type { Problem } from './scenario-text.ts';
import type { Stage } from './stage.ts';
import { ACTIONS, type TimelineAction } from './timeline-actions.ts';

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
    const action = actionOf(entry);
    stage.enter(index);
    putOn(stage, entry, until, () => action.act(stage, entry));
  }
  stage.rehearse(until, fail);
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

/** The action whose name is a field of the entry: the schema lets exactly one through. */
function actionOf(entry: TimelineEntry): TimelineAction {
  const name = Object.keys(ACTIONS).find((name) => name in entry)!;
  return ACTIONS[name]!;
}

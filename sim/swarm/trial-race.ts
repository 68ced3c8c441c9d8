/** Trials side by side, and the first in their order that fails: what comes out does not depend on who was faster. */

import type { Outcome, RunningTrial, Trial, Trials } from './trials.ts';

interface Entry {
  readonly run: RunningTrial;
  /** Undefined: not known yet. */
  outcome: Outcome | null | undefined;
}

export interface RaceOptions {
  readonly trials: Trials;
  /** Asked before each run: true lets those under way come to their end, and begins no other. */
  readonly isOver: () => boolean;
  /** Told of each run that begins. */
  readonly onRun: () => void;
  /** Told of each trial that did not fail, by its place. */
  readonly onPassed: (which: number) => void;
}

/** The first of the list that fails, with its outcome; null: none does, or the time was over. */
export async function firstThatFails(
  list: readonly Trial[],
  options: RaceOptions,
): Promise<{ readonly which: number; readonly outcome: Outcome } | null> {
  const { trials, isOver, onRun, onPassed } = options;
  const entries: Entry[] = [];
  /** Those before it have passed. */
  let decided = 0;
  const underWay = (): Entry[] => entries.filter(({ outcome }) => outcome === undefined);
  for (;;) {
    // Nothing behind one that fails can be the first.
    const hasFailed = entries.some(({ outcome }) => outcome != null && outcome.complaint !== null);
    while (!hasFailed && entries.length < list.length && underWay().length < trials.width && !isOver()) {
      onRun();
      entries.push(begun(trials.start(list[entries.length]!)));
    }
    for (; decided < entries.length && entries[decided]!.outcome !== undefined; decided++) {
      const { outcome } = entries[decided]!;
      if (outcome != null && outcome.complaint !== null) {
        const late = underWay();
        for (const { run } of late) run.cancel();
        await Promise.all(late.map(({ run }) => run.outcome));
        return { which: decided, outcome };
      }
      onPassed(decided);
    }
    const waiting = underWay();
    if (waiting.length === 0) return null;
    await Promise.race(waiting.map(({ run }) => run.outcome));
  }
}

function begun(run: RunningTrial): Entry {
  const entry: Entry = { run, outcome: undefined };
  // Registered first, so it has been noted when the race goes on.
  void run.outcome.then(
    (outcome) => {
      entry.outcome = outcome;
    },
    () => {},
  );
  return entry;
}

/** What a scenario file expects, in the cells of a sweep: an expectation that a single seed breaks has failed there. */

import type { SweepRecord } from './sweep-task.ts';

/** Lines about failures: more are not read by anybody, and `--json` has them all. */
const LINES_MAX = 20;

/** A line below the table; nothing when nothing is expected. */
export function expectationsText(records: readonly SweepRecord[], repeat: number): string {
  if (records.every(({ expectations }) => expectations === undefined)) return '';
  const failed = cellsOf(records, repeat).filter((runs) => runs.some(isBroken)).length;
  const runs = records.filter(isBroken).length;
  return `\ncells in which an expectation failed: ${failed} of ${records.length / repeat} (${runs} of ${records.length} runs)`;
}

/** A line for each expectation that failed in a cell, with the first run that broke it and the command that repeats that. */
export function failuresOf(records: readonly SweepRecord[], repeat: number): string[] {
  const lines = cellsOf(records, repeat).flatMap((runs) =>
    (runs[0]!.expectations ?? []).flatMap(({ place }, i) => {
      const broken = runs.filter(({ expectations }) => !expectations![i]!.held);
      const [first] = broken;
      if (first === undefined) return [];
      const cell = Object.entries(first.cell).map(([name, value]) => `${name} ${value}`);
      const text = first.expectations![i]!.text;
      return `${place}: ${cell.join(', ')}: ${broken.length} of ${runs.length} runs: expected ${text} (${first.command})`;
    }),
  );
  const more = lines.length - LINES_MAX;
  return more > 0 ? [...lines.slice(0, LINES_MAX), `and ${more} more`] : lines;
}

function isBroken({ expectations = [] }: SweepRecord): boolean {
  return expectations.some(({ held }) => !held);
}

/** The runs of each cell. */
function cellsOf(records: readonly SweepRecord[], repeat: number): (readonly SweepRecord[])[] {
  return Array.from({ length: records.length / repeat }, (_, i) => records.slice(i * repeat, (i + 1) * repeat));
}

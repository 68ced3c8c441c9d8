/** Fates of packets in a row, true: lost. What tests of loss count in them. */

export function count(fates: readonly boolean[]): number {
  return fates.filter(Boolean).length;
}

/** Lengths of the runs of losses. */
export function runsOf(fates: readonly boolean[]): number[] {
  const runs: number[] = [];
  fates.forEach((lost, index) => {
    if (!lost) return;
    if (index > 0 && fates[index - 1]) runs[runs.length - 1]!++;
    else runs.push(1);
  });
  return runs;
}

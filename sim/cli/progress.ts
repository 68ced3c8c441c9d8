/** How far a command is, on a terminal: a bar with the time that is left. Nothing where stderr is none. */

import { type Options, SingleBar } from 'cli-progress';

const OPTIONS: Options = {
  format: '{bar} {value} of {total} runs, {eta_formatted} left',
  barCompleteChar: '█',
  barIncompleteChar: '░',
  barsize: 30,
  stream: process.stderr,
  clearOnComplete: true,
  hideCursor: true,
  // Runs of one grid take unlike times: the mean of many is steadier than that of the last few.
  etaBuffer: 100,
};

/** Shows how many of `total` runs are done. */
export class Progress {
  readonly #bar: SingleBar | null;

  constructor(total: number) {
    this.#bar = process.stderr.isTTY ? new SingleBar(OPTIONS) : null;
    this.#bar?.start(total, 0);
  }

  count(): void {
    this.#bar?.increment();
  }

  /** Takes the bar away. */
  end(): void {
    this.#bar?.stop();
  }
}

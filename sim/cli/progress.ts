/** How far a command is, on a terminal: a bar with the time that is left. Nothing where stderr is none. */

import { type Options, SingleBar } from 'cli-progress';

const OPTIONS: Options = {
  barCompleteChar: '█',
  barIncompleteChar: '░',
  barsize: 30,
  stream: process.stderr,
  clearOnComplete: true,
  hideCursor: true,
  // Runs of one grid take unlike times: the mean of many is steadier than that of the last few.
  etaBuffer: 100,
};

/** Shows how many of `total` runs, or whatever is counted, are done. */
export class Progress {
  readonly #bar: SingleBar | null;

  constructor(total: number, what = 'runs') {
    const format = `{bar} {value} of {total} ${what}, {eta_formatted} left`;
    this.#bar = process.stderr.isTTY ? new SingleBar({ ...OPTIONS, format }) : null;
    this.#bar?.start(total, 0);
  }

  /** Whether there is a bar to be seen. */
  get isShown(): boolean {
    return this.#bar !== null;
  }

  count(): void {
    this.#bar?.increment();
  }

  /** Takes the bar away. */
  end(): void {
    this.#bar?.stop();
  }
}

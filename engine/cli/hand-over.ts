/**
 * Lets another command of the package do the rest, in this process: it has the terminal, stdin, signals and the exit code
 * as if it had been called itself.
 */

import { fileURLToPath } from 'node:url';
import { EXIT_OK } from './exit-code.ts';

/** Runs the command at `place` with these words; returns its exit code once it has ended, if it comes back at all. */
export async function handOver(place: URL, words: readonly string[]): Promise<number> {
  process.argv = [process.argv[0]!, fileURLToPath(place), ...words];
  await import(place.href);
  return Number(process.exitCode ?? EXIT_OK);
}

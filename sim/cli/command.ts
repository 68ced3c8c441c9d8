/** What the commands share: how numbers are read, and how a command ends. */

import { InvalidArgumentError } from 'commander';
import { SysError } from '../../sys/api.ts';

/** The user asked for something that cannot be: exit code 2. */
export class UsageError extends Error {}

/** What is wrong in a file, a line each that begins with its place. */
export class FileError extends UsageError {}

/** Exit codes: what was promised did not hold, or the user's code failed; the command line cannot be; the machine lacks something. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
const EXIT_MACHINE = 3;

/** Runs at once: more workers than any machine has cores for. */
export const JOBS_MAX = 256;

/**
 * Whether a promise that is rejected unheard ends the command. Not once a run of the swarm has failed: the run is given up, and
 * promises of its hosts with it.
 */
export const rejections: { areFatal: boolean } = { areFatal: true };

/** Reads a whole number. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`give a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Reads a number with decimals. */
export function decimal(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`give a number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** One line for what the user or the machine must change; a stack for an error of the game's own code. */
export function fail(error: unknown): void {
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : error instanceof SysError ? EXIT_MACHINE : EXIT_FAILED;
  const text =
    process.exitCode === EXIT_FAILED && error instanceof Error ? (error.stack ?? error.message) : oneLine(error);
  process.stderr.write(error instanceof FileError ? `${error.message}\n` : `sim: ${text}\n`);
}

/** The first line of an error. */
export function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}

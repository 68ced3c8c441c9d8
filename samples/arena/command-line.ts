/** What the arena's two commands share: checked numbers, and errors as exit codes. */

import { InvalidArgumentError } from 'commander';
import { ConfigError, SysError } from 'tickwire';

/** An option that is a whole number from `min` to `max`. */
export function whole(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`give a whole number from ${min} to ${max}.`);
    }
    return value;
  };
}

/** 2: the user's mistake; 3: the machine does not allow it; 1: anything else. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return 2;
  if (error instanceof SysError && (error.code === 'EACCES' || error.code === 'EPERM')) return 3;
  return 1;
}

/** What a command's exit code says. */

import { SysError } from '../../sys/api.ts';
import { ConfigError } from '../errors.ts';

export const EXIT_OK = 0;
/** A check failed: an assertion of the command's own, a port in use. */
export const EXIT_FAILED = 1;
/** The command line is wrong. */
export const EXIT_USAGE = 2;
/** This machine lacks something: a right, a system call, a library. */
export const EXIT_MISSING = 3;

/** Errnos that say that the machine lacks something. The others say that this time something was in the way. */
const MISSING_CODES: readonly string[] = ['EACCES', 'EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EAFNOSUPPORT'];

/** The exit code for an error that a person can act on, or null for one that is a bug of ours. */
export function exitCodeOf(error: unknown): number | null {
  if (error instanceof ConfigError) return EXIT_USAGE;
  if (error instanceof SysError && error.code === 'EINVAL') return EXIT_USAGE;
  if (error instanceof SysError) return MISSING_CODES.includes(error.code) ? EXIT_MISSING : EXIT_FAILED;
  return null;
}

/**
 * The module of a user's game: built JavaScript by Node itself, TypeScript through jiti, which only strips the types.
 *
 * What a game in TypeScript imports from `tickwire` is this package and no second copy of it: classes and symbols of the
 * engine must be the same on both sides.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createJiti } from 'jiti';
import { oneLine, UsageError } from './command.ts';

/** What Node 20 cannot load by itself. */
const TYPESCRIPT: readonly string[] = ['.ts', '.mts', '.cts', '.tsx'];
/** Lines of a stack that a message looks through for the user's own. */
const STACK_LINES = 20;

/** Imports a file. Throws UsageError that names file and, where it is known, line. */
export async function importGame(file: string): Promise<unknown> {
  const path = resolve(file);
  if (!existsSync(path)) throw new UsageError(`the game ${file} cannot be loaded: there is no such file`);
  try {
    if (!TYPESCRIPT.includes(extname(path))) return await import(pathToFileURL(path).href);
    return await createJiti(import.meta.url, { interopDefault: false, alias: ownEntries() }).import(path);
  } catch (error) {
    throw new UsageError(`the game ${file} cannot be loaded: ${reasonOf(error, path)}`);
  }
}

/** The package's entries by the names under which it exports them. The longest first: jiti takes the first that fits. */
function ownEntries(): Readonly<Record<string, string>> {
  const entry = (room: string): string => fileURLToPath(new URL(`../../${room}/index.js`, import.meta.url));
  return {
    'tickwire/sim': entry('sim'),
    'tickwire/transport': entry('transport'),
    'tickwire/sys': entry('sys'),
    tickwire: entry('engine'),
  };
}

/** What is wrong and where, on one line. */
function reasonOf(error: unknown, path: string): string {
  const { message = String(error), stack = '' } = error instanceof Error ? error : {};
  // Babel, under jiti, puts the place on a line of its own.
  const place = /^\s*(\S+:\d+:\d+)$/m.exec(message)?.[1];
  const first = oneLine(error).trim();
  if (place !== undefined) return `${first} at ${place}`;
  // Node prints where a syntax error is, but does not put it into the error.
  const syntax = error instanceof SyntaxError && !stack.includes(path);
  const text = syntax ? spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' }).stderr : stack;
  const lines = text.split('\n').slice(0, STACK_LINES);
  const frame = lines.find((line) => line.includes(path))?.match(/(?:file:\/\/)?(\/[^()\s]*:\d+(?::\d+)?)/)?.[1];
  return frame === undefined ? first : `${first} at ${frame}`;
}

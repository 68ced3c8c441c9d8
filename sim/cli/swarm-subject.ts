/** What `replay` and `shrink` are about: a seed, a failure that `swarm` wrote, or a script; and the script of `run`. */

import { existsSync, readFileSync } from 'node:fs';
import { type Fault, FaultTextError } from '../link/fault.ts';
import {
  faultsOfScript,
  parseScript,
  SECONDS_BY_DEFAULT,
  type SwarmFailure,
  type SwarmScript,
} from '../swarm/script.ts';
import { UsageError } from './command.ts';
import { textOf } from './scenario-file.ts';

export const SUBJECT = '<seed | failure.json | script.txt>';

/** `seconds` is for a bare seed. Throws UsageError when there is no such file, or it cannot be read. */
export function readSubject(text: string, seconds: number = SECONDS_BY_DEFAULT): SwarmScript {
  if (!existsSync(text)) {
    if (/[./\\]/.test(text)) throw new UsageError(`there is no file ${text}: give a seed, or a file that swarm wrote`);
    return { seed: text, seconds, limits: {}, faults: null };
  }
  return readAs(text, readFileSync(text, 'utf8'), parseScript);
}

/** The faults of a script, or of a failure that `swarm` wrote, for another run. Throws UsageError. */
export function readFaults(file: string): readonly Fault[] {
  return readAs(file, textOf(file, file), faultsOfScript);
}

/** Reads the lines of a script, which a failure has in it. Throws UsageError that begins with the file's name. */
function readAs<T>(file: string, content: string, parse: (text: string) => T): T {
  try {
    if (!file.endsWith('.json')) return parse(content);
    const failure = JSON.parse(content) as SwarmFailure;
    if (failure?.schema !== 'tickwire/swarm-failure/1') throw new UsageError(`${file} is no failure that swarm wrote`);
    return parse(failure.script.join('\n'));
  } catch (error) {
    if (error instanceof FaultTextError) throw new UsageError(`${file}: ${error.message}`);
    if (error instanceof SyntaxError) throw new UsageError(`${file} is no JSON: ${error.message}`);
    throw error;
  }
}

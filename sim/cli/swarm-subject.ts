/** What `replay` and `shrink` are about: a seed, a failure that `swarm` wrote, or a script. */

import { existsSync, readFileSync } from 'node:fs';
import { FaultTextError } from '../link/fault.ts';
import { parseScript, SECONDS_BY_DEFAULT, type SwarmFailure, type SwarmScript } from '../swarm/script.ts';
import { UsageError } from './command.ts';

export const SUBJECT = '<seed | failure.json | script.txt>';

/** `seconds` is for a bare seed. Throws UsageError when there is no such file, or it cannot be read. */
export function readSubject(text: string, seconds: number = SECONDS_BY_DEFAULT): SwarmScript {
  if (!existsSync(text)) {
    if (/[./\\]/.test(text)) throw new UsageError(`there is no file ${text}: give a seed, or a file that swarm wrote`);
    return { seed: text, seconds, limits: {}, faults: null };
  }
  const content = readFileSync(text, 'utf8');
  try {
    if (!text.endsWith('.json')) return parseScript(content);
    const failure = JSON.parse(content) as SwarmFailure;
    if (failure.schema !== 'tickwire/swarm-failure/1') throw new UsageError(`${text} is no failure that swarm wrote`);
    return parseScript(failure.script.join('\n'));
  } catch (error) {
    if (error instanceof FaultTextError) throw new UsageError(`${text}: ${error.message}`);
    if (error instanceof SyntaxError) throw new UsageError(`${text} is no JSON: ${error.message}`);
    throw error;
  }
}

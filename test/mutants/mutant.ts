// Planted bugs: text of a built module that is replaced while it is loaded. Never in shipped code.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Mutant {
  /** The bug in a few words. */
  readonly name: string;
  /** The module below dist/. */
  readonly file: string;
  /** Must stand in it once, or the patch no longer applies and its test fails. */
  readonly find: string;
  readonly replace: string;
}

/** The built program, for tests, which run over the sources, and for `main.ts`, which runs built. */
const DIST: URL = new URL(import.meta.url.endsWith('.ts') ? '../../dist/' : '../../', import.meta.url);
const PATCH = fileURLToPath(new URL('test/mutants/patch.js', DIST));
export const SIM_CLI: string = fileURLToPath(new URL('sim/cli/main.js', DIST));

/** Runs the simulator's command in a fresh process with a bug planted. */
export function runMutant(mutant: Mutant, args: readonly string[], timeoutMillis: number): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['--import', PATCH, SIM_CLI, ...args], {
    encoding: 'utf8',
    timeout: timeoutMillis,
    env: { ...process.env, TICKWIRE_MUTANT: JSON.stringify(mutant) },
  });
}

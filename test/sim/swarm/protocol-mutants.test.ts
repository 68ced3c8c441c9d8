// The swarm finds each planted bug of the protocol. `npm run mutants` measures after how many seeds when it begins at the first.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runMutant, SIM_CLI } from '../../mutants/mutant.ts';
import { PROTOCOL_MUTANTS } from '../../mutants/protocol-mutants.ts';

const built = existsSync(SIM_CLI);
/** A change of the swarm may move the seed that finds a bug: so many more are tried. */
const SEEDS = 40;
const folder = mkdtempSync(join(tmpdir(), 'tickwire-mutants-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!built)(`the swarm${built ? '' : ' (skipped: dist/ is missing, build first)'}`, () => {
  it('has at least ten bugs to find, each with a name of its own', () => {
    expect(new Set(PROTOCOL_MUTANTS.map(({ name }) => name)).size).toBeGreaterThanOrEqual(10);
  });

  it.each(PROTOCOL_MUTANTS)(
    'finds $name',
    (mutant) => {
      const args = ['swarm', '--first', String(mutant.seed), '--seeds', String(SEEDS), '--json', '--out', folder];
      const { status, stdout, stderr } = runMutant(mutant, args, 60_000);
      expect(status, stderr).toBe(1);
      const { failure } = JSON.parse(stdout);
      expect(failure.complaints.join('\n')).toContain(mutant.complaint);
      expect(JSON.parse(readFileSync(failure.file, 'utf8')).script[0]).toBe(`seed ${failure.seed}`);
    },
    90_000,
  );

  it('shrinks what it found to a script that fails in the same way, and only with the bug', () => {
    const mutant = PROTOCOL_MUTANTS.find(({ name }) => name === 'a lost packet whose messages are forgotten')!;
    const file = join(folder, 'min.txt');
    const shrunk = runMutant(mutant, ['shrink', String(mutant.seed), '--out', file, '--json'], 90_000);
    expect(shrunk.stderr).toContain('faults left after');
    const { script, kind } = JSON.parse(shrunk.stdout);
    expect(script.faults.length).toBeLessThanOrEqual(5);
    expect(readFileSync(file, 'utf8')).toContain(`# It once failed so: ${kind}\nseed ${mutant.seed}\n`);
    expect(runMutant(mutant, ['replay', file], 30_000).status).toBe(1);
    const honest = runMutant({ ...mutant, replace: mutant.find }, ['replay', file], 30_000);
    expect(honest.stdout).toContain('0 broken promises');
    expect(honest.status).toBe(0);
  }, 120_000);
});

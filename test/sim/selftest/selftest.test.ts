// The self-test agrees with mathematics, and notices simulators that do not.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BatchMeans, exact, mean, near, share, uniformCells, Z_WRONG } from '../../../sim/selftest/check.ts';
import { FORMS, fails, runForm } from '../../../sim/selftest/selftest.ts';
import { Stream } from '../../../sim/world/streams.ts';
import { runMutant, SIM_CLI } from '../../mutants/mutant.ts';
import { SIM_MUTANTS } from '../../mutants/sim-mutants.ts';

const built = existsSync(SIM_CLI);

describe('the self-test', () => {
  it('has at least twenty closed forms, each at three sizes or more', () => {
    expect(FORMS.length).toBeGreaterThanOrEqual(20);
  });

  it.each(FORMS)('agrees with $name', (form) => {
    const checks = runForm(form, '1');
    expect(checks.length).toBeGreaterThanOrEqual(3);
    expect(checks.filter(fails)).toEqual([]);
    expect(new Set(checks.map((check) => check.name)).size).toBe(checks.length);
  });
});

describe('a comparison', () => {
  it('fails beyond four standard errors, for what is not exact, and for what is no number', () => {
    expect(exact('a', 1, 1).z).toBe(0);
    expect(exact('a', 1, 2).z).toBe(Z_WRONG);
    expect(fails(exact('a', 0, Number.NaN))).toBe(true);
    expect(share('a', 0.5, 5_000, 10_000).z).toBe(0);
    expect(share('a', 0.5, 5_201, 10_000).z).toBeCloseTo(4.02, 5);
    expect(fails(share('a', 0, 1, 10))).toBe(true);
    expect(mean('a', 10, 4, 1_020, 100).z).toBeCloseTo(1, 10);
    expect(near('a', 100, 120, 0.2).z).toBeCloseTo(4, 10);
    expect(fails({ name: 'a', expected: 0, simulated: 0, z: Number.NaN })).toBe(true);
  });

  it('by batches and by cells has z values that are spread like a normal deviate', () => {
    const stream = new Stream('z');
    const [batches, cells] = [0, 1].map((kind) => {
      const values = Array.from({ length: 400 }, () => {
        if (kind === 1) {
          const counts = new Array<number>(20).fill(0);
          for (let i = 0; i < 2_000; i++) counts[stream.below(20)]!++;
          return uniformCells('a', counts).z;
        }
        const means = new BatchMeans(1_000, 20);
        for (let i = 0; i < 1_000; i++) means.add(stream.double());
        return means.check('a', 0.5).z;
      });
      return {
        mean: values.reduce((sum, z) => sum + z, 0) / 400,
        beyond2: values.filter((z) => Math.abs(z) > 2).length,
      };
    });
    for (const found of [batches!, cells!]) {
      expect(Math.abs(found.mean)).toBeLessThan(0.2);
      expect(found.beyond2).toBeGreaterThan(4); // of 400, about 18
      expect(found.beyond2).toBeLessThan(36);
    }
  });
});

describe.skipIf(!built)(`sim selftest${built ? '' : ' (skipped: dist/ is missing, build first)'}`, () => {
  it('prints one JSON object with expected, simulated and z of each check', () => {
    const { status, stdout } = selftest(['--form', 'M/D/1', 'ARQ', '--json', '--seed', '5']);
    expect(status).toBe(0);
    const { seed, checks } = JSON.parse(stdout);
    expect(seed).toBe('5');
    expect(checks.length).toBeGreaterThanOrEqual(6);
    for (const check of checks) {
      expect(Object.keys(check)).toEqual(['name', 'expected', 'simulated', 'z']);
      expect(Math.abs(check.z)).toBeLessThanOrEqual(4);
    }
  });

  it('takes another seed each time when it is asked to, and says which', () => {
    const seeds = [0, 1].map(() => JSON.parse(selftest(['--form', 'D/D/1', '--json', '--seed', 'random']).stdout).seed);
    expect(seeds[0]).not.toBe(seeds[1]);
  });

  it('names the forms when one is asked for that there is not', () => {
    const { status, stderr } = selftest(['--form', 'M/D/2']);
    expect(status).toBe(2);
    expect(stderr).toContain("there is no form 'M/D/2': give one of serialisation");
  });

  it.each(SIM_MUTANTS)('notices $name', (mutant) => {
    const { status, stderr } = runMutant(mutant, ['selftest', '--form', mutant.form], 60_000);
    expect(stderr).toContain('checks failed; repeat them with');
    expect(status).toBe(1);
  });
});

function selftest(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SIM_CLI, 'selftest', ...args], { encoding: 'utf8' });
}

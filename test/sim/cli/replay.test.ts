// `sim swarm`, `replay` and `shrink` from the command line. Runs the built files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SIM_CLI } from '../../mutants/mutant.ts';

const built = existsSync(SIM_CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-replay-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!built)(`sim replay${built ? '' : ' (skipped: dist/ is missing, build first)'}`, () => {
  it('prints the faults of a seed as a script, which does the same again', () => {
    const file = join(folder, 'all.txt');
    writeFileSync(file, sim(['replay', '3', '--faults']).stdout);
    const [seed, script] = ['3', file].map((subject) => JSON.parse(sim(['replay', subject, '--json']).stdout));
    expect(script.digest).toBe(seed.digest);
    expect(script.met).toBe(seed.faults.length);
  });

  it('traces the events of the network up to a time', () => {
    const { stdout } = sim(['replay', '3', '--trace', '--until', '0.05']);
    expect(stdout).toContain('client-0>server #0  sent  1078 bytes');
    expect(stdout).toContain('in 0.050 virtual seconds');
  });

  it('is what `run --script` takes too, for another game, in place of chance', () => {
    const file = join(folder, 'script.txt');
    writeFileSync(
      file,
      'seed 3\nheals 230ms\ndrop client-0>server #30\ncut server>client-1 at 500ms for 100ms\ndrop client-0>server #99999\n',
    );
    const run = ['run', '--clients', '2', '--seconds', '2', '--loss', '20', '--script', file];
    const { script, dropped } = JSON.parse(sim([...run, '--json']).stdout);
    expect(script).toEqual({ faults: 3, met: 2 });
    expect(dropped.lost).toBe(1);
    expect(dropped.cut).toBeGreaterThan(2);
    expect(sim(run).stdout).toContain('in place of chance, 2 of 3 faults befell the run');
    for (const [line, said] of [
      ['pause client-7 at 1s for 3ms', 'there is no host client-7: this run has server and client-0 to client-1'],
      ['drop client-0>client-0 #1', 'a way leads from one host to another'],
      ['cut a>b at 1s', "line 1: 'cut a>b at 1s' cannot be read"],
    ]) {
      writeFileSync(file, `${line}\n`);
      const { status, stderr } = sim(run);
      expect(stderr).toContain(said);
      expect(stderr.trim().split('\n')).toHaveLength(1);
      expect(status).toBe(2);
    }
  });

  it('says in one line what a subject cannot be', () => {
    const file = join(folder, 'bad.txt');
    writeFileSync(file, 'seed 3\ndorp a>b #1\n');
    for (const [args, said] of [
      [['replay', file], "line 2: 'dorp' is no fault"],
      [['replay', './none.txt'], 'there is no file ./none.txt'],
      [['shrink', '3', '--out', join(folder, 'min.txt')], 'the run breaks no promise'],
      [['swarm', '--json'], '--json needs an end'],
    ] as const) {
      const { status, stderr } = sim(args);
      expect(stderr).toContain(said);
      expect(status).toBe(2);
    }
  });

  it('counts what the swarm met, as one JSON object', () => {
    const { seeds, sights, failure } = JSON.parse(sim(['swarm', '--seeds', '5', '--json']).stdout);
    expect(seeds).toBe(5);
    expect(failure).toBeNull();
    expect(sights['a message sent again']).toBeGreaterThan(0);
  });

  it('counts the same with any number of workers', () => {
    const [one, three] = ['1', '3'].map((jobs) => {
      const { cpuSeconds, ...rest } = JSON.parse(sim(['swarm', '--seeds', '7', '--jobs', jobs, '--json']).stdout);
      expect(cpuSeconds).toBeGreaterThan(0);
      return rest;
    });
    expect(three).toEqual(one);
  });
});

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [SIM_CLI, ...args], { encoding: 'utf8' });
}

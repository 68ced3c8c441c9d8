// The sweep: its grid, its records, and the command in each of them.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { cellsOf, readGrid } from '../../../sim/cli/sweep-grid.ts';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-sweep-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SHORT = ['--clients', '1', '--seconds', '2', '--repeat', '2'];

describe('a grid', () => {
  it('has a cell for every value of each setting with every value of the others', () => {
    expect(cellsOf(readGrid(['loss=0,5%', 'latency=20,60,120']))).toEqual([
      { loss: 0, latency: 20 },
      { loss: 0, latency: 60 },
      { loss: 0, latency: 120 },
      { loss: 5, latency: 20 },
      { loss: 5, latency: 60 },
      { loss: 5, latency: 120 },
    ]);
  });

  it.each([
    [['loss'], 'give a setting and its values'],
    [['speed=1,2'], 'there is clients, latency, jitter'],
    [['loss=5,101'], "--grid loss: '101'"],
    [['loss=1,1'], 'there twice'],
    [['loss=1', 'loss=2'], 'given twice'],
    [[`latency=${Array.from({ length: 10_001 }, (_, i) => i)}`], 'has 10001 cells'],
  ])('refuses %s', (texts, message) => {
    expect(() => readGrid(texts)).toThrow(message);
  });
});

describe.skipIf(!built)(`sim sweep${built ? '' : ' (skipped: dist/ is missing, build first)'}`, () => {
  it('writes the same records whatever the number of workers, each with the command that repeats it', () => {
    const files = [1, 2].map((jobs) => {
      const out = join(folder, `${jobs}.ndjson`);
      const { status, stdout, stderr } = sim([
        'sweep',
        '--grid',
        'loss=0,20',
        ...SHORT,
        '--jobs',
        String(jobs),
        '--out',
        out,
      ]);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout.trim().split('\n')).toHaveLength(3);
      return readFileSync(out, 'utf8');
    });
    expect(files[0]).toBe(files[1]);
    const records = files[0]!
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ cell, seed }) => [cell.loss, seed])).toEqual([
      [0, '1/0'],
      [0, '1/1'],
      [20, '1/0'],
      [20, '1/1'],
    ]);
    expect(new Set(records.map(({ report }) => report.digest)).size).toBe(4);
    const { command, report } = records[3];
    const again = sim([...command.replace('npm run sim -- ', '').split(' '), '--json']);
    expect(JSON.parse(again.stdout).digest).toBe(report.digest);
  });

  it('ends with the error of a game and the command that repeats it, and writes nothing', () => {
    const game = join(folder, 'game.mjs');
    writeFileSync(game, 'export function client() { throw new Error("planted"); }');
    const out = join(folder, 'none.ndjson');
    const { status, stderr } = sim(['sweep', '--grid', 'loss=0,5', '--game', game, ...SHORT, '--out', out]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/npm run sim -- run --game .*--loss \d.*--seed 1\/\d: Error: planted/);
    expect(readdirSync(folder).filter((name) => name.startsWith('none'))).toEqual([]);
  });

  it.each([
    [['--grid', 'queue=10,50'], 'without --rate'],
    [['--grid', 'loss=1', '--game', './nowhere.js'], 'cannot be loaded'],
    [['--grid', 'loss=1', '--out', '/nowhere/x.ndjson', ...SHORT], '--out /nowhere/x.ndjson cannot be written'],
    [[], "required option '--grid <setting=values...>' not specified"],
  ])('exits with 2 and one line for %o', (args, line) => {
    const { status, stdout, stderr } = sim(['sweep', ...args]);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
}

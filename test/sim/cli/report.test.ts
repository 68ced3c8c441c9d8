// `sim report` and `sim compare`: what they print, write and refuse. Runs the built files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { labelOf, readSide } from '../../../sim/cli/compare-sides.ts';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-compare-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** Several commands in turn, beside compilers. */
const TIMEOUT_MILLIS = 120_000;
const SHORT = ['--clients', '1', '--seconds', '2'];

describe('a side of a comparison', () => {
  it('sets what it names, with a percent sign or without', () => {
    expect(readSide('--a', 'loss=5%, burst=4')).toEqual({ loss: 5, burst: 4 });
    expect(readSide('--a', 'preset=wifi')).toEqual({ preset: 'wifi' });
    expect(readSide('--a', '')).toEqual({});
    expect(labelOf({ loss: 5, burst: 4 }, './game.js')).toBe('./game.js, loss=5, burst=4');
    expect(labelOf({}, undefined)).toBe('as it is');
  });

  it.each([
    ['loss', 'give settings and their values'],
    ['speed=1', 'there is preset, clients, latency'],
    ['loss=101', '--a: loss=101: give a number from 0 to 100'],
    ['loss=1,loss=2', '--a: loss is there twice'],
    ['preset=pigeon', "there is no preset 'pigeon'"],
  ])('refuses %s', (text, message) => {
    expect(() => readSide('--a', text)).toThrow(message);
  });
});

describe.skipIf(!built)(`sim compare and sim report${built ? '' : ' (skipped: dist/ is missing, build first)'}`, () => {
  it('compares two networks under the same seeds, whatever the number of workers, and keeps what repeats them', {
    timeout: TIMEOUT_MILLIS,
  }, () => {
    const args = ['compare', '--a', 'loss=0', '--b', 'loss=20', '--seeds', '3', ...SHORT];
    const [one, two] = ['1', '2'].map((jobs) => sim([...args, '--jobs', jobs, '--json']));
    expect([one!.status, one!.stderr]).toEqual([0, '']);
    writeFileSync(join(folder, 'compare.json'), one!.stdout);
    expect(one!.stdout).toBe(two!.stdout);
    const { schema, a, b, seeds, metrics } = JSON.parse(one!.stdout);
    expect([schema, seeds]).toEqual(['tickwire-compare/1', ['1/0', '1/1', '1/2']]);
    const of = (id: string) => metrics.find((metric: { id: string }) => metric.id === id);
    expect(of('server/state/arrived')).toMatchObject({ outcome: 'worse', losses: 3 });
    expect(of('server/state/arrived').verdict).toMatch(/^B less by \d+\.\d points \(/);
    const again = sim([...b.commands[2].replace('npm run sim -- ', '').split(' '), '--json']);
    expect(JSON.parse(again.stdout).digest).toBe(b.reports[2].digest);
    expect(a.reports[2].digest).not.toBe(b.reports[2].digest);
  });

  it('makes a page and a table of what sweep, run and compare have kept', { timeout: TIMEOUT_MILLIS }, () => {
    const runs = join(folder, 'runs.ndjson');
    expect(sim(['sweep', '--grid', 'loss=0,5', '--repeat', '2', ...SHORT, '--out', runs]).status).toBe(0);
    const one = sim(['run', ...SHORT, '--deadline', '30', '--series', '--json']).stdout;
    writeFileSync(join(folder, 'run.json'), one);
    expect(JSON.parse(one)).toMatchObject({ schema: 'tickwire-run/1', deadlineMs: 30, series: { stepMs: 100 } });
    expect(
      JSON.parse(one).channels.find(({ channel }: { channel: string }) => channel === 'state').deadlineMissShare,
    ).toBe(1);
    const files = ['runs.ndjson', 'run.json', 'compare.json'].map((name) => join(folder, name));
    const [html, csv] = [join(folder, 'r.html'), join(folder, 'r.csv')];
    const { status, stdout, stderr } = sim(['report', ...files, '-o', html, '--csv', csv]);
    expect([status, stderr, stdout]).toEqual([0, '', `${html} written\n${csv} written\n`]);
    const data = /id="data">(.*?)<\/script>/s.exec(readFileSync(html, 'utf8'))![1]!;
    expect(JSON.parse(data).views.map(({ kind }: { kind: string }) => kind)).toEqual(['sweep', 'run', 'compare']);
    expect(readFileSync(csv, 'utf8').trim().split('\r\n')).toHaveLength(1 + 4 + 1 + 6);
  });

  it.each([
    [['report', 'nowhere.ndjson', '-o', 'x.html'], 'nowhere.ndjson cannot be read: ENOENT'],
    [['report', 'empty.ndjson', '-o', 'x.html'], 'empty.ndjson is empty'],
    [['report', 'strange.json', '-o', 'x.html', '--csv', 'x.csv'], "the schema 'other/1' is not known"],
    [['report', 'strange.json'], 'what is to be written?'],
    [['report'], "missing required argument 'files'"],
    [['compare'], 'A and B are the same'],
    [['compare', '--b', 'burst=4'], '--burst 4 without --loss'],
    [['compare', '--b', 'loss=5', '--b-game', './nowhere.js'], 'cannot be loaded'],
    [['compare', '--b', 'loss=5', '--html', '/nowhere/x.html'], '--html /nowhere/x.html cannot be written'],
    [['sweep', '--grid', 'loss=5', '--html', '/nowhere/x.html'], '--html /nowhere/x.html cannot be written'],
    [['run', '--html', '/nowhere/x.html'], '--html /nowhere/x.html cannot be written'],
    [['run', '--deadline', '0'], 'give a number from 0.001'],
  ])('exits with 2 and one line for %o, and writes nothing', (args, line) => {
    writeFileSync(join(folder, 'empty.ndjson'), '');
    writeFileSync(join(folder, 'strange.json'), '{"schema":"other/1"}');
    const { status, stdout, stderr } = sim(args);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('x.'))).toEqual([]);
  });
});

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', cwd: folder });
}

// Scenario files on the command line: what takes the place of what, and how a run ends. Runs the built files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const SAMPLES = fileURLToPath(new URL('../../../samples/scenarios/', import.meta.url));
const built = existsSync(CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-scenario-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Each run is a process that loads the engine. */
const PATIENCE_MILLIS = 120_000;

const STORM = write(
  'storm.json',
  `{
  // the same as the options below
  "clients": 2, "seconds": 3, "seed": 5,
  "link": { "latency": "40ms", "jitter": "10ms", "loss": "5%", "rate": "200kbit/s", "queue": "100ms" },
  "expect": [{ "metric": "clientsFailed", "eq": 0 }],
}`,
);
const OPTIONS = '--clients 2 --seconds 3 --seed 5 --latency 40 --jitter 10 --loss 5 --rate 0.2 --queue 100'.split(' ');

describe.skipIf(!built)(
  `sim run file${built ? '' : ' (skipped: dist/ is missing, build first)'}`,
  { timeout: PATIENCE_MILLIS },
  () => {
    it.each(['train', 'office-upload', 'cell'])('runs the sample %s, whose expectations hold', (name) => {
      const { status, stdout, stderr } = sim(['run', join(SAMPLES, `${name}.json`), '--seconds', '13']);
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const [, held, of] = /expectations {5}(\d) of (\d) hold/.exec(stdout)!;
      expect(held).toBe(of);
      expect(stdout).toContain(`links            as in ${join(SAMPLES, name)}.json`);
    });

    it('runs the sample bad-day, whose expectations hold, the same each time', () => {
      const [first, again] = [1, 2].map(() => report(['run', join(SAMPLES, 'bad-day.json')]));
      expect(first.expectations.length).toBeGreaterThan(3);
      expect(first.expectations.filter(({ held }: { held: boolean }) => !held)).toEqual([]);
      expect(again.digest).toBe(first.digest);
    });

    it('gives the digest of the options that say the same', () => {
      const fromFile = report(['run', STORM]);
      expect(fromFile.scenario).toBe('storm');
      expect(fromFile.digest).toBe(report(['run', ...OPTIONS]).digest);
      expect(fromFile.expectations).toMatchObject([{ metric: 'clientsFailed', held: true }]);
    });

    it('lets options take the place of what the file says, and of nothing else', () => {
      const changed = report([
        'run',
        STORM,
        '--loss',
        '20',
        '--burst',
        '3',
        '--seconds',
        '2',
        '--clients',
        '1',
        '--seed',
        '6',
      ]);
      const options =
        '--clients 1 --seconds 2 --seed 6 --latency 40 --jitter 10 --loss 20 --burst 3 --rate 0.2 --queue 100';
      expect(changed.digest).toBe(report(['run', ...options.split(' ')]).digest);
      const preset = report(['run', STORM, '--preset', 'geo']);
      expect(preset.digest).toBe(
        report(['run', '--preset', 'geo', '--clients', '2', '--seconds', '3', '--seed', '5']).digest,
      );
    });

    it('exits with 1 and says which expectation did not hold, with both numbers and its place', () => {
      const file = write(
        'strict.json',
        '{ "clients": 1, "seconds": 1, "link": { "latency": "30ms" },\n"expect": [\n{ "metric": "packetsSent", "gt": 0 },\n' +
          '{ "metric": "latency.p50", "lt": "20ms" },\n{ "metric": "channel.tell.server.p99", "lt": "1s" }] }',
      );
      const { status, stdout, stderr } = sim(['run', file]);
      expect(status).toBe(1);
      expect(stdout).toContain('expectations     1 of 3 hold');
      expect(stderr).toContain(`${file}:4: expected latency.p50 < 20ms, and it is 30ms\n`);
      expect(stderr).toContain(
        `${file}:5: expected channel.tell.server.p99 < 1000ms, but nothing was sent on that channel`,
      );
      expect(sim(['run', file, '--latency', '10', '--json']).stdout).toContain('"latency.p50 < 20ms, and it is 10ms"');
    });

    it('reads traces beside the file, and from an option', () => {
      write('slow.trace', '100\n');
      const file = write(
        'trace.json',
        '{ "clients": 1, "seconds": 4, "link": { "latency": "50ms", "rateTrace": "slow.trace", "queue": "3s" } }',
      );
      const slow = report(['run', file]);
      expect(slow.latencyMs.p50).toBeGreaterThan(55);
      const options = [
        '--clients',
        '1',
        '--seconds',
        '4',
        '--rate-trace',
        join(folder, 'slow.trace'),
        '--queue',
        '3000',
      ];
      expect(report(['run', ...options]).digest).toBe(slow.digest);
    });

    it.each([
      ['{ "link": "pigeon" }', [], 'odd.json:1: link: give a preset (lan'],
      ['{ "link": { "loss": "5 percent" } }', [], '(got "5 percent")'],
      ['{ "seconds": 0 }', [], 'odd.json:1: seconds: give seconds from 0.001'],
      ['{ "link": { "rateTrace": "none.trace" } }', [], 'odd.json:1: link: none.trace cannot be read: ENOENT'],
      [
        '{ "link": { "latency": "5ms" } }',
        ['--jitter', '6'],
        'odd.json:1: link: jitter (6000 us) is larger than latency (5000 us)',
      ],
      ['{', [], 'odd.json:1: no JSON'],
      ['{ "game": "./none.js" }', [], 'odd.json: game: the game'],
      ['{}', ['--rate', '1', '--rate-trace', 'x'], '--rate and --rate-trace both set a rate'],
      ['{}', ['--burst', '3'], '--burst 3 without --loss'],
    ])('exits with 2 and one line for %s with %j', (text, more, line) => {
      const { status, stdout, stderr } = sim(['run', write('odd.json', text), ...more]);
      expect(stderr).toContain(line);
      expect([status, stdout, stderr.trim().split('\n').length]).toEqual([2, '', 1]);
    });

    it.each([['nowhere.json'], [folder]])('exits with 2 and one line for the file %s', (file) => {
      const { status, stderr } = sim(['run', file]);
      expect(stderr).toMatch(/cannot be read: E[A-Z]+: [^\n]*\n$/);
      expect(status).toBe(2);
    });
  },
);

describe.skipIf(!built)(
  `sim sweep file${built ? '' : ' (skipped: dist/ is missing, build first)'}`,
  { timeout: PATIENCE_MILLIS },
  () => {
    it('lays each cell over the file, and each record has the command that repeats it', () => {
      const out = join(folder, 'runs.ndjson');
      const args = [
        'sweep',
        STORM,
        '--grid',
        'loss=0,20',
        '--seconds',
        '2',
        '--repeat',
        '1',
        '--jobs',
        '1',
        '--out',
        out,
      ];
      const { status, stderr } = sim(args);
      expect([status, stderr]).toEqual([0, '']);
      const records = readFileSync(out, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(records.map(({ cell, seed }) => [cell.loss, seed])).toEqual([
        [0, '5/0'],
        [20, '5/0'],
      ]);
      expect(records[1].report.dropped.lost).toBeGreaterThan(records[0].report.dropped.lost);
      const { command, report: recorded } = records[1];
      expect(command).toBe(`npm run sim -- run ${STORM} --loss 20 --seconds 2 --seed 5/0`);
      expect(report(command.replace('npm run sim -- ', '').split(' ')).digest).toBe(recorded.digest);
    });

    it('exits with 1 when an expectation fails in a cell, and says in which, and how to repeat it', () => {
      const file = write(
        'expects.json',
        '{ "clients": 1, "seconds": 1, "link": { "latency": "30ms" }, "expect": [\n{ "metric": "packetsSent", "gt": 0 },\n' +
          '{ "metric": "latency.p50", "lt": "50ms" }, { "metric": "latency.p50", "lt": "70ms" } ] }',
      );
      const args = ['sweep', file, '--grid', 'latency=30,60,80', '--repeat', '2', '--jobs', '1'];
      const { status, stdout, stderr } = sim(args);
      expect(status).toBe(1);
      expect(stdout).toMatch(/\ncells in which an expectation failed: 2 of 3 \(4 of 6 runs\)\n$/);
      const again = (latency: number) => `npm run sim -- run ${file} --latency ${latency} --seed 1/0`;
      expect(stderr.trim().split('\n')).toEqual([
        `${file}:3: latency 60: 2 of 2 runs: expected latency.p50 < 50ms, and it is 60ms (${again(60)})`,
        `${file}:3: latency 80: 2 of 2 runs: expected latency.p50 < 50ms, and it is 80ms (${again(80)})`,
        `${file}:3: latency 80: 2 of 2 runs: expected latency.p50 < 70ms, and it is 80ms (${again(80)})`,
      ]);
      const held = sim(['sweep', file, '--grid', 'latency=30,40', '--repeat', '1', '--jobs', '1', '--json']);
      expect([held.status, held.stderr]).toEqual([0, '']);
      expect(JSON.parse(held.stdout).records[1].expectations).toHaveLength(3);
      expect(sim(['run', ...again(60).split(' ').slice(5)]).status).toBe(1);
    });

    it('says once what is wrong with a cell', () => {
      const { status, stderr } = sim(['sweep', STORM, '--grid', 'jitter=10,50']);
      expect(status).toBe(2);
      expect(stderr).toContain('storm.json:4: link: jitter (50000 us) is larger than latency (40000 us)');
    });
  },
);

describe.skipIf(!built)('the options of link stages', { timeout: PATIENCE_MILLIS }, () => {
  it('say what a file says', () => {
    const more = '--jitter-shape gamma --keep-order --mtu 600 --corrupt 1 --discipline codel'.split(' ');
    const fields =
      '"jitterShape": "gamma", "keepOrder": true, "mtu": "600B", "corrupt": "1%", "discipline": "codel" },';
    const file = write('stages.json', readFileSync(STORM, 'utf8').replace('},', `, ${fields}`));
    const fromFile = report(['run', file]);
    expect(fromFile.digest).toBe(report(['run', ...OPTIONS, ...more]).digest);
    expect(fromFile.digest).not.toBe(report(['run', STORM]).digest);
  });

  it.each([
    [['--discipline', 'codel'], '--discipline codel without --rate'],
    [['--discipline', 'red', '--rate', '1'], 'give --queue too'],
    [['--mtu', '10'], 'give a whole number from 68'],
    [['--jitter-shape', 'flat'], 'Allowed choices are uniform'],
    [['--preset', 'wifi', '--keep-order'], 'leave --keep-order out, or the preset'],
    [['--rate-trace', '/nowhere.trace'], '--rate-trace /nowhere.trace cannot be read'],
  ])('are refused with one line: %j', (args, line) => {
    const { status, stderr } = sim(['run', ...args]);
    expect(stderr).toContain(line);
    expect([status, stderr.trim().split('\n').length]).toEqual([2, 1]);
  });
});

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
}

function report(args: readonly string[]) {
  const { status, stdout, stderr } = sim([...args, '--json']);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

// What is read and written: results of commands, pages, tables.

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compare } from '../../../sim/report/comparison.ts';
import { csvOf } from '../../../sim/report/csv.ts';
import { htmlOf } from '../../../sim/report/html-report.ts';
import { readRuns } from '../../../sim/report/read-runs.ts';
import type { ReportData, SweepView } from '../../../sim/report/report-data.ts';
import { sweepViews } from '../../../sim/report/views.ts';
import { writeWhole } from '../../../sim/report/write-whole.ts';
import { channel, run } from './runs.ts';

const folder = mkdtempSync(join(tmpdir(), 'tickwire-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

const record = (loss: number, latency: number, seed: string) => ({
  schema: 'tickwire-sweep/1',
  cell: { loss, latency },
  seed,
  command: `npm run sim -- run --loss ${loss} --latency ${latency} --seed ${seed}`,
  report: run(seed, [channel('state', 'server', (share) => latency + loss * share)]),
});
const RECORDS = [5, 0].flatMap((loss) =>
  [20, 60].flatMap((latency) => ['1/0', '1/1'].map((s) => record(loss, latency, s))),
);
const lines = (values: readonly unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('');

describe('the view of a sweep', () => {
  it('has each cell at its place on sorted axes, with the values, curves and commands of its seeds', () => {
    const [view] = sweepViews(RECORDS) as [SweepView];
    expect(view.axes).toEqual([
      { name: 'loss', unit: '%', values: [0, 5] },
      { name: 'latency', unit: 'ms one way', values: [20, 60] },
    ]);
    expect(view.cells).toHaveLength(4);
    const cell = view.cells.find(({ at }) => at[0] === 1 && at[1] === 1)!;
    expect(cell.seeds).toEqual(['1/0', '1/1']);
    const p99 = view.metrics.findIndex(({ id }) => id === 'server/state/p99');
    expect(cell.values[p99]).toEqual([64.95, 64.95]);
    expect(cell.curves[0]!.at(-1)).toBe(65);
    expect(cell.commands).toBe('npm run sim -- run --loss 5 --latency 60 --seed ');
    expect(view.facts).toContainEqual(['clients', '2']);
  });

  it('comes once for each grid that is in the records', () => {
    const other = { ...record(1, 2, '1/0'), cell: { rate: 3 } };
    expect(sweepViews([...RECORDS, other]).map(({ title }) => title)).toEqual(['game: loss × latency', 'game: rate']);
  });
});

describe('results', () => {
  it('are read as records a line, as one object with records, as a run, as a comparison', () => {
    const side = (label: string) => ({ label, commands: ['x'], reports: [RECORDS[0]!.report] });
    const files = [
      file('a.ndjson', lines(RECORDS)),
      file('b.json', JSON.stringify({ records: RECORDS }, null, 2)),
      file('c.json', JSON.stringify({ schema: 'tickwire-run/1', command: 'again', ...RECORDS[0]!.report })),
      file('d.json', JSON.stringify(compare(side('a'), side('b'), ['1/0'], '1'))),
    ];
    const { views, rows } = readRuns(files);
    expect(views.map(({ kind }) => kind)).toEqual(['sweep', 'sweep', 'run', 'compare']);
    expect(views[0]).toEqual(views[1]);
    expect(rows).toHaveLength(8 + 8 + 1 + 2);
  });

  it.each([
    ['', 'is empty'],
    ['\n \n', 'is empty'],
    ['no json', 'no JSON'],
    [`${lines(RECORDS)}{"schema":`, 'line 9: no JSON'],
    ['null', 'there is no schema in it'],
    ['{"schema":"tickwire-sweep/9"}', "the schema 'tickwire-sweep/9' is not known"],
    [lines([{ ...RECORDS[0], seed: 7 }]), 'seed: Invalid input: expected string, received number'],
    [
      lines([RECORDS[0], { ...RECORDS[0], report: { ...RECORDS[0]!.report, channels: [{}] } }]),
      'line 2: report.channels.0',
    ],
  ])('that are %j are refused in one line', (text, message) => {
    const path = file('bad.json', text);
    const refusal = (() => {
      try {
        return readRuns([path]);
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(refusal).toContain(message);
    expect(refusal).toContain(path);
    expect(refusal).not.toContain('\n');
  });

  it('that are not there are refused with the reason', () => {
    expect(() => readRuns([join(folder, 'nowhere.ndjson')])).toThrow(/nowhere\.ndjson cannot be read: ENOENT/);
  });
});

describe('a page', () => {
  const hostile = '</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>';
  const data: ReportData = {
    schema: 'tickwire-report/1',
    title: hostile,
    views: sweepViews([{ ...RECORDS[0]!, report: run(hostile, [channel(hostile, 'server', () => 1)]) }]),
  };
  const html = htmlOf(data, { script: "document.title='</script><!--';", style: 'p{}</style>' });

  it('keeps data as data, whatever names are in it', () => {
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html.match(/<\/style>/g)).toHaveLength(1);
    expect(html).not.toContain('<img');
    const json = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)![1]!;
    expect(JSON.parse(json)).toEqual(data);
  });

  it('may run its own script and reach for nothing', () => {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;
    const script = /<script>([\s\S]*?)<\/script>/.exec(html)![1]!;
    const hash = createHash('sha256').update(script).digest('base64');
    expect(policy).toBe(`default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:`);
    expect(html).not.toMatch(/(src|href)="?https?:/);
  });
});

describe('a table', () => {
  it('has a row a run with settings, metrics and the command, quoted as RFC 4180 says', () => {
    const text = csvOf([
      { settings: { loss: 5 }, report: RECORDS[0]!.report, command: 'say "hi", twice' },
      { settings: {}, report: run('2', []), command: null },
    ]);
    const [header, first, second, end] = text.split('\r\n');
    expect(header!.split(',').slice(0, 5)).toEqual(['loss', 'scenario', 'seed', 'digest', 'server/state/p50 ms']);
    expect(first).toMatch(/^5,game,1\/0,0{32},22\.5,.*,"say ""hi"", twice"$/);
    expect(second).toMatch(/^,game,2,0{32},,/);
    expect(end).toBe('');
  });
});

describe('a file', () => {
  it('is there whole or not at all', () => {
    writeWhole(join(folder, 'whole.txt'), 'text');
    expect(() => writeWhole(join(folder, 'none', 'x.txt'), 'text')).toThrow('ENOENT');
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/**
 * Reads what the commands have written: records of sweeps (a line each, or one object), comparisons, and single runs. It is
 * looked at before anything is made of it, and what it says wrong is said in one line.
 */

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { ScenarioReport } from '../scenario/scenario.ts';
import type { Comparison } from './comparison.ts';
import type { CsvRun } from './csv.ts';
import type { ReportView } from './report-data.ts';
import { compareView, runView, type SweptRun, sweepViews } from './views.ts';

/** A file that is no result of a run: the message says which, where and why. */
export class RunFileError extends Error {}

/** What was in the files. */
export interface RunFiles {
  readonly views: readonly ReportView[];
  readonly rows: readonly CsvRun[];
}

const maybe = z.number().nullable();
const CHANNEL = z.looseObject({
  channel: z.string(),
  from: z.enum(['server', 'clients']),
  queued: z.number(),
  arrived: z.number(),
  untimed: z.number().default(0),
  latencyMs: z.looseObject({
    p50: maybe,
    p99: maybe,
    p95: maybe.default(null),
    p999: maybe.default(null),
    quantiles: z.array(z.number()).nullable().default(null),
  }),
});
/** Only what reports read; the rest passes through. */
const REPORT = z.looseObject({
  scenario: z.string(),
  seed: z.string(),
  clients: z.number(),
  clientsFailed: z.number(),
  digest: z.string(),
  virtualSeconds: z.number(),
  packetsSent: z.number(),
  packetsDropped: z.number(),
  channels: z.array(CHANNEL),
});
const RUN = REPORT.extend({ schema: z.literal('tickwire-run/1'), command: z.string().optional() });
const RECORD = z.looseObject({
  schema: z.literal('tickwire-sweep/1'),
  cell: z.record(z.string(), z.unknown()),
  seed: z.string(),
  command: z.string(),
  report: REPORT,
});
const SIDE = z.looseObject({ label: z.string(), commands: z.array(z.string()), reports: z.array(REPORT).min(1) });
const COMPARISON = z.looseObject({
  schema: z.literal('tickwire-compare/1'),
  a: SIDE,
  b: SIDE,
  seeds: z.array(z.string()).min(1),
  metrics: z.array(
    z.looseObject({
      id: z.string(),
      label: z.string(),
      unit: z.enum(['ms', '%', 'B/s', '']),
      verdict: z.string(),
      outcome: z.enum(['better', 'worse', 'none', 'unknown']),
    }),
  ),
});
const KNOWN = 'tickwire-run/1, tickwire-sweep/1, tickwire-compare/1';

/** Reads files in turn. Throws RunFileError. */
export function readRuns(files: readonly string[]): RunFiles {
  const views: ReportView[] = [];
  const rows: CsvRun[] = [];
  for (const file of files) {
    const swept: SweptRun[] = [];
    for (const [where, value] of objectsIn(file)) take(where, value, { views, rows, swept });
    views.push(...sweepViews(swept));
    rows.push(...swept.map(({ cell, report, command }) => ({ settings: cell, report, command })));
  }
  return { views, rows };
}

function take(where: string, value: unknown, into: { views: ReportView[]; rows: CsvRun[]; swept: SweptRun[] }): void {
  const { schema, records } = (value ?? {}) as { schema?: unknown; records?: unknown };
  if (Array.isArray(records)) {
    for (const [i, record] of records.entries()) take(`${where}, record ${i + 1}`, record, into);
  } else if (schema === 'tickwire-sweep/1') {
    into.swept.push(checked(RECORD, where, value) as unknown as SweptRun);
  } else if (schema === 'tickwire-run/1') {
    const run = checked(RUN, where, value);
    const [report, command] = [run as unknown as ScenarioReport, run.command ?? null];
    into.views.push(runView(report, command));
    into.rows.push({ settings: {}, report, command });
  } else if (schema === 'tickwire-compare/1') {
    const comparison = checked(COMPARISON, where, value) as unknown as Comparison;
    const { a, b, seeds } = comparison;
    if ([a, b].some(({ reports, commands }) => reports.length !== seeds.length || commands.length !== seeds.length)) {
      throw new RunFileError(`${where}: not as many reports and commands as seeds`);
    }
    into.views.push(compareView(comparison));
    for (const [i] of seeds.entries()) {
      for (const [name, { label, reports, commands }] of Object.entries({ A: a, B: b })) {
        into.rows.push({ settings: { side: name, sets: label }, report: reports[i]!, command: commands[i]! });
      }
    }
  } else {
    const found = typeof schema === 'string' ? `the schema '${schema}' is not known` : 'there is no schema in it';
    throw new RunFileError(`${where}: ${found}: give a file that \`sim\` wrote (${KNOWN})`);
  }
}

/** The one JSON object of a file, or that of each line. */
function objectsIn(file: string): [where: string, value: unknown][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new RunFileError(`${file} cannot be read: ${(error as Error).message.split('\n')[0]}`);
  }
  if (text === '') throw new RunFileError(`${file} is empty`);
  const lines = text.split('\n');
  if (lines.length > 1 && !isJson(lines[0]!)) return [[file, parsed(file, text)]]; // one object over several lines
  return lines.flatMap((line, i) => {
    const where = lines.length === 1 ? file : `${file} line ${i + 1}`;
    return line.trim() === '' ? [] : [[where, parsed(where, line)] as [string, unknown]];
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parsed(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RunFileError(`${where}: no JSON`);
  }
}

function checked<T>(schema: z.ZodType<T>, where: string, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new RunFileError(`${where}: ${path.join('.')}: ${message.split('\n')[0]}`);
}

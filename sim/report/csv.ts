/** Runs as a table for spreadsheets (RFC 4180): a row a run, a column a setting or metric. */

import type { ScenarioReport } from '../scenario/scenario.ts';
import { metricsOf, metricValue } from './metrics.ts';

/** A row to be. */
export interface CsvRun {
  /** What is set in it, by the name of the column. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly report: ScenarioReport;
  readonly command: string | null;
}

/** The text of the file. Numbers are as in the report; what a run lacks is empty. */
export function csvOf(runs: readonly CsvRun[]): string {
  const settings = [...new Set(runs.flatMap((run) => Object.keys(run.settings)))];
  const metrics = metricsOf(runs.map(({ report }) => report));
  const units: Readonly<Record<string, string>> = { ms: ' ms', '%': ' %', 'B/s': ' B/s', '': '' };
  const header = [
    ...settings,
    'scenario',
    'seed',
    'digest',
    ...metrics.map(({ id, unit }) => `${id}${units[unit]!}`),
    'command',
  ];
  const rows = runs.map(({ settings: own, report, command }) => [
    ...settings.map((name) => own[name] ?? ''),
    report.scenario,
    report.seed,
    report.digest,
    ...metrics.map(({ id }) => metricValue(report, id) ?? ''),
    command ?? '',
  ]);
  return [header, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(value: unknown): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

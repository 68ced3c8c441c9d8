/** What a bench gives back: figures with their spread, the machine they are from, and what an issue says they must be. */

import { arch, cpus, release, type as systemName } from 'node:os';

/** What a figure must be. */
export interface Must {
  readonly op: '<=' | '>=';
  readonly value: number;
}

/** One measured number. */
export interface Figure {
  /** As in the table that asks for it. */
  readonly name: string;
  /** Median of the runs. */
  readonly value: number;
  readonly unit: string;
  /** Least and greatest of the runs. */
  readonly spread: readonly [number, number];
  readonly must?: Must;
  /** Whether `value` is what it must be; true where nothing is asked. */
  readonly ok: boolean;
}

/** Where figures were measured; nothing that names the machine or its owner. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
}

export interface BenchReport {
  readonly bench: string;
  readonly machine: Machine;
  readonly figures: readonly Figure[];
  /** What a reader of the figures should know: a load that could not be pinned, a capability that is missing. */
  readonly notes?: readonly string[];
  /** Why nothing could be measured here, in one line. */
  readonly skipped?: string;
}

/** What a bench may be asked. Each has its own defaults. */
export interface BenchOptions {
  /** Alternating runs a figure; at least 5 for figures that count. */
  readonly runs?: number;
}

/** What `test/bench/<name>.ts` exports. */
export interface BenchModule {
  run(options: BenchOptions): Promise<BenchReport>;
}

/** Runs that a median needs to be worth comparing (issues ask for at least five). */
export const RUNS_DEFAULT = 5;

/** A figure of at least one sample. */
export function figure(name: string, unit: string, samples: readonly number[], must?: Must): Figure {
  const value = median(samples);
  const spread = [Math.min(...samples), Math.max(...samples)] as const;
  const ok = must === undefined || (must.op === '<=' ? value <= must.value : value >= must.value);
  return must === undefined ? { name, value, unit, spread, ok } : { name, value, unit, spread, must, ok };
}

/** The middle of the samples, or the mean of the middle two. */
export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new RangeError('a median needs a sample');
  const sorted = [...samples].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** This machine, for the head of a report. */
export function machine(): Machine {
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    kernel: `${systemName()} ${release()} ${arch()}`,
    node: process.version,
  };
}

/** Samples of several contenders, run in turn, so that a machine that slows down slows all of them. */
export interface Alternation<Name extends string> {
  /** One sample a run, in the order of the runs. */
  readonly samples: Readonly<Record<Name, readonly number[]>>;
  /** `over` divided by `under` of the same run: what may be compared on a shared machine. */
  ratios(over: Name, under: Name): number[];
}

/** Measures every contender once a run, `runs` times; every other run in reverse order. */
export async function alternate<Name extends string>(
  runs: number,
  contenders: Readonly<Record<Name, () => number | Promise<number>>>,
): Promise<Alternation<Name>> {
  const names = Object.keys(contenders) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let run = 0; run < runs; run++) {
    for (const name of run % 2 === 0 ? names : [...names].reverse()) samples[name].push(await contenders[name]());
  }
  return {
    samples,
    ratios: (over, under) => samples[over].map((value, run) => value / samples[under][run]!),
  };
}

/** Reports as one, each figure named after its bench. */
export function joined(bench: string, reports: readonly BenchReport[]): BenchReport {
  return {
    bench,
    machine: machine(),
    figures: reports.flatMap((report) => report.figures.map((f) => ({ ...f, name: `${report.bench}: ${f.name}` }))),
    notes: reports.flatMap((report) => [
      ...(report.notes ?? []).map((note) => `${report.bench}: ${note}`),
      ...(report.skipped === undefined ? [] : [`${report.bench}: skipped: ${report.skipped}`]),
    ]),
  };
}

/** A report as lines for people. */
export function table(report: BenchReport): string {
  const { cpu, cores, kernel, node } = report.machine;
  const lines = [`${report.bench}   ${cpu}, ${cores} cores, ${kernel}, Node ${node}`, ''];
  if (report.skipped !== undefined) lines.push(`  skipped: ${report.skipped}`);
  const rows = report.figures.map((f) => [
    f.name,
    amount(f.value),
    f.unit,
    `${amount(f.spread[0])} .. ${amount(f.spread[1])}`,
    f.must === undefined ? '' : `${f.must.op} ${amount(f.must.value)}`,
    f.must === undefined ? '' : f.ok ? 'ok' : 'MISSED',
  ]);
  if (rows.length > 0) rows.unshift(['', 'median', '', 'spread', 'must', '']);
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(0, ...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    const cells = row.map((cell, i) => (i === 1 || i === 3 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)));
    lines.push(`  ${cells.join('  ')}`.trimEnd());
  }
  for (const note of report.notes ?? []) lines.push(`  note: ${note}`);
  return `${lines.join('\n')}\n`;
}

/** Three significant digits, without an exponent. */
function amount(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 6));
}

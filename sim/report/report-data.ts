/**
 * What a report's page is given: numbers and texts ready to draw, small enough for one file. Views stand side by side; the
 * page knows how to draw each kind, and leaves out a kind that it does not know.
 */

import type { SequenceReport } from '../capture/sequence-report.ts';
import type { SeriesReport } from '../scenario/series-report.ts';

export interface ReportData {
  readonly schema: 'tickwire-report/1';
  readonly title: string;
  readonly views: readonly ReportView[];
}

export type ReportView = SweepView | RunView | SequenceView | CompareView;

/** What every view has. */
interface ViewHead {
  /** For its tab and its heading. */
  readonly title: string;
  /** Name and value of what holds for the whole view, such as `clients` and `8`. */
  readonly facts: readonly (readonly [name: string, value: string])[];
}

/** A distribution: milliseconds at each of the report's shares; null when nothing was timed. */
export type Curve = readonly number[] | null;

/** A grid of settings with several seeds in each cell. */
export interface SweepView extends ViewHead {
  readonly kind: 'sweep';
  readonly axes: readonly AxisData[];
  readonly metrics: readonly Metric[];
  readonly channels: readonly string[];
  readonly shares: readonly number[];
  readonly deadlineMs: number | null;
  readonly cells: readonly CellData[];
}

export interface AxisData {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly (number | string)[];
}

export interface CellData {
  /** Index into the values of each axis. */
  readonly at: readonly number[];
  readonly seeds: readonly string[];
  /** By metric and seed. */
  readonly values: readonly (readonly MetricValue[])[];
  /** By channel, all seeds together; empty in a report that would be too large with them. */
  readonly curves: readonly Curve[];
  readonly commands: Commands;
}

/** Commands that repeat runs, by seed: what they begin with when the seed follows, else each of them whole. */
export type Commands = string | readonly string[];

/** One run. */
export interface RunView extends ViewHead {
  readonly kind: 'run';
  readonly command: string | null;
  readonly metrics: readonly Metric[];
  readonly values: readonly MetricValue[];
  readonly channels: readonly string[];
  readonly shares: readonly number[];
  readonly curves: readonly Curve[];
  readonly deadlineMs: number | null;
  readonly series: SeriesReport | null;
}

/** The packets between both ends of a client. */
export interface SequenceView extends ViewHead {
  readonly kind: 'sequence';
  readonly sequence: SequenceReport;
}

/** Two settings on the same fates. */
export interface CompareView extends ViewHead {
  readonly kind: 'compare';
  readonly sides: readonly [SideData, SideData];
  readonly seeds: readonly string[];
  readonly metrics: readonly MetricComparison[];
  readonly channels: readonly string[];
  readonly shares: readonly number[];
  readonly deadlineMs: number | null;
}

export interface SideData {
  readonly label: string;
  readonly commands: Commands;
  /** By metric and seed. */
  readonly values: readonly (readonly MetricValue[])[];
  /** By channel, all seeds together. */
  readonly curves: readonly Curve[];
}

/** A number that every run has, or lacks. */
export interface Metric {
  /** `clients/input/p99`; stable, for files. */
  readonly id: string;
  /** `p99 of input`, for people. */
  readonly label: string;
  /** What it is about: a channel, or the whole run. */
  readonly group: string;
  readonly unit: 'ms' | '%' | 'B/s' | '';
  readonly better: 'lower' | 'higher';
}

/** One number of a run; null where the run has none. */
export type MetricValue = number | null;

/** The mean of paired differences, and what is known of it. */
export interface Difference {
  /** Pairs. */
  readonly pairs: number;
  /** B less A. */
  readonly mean: number;
  /** The interval that holds the true mean 95 times in 100; null when there are too few pairs to tell. */
  readonly low: number | null;
  readonly high: number | null;
}

/** A metric of two settings. */
export interface MetricComparison extends Metric {
  /** Medians over the seeds. */
  readonly a: MetricValue;
  readonly b: MetricValue;
  /** B less A, over the seeds where both have a value. */
  readonly difference: Difference | null;
  /** Seeds where B is better, where A is, and where they are equal. */
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
  /** What the interval says: B is better or worse, they are alike as far as can be seen, or there is too little to tell. */
  readonly outcome: 'better' | 'worse' | 'none' | 'unknown';
  readonly verdict: string;
}

/** What commands begin with when each ends in its seed, else all of them. */
export function packCommands(commands: readonly string[], seeds: readonly string[]): Commands {
  const starts = commands.map((command, i) =>
    command.endsWith(` ${seeds[i]!}`) ? command.slice(0, command.length - seeds[i]!.length) : null,
  );
  const [first] = starts;
  return first !== undefined && first !== null && starts.every((start) => start === first) ? first : commands;
}

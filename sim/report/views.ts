/** From runs to the views of a page. */

import type { SequenceReport } from '../capture/sequence-report.ts';
import { LATENCY_SHARES } from '../scenario/message-latencies.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import type { ComparedSide, Comparison } from './comparison.ts';
import { type ChannelName, channelLabel, channelOf, channelsOf, metricsOf, metricValue } from './metrics.ts';
import { poolQuantiles } from './pooled.ts';
import type { AxisData, CompareView, Curve, RunView, SequenceView, SideData, SweepView } from './report-data.ts';
import { packCommands } from './report-data.ts';

/** A run of a sweep. */
export interface SweptRun {
  /** What its cell sets. */
  readonly cell: Readonly<Record<string, unknown>>;
  readonly seed: string;
  readonly command: string;
  readonly report: ScenarioReport;
}

/** Units of the settings that axes are made of. */
const UNITS: Readonly<Record<string, string>> = {
  latency: 'ms one way',
  jitter: '± ms',
  loss: '%',
  burst: 'packets in a row',
  rate: 'Mbit/s',
  queue: 'ms',
  duplicate: '%',
  reorder: '%',
};
/** Curves of more cells and channels than this make a page too heavy: some 2 MB. */
const CURVES_MAX = 3_000;

/** The views of a sweep: one, or one for each grid and game where records of several are together. */
export function sweepViews(runs: readonly SweptRun[]): SweepView[] {
  const groups = new Map<string, SweptRun[]>();
  for (const run of runs) {
    const key = JSON.stringify([run.report.scenario, Object.keys(run.cell)]);
    const group = groups.get(key) ?? [];
    group.push(run);
    groups.set(key, group);
  }
  return [...groups.values()].map(sweepView);
}

function sweepView(runs: readonly SweptRun[]): SweepView {
  const reports = runs.map(({ report }) => report);
  const axes = Object.keys(runs[0]!.cell).map((name) => axisOf(name, runs));
  const metrics = metricsOf(reports);
  const channels = channelsOf(reports);
  const cells = new Map<string, SweptRun[]>();
  for (const run of runs) {
    const key = JSON.stringify(Object.values(run.cell));
    const cell = cells.get(key) ?? [];
    cell.push(run);
    cells.set(key, cell);
  }
  const withCurves = cells.size * channels.length <= CURVES_MAX;
  const { scenario } = reports[0]!;
  const seeds = Math.max(...[...cells.values()].map((cell) => cell.length));
  return {
    kind: 'sweep',
    title: `${scenario}: ${axes.map(({ name }) => name).join(' × ') || 'one cell'}`,
    facts: [
      ['runs', `${runs.length}, ${cells.size} cells of ${seeds} seeds`],
      ...factsOf(
        reports,
        axes.map(({ name }) => name),
      ),
    ],
    axes,
    metrics,
    channels: channels.map(channelLabel),
    shares: LATENCY_SHARES,
    deadlineMs: reports[0]!.deadlineMs ?? null,
    cells: [...cells.values()].map((cell) => {
      const seeds = cell.map(({ seed }) => seed);
      return {
        at: axes.map(({ name, values }) => values.indexOf(settingOf(cell[0]!, name))),
        seeds,
        values: metrics.map(({ id }) => cell.map(({ report }) => metricValue(report, id))),
        curves: withCurves
          ? curvesOf(
              cell.map(({ report }) => report),
              channels,
            )
          : [],
        commands: packCommands(
          cell.map(({ command }) => command),
          seeds,
        ),
      };
    }),
  };
}

/** The view of one run. */
export function runView(report: ScenarioReport, command: string | null): RunView {
  const channels = channelsOf([report]);
  const metrics = metricsOf([report]);
  return {
    kind: 'run',
    title: `${report.scenario}, seed ${report.seed}`,
    facts: [...factsOf([report], []), ['digest', report.digest]],
    command,
    metrics,
    values: metrics.map(({ id }) => metricValue(report, id)),
    channels: channels.map(channelLabel),
    shares: LATENCY_SHARES,
    curves: curvesOf([report], channels),
    deadlineMs: report.deadlineMs ?? null,
    series: report.series ?? null,
  };
}

/** The view of a client's packets. */
export function sequenceView(sequence: SequenceReport): SequenceView {
  const { client, packets, fromMs, untilMs, isCut } = sequence;
  const lost = packets.filter(({ ending }) => ending !== 'delivered' && ending !== 'unknown').length;
  const again = packets.filter(({ repeats }) => repeats.some(({ lost }) => lost)).length;
  return {
    kind: 'sequence',
    title: `packets of ${client}`,
    facts: [
      ['time', `${fromMs / 1000} to ${Math.round(untilMs) / 1000} s`],
      ['packets', `${packets.length}${isCut ? ', then there were more' : ''}`],
      ['dropped', String(lost)],
      ['retransmissions', String(again)],
    ],
    sequence,
  };
}

/** The view of a comparison. */
export function compareView(comparison: Comparison): CompareView {
  const { a, b, seeds, metrics } = comparison;
  const reports = [...a.reports, ...b.reports];
  const channels = channelsOf(reports);
  const side = ({ label, commands, reports }: ComparedSide): SideData => ({
    label,
    commands: packCommands(commands, seeds),
    values: metrics.map(({ id }) => reports.map((report) => metricValue(report, id))),
    curves: curvesOf(reports, channels),
  });
  return {
    kind: 'compare',
    title: `${a.label} against ${b.label}`,
    facts: [['seeds', String(seeds.length)], ...factsOf(reports, [])],
    sides: [side(a), side(b)],
    seeds,
    metrics,
    channels: channels.map(channelLabel),
    shares: LATENCY_SHARES,
    deadlineMs: reports[0]?.deadlineMs ?? null,
  };
}

/** What is the same in all runs and not an axis. */
function factsOf(reports: readonly ScenarioReport[], axes: readonly string[]): (readonly [string, string])[] {
  const facts: (readonly [string, string])[] = [];
  const add = (name: string, read: (report: ScenarioReport) => string): void => {
    const values = new Set(reports.map(read));
    if (values.size === 1 && !axes.includes(name)) facts.push([name, [...values][0]!]);
  };
  add('game', ({ scenario }) => scenario);
  add('clients', ({ clients }) => String(clients));
  add('virtual time', ({ virtualSeconds }) => `${virtualSeconds} s`);
  add('deadline', ({ deadlineMs }) => (deadlineMs === undefined ? 'none' : `${deadlineMs} ms`));
  return facts;
}

function axisOf(name: string, runs: readonly SweptRun[]): AxisData {
  const values = [...new Set(runs.map((run) => settingOf(run, name)))];
  if (values.every((value) => typeof value === 'number')) (values as number[]).sort((a, b) => a - b);
  return { name, unit: UNITS[name] ?? '', values };
}

function settingOf({ cell }: SweptRun, name: string): number | string {
  const value = cell[name];
  return typeof value === 'number' ? value : String(value);
}

function curvesOf(reports: readonly ScenarioReport[], channels: readonly ChannelName[]): Curve[] {
  return channels.map((name) => {
    const parts = reports.flatMap((report) => {
      const channel = channelOf(report, name);
      const quantiles = channel?.latencyMs.quantiles;
      return quantiles == null ? [] : [{ count: channel!.arrived - channel!.untimed, quantiles }];
    });
    return poolQuantiles(parts)?.map((millis) => Math.round(millis * 10) / 10) ?? null;
  });
}

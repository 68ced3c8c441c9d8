/** A against B on the same fates: every metric's paired differences, and a sentence about each. */

import type { ScenarioReport } from '../scenario/scenario.ts';
import { Streams } from '../world/streams.ts';
import { metricsOf, metricValue } from './metrics.ts';
import type { Difference, Metric, MetricComparison } from './report-data.ts';
import { differenceOf, median } from './statistics.ts';

/** What two settings did under the same seeds. */
export interface Comparison {
  readonly schema: 'tickwire-compare/1';
  readonly a: ComparedSide;
  readonly b: ComparedSide;
  readonly seeds: readonly string[];
  readonly metrics: readonly MetricComparison[];
}

export interface ComparedSide {
  /** What this side sets, for people. */
  readonly label: string;
  /** By seed: repeats that run alone. */
  readonly commands: readonly string[];
  /** By seed. */
  readonly reports: readonly ScenarioReport[];
}

/** Compares the sides' reports, which are in the order of `seeds`. The seed decides the resampling. */
export function compare(a: ComparedSide, b: ComparedSide, seeds: readonly string[], seed: string): Comparison {
  const streams = new Streams(seed);
  const metrics = metricsOf([...a.reports, ...b.reports]).map((metric) => compareMetric(metric, a, b, streams));
  return { schema: 'tickwire-compare/1', a, b, seeds, metrics };
}

function compareMetric(metric: Metric, a: ComparedSide, b: ComparedSide, streams: Streams): MetricComparison {
  const [valuesA, valuesB] = [a, b].map(({ reports }) => reports.map((report) => metricValue(report, metric.id)));
  const differences = valuesA!
    .map((value, i) => (value === null || valuesB![i] === null ? null : valuesB![i]! - value))
    .filter((value) => value !== null)
    .map((value) => Math.round(value * 1000) / 1000);
  const sign = metric.better === 'lower' ? -1 : 1;
  const difference = differenceOf(differences, streams.stream(`bootstrap/${metric.id}`));
  const outcome = outcomeOf(difference, sign);
  return {
    ...metric,
    a: rounded(median(valuesA!.filter((value) => value !== null))),
    b: rounded(median(valuesB!.filter((value) => value !== null))),
    difference:
      difference === null
        ? null
        : {
            pairs: difference.pairs,
            mean: rounded(difference.mean)!,
            low: rounded(difference.low),
            high: rounded(difference.high),
          },
    wins: differences.filter((value) => value * sign > 0).length,
    losses: differences.filter((value) => value * sign < 0).length,
    ties: differences.filter((value) => value === 0).length,
    outcome,
    verdict: verdictOf(metric, difference, differences),
  };
}

function outcomeOf(difference: Difference | null, sign: number): MetricComparison['outcome'] {
  if (difference === null || difference.low === null || difference.high === null) return 'unknown';
  if (difference.low <= 0 && difference.high >= 0) return 'none';
  return difference.mean * sign > 0 ? 'better' : 'worse';
}

/** `B later by 12.3 ms (8.1 .. 16.0)`. */
function verdictOf(metric: Metric, difference: Difference | null, differences: readonly number[]): string {
  if (difference === null) return 'no seed in which both have a value';
  if (differences.every((value) => value === 0)) return 'the same in every seed';
  const { mean, low, high } = difference;
  if (low === null || high === null) return 'too few seeds to tell';
  const unit = metric.unit === '%' ? ' points' : metric.unit === '' ? '' : ` ${metric.unit}`;
  if (low <= 0 && high >= 0) return `no difference seen (${figure(low)} .. ${figure(high)}${unit})`;
  const ends = [low, high].map(Math.abs).sort((x, y) => x - y);
  const word = metric.unit === 'ms' ? (mean > 0 ? 'later' : 'sooner') : mean > 0 ? 'more' : 'less';
  return `B ${word} by ${figure(Math.abs(mean))}${unit} (${figure(ends[0]!)} .. ${figure(ends[1]!)})`;
}

/** Three digits that say something, without an exponent. */
export function figure(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 1 ? 1 : size >= 0.1 || size === 0 ? 2 : 3);
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}

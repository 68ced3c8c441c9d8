/**
 * Latency by percentile: each nine takes as much room as the one before, so that the slow messages, which players notice,
 * are as well seen as the usual ones.
 */

import type { Curve } from '../report-data.ts';
import { axis, Chart, type Draw, LOG_RATIO, legend, logAxis, tooltipBox } from './chart.ts';
import { table } from './dom.ts';
import { numberText, safe } from './format.ts';

export interface NamedCurve {
  readonly name: string;
  readonly curve: Curve;
  /** Drawn thick. */
  readonly strong?: boolean;
}

const HEIGHT = 320;
/** Places of the ticks: nines. */
const TICKS: readonly (readonly [share: number, text: string])[] = [
  [0, 'fastest'],
  [0.5, 'p50'],
  [0.9, 'p90'],
  [0.99, 'p99'],
  [0.999, 'p99.9'],
  [0.9999, 'p99.99'],
];
const IN_TABLE: readonly (readonly [share: number, text: string])[] = [...TICKS.slice(1), [1, 'slowest']];

/** The chart of some distributions; `set` it anew with `curvesDraw`. */
export function curvesChart(label: string, draw: Draw): Chart {
  return new Chart(label, HEIGHT, draw);
}

export const CURVES_HEIGHT = HEIGHT;

export function curvesDraw(curves: readonly NamedCurve[], shares: readonly number[], deadlineMs: number | null): Draw {
  const shown = curves.filter(({ curve }) => curve !== null);
  const top = Math.max(0, ...shown.map(({ curve }) => curve!.at(-2)!));
  const usual = Math.max(0.001, ...shown.map(({ curve }) => curve![50]!));
  const logarithmic = top / usual > LOG_RATIO;
  return (colors) => ({
    grid: { left: 58, right: 18, top: 36, bottom: 50 },
    legend: legend(colors),
    tooltip: {
      ...tooltipBox(colors),
      trigger: 'axis',
      formatter: (
        found: readonly { readonly data: readonly number[]; readonly seriesName: string; readonly marker: string }[],
      ) =>
        [
          `${numberText(100 * (1 - 10 ** -found[0]!.data[0]!))} % of messages took at most`,
          ...found.map(
            ({ data, seriesName, marker }) => `${marker}${safe(seriesName)} <b>${numberText(data[1]!)} ms</b>`,
          ),
        ].join('<br>'),
    },
    xAxis: axis(colors, 'share of messages', {
      type: 'value',
      nameGap: 30,
      min: 0,
      max: 4.02,
      splitLine: { show: false },
      axisTick: { customValues: TICKS.map(([share]) => nines(share)) },
      axisLabel: {
        color: colors.faint,
        fontSize: 12,
        hideOverlap: true,
        customValues: TICKS.map(([share]) => nines(share)),
        formatter: (value: number) => TICKS.find(([share]) => Math.abs(nines(share) - value) < 1e-6)?.[1] ?? '',
      },
    }),
    yAxis: axis(colors, 'latency, ms', logarithmic ? logAxis(colors) : { type: 'value', nameGap: 44, min: 0 }),
    series: shown.map(({ name, curve, strong }, i) => ({
      name,
      type: 'line',
      showSymbol: false,
      lineStyle: { width: strong === true ? 3.5 : 1.8 },
      z: strong === true ? 3 : 2,
      data: shares.slice(0, -1).map((share, k) => [nines(share), curve![k]!]),
      ...(i > 0 || deadlineMs === null || deadlineMs > 3 * top
        ? {}
        : {
            markLine: {
              silent: true,
              symbol: 'none',
              data: [{ yAxis: deadlineMs }],
              lineStyle: { color: colors.bad, type: 'dashed' },
              label: { formatter: `deadline ${deadlineMs} ms`, position: 'insideStartTop', color: colors.bad },
            },
          }),
    })),
  });
}

/** The same as numbers. */
export function curvesTable(caption: string, curves: readonly NamedCurve[], shares: readonly number[]): HTMLElement {
  const rows = curves.map(({ name, curve }) => [
    name,
    ...IN_TABLE.map(([share]) => {
      const at = shares.findIndex((one) => Math.abs(one - share) < 1e-9);
      return curve === null || at < 0 ? '–' : numberText(curve[at]!);
    }),
  ]);
  return table(caption, ['ms', ...IN_TABLE.map(([, text]) => text)], rows);
}

function nines(share: number): number {
  return -Math.log10(1 - share);
}

/** One run: its channels as a table and as distributions, and what happened when. */

import type { SeriesReport } from '../../scenario/series-report.ts';
import type { RunView } from '../report-data.ts';
import { median } from '../statistics.ts';
import { axis, Chart, type Draw, LOG_RATIO, legend, logAxis, tooltipBox } from './chart.ts';
import { CURVES_HEIGHT, curvesChart, curvesDraw, curvesTable } from './curves.ts';
import { commandLine, el, folded, table } from './dom.ts';
import { bytesText, headerOf, numberText, safe, valueText } from './format.ts';

interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

interface Strip {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly text: (value: number) => string;
  /** Where a line lies across it, and what it is called. */
  readonly mark?: readonly [value: number, text: string];
  /** Latencies: by the logarithm where some are far above the others. */
  readonly latencies?: boolean;
}

const STRIP_HEIGHT = 190;

export function drawRun(view: RunView, into: HTMLElement): void {
  if (view.command !== null) into.append(commandLine(view.command, 'Repeats this run'));
  const curves = view.channels.map((name, i) => ({ name, curve: view.curves[i] ?? null }));
  const draw = curvesDraw(curves, view.shares, view.deadlineMs);
  const chart = curvesChart('Latency by percentile; the table below has the same numbers', draw);
  chart.set('Latency by percentile; the table below has the same numbers', CURVES_HEIGHT, draw);
  into.append(
    el('div', { className: 'card' }, el('h2', {}, 'Channels'), channelTable(view)),
    el(
      'div',
      { className: 'card' },
      el('h2', {}, 'Latency by percentile'),
      chart.element,
      folded('The same as a table', curvesTable('Latency by percentile', curves, view.shares)),
    ),
  );
  if (view.series === null) return;
  const strips = stripsOf(view.series, view.deadlineMs);
  const cards = strips.map((strip, i) => {
    if (strip.lines.every(({ values }) => values.every((value) => value === null || value === 0))) {
      return el(
        'div',
        { className: 'strip' },
        el('h3', {}, strip.title),
        el('p', { className: 'note' }, 'Nothing, all the time.'),
      );
    }
    const made = new Chart(
      `${strip.title} over time; the table at the end sums it up`,
      STRIP_HEIGHT,
      stripDraw(strip, view.series!, i === 0),
    );
    made.join(`time-${into.id}`);
    return el('div', { className: 'strip' }, el('h3', {}, strip.title), made.element);
  });
  into.append(
    el(
      'div',
      { className: 'card' },
      el('h2', {}, 'Over time'),
      ...cards,
      folded('Summed up as a table', stripTable(strips)),
    ),
  );
}

function channelTable({ channels, metrics, values }: RunView): HTMLElement {
  const labels = [...new Set(metrics.filter(({ group }) => channels.includes(group)).map(headerOf))];
  const rows = channels.map((channel) => [
    channel,
    ...labels.map((label) => {
      const at = metrics.findIndex((metric) => metric.group === channel && headerOf(metric) === label);
      return at < 0 ? '–' : valueText(values[at]!);
    }),
  ]);
  return table('↑ from clients to the server, ↓ from the server', ['channel', ...labels], rows);
}

function stripsOf(series: SeriesReport, deadlineMs: number | null): Strip[] {
  const { flows, connection, queueBytes, client } = series;
  const both = (key: 'goodputBytesPerSecond' | 'lateShare' | 'worstMs', factor = 1): Line[] => [
    { name: 'up', values: flows.clients[key].map((value) => (value === null ? null : value * factor)) },
    { name: 'down', values: flows.server[key].map((value) => (value === null ? null : value * factor)) },
  ];
  const ends = (
    keys: readonly (readonly [key: 'rttMs' | 'cwndBytes' | 'inFlightBytes' | 'budgetBytesPerSecond', text: string])[],
  ): Line[] =>
    keys.flatMap(([key, text]) => [
      { name: `${text} client ${client}`.trim(), values: connection.clients[key] },
      { name: `${text} its server end`.trim(), values: connection.server[key] },
    ]);
  const percent = (value: number): string => `${numberText(value)} %`;
  const millis = (value: number): string => `${numberText(value)} ms`;
  const queues = Object.entries(queueBytes).map(([name, values]) => ({ name, values }));
  return [
    {
      title: 'Goodput: bytes of messages a second, all clients',
      lines: both('goodputBytesPerSecond'),
      text: (value) => `${bytesText(value)}/s`,
    },
    {
      title: 'Slowest message of each step',
      lines: both('worstMs'),
      text: millis,
      latencies: true,
      ...(deadlineMs === null ? {} : { mark: [deadlineMs, 'deadline'] as const }),
    },
    { title: 'Messages that came after the deadline', lines: both('lateShare', 100), text: percent },
    { title: 'Packets dropped in each step', lines: [{ name: 'packets', values: series.dropped }], text: numberText },
    ...(queues.length === 0 ? [] : [{ title: 'Bytes that wait before lines', lines: queues, text: bytesText }]),
    { title: `Round trip of client ${client}`, lines: ends([['rttMs', '']]), text: millis },
    {
      title: `Congestion window of client ${client}, and bytes in flight`,
      lines: ends([
        ['cwndBytes', 'window,'],
        ['inFlightBytes', 'in flight,'],
      ]),
      text: bytesText,
    },
    {
      title: `Budget of client ${client}: what real-time messages may use`,
      lines: ends([['budgetBytesPerSecond', '']]),
      text: (value) => `${bytesText(value)}/s`,
    },
  ];
}

function stripDraw({ lines, text, mark, latencies }: Strip, { stepMs }: SeriesReport, withZoom: boolean): Draw {
  const seconds = (i: number): number => ((i + 1) * stepMs) / 1000;
  return (colors) => ({
    grid: { left: 66, right: 18, top: 30, bottom: withZoom ? 66 : 26 },
    legend: legend(colors),
    tooltip: {
      ...tooltipBox(colors),
      trigger: 'axis',
      formatter: (
        found: readonly {
          readonly data: readonly (number | null)[];
          readonly seriesName: string;
          readonly marker: string;
        }[],
      ) =>
        [
          `at ${numberText(found[0]!.data[0]!)} s`,
          ...found.map(
            ({ data, seriesName, marker }) =>
              `${marker}${safe(seriesName)} <b>${data[1] == null ? 'none' : text(data[1])}</b>`,
          ),
        ].join('<br>'),
    },
    xAxis: axis(colors, '', {
      type: 'value',
      min: 0,
      max: 'dataMax',
      splitLine: { show: false },
      axisLabel: { color: colors.faint, formatter: (value: number) => `${numberText(value)} s` },
    }),
    yAxis: axis(
      colors,
      '',
      latencies === true && isSpread(lines)
        ? logAxis(colors)
        : {
            type: 'value',
            min: 0,
            splitNumber: 3,
            axisLabel: { color: colors.faint, formatter: (value: number) => text(value) },
          },
    ),
    dataZoom: [
      {
        type: 'slider',
        show: withZoom,
        height: 18,
        bottom: 8,
        borderColor: colors.line,
        fillerColor: `${colors.accent}33`,
        showDataShadow: false,
        brushSelect: false,
        moveHandleSize: 0,
        handleStyle: { color: colors.accent, borderColor: colors.accent },
        textStyle: { color: colors.faint },
        labelFormatter: (value: number) => `${numberText(value)} s`,
      },
    ],
    series: lines.map(({ name, values }, i) => ({
      name,
      type: 'line',
      showSymbol: false,
      lineStyle: { width: 1.6 },
      data: values.map((value, k) => [seconds(k), value]),
      ...(i > 0 || mark === undefined
        ? {}
        : {
            markLine: {
              silent: true,
              symbol: 'none',
              data: [{ yAxis: mark[0] }],
              lineStyle: { color: colors.bad, type: 'dashed' },
              label: { formatter: mark[1], position: 'insideStartTop', color: colors.bad },
            },
          }),
    })),
  });
}

function isSpread(lines: readonly Line[]): boolean {
  const known = lines.flatMap(({ values }) => values.filter((value) => value !== null && value > 0)) as number[];
  return Math.max(...known) / Math.max(0.001, median(known) ?? 1) > LOG_RATIO;
}

function stripTable(strips: readonly Strip[]): HTMLElement {
  const rows = strips.flatMap(({ title, lines, text }) =>
    lines.map(({ name, values }) => {
      const known = values.filter((value) => value !== null);
      const shown = (value: number): string => (known.length === 0 ? '–' : text(value));
      const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
      return [`${title}: ${name}`, shown(Math.min(...known)), shown(mean), shown(Math.max(...known))];
    }),
  );
  return table('Over all steps', ['', 'least', 'mean', 'most'], rows);
}

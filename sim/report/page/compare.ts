/** Two settings on the same fates: a sentence and an interval a metric, and for the one that is chosen its seeds and distributions. */

import type { CompareView, MetricComparison } from '../report-data.ts';
import { commandOf } from './cell-detail.ts';
import { axis, Chart, type Draw, tooltipBox } from './chart.ts';
import { CURVES_HEIGHT, curvesChart, curvesDraw, curvesTable } from './curves.ts';
import { commandLine, el, folded, table } from './dom.ts';
import { headerOf, numberText, safe, valueText, withUnit } from './format.ts';

const SEEDS_HEIGHT = 260;

export function drawCompare(view: CompareView, into: HTMLElement): void {
  const { metrics, sides, seeds } = view;
  const [a, b] = sides;
  const telling = metrics.findIndex(
    ({ outcome, id }) => outcome !== 'none' && outcome !== 'unknown' && id.endsWith('/p99'),
  );
  const seedsChart = new Chart('', SEEDS_HEIGHT, () => ({}));
  const seedsHeading = el('h2');
  const seedsNumbers = el('div');
  const curves = curvesChart('', () => ({}));
  const curvesHeading = el('h2');
  const curvesNumbers = el('div');
  const command = el('div');
  const rows = metrics.map((metric, i) => row(metric, () => show(i)));
  const show = (chosen: number): void => {
    for (const [i, one] of rows.entries()) one.setAttribute('aria-current', String(i === chosen));
    const metric = metrics[chosen]!;
    const name = `${metric.group}: ${metric.label}`;
    seedsHeading.textContent = `${name}, B less A, seed by seed`;
    seedsChart.set(
      `${name}: difference in each seed; the table below has the same numbers`,
      SEEDS_HEIGHT,
      seedsDraw(view, chosen),
    );
    seedsNumbers.replaceChildren(folded('The same as a table', seedsTable(view, chosen)));
    showSeed(0);
    const channel = view.channels.indexOf(metric.group);
    curvesHeading.parentElement!.hidden = channel < 0;
    if (channel < 0) return;
    const named = [
      { name: `A: ${a.label}`, curve: a.curves[channel] ?? null },
      { name: `B: ${b.label}`, curve: b.curves[channel] ?? null },
    ];
    curvesHeading.textContent = `Latency of ${view.channels[channel]} by percentile, all seeds`;
    curves.set(
      'Latency of A and B by percentile; the table below has the same numbers',
      CURVES_HEIGHT,
      curvesDraw(named, view.shares, view.deadlineMs),
    );
    curvesNumbers.replaceChildren(
      folded('The same as a table', curvesTable('Latency by percentile', named, view.shares)),
    );
  };
  const showSeed = (seed: number): void => {
    command.replaceChildren(
      commandLine(commandOf(a.commands, seeds, seed), `Repeats A under seed ${seeds[seed]}`),
      commandLine(commandOf(b.commands, seeds, seed), `Repeats B under seed ${seeds[seed]}`),
    );
  };
  seedsChart.onClick((data) => {
    const { seed } = data as { seed?: number };
    if (seed !== undefined) showSeed(seed);
  });
  const differs = metrics.map(({ outcome }) => outcome === 'better' || outcome === 'worse');
  const alike = metrics.map(({ difference }, i) => difference !== null && !differs[i]);
  const changed = rows.filter((_, i) => differs[i]);
  const others = rows.filter((_, i) => alike[i]);
  into.append(
    el(
      'dl',
      { className: 'sides' },
      ...sides.map(({ label }, i) => el('div', {}, el('dt', {}, i === 0 ? 'A' : 'B'), el('dd', {}, label))),
    ),
    el(
      'div',
      { className: 'card' },
      el(
        'h2',
        {},
        changed.length === 0
          ? 'No difference seen'
          : `${changed.length} of ${changed.length + others.length} numbers differ`,
      ),
      el(
        'p',
        { className: 'note' },
        'Mean difference over the seeds with its 95 % interval. One in twenty differs by chance alone. Choose a row to see its seeds.',
      ),
      ...(changed.length === 0 ? [] : [verdicts('Numbers that differ', changed)]),
      ...(others.length === 0
        ? []
        : [folded(`${others.length} numbers without a difference`, verdicts('Numbers without a difference', others))]),
    ),
    el('div', { className: 'card' }, seedsHeading, seedsChart.element, command, seedsNumbers),
    el('div', { className: 'card' }, curvesHeading, curves.element, curvesNumbers),
  );
  show(Math.max(0, telling));
}

function verdicts(caption: string, rows: readonly HTMLTableRowElement[]): HTMLElement {
  const header = ['', 'A', 'B', 'B wins / loses / ties', 'verdict', 'B against A'];
  const head = header.map((text, i) => el('th', { scope: 'col', className: i > 0 && i < 4 ? 'number' : '' }, text));
  return el(
    'div',
    { className: 'scroll', tabIndex: 0, attributes: { role: 'region', 'aria-label': caption } },
    el('table', { className: 'verdicts' }, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows)),
  );
}

function row(metric: MetricComparison, choose: () => void): HTMLTableRowElement {
  const name = el('button', { type: 'button', className: 'link' }, `${metric.group}: ${metric.label}`);
  const made = el(
    'tr',
    { className: metric.outcome },
    el('th', { scope: 'row' }, name),
    el('td', { className: 'number' }, withUnit(metric.a, metric.unit)),
    el('td', { className: 'number' }, withUnit(metric.b, metric.unit)),
    el('td', { className: 'number' }, `${metric.wins} / ${metric.losses} / ${metric.ties}`),
    el('td', {}, metric.verdict),
    el('td', {}, interval(metric)),
  );
  made.addEventListener('click', choose);
  return made;
}

/** The interval as a bar around nothing changed, as far as the change is of A's own size. */
function interval({ difference, a, b }: MetricComparison): HTMLElement | string {
  if (difference === null || difference.low === null || difference.high === null) return '';
  const size = Math.max(Math.abs(a ?? 0), Math.abs(b ?? 0));
  if (size === 0) return '';
  const place = (value: number): number => 50 + 50 * Math.max(-1, Math.min(1, value / size));
  const [low, mean, high] = [difference.low, difference.mean, difference.high].map(place);
  return el(
    'div',
    { className: 'interval', title: `${numberText((100 * difference.mean) / size)} % of the larger median` },
    el('i', { style: `left:${low}%;width:${Math.max(0.5, high! - low!)}%` }),
    el('b', { style: `left:${mean}%` }),
  );
}

function seedsDraw({ seeds, sides, metrics }: CompareView, chosen: number): Draw {
  const metric = metrics[chosen]!;
  const [a, b] = sides.map(({ values }) => values[chosen]!);
  const sign = metric.better === 'lower' ? -1 : 1;
  return (colors) => ({
    grid: { left: 64, right: 18, top: 14, bottom: 50 },
    tooltip: {
      ...tooltipBox(colors),
      formatter: ({ data }: { readonly data: { readonly seed: number } }) =>
        `seed ${safe(seeds[data.seed]!)}<br>A ${withUnit(a![data.seed]!, metric.unit)}<br>B ${withUnit(b![data.seed]!, metric.unit)}`,
    },
    xAxis: axis(colors, 'seed', { type: 'category', data: [...seeds], nameGap: 30 }),
    yAxis: axis(colors, `B less A${metric.unit === '' ? '' : `, ${metric.unit}`}`, { type: 'value', nameGap: 46 }),
    series: [
      {
        type: 'scatter',
        symbolSize: 11,
        data: seeds.flatMap((_, i) => {
          const [from, to] = [a![i]!, b![i]!];
          if (from === null || to === null) return [];
          const color = to === from ? colors.faint : (to - from) * sign > 0 ? colors.series[2] : colors.series[1];
          return [{ seed: i, value: [i, Math.round((to - from) * 1000) / 1000], itemStyle: { color } }];
        }),
        markLine: {
          silent: true,
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: colors.faint },
          data: [{ yAxis: 0 }],
        },
      },
    ],
  });
}

function seedsTable({ seeds, sides, metrics }: CompareView, chosen: number): HTMLElement {
  const [a, b] = sides.map(({ values }) => values[chosen]!);
  const rows = seeds.map((seed, i) => [seed, valueText(a![i]!), valueText(b![i]!)]);
  return table(headerOf(metrics[chosen]!), ['seed', 'A', 'B'], rows);
}

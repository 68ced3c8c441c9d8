/** A sweep: a heat map of two of its axes, the seeds of the cell that is chosen, and the distributions along an axis. */

import type { CellData, Metric, MetricValue, SweepView } from '../report-data.ts';
import { median } from '../statistics.ts';
import { cellDetail } from './cell-detail.ts';
import { Chart } from './chart.ts';
import { onThemeChange, theme } from './colors.ts';
import { CURVES_HEIGHT, curvesChart, curvesDraw, curvesTable, type NamedCurve } from './curves.ts';
import { choice, el, folded, table } from './dom.ts';
import { headerOf, numberText, valueText } from './format.ts';
import { axisTitle, heatMapDraw, heightOf, lineDraw, type MapAxes, Scale, type ShownCell } from './heat-map.ts';

/** What the reader has chosen. */
interface Choices {
  metric: number;
  x: number;
  /** -1: there is one axis. */
  y: number;
  /** Of each axis the value at which it is held, where it is neither x nor y. */
  readonly held: number[];
  worst: boolean;
  /** The cell whose seeds are shown. */
  cell: number;
}

export function drawSweep(view: SweepView, into: HTMLElement): void {
  const { axes, metrics, cells } = view;
  const metric = Math.max(
    0,
    metrics.findIndex(({ id }) => id === telling(metrics)),
  );
  const byLength = axes.map((_, i) => i).sort((a, b) => axes[b]!.values.length - axes[a]!.values.length);
  const choices: Choices = {
    metric,
    x: byLength[0] ?? 0,
    y: byLength[1] ?? -1,
    held: axes.map(() => 0),
    worst: false,
    cell: 0,
  };
  const worstOf = shownCells(view, choices).sort(
    (a, b) => badness(b.value, metrics[metric]!) - badness(a.value, metrics[metric]!),
  );
  choices.cell = worstOf[0]?.index ?? 0;

  const controls = el('div', { className: 'controls' });
  const heading = el('h2');
  const scaleBox = el('div');
  const map = new Chart('', 300, () => ({}));
  const numbers = el('div');
  const detail = el('div', { className: 'card', id: `${into.id}-cell` });
  const curves = curvesChart('', () => ({}));
  const curvesHeading = el('h2');
  const curvesNumbers = el('div');
  into.append(
    el('div', { className: 'card' }, controls, heading, map.element, scaleBox, numbers),
    detail,
    ...(cells.some((cell) => cell.curves.length > 0)
      ? [el('div', { className: 'card' }, curvesHeading, curves.element, curvesNumbers)]
      : []),
  );

  const drawAll = (): void => {
    const metric = metrics[choices.metric]!;
    const mapAxes: MapAxes = { x: axes[choices.x]!, y: choices.y < 0 ? null : axes[choices.y]! };
    const shown = shownCells(view, choices);
    const known = shown.map(({ value }) => value).filter((value) => value !== null);
    const scale = new Scale(known.length > 0 ? known : [0], metric);
    const name = `${metric.group}: ${headerOf(metric)}`;
    heading.textContent = name;
    const label = `${name} by ${axisTitle(mapAxes.x)}${mapAxes.y === null ? '' : ` and ${axisTitle(mapAxes.y)}`}; the table below has the same numbers`;
    map.set(
      label,
      heightOf(mapAxes),
      mapAxes.y === null ? lineDraw(mapAxes, shown, metric) : heatMapDraw(mapAxes, shown, metric, scale),
    );
    scaleBox.replaceChildren(...(mapAxes.y === null ? [] : [scale.legend(theme(), metric)]));
    const folds = numbers.querySelector('details')?.open ?? false;
    numbers.replaceChildren(folded('The same as a table', numbersTable(name, mapAxes, shown, choose)));
    numbers.querySelector('details')!.open = folds;
    const cell = cells[choices.cell]!;
    detail.replaceChildren(...cellDetail(view, cell, choices.metric));
    drawCurves(cell, metric);
  };
  const drawCurves = (cell: CellData, { group }: Metric): void => {
    const channel = Math.max(0, view.channels.indexOf(group));
    const along = axes[choices.x]!;
    const named: NamedCurve[] = cells
      .filter((one) => one.at.every((at, i) => i === choices.x || at === cell.at[i]))
      .sort((a, b) => a.at[choices.x]! - b.at[choices.x]!)
      .map((one) => ({
        name: `${along.name} ${along.values[one.at[choices.x]!]}${along.unit === '%' ? ' %' : ''}`,
        curve: one.curves[channel] ?? null,
        strong: one === cell,
      }));
    const fixed = axes.flatMap(({ name, values }, i) => (i === choices.x ? [] : [`${name} ${values[cell.at[i]!]}`]));
    const title = `Latency of ${view.channels[channel]} by percentile${fixed.length > 0 ? `, at ${fixed.join(', ')}` : ''}`;
    curvesHeading.textContent = title;
    curves.set(
      `${title}; the table below has the same numbers`,
      CURVES_HEIGHT,
      curvesDraw(named, view.shares, view.deadlineMs),
    );
    curvesNumbers.replaceChildren(folded('The same as a table', curvesTable(title, named, view.shares)));
  };
  const choose = (cell: number): void => {
    choices.cell = cell;
    drawAll();
  };
  const drawControls = (): void => {
    controls.replaceChildren(
      ...controlsOf(view, choices, (axesChanged) => {
        const inSight = shownCells(view, choices);
        if (!inSight.some(({ index }) => index === choices.cell)) choices.cell = inSight[0]?.index ?? 0;
        if (axesChanged) drawControls();
        drawAll();
      }),
    );
  };
  map.onClick((data) => {
    const { cell } = data as { cell?: number };
    if (cell !== undefined) choose(cell);
  });
  onThemeChange(drawAll);
  drawControls();
  drawAll();
}

/** The metric that most tell by: the slowest hundredth of what is sent each tick, or of the first channel. */
function telling(metrics: readonly Metric[]): string {
  const ids = metrics.map(({ id }) => id);
  const each = ids.find((id) => id.endsWith('/tickMiss'))?.replace(/tickMiss$/, 'p99');
  return each ?? ids.find((id) => id.endsWith('/p99')) ?? ids[0] ?? '';
}

function badness(value: MetricValue, { better }: Metric): number {
  return value === null ? Number.NEGATIVE_INFINITY : better === 'lower' ? value : -value;
}

function shownCells(view: SweepView, { metric, x, y, held, worst, cell }: Choices): ShownCell[] {
  return view.cells.flatMap((one, index) => {
    if (!one.at.every((at, i) => i === x || i === y || at === held[i])) return [];
    const values = one.values[metric]!;
    const known = values.filter((value) => value !== null);
    const order = view.metrics[metric]!;
    const value =
      known.length === 0
        ? null
        : worst
          ? known.reduce((a, b) => (badness(b, order) > badness(a, order) ? b : a))
          : median(known);
    return [{ x: one.at[x] ?? 0, y: y < 0 ? 0 : one.at[y]!, value, values, index, chosen: index === cell }];
  });
}

function controlsOf(view: SweepView, choices: Choices, changed: (axesChanged: boolean) => void): HTMLElement[] {
  const { axes, metrics } = view;
  const groups = [...new Set(metrics.map(({ group }) => group))];
  const made = [
    choice(
      'Show',
      groups.map((group) => [
        group,
        metrics.flatMap((metric, i): [string, string][] =>
          metric.group === group ? [[String(i), `${group}: ${headerOf(metric)}`]] : [],
        ),
      ]),
      String(choices.metric),
      (value) => {
        choices.metric = Number(value);
        changed(false);
      },
    ),
    choice(
      'Of the seeds',
      [
        [
          '',
          [
            ['median', 'median'],
            ['worst', 'worst'],
          ],
        ],
      ],
      choices.worst ? 'worst' : 'median',
      (value) => {
        choices.worst = value === 'worst';
        changed(false);
      },
    ),
  ];
  if (axes.length < 2) return made;
  const names = axes.map((one, i): [string, string] => [String(i), axisTitle(one)]);
  for (const [label, key, other] of [
    ['Across', 'x', 'y'],
    ['Up', 'y', 'x'],
  ] as const) {
    made.push(
      choice(label, [['', names]], String(choices[key]), (value) => {
        if (choices[other] === Number(value)) choices[other] = choices[key];
        choices[key] = Number(value);
        changed(true);
      }),
    );
  }
  for (const [i, { name, values }] of axes.entries()) {
    if (i === choices.x || i === choices.y) continue;
    made.push(
      choice(
        `At ${name}`,
        [['', values.map((value, k): [string, string] => [String(k), String(value)])]],
        String(choices.held[i]),
        (value) => {
          choices.held[i] = Number(value);
          changed(false);
        },
      ),
    );
  }
  return made;
}

/** The map as a table, whose cells can be chosen too. */
function numbersTable(
  caption: string,
  { x, y }: MapAxes,
  shown: readonly ShownCell[],
  choose: (cell: number) => void,
): HTMLElement {
  const rows = (y?.values ?? ['']).map((value, row) => [
    y === null ? caption : `${y.name} ${value}`,
    ...x.values.map((_, column) => {
      const cell = shown.find((one) => one.x === column && (y === null || one.y === row));
      if (cell === undefined) return '–';
      const button = el('button', { type: 'button', className: 'cell' }, valueText(cell.value));
      button.setAttribute('aria-pressed', String(cell.chosen));
      button.addEventListener('click', () => choose(cell.index));
      return button;
    }),
  ]);
  return table(
    caption,
    [axisTitle(x), ...x.values.map((value) => (typeof value === 'number' ? numberText(value) : value))],
    rows,
  );
}

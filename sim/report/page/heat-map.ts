/** The chart of a sweep: a heat map over two axes, or dots and a line over one. A click on a cell chooses it. */

import type { AxisData, Metric, MetricValue } from '../report-data.ts';
import { axis, type Draw, tooltipBox } from './chart.ts';
import { colorAt, type Theme, textOn } from './colors.ts';
import { el } from './dom.ts';
import { headerOf, numberText, safe, withUnit } from './format.ts';

/** A cell with its place on the axes that are shown. */
export interface ShownCell {
  readonly x: number;
  readonly y: number;
  readonly value: MetricValue;
  /** Of its seeds. */
  readonly values: readonly MetricValue[];
  /** Its place in the view. */
  readonly index: number;
  readonly chosen: boolean;
}

export interface MapAxes {
  readonly x: AxisData;
  readonly y: AxisData | null;
}

/** Above this ratio of values colours go by the logarithm: else all but the worst cell look alike. */
const LOG_RATIO = 12;
const ROW_HEIGHT = 46;
/** Narrower cells have no room for a number. */
const LABEL_WIDTH_MIN = 30;

/** How values become places on the colour scale. */
export class Scale {
  readonly low: number;
  readonly high: number;
  readonly #logarithmic: boolean;
  readonly #reversed: boolean;

  constructor(values: readonly number[], metric: Metric) {
    this.low = Math.min(...values);
    this.high = Math.max(...values);
    this.#logarithmic = this.low > 0 && this.high / this.low > LOG_RATIO;
    this.#reversed = metric.better === 'higher';
  }

  /** 0: the best, 1: the worst. */
  share(value: number): number {
    const place = (x: number): number => (this.#logarithmic ? Math.log(x) : x);
    const width = place(this.high) - place(this.low);
    const share = width === 0 ? 0 : (place(value) - place(this.low)) / width;
    return this.#reversed && width > 0 ? 1 - share : share;
  }

  /** The value in the middle of the bar. */
  get middle(): number {
    return this.#logarithmic ? Math.sqrt(this.low * this.high) : (this.low + this.high) / 2;
  }

  /** Its bar with three values, from low to high. */
  legend(colors: Theme, metric: Metric): HTMLElement {
    const scale = this.#reversed ? [...colors.scale].reverse() : colors.scale;
    const texts = [this.low, this.middle, this.high].map((value) => el('span', {}, withUnit(value, metric.unit)));
    const bar = el('div', { className: 'bar', style: `background:linear-gradient(90deg, ${scale.join(', ')})` });
    return el(
      'div',
      { className: 'scale' },
      bar,
      el('div', { className: 'ends' }, ...texts),
      el(
        'p',
        { className: 'note' },
        `${metric.better} is better${this.#logarithmic ? '; colours by the logarithm' : ''}`,
      ),
    );
  }
}

export function axisTitle({ name, unit }: AxisData): string {
  return unit === '' ? name : `${name}, ${unit}`;
}

export function heightOf({ y }: MapAxes): number {
  return y === null ? 340 : 70 + ROW_HEIGHT * y.values.length;
}

export function heatMapDraw(axes: MapAxes, cells: readonly ShownCell[], metric: Metric, scale: Scale): Draw {
  const { x, y } = axes;
  const wide = Math.max(...y!.values.map((value) => String(value).length));
  return (colors, width) => {
    const left = 40 + 8 * wide;
    const cellWidth = (width - left - 12) / x.values.length;
    const items = cells.map((cell) => {
      const color = cell.value === null ? colors.line : colorAt(colors.scale, scale.share(cell.value));
      return {
        cell: cell.index,
        value: [cell.x, cell.y, cell.value === null ? Number.NaN : scale.share(cell.value)],
        itemStyle: {
          color,
          borderColor: cell.chosen ? colors.accent : colors.surface,
          borderWidth: cell.chosen ? 3 : 2,
          borderRadius: 5,
        },
        label: {
          show: cellWidth >= LABEL_WIDTH_MIN,
          color: textOn(color),
          fontSize: cellWidth < 46 ? 11 : 13,
          formatter: cell.value === null ? '–' : numberText(cell.value),
        },
        // The chosen cell's border stays whole.
        z2: cell.chosen ? 2 : 1,
      };
    });
    return {
      grid: { left, right: 12, top: 8, bottom: 52 },
      tooltip: tooltip(colors, axes, cells, metric),
      xAxis: axis(colors, axisTitle(x), {
        type: 'category',
        data: x.values.map(String),
        nameGap: 30,
        splitArea: { show: false },
      }),
      yAxis: axis(colors, axisTitle(y!), { type: 'category', data: y!.values.map(String), nameGap: 14 + 8 * wide }),
      visualMap: { show: false, min: 0, max: 1, dimension: 2, inRange: { color: [...colors.scale] } },
      series: [
        { type: 'heatmap', data: items, emphasis: { itemStyle: { borderColor: colors.accent, borderWidth: 3 } } },
      ],
    };
  };
}

export function lineDraw(axes: MapAxes, cells: readonly ShownCell[], metric: Metric): Draw {
  return (colors) => ({
    grid: { left: 64, right: 18, top: 34, bottom: 52 },
    tooltip: tooltip(colors, axes, cells, metric),
    legend: { top: 0, left: 0, textStyle: { color: colors.text }, data: ['median of seeds', 'seed'] },
    xAxis: axis(colors, axisTitle(axes.x), { type: 'category', data: axes.x.values.map(String), nameGap: 30 }),
    yAxis: axis(colors, headerOf(metric), { type: 'value', nameGap: 48, scale: metric.better === 'higher' }),
    series: [
      {
        name: 'median of seeds',
        type: 'line',
        symbolSize: 11,
        lineStyle: { width: 3 },
        data: cells.map((cell) => ({
          cell: cell.index,
          value: [cell.x, cell.value ?? Number.NaN],
          ...(cell.chosen ? { symbolSize: 17, itemStyle: { color: colors.accent } } : {}),
        })),
      },
      {
        name: 'seed',
        type: 'scatter',
        symbolSize: 7,
        itemStyle: { opacity: 0.55, color: colors.series[1] },
        data: cells.flatMap(({ x, values, index }) =>
          values.map((value) => ({ cell: index, value: [x, value ?? Number.NaN] })),
        ),
      },
    ],
  });
}

function tooltip(colors: Theme, { x, y }: MapAxes, cells: readonly ShownCell[], metric: Metric): object {
  return {
    ...tooltipBox(colors),
    formatter: ({ data }: { readonly data: { readonly cell: number } }) => {
      const cell = cells.find(({ index }) => index === data.cell)!;
      const known = cell.values.filter((value) => value !== null);
      const spread =
        known.length > 1 ? `<br>seeds ${numberText(Math.min(...known))} .. ${numberText(Math.max(...known))}` : '';
      const place = [x, ...(y === null ? [] : [y])].map(
        (one, i) => `${safe(one.name)} ${safe(String(one.values[i === 0 ? cell.x : cell.y]))}`,
      );
      return `${place.join(', ')}<br><b>${withUnit(cell.value, metric.unit)}</b>${spread}`;
    },
  };
}

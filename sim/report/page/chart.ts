/** Charts: of ECharts only what is used here, drawn anew when the reader changes between light and dark or turns the phone. */

import { HeatmapChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components';
import { connect, type EChartsCoreOption, type EChartsType, init, use } from 'echarts/core';
import { CanvasRenderer } from 'echarts/renderers';
import { onThemeChange, type Theme, theme } from './colors.ts';
import { el } from './dom.ts';
import { numberText } from './format.ts';

use([
  CanvasRenderer,
  DataZoomComponent,
  GridComponent,
  HeatmapChart,
  LegendComponent,
  LineChart,
  MarkLineComponent,
  ScatterChart,
  TooltipComponent,
  VisualMapComponent,
]);

/** An option for a theme and a width in pixels. */
export type Draw = (theme: Theme, width: number) => EChartsCoreOption;

export class Chart {
  readonly element: HTMLElement;
  readonly #canvas: HTMLElement;
  #chart: EChartsType | null = null;
  #draw: Draw;
  #group: string | undefined;
  readonly #clicks: ((data: unknown) => void)[] = [];

  /** @param label says what is seen, to those who do not see it */
  constructor(label: string, height: number, draw: Draw) {
    this.#draw = draw;
    this.#canvas = el('div', {
      className: 'canvas',
      style: `height:${height}px`,
      attributes: { role: 'img', 'aria-label': label },
    });
    this.element = el('div', { className: 'chart' }, this.#canvas);
    new ResizeObserver(() => this.#fit()).observe(this.#canvas);
    onThemeChange(() => this.redraw());
  }

  /** Draws something else from now on. */
  set(label: string, height: number, draw: Draw): void {
    this.#draw = draw;
    this.#canvas.setAttribute('aria-label', label);
    this.#canvas.style.height = `${height}px`;
    this.redraw();
  }

  /** Charts of one group show the same time. */
  join(group: string): void {
    this.#group = group;
  }

  onClick(listener: (data: unknown) => void): void {
    this.#clicks.push(listener);
  }

  redraw(): void {
    const width = this.#canvas.clientWidth;
    if (width === 0) return;
    this.#chart ??= this.#open();
    this.#chart.resize();
    this.#chart.setOption({ ...common(theme()), ...this.#draw(theme(), width) }, { notMerge: true });
  }

  #open(): EChartsType {
    const chart = init(this.#canvas, null, { renderer: 'canvas' });
    chart.on('click', (event) => {
      for (const listener of this.#clicks) listener(event.data);
    });
    if (this.#group !== undefined) {
      chart.group = this.#group;
      connect(this.#group);
    }
    return chart;
  }

  #fit(): void {
    if (this.#chart?.getWidth() !== this.#canvas.clientWidth) this.redraw();
    else this.#chart?.resize();
  }
}

function common(colors: Theme): EChartsCoreOption {
  return {
    animation: false,
    color: [...colors.series],
    textStyle: { fontFamily: 'system-ui, sans-serif', color: colors.text },
    tooltip: tooltipBox(colors),
  };
}

/** An axis of numbers or names, with its title where titles are. */
export function axis(colors: Theme, name: string, more: object = {}): object {
  return {
    name,
    nameLocation: 'middle',
    nameTextStyle: { color: colors.faint, fontSize: 12 },
    axisLabel: { color: colors.faint, fontSize: 12, hideOverlap: true },
    axisLine: { lineStyle: { color: colors.line } },
    axisTick: { lineStyle: { color: colors.line } },
    splitLine: { lineStyle: { color: colors.line } },
    ...more,
  };
}

/** Where the largest value is so many times the usual one, an axis by its logarithm still shows the usual one. */
export const LOG_RATIO = 8;

/** What makes an axis of latencies logarithmic. */
export function logAxis({ faint, line }: Theme): object {
  return {
    type: 'log',
    nameGap: 44,
    axisLabel: { color: faint, fontSize: 12, formatter: (value: number) => numberText(value) },
    minorTick: { show: true, splitNumber: 9, lineStyle: { color: line } },
    minorSplitLine: { show: true, lineStyle: { color: line, opacity: 0.4 } },
  };
}

/** How every tooltip looks. */
export function tooltipBox({ surface, line, text }: Theme): object {
  return { confine: true, backgroundColor: surface, borderColor: line, textStyle: { color: text, fontSize: 13 } };
}

/** The legend above a chart. */
export function legend(colors: Theme, more: object = {}): object {
  return {
    type: 'scroll',
    top: 0,
    left: 0,
    itemWidth: 18,
    itemHeight: 8,
    icon: 'roundRect',
    textStyle: { color: colors.text, fontSize: 12 },
    pageTextStyle: { color: colors.faint },
    pageIconColor: colors.accent,
    pageIconInactiveColor: colors.line,
    ...more,
  };
}

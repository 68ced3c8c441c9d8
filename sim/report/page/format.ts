/** Numbers as people read them, with their units. */

import type { Metric, MetricValue } from '../report-data.ts';

/** Three digits that say something; thousands are grouped. */
export function numberText(value: number): string {
  const size = Math.abs(value);
  const decimals = size >= 100 || size === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3;
  return value.toLocaleString('en-US', { maximumFractionDigits: decimals });
}

/** A value beside a place where its unit stands. */
export function valueText(value: MetricValue): string {
  return value === null ? '–' : numberText(value);
}

/** A value with its unit. */
export function withUnit(value: MetricValue, unit: Metric['unit']): string {
  if (value === null) return 'none';
  return unit === '' ? numberText(value) : `${numberText(value)} ${unit}`;
}

/** The name of a metric with its unit, for axes and headers. */
export function headerOf({ label, unit }: Pick<Metric, 'label' | 'unit'>): string {
  return unit === '' ? label : `${label}, ${unit}`;
}

/** Bytes a second or bytes, short enough for an axis. */
export function bytesText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${numberText(value / 1e6)} MB`;
  return size >= 1e3 ? `${numberText(value / 1e3)} kB` : `${numberText(value)} B`;
}

/** A text that HTML takes as text: tooltips of charts are HTML. */
export function safe(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

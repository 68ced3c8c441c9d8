/** The numbers of a run that reports compare: what each is called, its unit, and which way is better. */

import type { ChannelReport, Side } from '../scenario/message-latencies.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import type { Metric, MetricValue } from './report-data.ts';

interface Reading {
  readonly id: string;
  readonly label: string;
  readonly unit: Metric['unit'];
  readonly better: Metric['better'];
}

const OF_A_RUN: readonly (Reading & { readonly read: (report: ScenarioReport) => MetricValue })[] = [
  {
    id: 'clientsFailed',
    label: 'clients that could not connect',
    unit: '',
    better: 'lower',
    read: (report) => report.clientsFailed,
  },
  {
    id: 'dropped',
    label: 'packets dropped',
    unit: '%',
    better: 'lower',
    read: (report) => percent(report.packetsDropped, report.packetsSent),
  },
  {
    id: 'packets',
    label: 'packets sent a second',
    unit: '',
    better: 'lower',
    read: (report) => (report.virtualSeconds > 0 ? report.packetsSent / report.virtualSeconds : null),
  },
];

const OF_A_CHANNEL: readonly (Reading & { readonly read: (channel: ChannelReport) => MetricValue })[] = [
  { id: 'p50', label: 'p50 latency', unit: 'ms', better: 'lower', read: ({ latencyMs }) => latencyMs.p50 },
  { id: 'p95', label: 'p95 latency', unit: 'ms', better: 'lower', read: ({ latencyMs }) => latencyMs.p95 },
  { id: 'p99', label: 'p99 latency', unit: 'ms', better: 'lower', read: ({ latencyMs }) => latencyMs.p99 },
  { id: 'p999', label: 'p99.9 latency', unit: 'ms', better: 'lower', read: ({ latencyMs }) => latencyMs.p999 },
  {
    id: 'arrived',
    label: 'messages arrived',
    unit: '%',
    better: 'higher',
    read: ({ arrived, queued }) => percent(arrived, queued),
  },
  {
    id: 'deadlineMiss',
    label: 'deadline missed',
    unit: '%',
    better: 'lower',
    read: ({ deadlineMissShare }) => percent(deadlineMissShare ?? null, 1),
  },
  {
    id: 'tickMiss',
    label: 'a tick late, or lost',
    unit: '%',
    better: 'lower',
    read: ({ tickMissShare }) => percent(tickMissShare ?? null, 1),
  },
  {
    id: 'goodput',
    label: 'goodput',
    unit: 'B/s',
    better: 'higher',
    read: ({ goodputBytesPerSecond }) => goodputBytesPerSecond ?? null,
  },
];

/** A channel of a game, in one direction. */
export interface ChannelName {
  readonly channel: string;
  readonly from: Side;
}

/** Every channel that some of the runs have, by direction and name. */
export function channelsOf(reports: readonly ScenarioReport[]): ChannelName[] {
  const all = new Map<string, ChannelName>();
  for (const { channels } of reports) {
    for (const { channel, from } of channels) all.set(`${from}/${channel}`, { channel, from });
  }
  return [...all.keys()].sort().map((key) => all.get(key)!);
}

/** What a run did on a channel; undefined when it has none of that name. */
export function channelOf(report: ScenarioReport, { channel, from }: ChannelName): ChannelReport | undefined {
  return report.channels.find((one) => one.channel === channel && one.from === from);
}

/** What people call it: the way it goes is part of its name. */
export function channelLabel({ channel, from }: ChannelName): string {
  return from === 'clients' ? `${channel} ↑` : `${channel} ↓`;
}

/** The metrics that some of the runs have, those of channels first: they are what the player feels. */
export function metricsOf(reports: readonly ScenarioReport[]): Metric[] {
  const metrics: Metric[] = [];
  for (const name of channelsOf(reports)) {
    for (const { id, label, unit, better } of OF_A_CHANNEL) {
      metrics.push({ id: `${name.from}/${name.channel}/${id}`, label, group: channelLabel(name), unit, better });
    }
  }
  for (const { id, label, unit, better } of OF_A_RUN) metrics.push({ id, label, group: 'whole run', unit, better });
  return metrics.filter((metric) => reports.some((report) => metricValue(report, metric.id) !== null));
}

/** The value of a metric by its id, to a thousandth; null when the run has none. */
export function metricValue(report: ScenarioReport, id: string): MetricValue {
  const value = rawValueOf(report, id);
  return value === null ? null : Math.round(value * 1000) / 1000;
}

function rawValueOf(report: ScenarioReport, id: string): MetricValue {
  const whole = OF_A_RUN.find((metric) => metric.id === id);
  if (whole !== undefined) return whole.read(report);
  const [from, last] = [id.indexOf('/'), id.lastIndexOf('/')];
  const name = { from: id.slice(0, from) as Side, channel: id.slice(from + 1, last) };
  const channel = channelOf(report, name);
  const metric = OF_A_CHANNEL.find((one) => one.id === id.slice(last + 1));
  return channel === undefined || metric === undefined ? null : metric.read(channel);
}

function percent(part: number | null, whole: number): MetricValue {
  return part === null || whole === 0 ? null : (100 * part) / whole;
}

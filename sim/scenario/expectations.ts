/**
 * What must hold at the end of a run: `{ "metric": "channel.event.server.p99", "lt": "250ms" }`.
 *
 * A metric is a path into the report. Latencies are compared as durations, shares as shares, all else as numbers.
 */

import { z } from 'zod';
import type { ChannelReport } from './message-latencies.ts';
import type { ScenarioReport } from './scenario.ts';
import { fields, nearest } from './unit-schemas.ts';
import { DURATION_UNITS, readQuantity, readShare } from './units.ts';

/** As it stands in the file. */
export interface Expectation {
  readonly metric: string;
  readonly lt?: number | string;
  readonly le?: number | string;
  readonly gt?: number | string;
  readonly ge?: number | string;
  readonly eq?: number | string;
}

/** What became of it. */
export interface Verdict {
  readonly metric: string;
  readonly held: boolean;
  /** `channel.event.server.p99 < 250ms, and it is 312.4ms`. */
  readonly text: string;
}

type Kind = 'millis' | 'share' | 'count';

interface Metric {
  readonly kind: Kind;
  readonly of: (report: ScenarioReport) => number | null;
}

/** Those that are not of a channel. */
const METRICS: Readonly<Record<string, Metric>> = {
  clientsFailed: { kind: 'count', of: (report) => report.clientsFailed },
  packetsSent: { kind: 'count', of: (report) => report.packetsSent },
  packetsDuplicated: { kind: 'count', of: (report) => report.packetsDuplicated },
  packetsDropped: { kind: 'count', of: (report) => report.packetsDropped },
  droppedShare: { kind: 'share', of: (report) => ratio(report.packetsDropped, report.packetsSent) },
  'dropped.lost': { kind: 'count', of: (report) => report.dropped.lost },
  'dropped.queueFull': { kind: 'count', of: (report) => report.dropped.queueFull },
  'dropped.cut': { kind: 'count', of: (report) => report.dropped.cut },
  'dropped.tooLarge': { kind: 'count', of: (report) => report.dropped.tooLarge },
  'dropped.policed': { kind: 'count', of: (report) => report.dropped.policed },
  'dropped.overflowed': { kind: 'count', of: (report) => report.dropped.overflowed },
  'dropped.unheard': { kind: 'count', of: (report) => report.dropped.unheard },
  'latency.p50': { kind: 'millis', of: (report) => report.latencyMs.p50 },
  'latency.p99': { kind: 'millis', of: (report) => report.latencyMs.p99 },
};

type ChannelMetric = { readonly kind: Kind; readonly of: (channel: ChannelReport) => number | null };
const CHANNEL_METRICS: Readonly<Record<string, ChannelMetric>> = {
  mean: { kind: 'millis', of: (channel) => channel.latencyMs.mean },
  p50: { kind: 'millis', of: (channel) => channel.latencyMs.p50 },
  p95: { kind: 'millis', of: (channel) => channel.latencyMs.p95 },
  p99: { kind: 'millis', of: (channel) => channel.latencyMs.p99 },
  p999: { kind: 'millis', of: (channel) => channel.latencyMs.p999 },
  queued: { kind: 'count', of: (channel) => channel.queued },
  arrived: { kind: 'count', of: (channel) => channel.arrived },
  arrivedShare: { kind: 'share', of: (channel) => ratio(channel.arrived, channel.queued) },
};

const OPERATORS = {
  lt: { sign: '<', holds: (a: number, b: number) => a < b },
  le: { sign: '<=', holds: (a: number, b: number) => a <= b },
  gt: { sign: '>', holds: (a: number, b: number) => a > b },
  ge: { sign: '>=', holds: (a: number, b: number) => a >= b },
  eq: { sign: '=', holds: (a: number, b: number) => a === b },
} as const;
type Operator = keyof typeof OPERATORS;
const OPERATOR_NAMES = Object.keys(OPERATORS) as Operator[];

const bound = z.union([z.number(), z.string()], { error: 'give a number, a duration or a percentage' }).optional();

export const expectationFields: z.ZodType<Expectation> = fields<Expectation>({
  metric: z
    .string({ error: 'give the name of a metric, such as "clientsFailed" or "channel.event.server.p99"' })
    .describe('such as clientsFailed, droppedShare, latency.p99, channel.<name>.<server or clients>.p99'),
  ...Object.fromEntries(OPERATOR_NAMES.map((name) => [name, bound])),
}).superRefine((expectation, context) => {
  const say = (message: string, path: string[]) => context.addIssue({ code: 'custom', message, path });
  const kind = kindOf(expectation.metric);
  const given = OPERATOR_NAMES.filter((name) => expectation[name] !== undefined);
  if (typeof kind !== 'string') say(kind.problem, ['metric']);
  else if (given.length === 0) say(`give what is expected: one of ${OPERATOR_NAMES.join(', ')}`, []);
  else for (const name of given) if (boundOf(kind, expectation[name]!) === null) say(BOUND_SAY[kind], [name]);
});

const BOUND_SAY: Readonly<Record<Kind, string>> = {
  millis: 'give a duration such as "250ms"',
  share: 'give a share from 0 to 1, or a percentage such as "5%"',
  count: 'give a number',
};

function kindOf(metric: string): Kind | { readonly problem: string } {
  const channel = channelOf(metric);
  if (channel !== null) return CHANNEL_METRICS[channel.what]!.kind;
  if (Object.hasOwn(METRICS, metric)) return METRICS[metric]!.kind;
  if (metric.startsWith('channel.')) {
    const what = Object.keys(CHANNEL_METRICS).join(', ');
    return { problem: `give channel.<name>.<server or clients>.<one of ${what}>` };
  }
  const near = nearest(metric, Object.keys(METRICS));
  const all = `there is ${Object.keys(METRICS).join(', ')} and channel.<name>.<server or clients>.p99`;
  return { problem: `unknown metric; ${near === null ? all : `do you mean "${near}"?`}` };
}

/** The parts of `channel.event.server.p99`; the name of a channel may have dots itself. */
function channelOf(metric: string): { readonly name: string; readonly from: string; readonly what: string } | null {
  const match = /^channel\.(.+)\.(server|clients)\.([a-z0-9]+)$/i.exec(metric);
  if (match === null || !Object.hasOwn(CHANNEL_METRICS, match[3]!)) return null;
  return { name: match[1]!, from: match[2]!, what: match[3]! };
}

function boundOf(kind: Kind, value: number | string): number | null {
  if (kind === 'share') return readShare(value);
  if (kind === 'count') return typeof value === 'number' ? value : null;
  const micros = typeof value === 'string' ? readQuantity(value, DURATION_UNITS) : null;
  return micros === null ? null : micros / 1_000;
}

/** What became of what was expected, one verdict for each bound. */
export function judge(expectations: readonly Expectation[], report: ScenarioReport): (Verdict & { index: number })[] {
  return expectations.flatMap((expectation, index) =>
    OPERATOR_NAMES.filter((name) => expectation[name] !== undefined).map((name) => ({
      index,
      ...judgeOne(expectation, name, report),
    })),
  );
}

function judgeOne(expectation: Expectation, operator: Operator, report: ScenarioReport): Verdict {
  const { metric } = expectation;
  const kind = kindOf(metric) as Kind;
  const value = boundOf(kind, expectation[operator]!)!;
  const { sign, holds } = OPERATORS[operator];
  const wanted = `${metric} ${sign} ${written(kind, value)}`;
  const actual = measured(metric, report);
  if (typeof actual === 'string') return { metric, held: false, text: `${wanted}, but ${actual}` };
  return { metric, held: holds(actual, value), text: `${wanted}, and it is ${written(kind, actual)}` };
}

/** The number, or why there is none. */
function measured(metric: string, report: ScenarioReport): number | string {
  const channel = channelOf(metric);
  if (channel === null) return METRICS[metric]!.of(report) ?? 'nothing was measured';
  const found = report.channels.find((one) => one.channel === channel.name && one.from === channel.from);
  if (found === undefined) {
    const there = report.channels.map((one) => `${one.channel}.${one.from}`).join(', ');
    return `nothing was sent on that channel; there is ${there === '' ? 'none' : there}`;
  }
  return CHANNEL_METRICS[channel.what]!.of(found) ?? 'nothing was measured';
}

function written(kind: Kind, value: number): string {
  if (kind === 'millis') return `${Number(value.toFixed(3))}ms`;
  return kind === 'share' ? `${Number((value * 100).toFixed(3))}%` : String(value);
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}

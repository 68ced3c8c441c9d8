/**
 * The settings of a link while a scenario file is put together and while its timeline changes them: laid one over another,
 * and then told to the simulator as a whole.
 */

import type { Bottleneck } from '../link/bottleneck.ts';
import { type BottleneckOptions, QUEUE_BYTES_MAX } from '../link/bottleneck-options.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import { checkRateTrace, RateTrace, type RateTraceTimes, readRateTrace } from '../link/rate-trace.ts';
import type { LinkFields } from './link-schema.ts';

/** Options of a direction or a bottleneck, and two that are options only once others are known. */
export interface LinkSettings extends Omit<DirectionOptions, 'bottleneck'> {
  /** The queue by how long it takes to drain at the rate. */
  readonly queueMicros?: number;
  /** The shared line, by its name. */
  readonly bottleneckName?: string;
}

export type SettingName = keyof LinkSettings;
/** Settings to lay over others; null takes one away. */
export type SettingChanges = { readonly [Name in SettingName]?: LinkSettings[Name] | null | undefined };

/** What each field of a file is called among the settings. */
const SETTING_OF: Readonly<Record<Exclude<keyof LinkFields, 'queue' | 'rateTrace'>, SettingName>> = {
  mtu: 'mtuBytes',
  policer: 'policer',
  rate: 'rateBitsPerSecond',
  queuePackets: 'queuePackets',
  discipline: 'queue',
  ecn: 'ecn',
  overhead: 'overheadBytes',
  bottleneck: 'bottleneckName',
  loss: 'loss',
  corrupt: 'corrupt',
  corruptKinds: 'corruptKinds',
  latency: 'latencyMicros',
  jitter: 'jitterMicros',
  jitterShape: 'jitterShape',
  delayTable: 'delayTableMicros',
  wifi: 'wifi',
  keepOrder: 'keepOrder',
  reorder: 'reorder',
  reorderDelay: 'reorderMicros',
  duplicate: 'duplicate',
  duplicateDelay: 'duplicateDelayMicros',
};

/** Settings of which one takes the place of the others. */
const INSTEAD: readonly (readonly SettingName[])[] = [
  ['rateBitsPerSecond', 'rateTrace', 'bottleneckName'],
  ['queueBytes', 'queueMicros'],
  ['jitterMicros', 'delayTableMicros'],
];

/** What a direction cannot have besides a shared line. */
const OF_THE_LINE: readonly SettingName[] = [
  'rateBitsPerSecond',
  'rateTrace',
  'queueBytes',
  'queueMicros',
  'queuePackets',
  'queue',
  'ecn',
  'overheadBytes',
];

/** Reads a trace by the name that a file gives it. Throws RangeError. */
export type TraceReader = (name: string) => RateTraceTimes;

/** The traces of a file, each read once: `read` gives the text of a file. */
export function traceReader(read: (name: string) => string): TraceReader {
  const known = new Map<string, RateTraceTimes>();
  return (name) => {
    const times = known.get(name) ?? readRateTrace(name, read(name));
    known.set(name, times);
    return times;
  };
}

/** The settings that fields of a file name. Throws RangeError when a trace cannot be read. */
export function settingsOf(fields: Partial<LinkFields>, traces: TraceReader): SettingChanges {
  const changes: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    if (field === 'queue') Object.assign(changes, queueOf(fields.queue!));
    else if (field === 'rateTrace') changes.rateTrace = traceOf(fields.rateTrace!, traces);
    else changes[SETTING_OF[field as keyof typeof SETTING_OF]] = value;
  }
  return changes;
}

function queueOf(queue: { readonly bytes: number } | { readonly micros: number } | null): SettingChanges {
  if (queue === null) return { queueBytes: null, queueMicros: null };
  return 'bytes' in queue ? { queueBytes: queue.bytes } : { queueMicros: queue.micros };
}

function traceOf(trace: string | readonly number[] | null, traces: TraceReader): RateTraceTimes | null {
  if (trace === null) return null;
  if (typeof trace === 'string') return traces(trace);
  checkRateTrace('link', trace);
  return trace;
}

/** `changes` over `settings`: what they do not name stays, but for what they take the place of. */
export function overlay(settings: LinkSettings, changes: SettingChanges): LinkSettings {
  const made: Record<string, unknown> = { ...settings };
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    if (value !== null) {
      const group = INSTEAD.find((names) => names.includes(name as SettingName)) ?? [];
      for (const other of group) if (!(other in changes)) delete made[other];
      made[name] = value;
    } else delete made[name];
  }
  // With a rate of its own goes the queue before it.
  if (hasRate(settings) && !hasRate(made)) for (const name of OF_THE_LINE) if (changes[name] == null) delete made[name];
  return made;
}

function hasRate({ rateBitsPerSecond, rateTrace }: LinkSettings): boolean {
  return rateBitsPerSecond !== undefined || rateTrace !== undefined;
}

/** The options of a direction, with the shared line that `bottleneckNamed` gives, if any. Throws RangeError. */
export function directionOptionsOf(
  settings: LinkSettings,
  bottleneckNamed: (name: string) => Bottleneck | null,
): DirectionOptions {
  const { queueMicros, bottleneckName, ...options } = settings;
  if (bottleneckName === undefined) return { ...options, ...queueBytesOf(settings) };
  for (const name of OF_THE_LINE) {
    if (settings[name] === undefined) continue;
    throw new RangeError(`${name} belongs to bottleneck "${bottleneckName}": set it there, or leave bottleneck out`);
  }
  const bottleneck = bottleneckNamed(bottleneckName);
  return bottleneck === null ? options : { ...options, bottleneck };
}

/** The options of a shared bottleneck. */
export function bottleneckOptionsOf(settings: LinkSettings): BottleneckOptions {
  const { queueMicros, bottleneckName, ...options } = settings;
  return { ...options, ...queueBytesOf(settings) };
}

function queueBytesOf(settings: LinkSettings): { readonly queueBytes?: number } {
  const { queueMicros, rateBitsPerSecond, rateTrace } = settings;
  if (queueMicros === undefined) return {};
  if (rateBitsPerSecond === undefined && rateTrace === undefined) {
    throw new RangeError('queue is given as a time, which needs a rate: give rate too, or the queue in bytes');
  }
  const bytes = Math.round(
    ((rateBitsPerSecond ?? new RateTrace(rateTrace!).meanBitsPerSecond) * queueMicros) / 8_000_000,
  );
  if (bytes > QUEUE_BYTES_MAX) {
    throw new RangeError(`queue holds at most 64MiB, and would hold ${bytes} bytes at this rate: give a shorter time`);
  }
  return { queueBytes: bytes };
}

/** What a RangeError of the simulator says, in the words of a scenario file. */
export function inWordsOfTheFile(error: unknown): string {
  if (!(error instanceof RangeError)) throw error;
  let text = error.message.replace(/^(link|bottleneck)\b[^:]*: /, '');
  const { discipline, ...others } = SETTING_OF;
  for (const [field, setting] of [
    ...Object.entries(others),
    ['queue', 'queueBytes'],
    ['queue', 'queueMicros'],
  ] as const) {
    if (field !== setting) text = text.replaceAll(new RegExp(`\\b${setting}\\b`, 'g'), field);
  }
  text = text.replace(/\bqueue(:? ')/g, `discipline$1`); // what drops is called queue in code
  return /Micros\b/.test(error.message) ? `${text} (microseconds)` : text;
}

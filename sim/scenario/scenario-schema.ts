/**
 * The shape of a scenario file: the one place that knows its fields. `scenario.schema.json` beside this file is made from it,
 * for editors.
 */

import { z } from 'zod';
import type { CbrOptions } from '../link/cbr-source.ts';
import { type Expectation, expectationFields } from './expectations.ts';
import { LINK_SHAPE, type LineFields, type LinkFields, lineFields, linkFields } from './link-schema.ts';
import { PRESETS } from './presets.ts';
import { ACTIONS } from './timeline-actions.ts';
import { duration, fields, oneOf, rate, type Shape, size, unknownField, whole } from './unit-schemas.ts';

export const CLIENTS_MAX = 10_000;
export const SECONDS_MAX: number = 30 * 86_400;
const DAY_MICROS = 86_400_000_000;
const RUN_MICROS_MAX = 30 * DAY_MICROS;
const PACKET_BYTES_MAX = 65_507;
/** Entries of any one list of a file. */
const ENTRIES_MAX = 1_000;
/** More often than each millisecond is a mistake in the unit. */
const EVERY_MICROS_MIN = 1_000;
const MINUTE_MICROS = 60_000_000;

/** A link as a whole: a preset, what is laid over it, and what only one way has. */
export interface LinkEntry extends LinkFields {
  readonly preset?: string;
  readonly up?: LinkFields;
  readonly down?: LinkFields;
}

export interface SourceFields {
  readonly type: 'aimd' | 'cbr';
  /** A bottleneck, a direction such as `client-0>server`, or a way of its own. */
  readonly over: string | LinkFields;
  readonly rtt?: number;
  readonly rate?: CbrOptions['rateBitsPerSecond'];
  readonly packet?: number;
  readonly on?: number;
  readonly off?: number;
  readonly start?: number;
  readonly stop?: number;
}

/** When; the fields of one action of the registry besides. */
export interface TimelineEntry {
  readonly at?: number;
  readonly from?: number;
  readonly every?: number;
  readonly until?: number;
  /** How long what some actions begin lasts. */
  readonly for?: number;
}

export interface ScenarioFields {
  readonly name?: string;
  readonly game?: string;
  readonly clients?: number;
  readonly seconds?: number;
  readonly seed?: string | number;
  readonly link?: string | LinkEntry;
  readonly links?: Readonly<Record<string, string | LinkEntry>>;
  readonly bottlenecks?: Readonly<Record<string, LineFields>>;
  readonly sources?: Readonly<Record<string, SourceFields>>;
  readonly timeline?: readonly TimelineEntry[];
  readonly expect?: readonly Expectation[];
}

const presetName = oneOf(PRESETS.map(({ name }) => name));
const link: z.ZodType<string | LinkEntry> = z.union(
  [
    presetName,
    fields<LinkEntry>({
      preset: presetName.optional().describe('a network by name, see `sim presets`; what else is given changes it'),
      ...LINK_SHAPE,
      up: linkFields.optional().describe('from client to server only'),
      down: linkFields.optional().describe('from server to client only'),
    }),
  ],
  { error: `give a preset (${PRESETS.map(({ name }) => name).join(', ')}) or an object of settings` },
);

const over = z.union([z.string(), linkFields], {
  error: 'give the name of a bottleneck, a direction such as "client-0>server", or an object of settings',
});
const MICRO_TIME = duration(0, RUN_MICROS_MAX, '10s');
const SOURCE: Shape = {
  over,
  packet: size(1, PACKET_BYTES_MAX, '1200B').optional(),
  start: MICRO_TIME.optional(),
  stop: MICRO_TIME.optional(),
};
const source: z.ZodType<SourceFields> = z.union(
  [
    fields<SourceFields>({ type: z.literal('aimd'), ...SOURCE, rtt: duration(1, MINUTE_MICROS, '40ms') }),
    fields<SourceFields>({
      type: z.literal('cbr'),
      ...SOURCE,
      rate: rate(),
      on: duration(1, MINUTE_MICROS, '1s').optional(),
      off: duration(1, MINUTE_MICROS, '1s').optional(),
    }),
  ],
  {
    error:
      'give a source: { "type": "aimd", "over": ..., "rtt": "40ms" } or { "type": "cbr", "over": ..., "rate": "500kbit/s" }',
  },
);

const WHEN: Shape = {
  at: MICRO_TIME.optional().describe('once'),
  from: MICRO_TIME.optional().describe('for the first time, with `every`'),
  every: duration(EVERY_MICROS_MIN, RUN_MICROS_MAX, '7s').optional().describe('again and again'),
  until: MICRO_TIME.optional().describe('not after this; with `every`'),
};
const sayOfField: typeof unknownField = (key, known) =>
  Object.hasOwn(ACTIONS, key) ? 'is another action: give it an entry of its own' : unknownField(key, known);
const entries = Object.values(ACTIONS).map((action) =>
  fields<TimelineEntry>({ ...WHEN, ...action.fields }, sayOfField),
);
const timelineEntry: z.ZodType<TimelineEntry> = z
  .union(entries as [z.ZodType<TimelineEntry>, ...z.ZodType<TimelineEntry>[]], {
    error: `give an object with "at" and one of ${Object.keys(ACTIONS).join(', ')}`,
  })
  .superRefine(({ at, from, every, until }, context) => {
    const say = (message: string) => context.addIssue({ code: 'custom', message });
    if (at === undefined && (from === undefined || every === undefined)) say('give "at", or "from" and "every"');
    else if (at !== undefined && (from ?? every ?? until) !== undefined)
      say('give "at", or "from" and "every", not both');
    else if (until !== undefined && until < from!) say('"until" is before "from"');
  });

const list = <T>(of: z.ZodType<T>): z.ZodType<readonly T[]> => z.array(of, { error: 'give a list' }).max(ENTRIES_MAX);
const named = <T>(of: z.ZodType<T>): z.ZodType<Readonly<Record<string, T>>> =>
  z.record(z.string().min(1), of, { error: 'give an object: a field for each, by its name' });
const text = z.string({ error: 'give a text' }).min(1, { error: 'give a text that is not empty' });
const SECONDS_SAY = `give seconds from 0.001 to ${SECONDS_MAX}, as a number`;

export const scenarioSchema: z.ZodType<ScenarioFields> = fields<ScenarioFields>({
  $schema: z.string().optional(),
  name: text.optional().describe('for reports; the name of the file by default'),
  game: text.optional().describe('one that comes with the package (arena), or a file: relative to this one'),
  clients: whole(0, CLIENTS_MAX).optional().describe('8 by default'),
  seconds: z
    .number({ error: SECONDS_SAY })
    .min(0.001, { error: SECONDS_SAY })
    .max(SECONDS_MAX, { error: SECONDS_SAY })
    .optional()
    .describe('virtual time; 60 by default'),
  seed: z
    .union([z.string(), z.int().min(0)], { error: 'give a text or a whole number' })
    .optional()
    .describe('decides every chance; 1 by default'),
  link: link.optional().describe('the link of every client'),
  links: named(link).optional().describe('laid over `link` for the clients whose names match'),
  bottlenecks: named(lineFields).optional().describe('lines that several links share'),
  sources: named(source).optional().describe('cross traffic'),
  timeline: list(timelineEntry).optional(),
  expect: list(expectationFields).optional().describe('what must hold at the end'),
});

/** For editors: `"$schema": "./node_modules/tickwire/sim/scenario/scenario.schema.json"`. */
export function jsonSchema(): object {
  return { title: 'A scenario of tickwire/sim', ...z.toJSONSchema(scenarioSchema, { io: 'input', reused: 'ref' }) };
}

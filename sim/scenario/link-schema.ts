/** A link in a scenario file: the fields of `DirectionOptions` in units that people use. */

import { z } from 'zod';
import { QUEUE_BYTES_MAX, QUEUE_PACKETS_MAX, type QueueDiscipline } from '../link/bottleneck-options.ts';
import { CORRUPT_KINDS, type CorruptKind } from '../link/corrupt.ts';
import type { JitterShape } from '../link/delay.ts';
import type { LossModel } from '../link/loss.ts';
import { DELAY_MICROS_MAX } from '../link/option-checks.ts';
import type { PolicerOptions } from '../link/policer.ts';
import type { WifiOptions } from '../link/wifi-delay.ts';
import { duration, fields, oneOf, rate, type Shape, share, size, whole } from './unit-schemas.ts';

const JITTER_SHAPES = ['uniform', 'bell', 'normal', 'lognormal', 'gamma', 'pareto', 'exponential'] as const;
const DISCIPLINES = ['tail', 'head', 'codel', 'red'] as const;
const SECOND = 1_000_000;
const delay = (min = 0) => duration(min, DELAY_MICROS_MAX);

/** The value without the fields that are not there: the simulator's options tell "not given" from `undefined`. */
export function given<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const there = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(there) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

interface WifiFields {
  readonly step?: number;
  readonly busy?: number;
  readonly busyStep?: number;
  readonly suspendEvery?: number;
  readonly suspend?: number;
}

const wifi = fields<WifiFields>({
  step: duration(0, SECOND, '1ms').optional(),
  busy: share().optional(),
  busyStep: duration(0, SECOND, '7.5ms').optional(),
  suspendEvery: duration(1_000, 4_000 * SECOND, '10s').optional(),
  suspend: delay(1).optional(),
}).transform(
  ({ step, busy, busyStep, suspendEvery, suspend }): WifiOptions =>
    given({
      stepMicros: step,
      busy,
      busyStepMicros: busyStep,
      suspendEveryMicros: suspendEvery,
      suspendMicros: suspend,
    }),
);

const policer = fields<{ readonly rate: number; readonly burst: number }>({
  rate: rate(),
  burst: size(1, QUEUE_BYTES_MAX),
}).transform(({ rate, burst }): PolicerOptions => ({ rateBitsPerSecond: rate, burstBytes: burst }));

const BURST_SAY = 'give a number of packets from 1 to 1000000';
const burstPackets = z.number({ error: BURST_SAY }).min(1, { error: BURST_SAY }).max(1_000_000, { error: BURST_SAY });
const LOSS_SAY =
  'give a probability from 0 to 1, or a percentage such as "5%"; or a model, such as { "model": "gilbert-elliott", ' +
  '"loss": "5%", "meanBurstPackets": 4 }';

interface TimeLossFields {
  readonly model: 'gilbert-elliott-time';
  readonly loss: number;
  readonly meanBurst: number;
}

const models = [
  fields<LossModel>({ model: z.literal('gilbert-elliott'), loss: share(), meanBurstPackets: burstPackets }),
  fields<LossModel>({
    model: z.literal('gilbert-elliott'),
    goodToBad: share(),
    badToGood: share(),
    lossInGood: share().optional(),
    lossInBad: share().optional(),
  }),
  fields<TimeLossFields>({ model: z.literal('gilbert-elliott-time'), loss: share(), meanBurst: delay(1) }).transform(
    ({ model, loss, meanBurst }): LossModel => ({ model, loss, meanBurstMicros: meanBurst }),
  ),
  fields<LossModel>({
    model: z.literal('four-state'),
    p13: share(),
    p31: share(),
    p23: share(),
    p32: share(),
    p14: share(),
  }),
  fields<LossModel>({ model: z.literal('list'), lost: z.array(whole(0, 0xffff_ffff)) }),
  fields<LossModel>({
    model: z.literal('trace'),
    pattern: z.string().regex(/^[01]+$/, { error: 'give digits 0 and 1' }),
  }),
];

const flag = z.boolean({ error: 'give true or false' });

/** A line and its queue: of a link, or of a shared bottleneck. */
const LINE_SHAPE: Shape = {
  rate: rate().describe('bits a second on the line; packets queue for it'),
  rateTrace: z.union([z.string(), z.array(whole(0, 86_400_000))], {
    error: 'give the file of a trace, or its times in milliseconds',
  }),
  queue: z.union(
    [
      size(0, QUEUE_BYTES_MAX).transform((bytes) => ({ bytes })),
      duration(0, DELAY_MICROS_MAX).transform((micros) => ({ micros })),
    ],
    { error: 'give a size up to 64MiB such as "64KiB", or the time that it takes at the rate, such as "100ms"' },
  ),
  queuePackets: whole(0, QUEUE_PACKETS_MAX).describe('packets that may wait'),
  discipline: oneOf(DISCIPLINES).describe('what the queue drops'),
  ecn: flag.describe('codel and red mark in place of dropping'),
  overhead: size(0, 1_000, '28B').describe('what each datagram takes besides its payload'),
};

/** Each field may be left out, and null takes away what was set before. */
function settable(shape: Shape): Shape {
  return Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, field.nullable().optional()]));
}

/** What a link does to packets, by name of the field. */
export const LINK_SHAPE: Shape = settable({
  latency: delay().describe('one-way delay'),
  jitter: delay().describe('how far delays lie from the latency'),
  jitterShape: oneOf(JITTER_SHAPES),
  keepOrder: flag.describe('packets never overtake each other'),
  delayTable: z.array(delay()),
  wifi,
  loss: z.union([share(), ...models], { error: LOSS_SAY }),
  ...LINE_SHAPE,
  bottleneck: z.string({ error: 'give the name of a bottleneck of this file' }),
  mtu: size(68, 65_535, '1280B').describe('larger IP packets are silently dropped'),
  policer,
  corrupt: share().describe('share that arrives with other bytes'),
  corruptKinds: z.array(oneOf(CORRUPT_KINDS)).min(1, { error: 'give one or more' }),
  reorder: share().describe('share that is held back by `reorderDelay`'),
  reorderDelay: delay(1),
  duplicate: share().describe('share that arrives twice'),
  duplicateDelay: delay(),
});

/** What a file says of a link. Quantities are numbers of base units; null takes a setting away. */
export interface LinkFields extends LineFields {
  readonly mtu?: number | null;
  readonly policer?: PolicerOptions | null;
  readonly bottleneck?: string | null;
  readonly loss?: number | LossModel | null;
  readonly corrupt?: number | null;
  readonly corruptKinds?: readonly CorruptKind[] | null;
  readonly latency?: number | null;
  readonly jitter?: number | null;
  readonly jitterShape?: JitterShape | null;
  readonly delayTable?: readonly number[] | null;
  readonly wifi?: WifiOptions | null;
  readonly keepOrder?: boolean | null;
  readonly reorder?: number | null;
  readonly reorderDelay?: number | null;
  readonly duplicate?: number | null;
  readonly duplicateDelay?: number | null;
}

/** What it says of a line and its queue. */
export interface LineFields {
  readonly rate?: number | null;
  readonly rateTrace?: string | readonly number[] | null;
  readonly queue?: { readonly bytes: number } | { readonly micros: number } | null;
  readonly queuePackets?: number | null;
  readonly discipline?: QueueDiscipline | null;
  readonly ecn?: boolean | null;
  readonly overhead?: number | null;
}

export const linkFields: z.ZodType<LinkFields> = fields<LinkFields>(LINK_SHAPE);
export const lineFields: z.ZodType<LineFields> = fields<LineFields>(settable(LINE_SHAPE));

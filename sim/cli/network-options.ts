/** The network on the command line: latency, loss and their kin, in the units in which people speak of them. */

import { type Command, Option } from 'commander';
import { QUEUE_BYTES_MAX, type QueueDiscipline } from '../link/bottleneck-options.ts';
import type { JitterShape } from '../link/delay.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { LossModel } from '../link/loss.ts';
import { readRateTrace } from '../link/rate-trace.ts';
import { directionOptionsOf, type LinkSettings, overlay, type SettingChanges } from '../scenario/link-settings.ts';
import { PRESETS, presetNamed } from '../scenario/presets.ts';
import { decimal, UsageError, whole } from './command.ts';
import { textOf } from './scenario-file.ts';

const CLIENTS_MAX = 10_000;
const LATENCY_MILLIS_MAX = 60_000;
const BURST_PACKETS_MAX = 1_000;
const RATE_MEGABITS_MAX = 100_000;
const MTU_BYTES_MIN = 68;
const MTU_BYTES_MAX = 65_535;
const JITTER_SHAPES: readonly JitterShape[] = [
  'uniform',
  'bell',
  'normal',
  'lognormal',
  'gamma',
  'pareto',
  'exponential',
];
const DISCIPLINES: readonly QueueDiscipline[] = ['tail', 'head', 'codel', 'red'];
/** How much later held-back packets and copies come: longer than a tick at 60 Hz, so that the next packet overtakes. */
const SECOND_ARRIVAL_MICROS = 20_000;

export interface NetworkOptions {
  readonly preset?: string;
  readonly clients: number;
  readonly latency: number;
  readonly jitter: number;
  readonly loss: number;
  readonly burst?: number;
  readonly rate?: number;
  readonly queue?: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly mtu?: number;
  readonly corrupt?: number;
  readonly jitterShape?: JitterShape;
  readonly keepOrder?: boolean;
  readonly rateTrace?: string;
  readonly discipline?: QueueDiscipline;
}

/** One setting: its placeholder, what it is, how it is read, and its value when it is not given. */
interface Setting {
  readonly unit: string;
  readonly text: string;
  readonly read: (text: string) => number;
  readonly byDefault?: number;
}

const millis = decimal(0, LATENCY_MILLIS_MAX);
const percent = decimal(0, 100);

/** Options that are words. */
const WORDS = ['jitterShape', 'keepOrder', 'rateTrace', 'discipline'] as const;
/** What has a number. */
export type SettingName = Exclude<keyof NetworkOptions, 'preset' | (typeof WORDS)[number]>;

/** By name of the option. */
export const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  clients: { unit: 'count', text: 'clients', read: whole(0, CLIENTS_MAX), byDefault: 8 },
  latency: { unit: 'ms', text: 'one-way delay', read: millis, byDefault: 50 },
  jitter: { unit: 'ms', text: 'delays lie within latency +- jitter', read: millis, byDefault: 0 },
  loss: { unit: 'percent', text: 'packets lost, each way', read: percent, byDefault: 0 },
  burst: {
    unit: 'packets',
    text: 'lose so many in a row in the mean (Gilbert-Elliott)',
    read: decimal(1, BURST_PACKETS_MAX),
  },
  rate: {
    unit: 'Mbit/s',
    text: 'each way of each client; packets queue for it',
    read: decimal(0.001, RATE_MEGABITS_MAX),
  },
  queue: { unit: 'ms', text: 'what the queue holds at that rate; more is dropped', read: millis },
  duplicate: { unit: 'percent', text: 'packets that arrive twice, up to 20 ms apart', read: percent, byDefault: 0 },
  reorder: { unit: 'percent', text: 'packets held back for 20 ms', read: percent, byDefault: 0 },
  mtu: { unit: 'bytes', text: 'larger IP packets are silently dropped', read: whole(MTU_BYTES_MIN, MTU_BYTES_MAX) },
  corrupt: { unit: 'percent', text: 'packets that arrive with other bytes', read: percent },
};

/** Adds an option for each setting, except for those in `without`. */
export function addNetworkOptions(command: Command, without: readonly SettingName[] = []): Command {
  const names = PRESETS.map(({ name }) => name);
  command.addOption(new Option('--preset <name>', 'a network by name, see `sim presets`').choices(names));
  for (const [name, { unit, text, read, byDefault }] of Object.entries(SETTINGS)) {
    if (without.includes(name as SettingName)) continue;
    command.option(`--${name} <${unit}>`, text, read, byDefault as number);
  }
  return command
    .addOption(new Option('--jitter-shape <shape>', 'how delays are spread').choices(JITTER_SHAPES))
    .option('--keep-order', 'a late packet holds up those behind it, as on Wi-Fi and LTE')
    .option('--rate-trace <file>', 'in place of --rate: milliseconds at which 1,504 bytes may go (mahimahi)')
    .addOption(new Option('--discipline <kind>', 'what the queue drops; `tail` by default').choices(DISCIPLINES));
}

/** The network's part of what a command was given. */
export function networkOf(options: NetworkOptions): NetworkOptions {
  const names = ['preset', ...Object.keys(SETTINGS), ...WORDS] as (keyof NetworkOptions)[];
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  ) as unknown as NetworkOptions;
}

/** The settings that `options` has, as a command line would give them. */
export function commandLineOf(options: Partial<NetworkOptions>): string {
  const { preset, clients } = options;
  const given = (Object.keys(SETTINGS) as SettingName[]).filter((name) => options[name] !== undefined);
  const words = WORDS.filter((name) => options[name] !== undefined && options[name] !== false);
  const dashed = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (preset !== undefined) return `--preset ${preset}${clients === undefined ? '' : ` --clients ${clients}`}`;
  return [
    ...given.map((name) => `--${name} ${options[name]}`),
    ...words.map((name) => `--${dashed(name)}${options[name] === true ? '' : ` ${options[name]}`}`),
  ].join(' ');
}

/** The links of a scenario; throws UsageError where two of the user's options do not fit. */
export function linksOf(options: NetworkOptions): {
  readonly link: DirectionOptions;
  readonly down?: DirectionOptions;
} {
  if (options.preset === undefined) return { link: linkOf(options) };
  const { up, down } = presetNamed(options.preset)!;
  for (const name of [...(Object.keys(SETTINGS) as SettingName[]), ...WORDS]) {
    const byDefault = name in SETTINGS ? SETTINGS[name as SettingName].byDefault : undefined;
    if (name === 'clients' || options[name] === byDefault) continue;
    const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--preset ${options.preset} says all about the network: leave --${option} out, or the preset`);
  }
  return { link: up, down };
}

function linkOf(options: NetworkOptions): DirectionOptions {
  const { latency, jitter, jitterShape = 'uniform', rate, queue, rateTrace } = options;
  if (jitter > latency && ['uniform', 'bell', 'normal'].includes(jitterShape)) {
    throw new UsageError(`--jitter ${jitter} is larger than --latency ${latency}: delays cannot be negative`);
  }
  if (rate === undefined && rateTrace === undefined) {
    if (queue !== undefined) {
      throw new UsageError(`--queue ${queue} without --rate: a link without a rate has no queue; give --rate too`);
    }
    if (options.discipline !== undefined) {
      throw new UsageError(`--discipline ${options.discipline} without --rate: a link without a rate has no queue`);
    }
  }
  if (options.discipline === 'red' && queue === undefined) {
    throw new UsageError('--discipline red takes its thresholds from the queue: give --queue too, say 100');
  }
  if (rate !== undefined && queue !== undefined) checkQueue(rate, queue);
  return optionsOf(overlay({}, changesOf(options)));
}

/** What a command line says of the network, to be laid over what a file says. Defaults are to be left out before. */
export function changesOf(options: Partial<NetworkOptions>): SettingChanges {
  const { latency, jitter, jitterShape, keepOrder, rate, rateTrace, queue, discipline, mtu, corrupt } = options;
  const { loss, burst, duplicate, reorder } = options;
  if (rate !== undefined && rateTrace !== undefined) {
    throw new UsageError('--rate and --rate-trace both set a rate: give one of them');
  }
  const changes: SettingChanges = {
    latencyMicros: latency === undefined ? undefined : Math.round(latency * 1000),
    jitterMicros: jitter === undefined ? undefined : Math.round(jitter * 1000),
    jitterShape,
    keepOrder,
    loss: loss === undefined && burst === undefined ? undefined : lossOf({ loss: loss ?? 0, burst }),
    rateBitsPerSecond: rate === undefined ? undefined : Math.round(rate * 1_000_000),
    rateTrace: rateTrace === undefined ? undefined : traceOf(rateTrace),
    queueMicros: queue === undefined ? undefined : Math.round(queue * 1000),
    queue: discipline,
    duplicate: duplicate === undefined ? undefined : duplicate / 100,
    duplicateDelayMicros: duplicate === undefined ? undefined : SECOND_ARRIVAL_MICROS,
    reorder: reorder === undefined ? undefined : reorder / 100,
    reorderMicros: reorder === undefined ? undefined : SECOND_ARRIVAL_MICROS,
    mtuBytes: mtu,
    corrupt: corrupt === undefined ? undefined : corrupt / 100,
  };
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
}

function optionsOf(settings: LinkSettings): DirectionOptions {
  try {
    return directionOptionsOf(settings, () => null);
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  }
}

function traceOf(file: string): Uint32Array {
  try {
    return readRateTrace(file, textOf(file, `--rate-trace ${file}`));
  } catch (error) {
    throw error instanceof RangeError ? new UsageError(error.message) : error;
  }
}

function lossOf({ loss, burst }: { readonly loss: number; readonly burst: number | undefined }): number | LossModel {
  if (burst === undefined) return loss / 100;
  if (loss === 0) throw new UsageError(`--burst ${burst} without --loss: give the percentage of packets that are lost`);
  if (loss === 100)
    throw new UsageError(`--burst ${burst} with --loss 100: the one burst has no end; leave --burst out`);
  const shortest = loss / (100 - loss);
  if (burst < shortest) {
    throw new UsageError(
      `--burst ${burst} is too short for --loss ${loss}, since a packet gets through between two bursts: ` +
        `give ${Math.ceil(shortest * 100) / 100} or more`,
    );
  }
  return { model: 'gilbert-elliott', loss: loss / 100, meanBurstPackets: burst };
}

function checkQueue(rate: number, queue: number): void {
  if (Math.round((rate * 1_000_000 * queue) / 8_000) <= QUEUE_BYTES_MAX) return;
  const most = Math.floor((QUEUE_BYTES_MAX * 8_000) / (rate * 1_000_000));
  throw new UsageError(`--queue ${queue} at --rate ${rate} is more than a queue holds: give ${most} or less`);
}

/** The network on the command line: latency, loss and their kin, in the units in which people speak of them. */

import { type Command, Option } from 'commander';
import { QUEUE_BYTES_MAX } from '../link/bottleneck-options.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { LossModel } from '../link/loss.ts';
import { PRESETS, presetNamed } from '../scenario/presets.ts';
import { decimal, UsageError, whole } from './command.ts';

const CLIENTS_MAX = 10_000;
const LATENCY_MILLIS_MAX = 60_000;
const BURST_PACKETS_MAX = 1_000;
const RATE_MEGABITS_MAX = 100_000;
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

/** What has a number. */
export type SettingName = Exclude<keyof NetworkOptions, 'preset'>;

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
};

/** Adds an option for each setting. */
export function addNetworkOptions(command: Command): Command {
  const names = PRESETS.map(({ name }) => name);
  command.addOption(new Option('--preset <name>', 'a network by name, see `sim presets`').choices(names));
  for (const [name, { unit, text, read, byDefault }] of Object.entries(SETTINGS)) {
    command.option(`--${name} <${unit}>`, text, read, byDefault as number);
  }
  return command;
}

/** The settings that `options` has, as a command line would give them. */
export function commandLineOf(options: NetworkOptions): string {
  if (options.preset !== undefined) return `--preset ${options.preset} --clients ${options.clients}`;
  const given = (Object.keys(SETTINGS) as SettingName[]).filter((name) => options[name] !== undefined);
  return given.map((name) => `--${name} ${options[name]}`).join(' ');
}

/** The links of a scenario; throws UsageError where two of the user's options do not fit. */
export function linksOf(options: NetworkOptions): {
  readonly link: DirectionOptions;
  readonly down?: DirectionOptions;
} {
  if (options.preset === undefined) return { link: linkOf(options) };
  const { up, down } = presetNamed(options.preset)!;
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    if (name === 'clients' || options[name] === SETTINGS[name].byDefault) continue;
    throw new UsageError(`--preset ${options.preset} says all about the network: leave --${name} out, or the preset`);
  }
  return { link: up, down };
}

function linkOf(options: NetworkOptions): DirectionOptions {
  const { latency, jitter, rate, queue, duplicate, reorder } = options;
  if (jitter > latency) {
    throw new UsageError(`--jitter ${jitter} is larger than --latency ${latency}: delays cannot be negative`);
  }
  if (queue !== undefined && rate === undefined) {
    throw new UsageError(`--queue ${queue} without --rate: a link without a rate has no queue; give --rate too`);
  }
  return {
    latencyMicros: Math.round(latency * 1000),
    jitterMicros: Math.round(jitter * 1000),
    loss: lossOf(options),
    ...(rate === undefined ? {} : { rateBitsPerSecond: Math.round(rate * 1_000_000) }),
    ...(queue === undefined ? {} : { queueBytes: queueBytesOf(rate!, queue) }),
    duplicate: duplicate / 100,
    duplicateDelayMicros: SECOND_ARRIVAL_MICROS,
    reorder: reorder / 100,
    reorderMicros: SECOND_ARRIVAL_MICROS,
  };
}

function lossOf({ loss, burst }: NetworkOptions): number | LossModel {
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

function queueBytesOf(rate: number, queue: number): number {
  const bytes = Math.round((rate * 1_000_000 * queue) / 8_000);
  if (bytes > QUEUE_BYTES_MAX) {
    const most = Math.floor((QUEUE_BYTES_MAX * 8_000) / (rate * 1_000_000));
    throw new UsageError(`--queue ${queue} at --rate ${rate} is more than a queue holds: give ${most} or less`);
  }
  return bytes;
}

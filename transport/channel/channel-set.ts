/** The channels of an endpoint as the protocol sees them: numbered columns, the same on both sides. */

import { ConfigError, checkWhole } from '../config-error.ts';
import { MESSAGE_BYTES_MAX } from '../wire/frame-types.ts';

/** Delivery kinds; the numbers go into the hash of the hello frame. Never renumber. */
export const UNRELIABLE = 0;
export const UNRELIABLE_SEQUENCED = 1;
export const RELIABLE_ORDERED = 2;
export const RELIABLE_UNORDERED = 3;
export const RELIABLE_SEQUENCED = 4;
export const LATEST_STATE = 5;
export const TICK_INPUT = 6;

/** Number of a channel on the wire is a byte. */
export const CHANNELS_MAX = 256;
export const PRIORITIES = 8;
const KEYS_MAX = 65_536;
const WEIGHT_MAX = 1000;
/** As many messages as fit behind one header. */
const INPUTS_MAX = 16;

/** One channel. */
export interface ChannelSpec {
  readonly name: string;
  /** UNRELIABLE .. TICK_INPUT. */
  readonly kind: number;
  /** 0: before all others .. 7: when nothing else waits. */
  readonly priority: number;
  /** Share of the sending among channels of one priority, 1 .. 1,000. */
  readonly weight: number;
  /** A large transfer that fills what is left, under congestion control; otherwise real time, sent at once. */
  readonly bulk: boolean;
  /** Longest message in bytes, 0 .. 64 MiB; tick input: 1,024 at most, since several share a packet. */
  readonly messageBytesMax: number;
  /** Latest state: keys are 0 .. keysMax - 1. */
  readonly keysMax: number;
  /** Tick input: how many of the newest ticks ride in each packet, 1 .. 16. */
  readonly inputs: number;
}

/** Ticks are u32 on the wire. */
const TICK_MAX = 0xffff_ffff;
/** Longest tick input. */
export const INPUT_BYTES_MAX = 1024;

export class ChannelSet {
  readonly count: number;
  readonly names: readonly string[];
  readonly kind: Uint8Array;
  readonly priority: Uint8Array;
  readonly weight: Uint16Array;
  /** 1: bulk. */
  readonly bulk: Uint8Array;
  readonly messageBytesMax: Int32Array;
  readonly keysMax: Int32Array;
  readonly inputs: Uint8Array;
  /** What the hello frame carries. */
  readonly hash: number;

  /** Numbers the channels in alphabetical order. Throws ConfigError for what cannot work. */
  constructor(specs: readonly ChannelSpec[]) {
    if (specs.length < 1 || specs.length > CHANNELS_MAX) {
      throw new ConfigError('channels', `name 1 to ${CHANNELS_MAX} channels, not ${specs.length}`);
    }
    // By UTF-16 code units, as `sort` without a comparison does: the order is part of the protocol.
    const names = specs.map((spec) => spec.name).sort();
    const sorted = names.map((name) => specs.find((spec) => spec.name === name)!);
    this.count = sorted.length;
    this.names = names;
    this.kind = Uint8Array.from(sorted, (spec) => spec.kind);
    this.priority = Uint8Array.from(sorted, (spec) =>
      checkWhole(field(spec, 'priority'), spec.priority, 0, PRIORITIES - 1),
    );
    this.weight = Uint16Array.from(sorted, (spec) => checkWhole(field(spec, 'weight'), spec.weight, 1, WEIGHT_MAX));
    this.bulk = Uint8Array.from(sorted, (spec) => (spec.bulk ? 1 : 0));
    this.messageBytesMax = Int32Array.from(sorted, (spec) =>
      checkWhole(
        field(spec, 'messageBytesMax'),
        spec.messageBytesMax,
        0,
        spec.kind === TICK_INPUT ? INPUT_BYTES_MAX : MESSAGE_BYTES_MAX,
      ),
    );
    this.keysMax = Int32Array.from(sorted, (spec) => checkWhole(field(spec, 'keysMax'), spec.keysMax, 1, KEYS_MAX));
    this.inputs = Uint8Array.from(sorted, (spec) => checkWhole(field(spec, 'inputs'), spec.inputs, 1, INPUTS_MAX));
    this.hash = hashOf(sorted);
  }
}

/** Throws RangeError for a message that a channel cannot carry: its length, where `room` bytes are its own, and its tick or key. */
export function checkMessage(channels: ChannelSet, channel: number, length: number, tag: number, room: number): void {
  const kind = channels.kind[channel];
  if (kind === undefined) throw new RangeError(`there is no channel ${channel}, of ${channels.count}`);
  const longest = Math.min(channels.messageBytesMax[channel]!, room);
  if (!(length >= 0 && length <= longest && length === Math.floor(length))) {
    throw outOfRange(channels, channel, 'length', length, longest);
  }
  if (kind < LATEST_STATE) return; // the tag is not looked at
  const most = kind === LATEST_STATE ? channels.keysMax[channel]! - 1 : TICK_MAX;
  if (!(tag >= 0 && tag <= most && tag === Math.floor(tag))) {
    throw outOfRange(channels, channel, kind === LATEST_STATE ? 'key' : 'tick', tag, most);
  }
}

function outOfRange(channels: ChannelSet, channel: number, what: string, given: number, most: number): RangeError {
  return new RangeError(`${what} ${given} on '${channels.names[channel]}' is not a whole number from 0 to ${most}`);
}

/** Whether every message of the kind arrives, or the newest. */
export function isReliable(kind: number): boolean {
  return kind >= RELIABLE_ORDERED && kind <= LATEST_STATE;
}

/** Whether each message arrives, so that ids are counted off one by one. */
export function isExactlyOnce(kind: number): boolean {
  return kind === RELIABLE_ORDERED || kind === RELIABLE_UNORDERED;
}

function field(spec: ChannelSpec, name: string): string {
  return `channels.${spec.name}.${name}`;
}

const encoder = new TextEncoder();

/** FNV-1a over names, kinds and largest messages (PROTOCOL.md, hello). */
function hashOf(specs: readonly ChannelSpec[]): number {
  let hash = 0x811c9dc5;
  const mix = (byte: number): void => {
    hash = Math.imul(hash ^ (byte & 0xff), 0x01000193);
  };
  for (const { name, kind, messageBytesMax } of specs) {
    for (const byte of encoder.encode(name)) mix(byte);
    mix(0);
    mix(kind);
    for (let shift = 0; shift < 32; shift += 8) mix(messageBytesMax >>> shift);
  }
  return hash >>> 0;
}

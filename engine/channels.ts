/**
 * Channels: named streams of messages, each with one of seven delivery kinds and, if you like, one type of message.
 *
 *     channels: { input: tickInput(inputCodec), world: unreliable(), chat: reliableOrdered(json<string>()) }
 *
 * Both sides declare the same names with the same kinds and `messageBytesMax`; a connection between sides that differ is
 * closed with the code 'protocol'. The order in which they are written down does not matter. `requests.ts` has an eighth
 * form, question and answer.
 */

import type { Codec, Message } from './codec.ts';

/** The seven delivery kinds, in the order of their numbers on the wire. */
export const KINDS = [
  'unreliable',
  'unreliableSequenced',
  'reliableOrdered',
  'reliableUnordered',
  'reliableSequenced',
  'latestState',
  'tickInput',
] as const;

export type Kind = (typeof KINDS)[number];

/** What may be set on a channel of any kind. */
export interface ChannelOptions {
  /**
   * 0 goes before everything else, 7 when nothing else waits. By default tick input 0, reliable kinds 1 (small, and
   * somebody waits for them), latest state and reliable sequenced 2, unreliable kinds 3 (large, and sent again anyway).
   */
  readonly priority?: number;
  /** Share of the sending among channels of the same priority, 1 .. 1,000. Default 100. */
  readonly weight?: number;
  /**
   * A large transfer (a map, a replay) that must not delay the rest: it fills what the path has left, under congestion
   * control. Default false: messages leave at once.
   */
  readonly bulk?: boolean;
  /**
   * Longest message in bytes; a longer one is refused at `send`, on the other side it is malformed. Default 1 MiB for reliable kinds
   * and latest state, 64 KiB for unreliable ones (of 57 packets one is lost too easily), at most 64 MiB; for tick input 1,024.
   */
  readonly messageBytesMax?: number;
}

export interface LatestStateOptions extends ChannelOptions {
  /** Keys are 0 .. keysMax - 1, at most 65,536. Default 1,024: the receiver keeps 12 bytes a key that came. */
  readonly keysMax?: number;
}

export interface TickInputOptions extends ChannelOptions {
  /** How many of the newest unacknowledged ticks ride in each packet, 1 .. 16. Default 4: three lost in a row do no harm. */
  readonly inputs?: number;
}

/** One channel: `Out` is what `send` takes, `In` what a listener gets. */
export interface Channel<Out, In, K extends Kind = Kind> {
  readonly kind: K;
  readonly codec: Codec<unknown> | null;
  readonly options: LatestStateOptions & TickInputOptions;
  /** Never there; carries the types. */
  readonly types?: { readonly out: Out; readonly in: In };
}

/** A channel of bytes: `send` takes a Uint8Array, listeners get a view of borrowed bytes. */
export type ByteChannel<K extends Kind = Kind> = Channel<Uint8Array, Message, K>;

/**
 * Each message is sent once. It may be lost, and may arrive after one that was sent later; it never arrives twice. For
 * effects, sounds, voice, and state that is sent again and again anyway.
 */
export function unreliable(options?: ChannelOptions): ByteChannel<'unreliable'>;
export function unreliable<T>(codec: Codec<T>, options?: ChannelOptions): Channel<T, T, 'unreliable'>;
export function unreliable(first?: AnyCodec | ChannelOptions, second?: ChannelOptions): AnyOf<'unreliable'> {
  return declare('unreliable', first, second);
}

/**
 * Each message is sent once. It may be lost; one that is older than the newest that arrived is dropped, so messages never
 * go back in time and none arrives twice. For snapshots, positions, aim.
 */
export function unreliableSequenced(options?: ChannelOptions): ByteChannel<'unreliableSequenced'>;
export function unreliableSequenced<T>(codec: Codec<T>, options?: ChannelOptions): Channel<T, T, 'unreliableSequenced'>;
export function unreliableSequenced(
  first?: AnyCodec | ChannelOptions,
  second?: ChannelOptions,
): AnyOf<'unreliableSequenced'> {
  return declare('unreliableSequenced', first, second);
}

/**
 * Each message arrives exactly once, in the order in which they were sent: nothing is lost, doubled or reordered. A lost
 * one holds up those behind it until it has come again. For chat, events, whatever tells a story.
 */
export function reliableOrdered(options?: ChannelOptions): ByteChannel<'reliableOrdered'>;
export function reliableOrdered<T>(codec: Codec<T>, options?: ChannelOptions): Channel<T, T, 'reliableOrdered'>;
export function reliableOrdered(first?: AnyCodec | ChannelOptions, second?: ChannelOptions): AnyOf<'reliableOrdered'> {
  return declare('reliableOrdered', first, second);
}

/**
 * Each message arrives exactly once, in any order, as soon as it is there: nothing is lost or doubled, and a lost one holds
 * up nobody else. For things that do not depend on each other: hits, items picked up.
 */
export function reliableUnordered(options?: ChannelOptions): ByteChannel<'reliableUnordered'>;
export function reliableUnordered<T>(codec: Codec<T>, options?: ChannelOptions): Channel<T, T, 'reliableUnordered'>;
export function reliableUnordered(
  first?: AnyCodec | ChannelOptions,
  second?: ChannelOptions,
): AnyOf<'reliableUnordered'> {
  return declare('reliableUnordered', first, second);
}

/**
 * The newest message arrives for certain; older ones may be dropped, on either side. What arrives is in order and comes
 * once. For one value of which only the latest counts: the score, the phase of the match.
 */
export function reliableSequenced(options?: ChannelOptions): ByteChannel<'reliableSequenced'>;
export function reliableSequenced<T>(codec: Codec<T>, options?: ChannelOptions): Channel<T, T, 'reliableSequenced'>;
export function reliableSequenced(
  first?: AnyCodec | ChannelOptions,
  second?: ChannelOptions,
): AnyOf<'reliableSequenced'> {
  return declare('reliableSequenced', first, second);
}

/**
 * Reliable sequenced for each key on its own: the newest value of each key arrives for certain, values that a newer one has
 * replaced may be dropped, none arrives twice or goes back. Nothing holds between keys. For things that change and stay: doors,
 * inventories, names. `send(channel, value, { key })`.
 */
export function latestState(options?: LatestStateOptions): ByteChannel<'latestState'>;
export function latestState<T>(codec: Codec<T>, options?: LatestStateOptions): Channel<T, T, 'latestState'>;
export function latestState(first?: AnyCodec | LatestStateOptions, second?: LatestStateOptions): AnyOf<'latestState'> {
  return declare('latestState', first, second);
}

/**
 * One message a tick. The last few ride again in every packet until acknowledged, so a lost packet loses none. Each tick
 * arrives at most once, in rising order; one that was in none of the packets that came is left out, not waited for. For a
 * player's input. `send(channel, input, { tick })`, or without: the tick after the last one sent.
 */
export function tickInput(options?: TickInputOptions): ByteChannel<'tickInput'>;
export function tickInput<T>(codec: Codec<T>, options?: TickInputOptions): Channel<T, T, 'tickInput'>;
export function tickInput(first?: AnyCodec | TickInputOptions, second?: TickInputOptions): AnyOf<'tickInput'> {
  return declare('tickInput', first, second);
}

/** What the implementations above see: the overloads have the types. */
type AnyCodec = Codec<unknown>;
// biome-ignore lint/suspicious/noExplicitAny: the overloads have the types; any fits them all
type AnyOf<K extends Kind> = Channel<any, any, K>;

function declare<K extends Kind>(
  kind: K,
  first: AnyCodec | ChannelOptions | undefined,
  second: ChannelOptions | undefined,
): AnyOf<K> {
  const codec = first !== undefined && 'encode' in first ? first : null;
  return { kind, codec, options: second ?? (codec === null ? (first as ChannelOptions) : undefined) ?? {} };
}

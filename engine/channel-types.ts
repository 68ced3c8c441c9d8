/** What follows from a declaration of channels: names, types of messages, options of `send`, arguments of listeners. */

import type { Channel, Kind } from './channels.ts';
import type { RequestChannel } from './request-channel.ts';

// biome-ignore lint/suspicious/noExplicitAny: any channel, whatever its types; `unknown` would refuse typed ones
type AnyChannel = Channel<any, any, Kind>;
// biome-ignore lint/suspicious/noExplicitAny: as above
type AnyRequests = RequestChannel<any, any>;

/** The channels of a server or client, by name. */
export type Channels = Readonly<Record<string, AnyChannel | AnyRequests>>;

/** Names of the channels that carry messages: what `send` takes. */
export type MessageName<C extends Channels> = {
  [K in keyof C & string]: C[K] extends AnyChannel ? K : never;
}[keyof C & string];

/** Names of the channels of requests: what `request` and `respond` take. */
export type RequestName<C extends Channels> = {
  [K in keyof C & string]: C[K] extends AnyRequests ? K : never;
}[keyof C & string];

/** What `send` takes on a channel. */
// biome-ignore lint/suspicious/noExplicitAny: only the other type matters here
export type Outgoing<C> = C extends Channel<infer Out, any, Kind> ? Out : never;
/** What a listener of `message` gets on a channel. */
// biome-ignore lint/suspicious/noExplicitAny: only the other type matters here
export type Incoming<C> = C extends Channel<any, infer In, Kind> ? In : never;
/** What `request` takes, and what it resolves with. */
// biome-ignore lint/suspicious/noExplicitAny: only the other type matters here
export type Question<C> = C extends RequestChannel<infer Q, any> ? Q : never;
// biome-ignore lint/suspicious/noExplicitAny: only the other type matters here
export type Answer<C> = C extends RequestChannel<any, infer A> ? A : never;

/** The last argument of a listener of `message`: the tick of tick input, the key of latest state. */
export type TagOf<C> = C extends { readonly kind: infer K }
  ? K extends 'tickInput' | 'latestState'
    ? number
    : undefined
  : never;

/** What may be said about one message. The object is only read: keep one and use it again where it matters. */
export interface SendOptions {
  /** A number of your choice, 1 .. 2^31 - 1, that comes back in `receipt` when the fate of the message is known. */
  readonly receipt?: number;
  /** After so long it is not sent (again): it may or may not arrive then. Default: no limit. */
  readonly ttlMicros?: number;
}

export interface LatestStateSendOptions extends SendOptions {
  /** Which value it is, 0 .. keysMax - 1. Default 0. */
  readonly key?: number;
}

export interface TickInputSendOptions extends SendOptions {
  /** The tick that the input is for, above that of the last one, at most 2^32 - 1. Default: the last one's + 1; at first 0. */
  readonly tick?: number;
}

/** The options of `send` on a channel. */
export type SendOptionsOf<C> = C extends { readonly kind: infer K }
  ? K extends 'latestState'
    ? LatestStateSendOptions
    : K extends 'tickInput'
      ? TickInputSendOptions
      : SendOptions
  : never;

/** The options of `broadcast`: one receipt could not tell peers apart, and each has a last tick of its own. */
export type BroadcastOptionsOf<C> = Omit<SendOptionsOf<C>, 'receipt' | 'tick'>;

/** What became of a message with a receipt. */
export type Fate =
  /** It has arrived. */
  | 'delivered'
  /** It is not sent again, and not known to have arrived. */
  | 'lost'
  /** Its time to live ran out. */
  | 'expired'
  /** A newer one took its place before it was known to have arrived. */
  | 'replaced';

/** Fates by number in the transport (`outgoing-events.ts`). */
export const FATES: readonly Fate[] = ['lost', 'delivered', 'lost', 'expired', 'replaced'];

/** What `send` answers: `backlog-full` means that it was not queued, and that `writable` follows when there is room again. */
export type SendResult = 'queued' | 'backlog-full' | 'not-connected';

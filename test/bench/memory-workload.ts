/** What the processes of the `memory` bench agree on. */

import {
  type Channels,
  latestState,
  reliableOrdered,
  reliableSequenced,
  reliableUnordered,
  tickInput,
  unreliable,
  unreliableSequenced,
} from '../../engine/index.ts';

/** The key of this bench, on loopback, for seconds. */
export const PRIVATE_KEY: Uint8Array = new Uint8Array(32).fill(7);
/** Longer than the slowest machine takes to connect all clients. */
export const TOKEN_LIFETIME_SECONDS = 120;

const FEW: Channels = {
  input: tickInput(),
  world: unreliable(),
  chat: reliableOrdered(),
  score: latestState(),
};

/** A game's four channels, or eight with every kind among them. */
export function channelsOf(count: number): Channels {
  if (count === 4) return FEW;
  return {
    ...FEW,
    aim: unreliableSequenced(),
    trade: reliableUnordered(),
    phase: reliableSequenced(),
    map: reliableOrdered({ bulk: true }),
  };
}

/** What a server says of its memory when all its clients have come to rest. All in bytes. */
export interface MemoryFigures {
  /** Objects of V8's heap. */
  readonly heap: number;
  /** Contents of typed arrays. */
  readonly arrays: number;
  readonly rss: number;
}

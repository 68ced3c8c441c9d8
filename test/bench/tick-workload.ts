/** What the processes of the `tick` bench agree on. */

import type { Aead } from '../../sys/api.ts';
import type { Sys } from '../../sys/index.ts';
import { PlainAead } from './plain-aead.ts';

/** `floor`: floor.c, no protocol. `plain`: our server without encryption of packets. `encrypted`: our server. */
export type TickKind = 'floor' | 'plain' | 'encrypted';

export const TICK_RATE_HZ = 60;
export const INPUT_BYTES = 40;
export const SNAPSHOT_BYTES = 400;
/** Channel names; the load writes its messages without a `Client`. */
export const INPUT_CHANNEL = 'input';
export const SNAPSHOT_CHANNEL = 'snapshot';

/** The key of this bench, on loopback, for seconds. */
export const PRIVATE_KEY: Uint8Array = new Uint8Array(32).fill(7);
/** How long tokens live: the longest that the server allows (`tokenLifetimeMaxSeconds`). */
export const TOKEN_LIFETIME_SECONDS = 120;

/** What the server found out in its window. floor.c prints the same. */
export interface TickFigures {
  readonly cpuMicros: number;
  /** CPU time of the whole machine; floor.c does not say. */
  readonly machineMicros?: number;
  readonly ticks: number;
  readonly inputs: number;
  readonly snapshots: number;
  /** Snapshots that the kernel did not take. */
  readonly unsent: number;
  readonly latenessP99Micros: number;
}

/** What the load says once a second. */
export interface LoadFigures {
  readonly connected: number;
  readonly snapshots: number;
  /** Share of its core that it used. */
  readonly busy: number;
}

/** The AEAD that both ends of a kind use. */
export function aeadFor(kind: TickKind, sys: Sys, slots: number, slotBytes: number): Aead {
  if (kind === 'encrypted') return sys.openAead(slots, slotBytes);
  return new PlainAead(slots, slotBytes, sys.openAead(1, 64));
}

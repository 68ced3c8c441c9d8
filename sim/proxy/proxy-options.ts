/** What a proxy stands on, is told and counts, and the limits of what it can be told. */

import type { Clock, Micros, Sys } from '../../sys/api.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { DatagramObserver } from '../world/observer.ts';
import type { ProxyScenario } from './proxy-scene.ts';

export interface ProxyOptions {
  /** Decides every chance, as in a world: client n meets the fates of host `client-n`. */
  readonly seed: string | number;
  /** Canonical address that clients send to; port 0: the kernel chooses. */
  readonly listen: Uint8Array;
  /** Canonical address of the server. */
  readonly to: Uint8Array;
  /** What each client's way to the server does to datagrams. */
  readonly link: DirectionOptions;
  /** What the way back does. Default: the same. */
  readonly down?: DirectionOptions;
  /** More than one link for all: lines that are shared, links of some clients, and a timeline. */
  readonly scenario?: ProxyScenario;
  /** Clients at once; what comes from others is dropped and counted. Default 256. */
  readonly clientsMax?: number;
  /** A client that neither sends nor is sent anything for so long is forgotten. Default 60 s. */
  readonly idleMicros?: Micros;
  /** All clients are seen from a new port so often, as behind a NAT that forgets. Default: never. */
  readonly rebindEveryMicros?: Micros;
  /** Longer datagrams are dropped and counted. Default 2,048. */
  readonly datagramBytesMax?: number;
  /** Datagrams under way at once; what comes beyond is dropped and counted. Default 131,072. */
  readonly heldMax?: number;
  /**
   * Told of every datagram (a capture), with its addresses as it came. Times are microseconds since the proxy began: when the
   * kernel had it, where that is known, and when it should go out, not when the kernel takes it. Those that no link takes in
   * (`refused`, `crowded`, `stray`) are on a direction `outside>proxy` of their own.
   */
  readonly observe?: DatagramObserver;
  /** Something that the operator should see. Default: nobody does. */
  readonly warn?: (text: string) => void;
}

/** Counters of the proxy itself. */
export interface ProxyCounters {
  /** Datagrams of clients beyond the most that may be, or for whom no socket could be opened. */
  refused: number;
  /** Datagrams that came while as many as may be were under way. */
  crowded: number;
  /** Datagrams to a client's socket that did not come from the server. */
  strangers: number;
  /** Mappings that were replaced. */
  rebinds: number;
}

/** What a proxy stands on. A test gives a clock of its own. */
export interface ProxyMachine {
  readonly sys: Sys;
  /** Default: that of `sys`. With another one the kernel's stamps, which are on that of `sys`, are not asked for. */
  readonly clock?: Clock;
}

/** A player behind a NAT is forgotten by most of them after 30 to 300 s; games send something each second. */
export const IDLE_MICROS = 60_000_000;
export const CLIENTS_DEFAULT = 256;
/** Each has a descriptor and 150 KB of address space below 2 GiB for its transmit batch. */
export const CLIENTS_MAX = 4_096;
export const DATAGRAM_BYTES_DEFAULT = 2_048;
/** Two seconds at 60,000 a second, an eighth of what the pool holds: copies find room too. */
export const HELD_MAX: number = 1 << 17;

/** Observers of datagrams: who wants to see each of them and what becomes of it, as captures do. */

import { ADDRESS_BYTES, type Micros } from '../../sys/api.ts';
import type { LinkDirection } from '../link/link.ts';
import { NONE } from './datagram-pool.ts';
import {
  EVENT_CORRUPTED,
  EVENT_CUT,
  EVENT_DELIVERED,
  EVENT_DROPPED,
  EVENT_DUPLICATED,
  EVENT_ENTERED,
  EVENT_LOST,
  EVENT_POLICED,
  EVENT_QUEUE_DROP,
  EVENT_TOO_LARGE,
} from './digest.ts';
import type { Transit } from './transit.ts';

/** What happened to a datagram. */
export type DatagramEvent =
  /** Came in from a socket, before its link. */
  | 'received'
  /** Goes out to a socket, with the bytes that it has after its link. */
  | 'delivered'
  | 'lost'
  | 'queue-drop'
  | 'too-large'
  | 'policed'
  /** Came while its link was cut. */
  | 'cut'
  /** Goes on with other bytes: those that are shown. */
  | 'corrupted'
  /** A copy of it will be delivered too. */
  | 'duplicated'
  /** Reached its end and nobody took it: no socket there, a mapping that its NAT has forgotten, or a full buffer. */
  | 'unheard'
  /** By a proxy, before any link: of a client beyond the most that may be. */
  | 'refused'
  /** By a proxy, before any link: as many as may be were under way. */
  | 'crowded'
  /** By a proxy, before any link: it came to the port of a client, and not from the server. */
  | 'stray';

/**
 * Told of every datagram. `time` is world time. `index` counts the datagrams of `direction`. `bytes` and `addresses` (24
 * canonical bytes of the source, then of the destination, as the link carries them) are valid within the call.
 */
export type DatagramObserver = (
  time: Micros,
  direction: LinkDirection,
  kind: DatagramEvent,
  index: number,
  bytes: Uint8Array,
  addresses: Uint8Array,
) => void;

/** The event of each EVENT_* number that observers are told of. */
const EVENT_NAMES: readonly (DatagramEvent | undefined)[] = eventNames();

function eventNames(): (DatagramEvent | undefined)[] {
  const names: (DatagramEvent | undefined)[] = [];
  names[EVENT_ENTERED] = 'received';
  names[EVENT_DELIVERED] = 'delivered';
  names[EVENT_LOST] = 'lost';
  names[EVENT_QUEUE_DROP] = 'queue-drop';
  names[EVENT_TOO_LARGE] = 'too-large';
  names[EVENT_POLICED] = 'policed';
  names[EVENT_CUT] = 'cut';
  names[EVENT_CORRUPTED] = 'corrupted';
  names[EVENT_DUPLICATED] = 'duplicated';
  names[EVENT_DROPPED] = 'unheard';
  return names;
}

/** What `Transit.observer` calls, to tell `observe`. Cross traffic is left out: it has no bytes. */
export function observerOf(transit: Transit, observe: DatagramObserver): (kind: number, id: number) => void {
  const { pool, timeline, directions } = transit;
  return (kind, id) => {
    const name = EVENT_NAMES[kind];
    if (name === undefined || pool.source[id] !== NONE) return;
    const arena = pool.arenaOf(id);
    const bytes = new Uint8Array(arena.buffer, arena.byteOffset + pool.offsetOf(id), pool.lengthBytes[id]!);
    const addresses = pool.addresses.subarray(id * 2 * ADDRESS_BYTES, (id + 1) * 2 * ADDRESS_BYTES);
    observe(timeline.now, directions[pool.direction[id]!]!, name, pool.index[id]!, bytes, addresses);
  };
}

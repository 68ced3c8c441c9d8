/** The events of a run as lines for a person to read. */

import type { LinkDirection } from '../link/link.ts';
import {
  EVENT_CORRUPTED,
  EVENT_DELIVERED,
  EVENT_DROPPED,
  EVENT_DUPLICATED,
  EVENT_LOST,
  EVENT_MAPPED,
  EVENT_POLICED,
  EVENT_QUEUE_DROP,
  EVENT_REBOUND,
  EVENT_REPLAYED,
  EVENT_SENT,
  EVENT_TOO_LARGE,
  type EventWatch,
} from './digest.ts';
import type { SimHost } from './host.ts';

/** Events of a packet, in words. */
const PACKET_WORDS: { readonly [kind: number]: string } = {
  [EVENT_SENT]: 'sent',
  [EVENT_LOST]: 'lost',
  [EVENT_DELIVERED]: 'delivered',
  [EVENT_DROPPED]: 'arrived, nobody takes it',
  [EVENT_QUEUE_DROP]: 'dropped by the queue',
  [EVENT_DUPLICATED]: 'duplicated',
  [EVENT_TOO_LARGE]: 'too large',
  [EVENT_POLICED]: 'policed',
  [EVENT_CORRUPTED]: 'corrupted',
  [EVENT_REPLAYED]: 'replayed by a stranger',
};

/** What events happen to. */
interface Places {
  readonly transit: { readonly directions: readonly LinkDirection[] };
  readonly hosts: readonly SimHost[];
}

/** Prints a line for each event of packets and NATs; turns and timers of hosts are left out. */
export function tracer(places: Places, print: (line: string) => void): EventWatch {
  return (time, kind, where, index, length) => {
    const millis = (time / 1_000).toFixed(3).padStart(11);
    const word = PACKET_WORDS[kind];
    if (word !== undefined) {
      print(`${millis} ms  ${places.transit.directions[where]!.name} #${index}  ${word}  ${length} bytes`);
    } else if (kind === EVENT_REBOUND) {
      print(`${millis} ms  ${places.hosts[where]!.name} is seen elsewhere from now on`);
    } else if (kind === EVENT_MAPPED) {
      print(`${millis} ms  ${places.hosts[where]!.name} port ${index} is seen as port ${length}`);
    }
  };
}

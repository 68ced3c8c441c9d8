/** The events of a run as lines for a person to read. */

import { FAULT_CUT, FAULT_HOLD, FAULT_MEND, FAULT_RELEASE, type LinkDirection } from '../link/link.ts';
import {
  EVENT_CORRUPTED,
  EVENT_CUT,
  EVENT_DELIVERED,
  EVENT_DROPPED,
  EVENT_DUPLICATED,
  EVENT_HOST_FAULT,
  EVENT_LINK_FAULT,
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
import {
  FAULT_BUFFER,
  FAULT_CPU,
  FAULT_CRASH,
  FAULT_DRIFT,
  FAULT_LEAP,
  FAULT_NAT_TIMEOUT,
  FAULT_PAUSE,
  FAULT_RECEIVE,
  FAULT_RESTART,
  FAULT_SEND,
  FAULT_STEP,
} from './host-faults.ts';

/** Events of a packet, in words. */
const PACKET_WORDS: { readonly [kind: number]: string } = {
  [EVENT_SENT]: 'sent',
  [EVENT_LOST]: 'lost',
  [EVENT_DELIVERED]: 'delivered',
  [EVENT_DROPPED]: 'arrived, nobody takes it',
  [EVENT_QUEUE_DROP]: 'dropped by the queue',
  [EVENT_DUPLICATED]: 'duplicated',
  [EVENT_CUT]: 'came to a cut link',
  [EVENT_TOO_LARGE]: 'too large',
  [EVENT_POLICED]: 'policed',
  [EVENT_CORRUPTED]: 'corrupted',
  [EVENT_REPLAYED]: 'replayed by a stranger',
};

/** What is done to a direction by hand, in words. */
const LINK_WORDS: { readonly [fault: number]: string } = {
  [FAULT_CUT]: 'is cut from now on',
  [FAULT_MEND]: 'is mended',
  [FAULT_HOLD]: 'holds what would arrive',
  [FAULT_RELEASE]: 'lets go of what it held',
};

/** The same of a host. */
const HOST_WORDS: { readonly [fault: number]: string } = {
  [FAULT_PAUSE]: 'pauses',
  [FAULT_CRASH]: 'crashes',
  [FAULT_RESTART]: 'starts again',
  [FAULT_DRIFT]: 'has clocks that drift otherwise',
  [FAULT_STEP]: 'has its calendar set',
  [FAULT_LEAP]: 'has its clocks leap',
  [FAULT_CPU]: 'has another CPU',
  [FAULT_SEND]: 'fails to send',
  [FAULT_RECEIVE]: 'fails to receive',
  [FAULT_BUFFER]: 'has other receive buffers',
  [FAULT_NAT_TIMEOUT]: 'has a NAT that forgets otherwise',
};

/** What events happen to. */
interface Places {
  readonly transit: { readonly directions: readonly LinkDirection[] };
  readonly hosts: readonly SimHost[];
}

/** Prints a line for each event of packets, NATs and faults; turns and timers of hosts are left out. */
export function tracer(places: Places, print: (line: string) => void): EventWatch {
  return (time, kind, where, index, length) => {
    const millis = (time / 1_000).toFixed(3).padStart(11);
    const word = PACKET_WORDS[kind];
    if (word !== undefined) {
      print(`${millis} ms  ${places.transit.directions[where]!.name} #${index}  ${word}  ${length} bytes`);
    } else if (kind === EVENT_LINK_FAULT) {
      print(`${millis} ms  ${places.transit.directions[where]!.name} ${LINK_WORDS[index]}`);
    } else if (kind === EVENT_HOST_FAULT) {
      print(`${millis} ms  ${places.hosts[where]!.name} ${HOST_WORDS[index]}`);
    } else if (kind === EVENT_REBOUND) {
      print(`${millis} ms  ${places.hosts[where]!.name} is seen elsewhere from now on`);
    } else if (kind === EVENT_MAPPED) {
      print(`${millis} ms  ${places.hosts[where]!.name} port ${index} is seen as port ${length}`);
    }
  };
}

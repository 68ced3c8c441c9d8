/**
 * Sights: what a campaign of the swarm must have met at least once, or its promises were never put to the test.
 *
 * They are read from counters that are there anyway. A sight that thousands of seeds never see is a hole in the swarm's
 * workload, not good news.
 */

import type { Drops } from '../../engine/drops.ts';
import type { ConnectionStats } from '../../transport/connection-stats.ts';
import type { Fault } from '../link/fault.ts';
import type { SimHost } from '../world/host.ts';
import type { NetworkStats } from '../world/transit.ts';

/** More than one packet carries (a fragment has 1,024 bytes), and many. */
const FRAGMENTED_BYTES = 1_100;
const MANY_FRAGMENTS_BYTES = 10_000;
/** netcode's own replay window. */
const WINDOW_PACKETS = 256;

export const SIGHTS = [
  'three packets lost in a row',
  'a loss that was none',
  'a message sent again',
  'a copy sent along unasked',
  'an ack on its own',
  'more packets than a replay window',
  'a full backlog',
  'a message expired',
  'a message replaced by a newer one',
  'a message lost',
  'a fragmented message arrived',
  'a message of ten fragments arrived',
  'a message overtaken by a later one',
  'a duplicate message dropped',
  'a message older than the newest dropped',
  'an unreliable message with a piece missing',
  'a packet received twice dropped',
  'a queue full',
  'a datagram nobody heard',
  'an address changed with bytes in flight',
  'a player found at a new address',
  'messages waiting when the network heals',
  'a connection closed with its network at its worst behind it',
  'a connection drained',
  'a forged packet dropped',
  'a handshake packet repeated',
  'a request for a new path from elsewhere',
  'a request with a spent token',
  'a malformed payload dropped',
  'a rogue cut off',
  'packets that came to a cut way',
  'packets held and let go at once',
  'a host paused with something due',
  'a send that the kernel refused',
  'a receive that met an error',
  'a NAT that forgot a silent port',
  'a receive buffer too small',
  'clocks that drift',
  'clocks that leap',
  'a calendar set anew',
] as const;

export type Sight = (typeof SIGHTS)[number];

/** Those of faults in time of which something came. A NAT may forget nothing, a socket may not be read: hosts are asked. */
const OF_FAULTS: { readonly [kind in Fault['kind']]?: Sight } = {
  cut: 'packets that came to a cut way',
  hold: 'packets held and let go at once',
  pause: 'a host paused with something due',
  failSends: 'a send that the kernel refused',
  receiveBuffer: 'a receive buffer too small',
  drift: 'clocks that drift',
  leap: 'clocks that leap',
  stepCalendar: 'a calendar set anew',
};

/** What one run met. */
export class Sights {
  readonly #seen: Set<Sight> = new Set();

  /** Those met, in the order of SIGHTS. */
  get seen(): readonly Sight[] {
    return SIGHTS.filter((sight) => this.#seen.has(sight));
  }

  see(sight: Sight, isThere = true): void {
    if (isThere) this.#seen.add(sight);
  }

  /** One end of a connection while it lives. */
  end(stats: ConnectionStats): void {
    this.see('three packets lost in a row', stats.burstLongestPackets >= 3);
    this.see('a loss that was none', stats.spuriousLosses > 0);
    this.see('a message sent again', stats.retransmits > 0);
    this.see('a copy sent along unasked', stats.redundancyBytes > 0);
    this.see('an ack on its own', stats.ackOnlyPackets > 0);
    this.see('more packets than a replay window', stats.packetsReceived > WINDOW_PACKETS);
  }

  /** A message arrived; `overtaken`: after one that was sent later. */
  arrived(bytes: number, overtaken: boolean): void {
    this.see('a fragmented message arrived', bytes > FRAGMENTED_BYTES);
    this.see('a message of ten fragments arrived', bytes > MANY_FRAGMENTS_BYTES);
    this.see('a message overtaken by a later one', overtaken);
  }

  receipt(fate: string): void {
    this.see('a message expired', fate === 'expired');
    this.see('a message replaced by a newer one', fate === 'replaced');
    this.see('a message lost', fate === 'lost');
  }

  drops(drops: Drops): void {
    const some = (...names: readonly string[]): boolean => names.some((name) => (drops[name] ?? 0) > 0);
    this.see('a duplicate message dropped', some('duplicates'));
    this.see('a message older than the newest dropped', some('stale'));
    this.see('an unreliable message with a piece missing', some('unreliableDropped'));
    this.see('a packet received twice dropped', some('replayed'));
    this.see('a forged packet dropped', some('forged', 'tooShort', 'requestForged'));
    this.see('a handshake packet repeated', some('requestRepeated', 'responseRepeated', 'requestConnected'));
    this.see('a request for a new path from elsewhere', some('pathLate', 'pathRepeated', 'pathResponse'));
    this.see('a malformed payload dropped', some('malformedPayloads'));
    this.see('a request with a spent token', some('requestTokenSpent', 'requestTokenElsewhere'));
  }

  /** A fault befell the run and something came of it. */
  befell(kind: Fault['kind']): void {
    const sight = OF_FAULTS[kind];
    if (sight !== undefined) this.see(sight);
  }

  /** A host in the end. */
  host({ nat, faultStats }: SimHost): void {
    this.see('a NAT that forgot a silent port', nat !== null && nat.forgotten > 0);
    this.see('a receive that met an error', faultStats.receiveErrors > 0);
  }

  network(stats: NetworkStats): void {
    this.see('a queue full', stats.queueDropped > 0);
    this.see('a datagram nobody heard', stats.unheard > 0);
  }
}

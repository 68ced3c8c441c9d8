/** What a filter says, as a tree: the parser makes it, `ethernet-tests.ts` and `udp-socket-tests.ts` make tests of it. */

import type { Place } from './filter-error.ts';

/** Which of two addresses or ports is asked for. */
export type Direction = 'source' | 'destination' | 'either' | 'both';

export type ProtocolName = 'ip' | 'ip6' | 'arp' | 'rarp' | 'tcp' | 'udp' | 'sctp' | 'icmp' | 'icmp6' | 'igmp';

/** Bytes of an address, and which of their bits count. */
export interface AddressPattern {
  /** Four, or sixteen. */
  readonly bytes: Uint8Array;
  readonly mask: Uint8Array;
}

/** One question that is put to a packet. */
export type Question =
  | { readonly kind: 'protocol'; readonly name: ProtocolName }
  /** EtherType, protocol of IPv4, next header of IPv6, or either of the last two. */
  | { readonly kind: 'number'; readonly of: 'ether' | 'ip' | 'ip6' | 'any'; readonly number: number }
  | {
      readonly kind: 'address';
      /** Where it is looked for; `any` is the IP version of the address, and ARP. */
      readonly of: 'any' | 'ip' | 'ip6' | 'arp' | 'rarp';
      readonly direction: Direction;
      readonly address: AddressPattern;
    }
  | { readonly kind: 'mac'; readonly direction: Direction; readonly mac: Uint8Array }
  | {
      readonly kind: 'ports';
      readonly of: 'any' | 'tcp' | 'udp' | 'sctp';
      readonly direction: Direction;
      readonly first: number;
      readonly last: number;
    }
  | { readonly kind: 'vlan'; readonly id: number | null }
  | { readonly kind: 'group'; readonly of: 'ether' | 'ip' | 'ip6'; readonly cast: 'broadcast' | 'multicast' }
  /** Length of the packet, from `first` to `last`. */
  | { readonly kind: 'length'; readonly first: number; readonly last: number };

/**
 * A question, or expressions joined.
 *
 * `vlans` is how many times `vlan` stands before the question: as in tcpdump, each moves what follows by one tag.
 */
export type Expression =
  | { readonly kind: 'question'; readonly question: Question; readonly vlans: number; readonly place: Place }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly of: Expression };

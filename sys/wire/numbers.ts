/** Numbers that headers name each other by, from IANA's registries. */

// EtherType (IEEE 802): what an Ethernet frame carries.
export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;
/** A tag of 802.1Q. */
export const ETHERTYPE_VLAN = 0x8100;
/** An outer tag of stacked ones, 802.1ad. */
export const ETHERTYPE_VLAN_OUTER = 0x88a8;
/** An outer tag as switches wrote it before 802.1ad; tcpdump and Linux's tools know it too. */
export const ETHERTYPE_VLAN_OLD = 0x9100;
/** Types below this are lengths of IEEE 802.3. */
export const ETHERTYPE_MIN = 0x0600;

// Protocol (IPv4) and next header (IPv6): what a packet carries.
export const PROTOCOL_HOP_BY_HOP = 0;
export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IGMP = 2;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ROUTING = 43;
export const PROTOCOL_FRAGMENT = 44;
export const PROTOCOL_ESP = 50;
export const PROTOCOL_AH = 51;
export const PROTOCOL_ICMPV6 = 58;
export const PROTOCOL_NONE = 59;
export const PROTOCOL_DESTINATION_OPTIONS = 60;
export const PROTOCOL_SCTP = 132;
export const PROTOCOL_MOBILITY = 135;

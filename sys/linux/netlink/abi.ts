/**
 * What the kernel's headers say of rtnetlink(7): layouts and constants, for 64-bit little-endian Linux.
 *
 * Proved against the C compiler's own `offsetof` and `sizeof` in `test/sys/linux/netlink/abi.test.ts`.
 */

import { type Struct, struct } from '../../ffi/struct.ts';

const NLMSGHDR = { bytes: 'u32', type: 'u16', flags: 'u16', sequence: 'u32', port: 'u32' } as const;
/** `struct nlmsghdr` (netlink(7)). */
export const Nlmsghdr: Struct<typeof NLMSGHDR> = struct(NLMSGHDR);

const RTATTR = { bytes: 'u16', type: 'u16' } as const;
/** `struct rtattr` (rtnetlink(7)); its payload follows, the next one starts at a multiple of 4. */
export const Rtattr: Struct<typeof RTATTR> = struct(RTATTR);

const RTMSG = {
  family: 'u8',
  destinationBits: 'u8',
  sourceBits: 'u8',
  tos: 'u8',
  table: 'u8',
  protocol: 'u8',
  scope: 'u8',
  type: 'u8',
  flags: 'u32',
} as const;
/** `struct rtmsg` (rtnetlink(7)). */
export const Rtmsg: Struct<typeof RTMSG> = struct(RTMSG);

const NDMSG = {
  family: 'u8',
  pad1: 'u8',
  pad2: 'u16',
  interface: 'i32',
  state: 'u16',
  flags: 'u8',
  type: 'u8',
} as const;
/** `struct ndmsg` (rtnetlink(7)). */
export const Ndmsg: Struct<typeof NDMSG> = struct(NDMSG);

const IFINFOMSG = { family: 'u8', pad: 'u8', type: 'u16', index: 'i32', flags: 'u32', change: 'u32' } as const;
/** `struct ifinfomsg` (rtnetlink(7)). */
export const Ifinfomsg: Struct<typeof IFINFOMSG> = struct(IFINFOMSG);

const SOCKADDR_NL = { family: 'u16', pad: 'u16', port: 'u32', groups: 'u32' } as const;
/** `struct sockaddr_nl` (netlink(7)). */
export const SockaddrNl: Struct<typeof SOCKADDR_NL> = struct(SOCKADDR_NL);

// netlink(7)
export const AF_NETLINK = 16;
export const SOCK_RAW_NONBLOCK_CLOEXEC = 0x80803;
export const NETLINK_ROUTE = 0;
export const SOL_NETLINK = 270;
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NLM_F_REQUEST = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** The upper bits of an attribute's type say how it is packed. */
export const NLA_TYPE_MASK = 0x3fff;

// rtnetlink(7): kinds of messages. Families of four: new, del, get, set.
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_NEWNEXTHOP = 104;
export const RTM_DELNEXTHOP = 105;

// Groups of changes (RTNLGRP_*), by number as NETLINK_ADD_MEMBERSHIP wants them.
export const RTNLGRP_LINK = 1;
export const RTNLGRP_NEIGH = 3;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;
export const RTNLGRP_NEXTHOP = 32;

// Attributes of routes, neighbours and links.
export const RTA_DST = 1;
export const RTA_SRC = 2;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PREFSRC = 7;
export const RTA_VIA = 18;
export const RTA_ENCAP_TYPE = 21;
export const RTA_ENCAP = 22;
export const RTA_IP_PROTO = 27;
export const NDA_DST = 1;
export const NDA_LLADDR = 2;
export const IFLA_ADDRESS = 1;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_EXT_MASK = 29;
/** Leave the counters out of the answer: they are the most of it. */
export const RTEXT_FILTER_SKIP_STATS = 8;

/** A copy of a route for one destination: no change of the table. */
export const RTM_F_CLONED = 0x200;
export const RTN_UNICAST = 1;

export const NUD_REACHABLE = 0x02;
export const NUD_STALE = 0x04;
export const NUD_DELAY = 0x08;
export const NUD_PROBE = 0x10;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

// netdevice(7)
export const IFF_UP = 0x1;
export const IFF_LOOPBACK = 0x8;
/** The driver can send: carrier, and not dormant. */
export const IFF_RUNNING = 0x40;
export const IFF_LOWER_UP = 0x10000;
export const ARPHRD_ETHER = 1;

/**
 * What the kernel's headers say of receive rings (packet(7), linux/if_packet.h), for 64-bit little-endian Linux.
 *
 * Proved against the C compiler's own `offsetof` and `sizeof` in `test/sys/packet-ring/abi.test.ts`.
 */

import { type Struct, struct } from '../ffi/struct.ts';

export {
  AF_PACKET,
  PACKET_VNET_HDR,
  SOCK_RAW_NONBLOCK_CLOEXEC,
  SOL_PACKET,
  SockaddrLl,
  VIRTIO_NET_HDR_GSO_UDP_L4,
  VirtioNetHdr,
} from '../packet/abi.ts';

const TPACKET_REQ3 = {
  blockBytes: 'u32',
  blocks: 'u32',
  frameBytes: 'u32',
  frames: 'u32',
  retireMillis: 'u32',
  privateBytes: 'u32',
  features: 'u32',
} as const;
/** `struct tpacket_req3`: the ring that is asked for. */
export const TpacketReq3: Struct<typeof TPACKET_REQ3> = struct(TPACKET_REQ3);

const BLOCK_DESC = {
  version: 'u32',
  privateOffset: 'u32',
  status: 'u32',
  packets: 'u32',
  firstPacket: 'u32',
  bytes: 'u32',
  number: 'u64',
} as const;
/** `struct tpacket_block_desc`, with the first fields of its header: what a block begins with. */
export const BlockDesc: Struct<typeof BLOCK_DESC> = struct(BLOCK_DESC);

const TPACKET3_HDR = {
  next: 'u32',
  seconds: 'u32',
  nanoseconds: 'u32',
  keptBytes: 'u32',
  wireBytes: 'u32',
  status: 'u32',
  mac: 'u16',
  network: 'u16',
  hash: 'u32',
  vlanControl: 'u32',
  vlanType: 'u16',
  padding: 'u16',
  more: 'b8',
} as const;
/** `struct tpacket3_hdr`: what each packet begins with. A `sockaddr_ll` follows at `TPACKET3_ADDRESS`. */
export const Tpacket3Hdr: Struct<typeof TPACKET3_HDR> = struct(TPACKET3_HDR);
/** TPACKET_ALIGN(sizeof(struct tpacket3_hdr)). */
export const TPACKET3_ADDRESS = 48;

const TPACKET_STATS_V3 = { packets: 'u32', drops: 'u32', freezes: 'u32' } as const;
/** `struct tpacket_stats_v3`: since it was asked last. */
export const TpacketStatsV3: Struct<typeof TPACKET_STATS_V3> = struct(TPACKET_STATS_V3);

/** Every protocol, in network order as sockaddr_ll has it: htons(ETH_P_ALL). */
export const ETH_P_ALL_NETWORK = 0x0300;
export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_RX_RING = 5;
export const PACKET_STATISTICS = 6;
export const PACKET_VERSION = 10;
export const PACKET_RESERVE = 12;
/** Frames that leave are not handed over (Linux 4.20). */
export const PACKET_IGNORE_OUTGOING = 23;
export const PACKET_MR_PROMISC = 1;
export const TPACKET_V3 = 2;
export const TP_STATUS_KERNEL = 0;
export const TP_STATUS_USER = 1;
/** The kernel took a VLAN tag off the frame and noted it beside. */
export const TP_STATUS_VLAN_VALID = 0x10;
export const TP_STATUS_VLAN_TPID_VALID = 0x40;
/** sockaddr_ll.packetType of a frame that leaves. */
export const PACKET_OUTGOING = 4;
export const ARPHRD_ETHER = 1;
export const ARPHRD_LOOPBACK = 772;

// socket(7)
export const SO_ERROR = 4;

// mmap(2), as on every architecture that has prebuilt koffi
export const PROT_READ_WRITE = 3;
export const MAP_SHARED = 0x01;
export const MAP_PRIVATE_ANONYMOUS_FIXED = 0x32;
/** x86 only: the first 2 GiB, so that addresses are small integers. */
export const MAP_32BIT = 0x40;

/**
 * What the kernel's headers say of packet(7): layouts and constants, for 64-bit little-endian Linux.
 *
 * Proved against the C compiler's own `offsetof` and `sizeof` in `test/sys/packet/abi.test.ts`.
 */

import { type Struct, struct } from '../ffi/struct.ts';

const SOCKADDR_LL = {
  family: 'u16',
  protocol: 'u16', // in network order
  interface: 'i32',
  hardware: 'u16',
  packetType: 'u8',
  addressBytes: 'u8',
  address: 'b8',
} as const;
/** `struct sockaddr_ll` (packet(7)). */
export const SockaddrLl: Struct<typeof SOCKADDR_LL> = struct(SOCKADDR_LL);

const VIRTIO_NET_HDR = {
  flags: 'u8',
  gsoType: 'u8',
  headerBytes: 'u16',
  gsoBytes: 'u16',
  checksumStart: 'u16',
  checksumOffset: 'u16',
} as const;
/** `struct virtio_net_hdr` (linux/virtio_net.h): what the kernel is to do to a frame before it leaves (PACKET_VNET_HDR). */
export const VirtioNetHdr: Struct<typeof VIRTIO_NET_HDR> = struct(VIRTIO_NET_HDR);

const TPACKET_REQ = { blockBytes: 'u32', blocks: 'u32', frameBytes: 'u32', frames: 'u32' } as const;
/** `struct tpacket_req`: the ring that is asked for. */
export const TpacketReq: Struct<typeof TPACKET_REQ> = struct(TPACKET_REQ);

const TPACKET2_HDR = {
  status: 'u32',
  bytes: 'u32',
  keptBytes: 'u32',
  mac: 'u16',
  network: 'u16',
  more: 'b16',
} as const;
/** `struct tpacket2_hdr`: what each frame of a ring begins with. In a ring to send, the frame follows. */
export const Tpacket2Hdr: Struct<typeof TPACKET2_HDR> = struct(TPACKET2_HDR);

export const AF_PACKET = 17;
export const SOCK_RAW_NONBLOCK_CLOEXEC = 0x80803;
export const SOL_PACKET = 263;
export const PACKET_VERSION = 10;
export const TPACKET_V2 = 1;
export const PACKET_TX_RING = 13;
/** Of a frame to send: ours to write; the kernel's to send; the kernel's, which did not like it. */
export const TP_STATUS_AVAILABLE = 0;
export const TP_STATUS_SEND_REQUEST = 1;
export const TP_STATUS_WRONG_FORMAT = 4;
export const PACKET_VNET_HDR = 15;
export const PACKET_QDISC_BYPASS = 20;
/** The checksum field holds the sum of the pseudo-header; the rest is the kernel's, or the network card's. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
/** Cut into UDP datagrams of `gsoBytes` (Linux 6.2). */
export const VIRTIO_NET_HDR_GSO_UDP_L4 = 5;

// ip(7), ipv6(7), udp(7)
export const IP_TTL = 2;
export const IPV6_UNICAST_HOPS = 16;
/** ioctl: bytes that a socket has sent and that have not left yet. */
export const SIOCOUTQ = 0x5411;

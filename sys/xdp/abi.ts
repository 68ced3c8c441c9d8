/**
 * What linux/if_xdp.h, linux/bpf.h and net/if.h say: structs and constants of AF_XDP, of bpf(2) and of the ioctls that ask
 * about an interface, for 64-bit little-endian Linux. Proved against the C compiler in `test/sys/xdp/abi.test.ts`.
 */

import { type Struct, struct } from '../ffi/struct.ts';

const SOCKADDR_XDP = { family: 'u16', flags: 'u16', interface: 'u32', queue: 'u32', sharedFd: 'u32' } as const;
/** `struct sockaddr_xdp`. */
export const SockaddrXdp: Struct<typeof SOCKADDR_XDP> = struct(SOCKADDR_XDP);

const XDP_UMEM_REG = {
  address: 'ptr',
  bytes: 'u64',
  chunkBytes: 'u32',
  headroom: 'u32',
  flags: 'u32',
  metadataBytes: 'u32', // tx_metadata_len: padding before Linux 6.8
} as const;
/** `struct xdp_umem_reg`. */
export const XdpUmemReg: Struct<typeof XDP_UMEM_REG> = struct(XDP_UMEM_REG);

const XDP_RING_OFFSET = { producer: 'u64', consumer: 'u64', descriptors: 'u64', flags: 'u64' } as const;
/** `struct xdp_ring_offset`; `struct xdp_mmap_offsets` is four of them: rx, tx, fill, completion. */
export const XdpRingOffset: Struct<typeof XDP_RING_OFFSET> = struct(XDP_RING_OFFSET);

const XDP_STATISTICS_FIELDS = {
  rxDropped: 'u64',
  rxInvalid: 'u64',
  txInvalid: 'u64',
  rxRingFull: 'u64',
  fillRingEmpty: 'u64',
  txRingEmpty: 'u64',
} as const;
/** `struct xdp_statistics`. */
export const XdpStatistics: Struct<typeof XDP_STATISTICS_FIELDS> = struct(XDP_STATISTICS_FIELDS);

const IFREQ = { name: 'b16', value: 'u32', tail: 'u32', rest: 'b16' } as const;
/** `struct ifreq` (netdevice(7)): a name, and a union of 24 bytes of which we use an int, a pointer or a sockaddr. */
export const Ifreq: Struct<typeof IFREQ> = struct(IFREQ);

const ETHTOOL_CHANNELS = {
  command: 'u32',
  maxRx: 'u32',
  maxTx: 'u32',
  maxOther: 'u32',
  maxCombined: 'u32',
  rx: 'u32',
  tx: 'u32',
  other: 'u32',
  combined: 'u32',
} as const;
/** `struct ethtool_channels` (linux/ethtool.h). */
export const EthtoolChannels: Struct<typeof ETHTOOL_CHANNELS> = struct(ETHTOOL_CHANNELS);

// AF_XDP (linux/if_xdp.h)
export const AF_XDP = 44;
export const SOCK_RAW_CLOEXEC = 0x80003;
export const SOL_XDP = 283;
export const XDP_MMAP_OFFSETS = 1;
export const XDP_RX_RING = 2;
export const XDP_TX_RING = 3;
export const XDP_UMEM_REG_OPTION = 4;
export const XDP_UMEM_FILL_RING = 5;
export const XDP_UMEM_COMPLETION_RING = 6;
export const XDP_STATISTICS_OPTION = 7;
export const XDP_OPTIONS = 8;
/** Frames that one kick sends at most in copy mode (Linux 6.17; before, always 32). */
export const XDP_MAX_TX_SKB_BUDGET = 9;
export const XDP_OPTIONS_ZEROCOPY = 1;
export const XDP_SHARED_UMEM = 1;
export const XDP_COPY = 2;
export const XDP_ZEROCOPY = 4;
export const XDP_USE_NEED_WAKEUP = 8;
export const XDP_RING_NEED_WAKEUP = 1;
export const XDP_PGOFF_RX_RING = 0;
export const XDP_PGOFF_TX_RING = 0x8000_0000;
export const XDP_UMEM_PGOFF_FILL_RING = 0x1_0000_0000;
export const XDP_UMEM_PGOFF_COMPLETION_RING = 0x1_8000_0000;
/** `struct xdp_desc`: u64 address, u32 length, u32 options. */
export const XDP_DESC_BYTES = 16;
/** Flag of XDP_UMEM_REG: `metadataBytes` counts (Linux 6.11). */
export const XDP_UMEM_TX_METADATA_LEN = 4;
/** Option of a descriptor to send: a `struct xsk_tx_metadata` lies before the frame. */
export const XDP_TX_METADATA = 2;
/** Its size (`tx_metadata_len`), and where in it lie: flags, where the sum starts in the frame, where in that its field lies. */
export const XSK_TX_METADATA_BYTES = 16;
export const XSK_TX_METADATA_FLAGS_AT = 0;
export const XSK_TX_METADATA_START_AT = 8;
export const XSK_TX_METADATA_OFFSET_AT = 10;
/** The kernel, or the card, is to compute a checksum. */
export const XDP_TXMD_FLAGS_CHECKSUM = 2;
/** Bytes of a frame before what was received (XDP_PACKET_HEADROOM). */
export const XDP_PACKET_HEADROOM = 256;

// mmap(2)
export const PROT_READ_WRITE = 3;
export const MAP_SHARED_POPULATE = 0x8001;

// bpf(2) (linux/bpf.h)
export const BPF_MAP_CREATE = 0;
export const BPF_MAP_LOOKUP_ELEM = 1;
export const BPF_MAP_UPDATE_ELEM = 2;
export const BPF_MAP_DELETE_ELEM = 3;
export const BPF_PROG_LOAD = 5;
export const BPF_LINK_CREATE = 28;
export const BPF_MAP_TYPE_HASH = 1;
export const BPF_MAP_TYPE_ARRAY = 2;
export const BPF_MAP_TYPE_PERCPU_ARRAY = 6;
export const BPF_MAP_TYPE_LRU_HASH = 9;
export const BPF_MAP_TYPE_XSKMAP = 17;
export const BPF_PROG_TYPE_XDP = 6;
/** The attach type BPF_XDP, of programs and of links. */
export const BPF_XDP = 37;
/** Programs on the packets that the driver hands over, or on packets the kernel has made of them already. */
export const XDP_FLAGS_SKB_MODE = 2;
export const XDP_FLAGS_DRV_MODE = 4;

/** What a program answers. */
export const XDP_DROP = 1;
export const XDP_PASS = 2;

/** `struct xdp_md`: where a program finds what it was called for. */
export const XDP_MD_DATA = 0;
export const XDP_MD_DATA_END = 4;
export const XDP_MD_DATA_META = 8;
export const XDP_MD_RX_QUEUE_INDEX = 16;

// netdevice(7), linux/ethtool.h
export const SIOCGIFFLAGS = 0x8913;
export const SIOCGIFMTU = 0x8921;
export const SIOCGIFHWADDR = 0x8927;
export const SIOCGIFINDEX = 0x8933;
export const SIOCETHTOOL = 0x8946;
export const ETHTOOL_GCHANNELS = 0x3c;
export const IFF_UP = 1;
export const IFF_LOOPBACK = 8;
/** `sa_family` of a hardware address that is an Ethernet one. */
export const ARPHRD_ETHER = 1;

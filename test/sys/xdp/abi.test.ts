/** The layouts and constants of sys/xdp/abi.ts against what the C compiler of this machine says. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as abi from '../../../sys/xdp/abi.ts';

const compiles = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;
const why = compiles ? '' : ' (skipped: needs gcc on Linux)';

/** C name, layout, and the member for each of our fields. */
const STRUCTS: readonly [string, object, Record<string, string>][] = [
  [
    'struct sockaddr_xdp',
    abi.SockaddrXdp,
    {
      family: 'sxdp_family',
      flags: 'sxdp_flags',
      interface: 'sxdp_ifindex',
      queue: 'sxdp_queue_id',
      sharedFd: 'sxdp_shared_umem_fd',
    },
  ],
  [
    'struct xdp_umem_reg',
    abi.XdpUmemReg,
    { address: 'addr', bytes: 'len', chunkBytes: 'chunk_size', headroom: 'headroom', flags: 'flags' },
  ],
  [
    'struct xdp_ring_offset',
    abi.XdpRingOffset,
    { producer: 'producer', consumer: 'consumer', descriptors: 'desc', flags: 'flags' },
  ],
  [
    'struct xdp_statistics',
    abi.XdpStatistics,
    {
      rxDropped: 'rx_dropped',
      rxInvalid: 'rx_invalid_descs',
      txInvalid: 'tx_invalid_descs',
      rxRingFull: 'rx_ring_full',
      fillRingEmpty: 'rx_fill_ring_empty_descs',
      txRingEmpty: 'tx_ring_empty_descs',
    },
  ],
  [
    'struct ethtool_channels',
    abi.EthtoolChannels,
    {
      command: 'cmd',
      maxRx: 'max_rx',
      maxTx: 'max_tx',
      maxOther: 'max_other',
      maxCombined: 'max_combined',
      rx: 'rx_count',
      tx: 'tx_count',
      other: 'other_count',
      combined: 'combined_count',
    },
  ],
];

/** C expressions, and what we say. What is newer than these headers (XDP_MAX_TX_SKB_BUDGET) is found out by trying. */
const CONSTANTS: readonly [string, number][] = [
  ['sizeof(struct sockaddr_xdp)', abi.SockaddrXdp.SIZE],
  ['sizeof(struct xdp_ring_offset)', abi.XdpRingOffset.SIZE],
  ['sizeof(struct xdp_statistics)', abi.XdpStatistics.SIZE],
  ['sizeof(struct ethtool_channels)', abi.EthtoolChannels.SIZE],
  ['sizeof(struct ifreq)', abi.Ifreq.SIZE],
  ['offsetof(struct ifreq, ifr_flags)', abi.Ifreq.value],
  ['sizeof(struct xdp_desc)', abi.XDP_DESC_BYTES],
  ['AF_XDP', abi.AF_XDP],
  ['SOCK_RAW | SOCK_CLOEXEC', abi.SOCK_RAW_CLOEXEC],
  ['SOL_XDP', abi.SOL_XDP],
  ['XDP_MMAP_OFFSETS', abi.XDP_MMAP_OFFSETS],
  ['XDP_RX_RING', abi.XDP_RX_RING],
  ['XDP_TX_RING', abi.XDP_TX_RING],
  ['XDP_UMEM_REG', abi.XDP_UMEM_REG_OPTION],
  ['XDP_UMEM_FILL_RING', abi.XDP_UMEM_FILL_RING],
  ['XDP_UMEM_COMPLETION_RING', abi.XDP_UMEM_COMPLETION_RING],
  ['XDP_STATISTICS', abi.XDP_STATISTICS_OPTION],
  ['XDP_OPTIONS', abi.XDP_OPTIONS],
  ['XDP_OPTIONS_ZEROCOPY', abi.XDP_OPTIONS_ZEROCOPY],
  ['XDP_SHARED_UMEM', abi.XDP_SHARED_UMEM],
  ['XDP_COPY', abi.XDP_COPY],
  ['XDP_ZEROCOPY', abi.XDP_ZEROCOPY],
  ['XDP_USE_NEED_WAKEUP', abi.XDP_USE_NEED_WAKEUP],
  ['XDP_RING_NEED_WAKEUP', abi.XDP_RING_NEED_WAKEUP],
  ['XDP_PGOFF_RX_RING', abi.XDP_PGOFF_RX_RING],
  ['XDP_PGOFF_TX_RING', abi.XDP_PGOFF_TX_RING],
  ['XDP_UMEM_PGOFF_FILL_RING', abi.XDP_UMEM_PGOFF_FILL_RING],
  ['XDP_UMEM_PGOFF_COMPLETION_RING', abi.XDP_UMEM_PGOFF_COMPLETION_RING],
  ['XDP_PACKET_HEADROOM', abi.XDP_PACKET_HEADROOM],
  ['PROT_READ | PROT_WRITE', abi.PROT_READ_WRITE],
  ['MAP_SHARED | MAP_POPULATE', abi.MAP_SHARED_POPULATE],
  ['BPF_MAP_CREATE', abi.BPF_MAP_CREATE],
  ['BPF_MAP_LOOKUP_ELEM', abi.BPF_MAP_LOOKUP_ELEM],
  ['BPF_MAP_UPDATE_ELEM', abi.BPF_MAP_UPDATE_ELEM],
  ['BPF_MAP_DELETE_ELEM', abi.BPF_MAP_DELETE_ELEM],
  ['BPF_PROG_LOAD', abi.BPF_PROG_LOAD],
  ['BPF_LINK_CREATE', abi.BPF_LINK_CREATE],
  ['BPF_MAP_TYPE_HASH', abi.BPF_MAP_TYPE_HASH],
  ['BPF_MAP_TYPE_ARRAY', abi.BPF_MAP_TYPE_ARRAY],
  ['BPF_MAP_TYPE_PERCPU_ARRAY', abi.BPF_MAP_TYPE_PERCPU_ARRAY],
  ['BPF_MAP_TYPE_LRU_HASH', abi.BPF_MAP_TYPE_LRU_HASH],
  ['BPF_MAP_TYPE_XSKMAP', abi.BPF_MAP_TYPE_XSKMAP],
  ['BPF_PROG_TYPE_XDP', abi.BPF_PROG_TYPE_XDP],
  ['BPF_XDP', abi.BPF_XDP],
  ['XDP_FLAGS_SKB_MODE', abi.XDP_FLAGS_SKB_MODE],
  ['XDP_FLAGS_DRV_MODE', abi.XDP_FLAGS_DRV_MODE],
  ['XDP_DROP', abi.XDP_DROP],
  ['XDP_PASS', abi.XDP_PASS],
  ['offsetof(struct xdp_md, data)', abi.XDP_MD_DATA],
  ['offsetof(struct xdp_md, data_end)', abi.XDP_MD_DATA_END],
  ['offsetof(struct xdp_md, data_meta)', abi.XDP_MD_DATA_META],
  ['offsetof(struct xdp_md, rx_queue_index)', abi.XDP_MD_RX_QUEUE_INDEX],
  ['SIOCGIFFLAGS', abi.SIOCGIFFLAGS],
  ['SIOCGIFMTU', abi.SIOCGIFMTU],
  ['SIOCGIFHWADDR', abi.SIOCGIFHWADDR],
  ['SIOCGIFINDEX', abi.SIOCGIFINDEX],
  ['SIOCETHTOOL', abi.SIOCETHTOOL],
  ['ETHTOOL_GCHANNELS', abi.ETHTOOL_GCHANNELS],
  ['IFF_UP', abi.IFF_UP],
  ['IFF_LOOPBACK', abi.IFF_LOOPBACK],
  ['ARPHRD_ETHER', abi.ARPHRD_ETHER],
];

it.skipIf(!compiles)(`layouts and constants are those of the kernel's headers${why}`, () => {
  const pairs = [
    ...CONSTANTS,
    ...STRUCTS.flatMap(([name, layout, members]) =>
      Object.entries(members).map(([ours, theirs]): [string, number] => [
        `offsetof(${name}, ${theirs})`,
        (layout as Record<string, number>)[ours]!,
      ]),
    ),
  ];
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-abi-'));
  try {
    const prints = pairs.map(([c]) => `  printf("%lld\\n", (long long)(${c}));`).join('\n');
    const includes = ['stddef', 'stdio', 'sys/socket', 'sys/mman', 'sys/ioctl', 'net/if', 'net/if_arp', 'linux/if_xdp']
      .concat('linux/bpf', 'linux/if_link', 'linux/ethtool', 'linux/sockios')
      .map((name) => `#include <${name}.h>\n`)
      .join('');
    // The kernel's own constant, in no header for programs (linux/bpf.h of its sources, and of libbpf's).
    const missing = '#ifndef XDP_PACKET_HEADROOM\n#define XDP_PACKET_HEADROOM 256\n#endif\n';
    const source = `#define _GNU_SOURCE\n${includes}${missing}int main(void) {\n${prints}\n  return 0;\n}\n`;
    writeFileSync(join(folder, 'abi.c'), source);
    execFileSync('gcc', ['-o', join(folder, 'abi'), join(folder, 'abi.c')]);
    const theirs = execFileSync(join(folder, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number);
    expect(pairs.map(([c, value]) => `${c} = ${value}`)).toEqual(pairs.map(([c], i) => `${c} = ${theirs[i]}`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** The layouts of sys/packet-ring/abi.ts against what the C compiler of this machine says. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SO_ATTACH_FILTER, SockFprog } from '../../../sys/linux/socket-filter.ts';
import * as abi from '../../../sys/packet-ring/abi.ts';

const compiles = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;
const why = compiles ? '' : ' (skipped: needs gcc on Linux)';

/** C expressions, and what we say. */
const PAIRS: readonly [string, number][] = [
  ['sizeof(struct sockaddr_ll)', abi.SockaddrLl.SIZE],
  ['offsetof(struct sockaddr_ll, sll_protocol)', abi.SockaddrLl.protocol],
  ['offsetof(struct sockaddr_ll, sll_ifindex)', abi.SockaddrLl.interface],
  ['offsetof(struct sockaddr_ll, sll_hatype)', abi.SockaddrLl.hardware],
  ['offsetof(struct sockaddr_ll, sll_pkttype)', abi.SockaddrLl.packetType],
  ['sizeof(struct tpacket_req3)', abi.TpacketReq3.SIZE],
  ['offsetof(struct tpacket_req3, tp_retire_blk_tov)', abi.TpacketReq3.retireMillis],
  ['offsetof(struct tpacket_req3, tp_frame_nr)', abi.TpacketReq3.frames],
  ['offsetof(struct tpacket_block_desc, hdr.bh1.block_status)', abi.BlockDesc.status],
  ['offsetof(struct tpacket_block_desc, hdr.bh1.num_pkts)', abi.BlockDesc.packets],
  ['offsetof(struct tpacket_block_desc, hdr.bh1.offset_to_first_pkt)', abi.BlockDesc.firstPacket],
  ['sizeof(struct tpacket3_hdr)', abi.Tpacket3Hdr.SIZE],
  ['offsetof(struct tpacket3_hdr, tp_next_offset)', abi.Tpacket3Hdr.next],
  ['offsetof(struct tpacket3_hdr, tp_sec)', abi.Tpacket3Hdr.seconds],
  ['offsetof(struct tpacket3_hdr, tp_nsec)', abi.Tpacket3Hdr.nanoseconds],
  ['offsetof(struct tpacket3_hdr, tp_snaplen)', abi.Tpacket3Hdr.keptBytes],
  ['offsetof(struct tpacket3_hdr, tp_len)', abi.Tpacket3Hdr.wireBytes],
  ['offsetof(struct tpacket3_hdr, tp_status)', abi.Tpacket3Hdr.status],
  ['offsetof(struct tpacket3_hdr, tp_mac)', abi.Tpacket3Hdr.mac],
  ['offsetof(struct tpacket3_hdr, hv1.tp_vlan_tci)', abi.Tpacket3Hdr.vlanControl],
  ['offsetof(struct tpacket3_hdr, hv1.tp_vlan_tpid)', abi.Tpacket3Hdr.vlanType],
  ['TPACKET_ALIGN(sizeof(struct tpacket3_hdr))', abi.TPACKET3_ADDRESS],
  ['sizeof(struct tpacket_stats_v3)', abi.TpacketStatsV3.SIZE],
  ['offsetof(struct tpacket_stats_v3, tp_drops)', abi.TpacketStatsV3.drops],
  ['sizeof(struct sock_fprog)', SockFprog.SIZE],
  ['offsetof(struct sock_fprog, filter)', SockFprog.filter],
  ['AF_PACKET', abi.AF_PACKET],
  ['SOCK_RAW|SOCK_NONBLOCK|SOCK_CLOEXEC', abi.SOCK_RAW_NONBLOCK_CLOEXEC],
  ['htons(ETH_P_ALL)', abi.ETH_P_ALL_NETWORK],
  ['SOL_PACKET', abi.SOL_PACKET],
  ['PACKET_ADD_MEMBERSHIP', abi.PACKET_ADD_MEMBERSHIP],
  ['PACKET_RX_RING', abi.PACKET_RX_RING],
  ['PACKET_STATISTICS', abi.PACKET_STATISTICS],
  ['PACKET_VERSION', abi.PACKET_VERSION],
  ['PACKET_RESERVE', abi.PACKET_RESERVE],
  ['PACKET_VNET_HDR', abi.PACKET_VNET_HDR],
  ['sizeof(struct virtio_net_hdr)', abi.VirtioNetHdr.SIZE],
  ['offsetof(struct virtio_net_hdr, gso_type)', abi.VirtioNetHdr.gsoType],
  ['offsetof(struct virtio_net_hdr, gso_size)', abi.VirtioNetHdr.gsoBytes],
  ['PACKET_MR_PROMISC', abi.PACKET_MR_PROMISC],
  ['TPACKET_V3', abi.TPACKET_V3],
  ['TP_STATUS_USER', abi.TP_STATUS_USER],
  ['TP_STATUS_VLAN_VALID', abi.TP_STATUS_VLAN_VALID],
  ['TP_STATUS_VLAN_TPID_VALID', abi.TP_STATUS_VLAN_TPID_VALID],
  ['PACKET_OUTGOING', abi.PACKET_OUTGOING],
  ['ARPHRD_ETHER', abi.ARPHRD_ETHER],
  ['ARPHRD_LOOPBACK', abi.ARPHRD_LOOPBACK],
  ['SO_ERROR', abi.SO_ERROR],
  ['SO_ATTACH_FILTER', SO_ATTACH_FILTER],
  ['PROT_READ|PROT_WRITE', abi.PROT_READ_WRITE],
  ['MAP_SHARED', abi.MAP_SHARED],
  ['MAP_PRIVATE|MAP_ANONYMOUS|MAP_FIXED', abi.MAP_PRIVATE_ANONYMOUS_FIXED],
];

it.skipIf(!compiles)(`layouts and constants are those of the kernel's headers${why}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-abi-'));
  try {
    const prints = PAIRS.map(([c]) => `  printf("%lld\\n", (long long)(${c}));`).join('\n');
    const headers = ['stddef', 'stdio', 'sys/socket', 'sys/mman', 'arpa/inet', 'linux/if_packet', 'linux/if_ether'];
    const includes = [...headers, 'linux/filter', 'linux/virtio_net', 'net/if_arp']
      .map((name) => `#include <${name}.h>\n`)
      .join('');
    writeFileSync(
      join(folder, 'abi.c'),
      `#define _GNU_SOURCE\n${includes}int main(void) {\n${prints}\n  return 0;\n}\n`,
    );
    execFileSync('gcc', ['-o', join(folder, 'abi'), join(folder, 'abi.c')]);
    const theirs = execFileSync(join(folder, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number);
    expect(PAIRS.map(([c, value]) => `${c} = ${value}`)).toEqual(PAIRS.map(([c], i) => `${c} = ${theirs[i]}`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

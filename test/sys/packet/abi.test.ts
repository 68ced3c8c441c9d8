/** The layouts of sys/packet/abi.ts and sys/linux/netlink/abi.ts against what the C compiler of this machine says. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as netlink from '../../../sys/linux/netlink/abi.ts';
import * as packet from '../../../sys/packet/abi.ts';

const compiles = process.platform === 'linux' && spawnSync('gcc', ['--version']).status === 0;

/** C name, layout, and the member for each of our fields. */
const STRUCTS: readonly [string, object & { readonly SIZE: number }, Record<string, string>][] = [
  [
    'struct nlmsghdr',
    netlink.Nlmsghdr,
    { bytes: 'nlmsg_len', type: 'nlmsg_type', flags: 'nlmsg_flags', sequence: 'nlmsg_seq', port: 'nlmsg_pid' },
  ],
  ['struct rtattr', netlink.Rtattr, { bytes: 'rta_len', type: 'rta_type' }],
  [
    'struct rtmsg',
    netlink.Rtmsg,
    {
      family: 'rtm_family',
      destinationBits: 'rtm_dst_len',
      sourceBits: 'rtm_src_len',
      tos: 'rtm_tos',
      table: 'rtm_table',
      protocol: 'rtm_protocol',
      scope: 'rtm_scope',
      type: 'rtm_type',
      flags: 'rtm_flags',
    },
  ],
  [
    'struct ndmsg',
    netlink.Ndmsg,
    { family: 'ndm_family', interface: 'ndm_ifindex', state: 'ndm_state', flags: 'ndm_flags', type: 'ndm_type' },
  ],
  [
    'struct ifinfomsg',
    netlink.Ifinfomsg,
    { family: 'ifi_family', type: 'ifi_type', index: 'ifi_index', flags: 'ifi_flags', change: 'ifi_change' },
  ],
  ['struct sockaddr_nl', netlink.SockaddrNl, { family: 'nl_family', port: 'nl_pid', groups: 'nl_groups' }],
  [
    'struct sockaddr_ll',
    packet.SockaddrLl,
    {
      family: 'sll_family',
      protocol: 'sll_protocol',
      interface: 'sll_ifindex',
      hardware: 'sll_hatype',
      packetType: 'sll_pkttype',
      addressBytes: 'sll_halen',
      address: 'sll_addr',
    },
  ],
  [
    'struct virtio_net_hdr',
    packet.VirtioNetHdr,
    {
      flags: 'flags',
      gsoType: 'gso_type',
      headerBytes: 'hdr_len',
      gsoBytes: 'gso_size',
      checksumStart: 'csum_start',
      checksumOffset: 'csum_offset',
    },
  ],
  [
    'struct tpacket_req',
    packet.TpacketReq,
    { blockBytes: 'tp_block_size', blocks: 'tp_block_nr', frameBytes: 'tp_frame_size', frames: 'tp_frame_nr' },
  ],
  [
    'struct tpacket2_hdr',
    packet.Tpacket2Hdr,
    { status: 'tp_status', bytes: 'tp_len', keptBytes: 'tp_snaplen', mac: 'tp_mac', network: 'tp_net', more: 'tp_sec' },
  ],
];

/** Constants whose C name is ours. */
const NAMED: Readonly<Record<string, number>> = Object.fromEntries(
  [...Object.entries(netlink), ...Object.entries(packet)].filter(
    ([name, value]) => typeof value === 'number' && name !== 'SOCK_RAW_NONBLOCK_CLOEXEC',
  ),
) as Record<string, number>;

describe.skipIf(!compiles)(`frames and netlink${compiles ? '' : ' (needs gcc on Linux)'}`, () => {
  it('have the layouts and constants of the headers', () => {
    const expressions: [string, number, string][] = [];
    for (const [name, layout, fields] of STRUCTS) {
      expressions.push([`sizeof ${name}`, layout.SIZE, `sizeof(${name})`]);
      for (const [field, member] of Object.entries(fields)) {
        const offset = (layout as unknown as Record<string, number>)[field]!;
        expressions.push([`${name}.${member}`, offset, `offsetof(${name}, ${member})`]);
      }
    }
    for (const [name, value] of Object.entries(NAMED)) expressions.push([name, value, cNameOf(name)]);
    expressions.push(['SOCK', packet.SOCK_RAW_NONBLOCK_CLOEXEC, 'SOCK_RAW|SOCK_NONBLOCK|SOCK_CLOEXEC']);
    const found = evaluate(expressions.map(([, , c]) => c));
    expect(expressions.map(([name], i) => `${name} ${found[i]}`)).toEqual(
      expressions.map(([name, value]) => `${name} ${value}`),
    );
  });
});

/** Masks that the headers compute. */
function cNameOf(name: string): string {
  return name === 'NLA_TYPE_MASK' ? '(unsigned short)NLA_TYPE_MASK' : name;
}

function evaluate(expressions: readonly string[]): number[] {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-abi-'));
  try {
    const source = [
      '#define _GNU_SOURCE',
      ...['stdio.h', 'stddef.h', 'sys/socket.h', 'netinet/in.h', 'net/if.h', 'linux/netlink.h', 'linux/rtnetlink.h'],
      ...[
        'linux/neighbour.h',
        'linux/if_packet.h',
        'linux/virtio_net.h',
        'linux/sockios.h',
        'net/if_arp.h',
        'sys/ioctl.h',
      ],
    ].map((line) => (line.startsWith('#') ? line : `#include <${line}>`));
    source.push('#ifndef IFF_LOWER_UP', '#define IFF_LOWER_UP 0x10000', '#endif');
    source.push(
      '#ifndef VIRTIO_NET_HDR_GSO_UDP_L4',
      '#define VIRTIO_NET_HDR_GSO_UDP_L4 5',
      '#endif',
      'int main(void){',
    );
    for (const expression of expressions) source.push(`printf("%lld\\n", (long long)(${expression}));`);
    source.push('return 0;}');
    writeFileSync(join(folder, 'abi.c'), source.join('\n'));
    execFileSync('gcc', ['-o', join(folder, 'abi'), join(folder, 'abi.c')], { stdio: 'pipe' });
    return execFileSync(join(folder, 'abi'), { encoding: 'utf8' }).trim().split('\n').map(Number);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

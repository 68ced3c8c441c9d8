/**
 * The packet backend against the kernel's UDP: CPU to hand one 100-byte datagram to each of 1,000 clients.
 *
 * The sink is an `ifb` device in a network namespace of its own: it drops what it is given, so what is measured is the way
 * to a driver and nothing behind it.
 */

import { execFileSync } from 'node:child_process';
import { ADDRESS_BYTES, addressOf, type DatagramSocket } from '../../sys/api.ts';
import { LinuxSys } from '../../sys/linux/linux-sys.ts';
import { PacketSys } from '../../sys/packet/packet-sys.ts';
import { openSharedParts } from '../../sys/shared-parts.ts';
import { enterNamespace } from '../sys/linux/enter-namespace.ts';
import { whyNoNamespaces } from '../sys/linux/namespaces.ts';
import { whyNoFrames } from '../sys/packet/open-packet-sys.ts';
import { alternate, type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';

const CLIENTS = 1000;
const PAYLOAD_BYTES = 100;
/** Fan-outs of one sample. */
const ROUNDS = 100;
/** Fan-outs before: until the ways are known and the code is compiled. */
const WARM_UP_ROUNDS = 300;
/** The kernel needs this long until a new device has a carrier. */
const CARRIER_MILLIS = 300;
const PATIENCE_ROUNDS = 50;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const missing = whyNoFrames() || whyNoNamespaces();
  if (missing !== '') return { bench: 'kernel-packet', machine: machine(), figures: [], skipped: missing };
  const sink = `tickwire-bench-${process.pid}`;
  let leave = (): void => {};
  try {
    ip('netns', 'add', sink);
    for (const line of [
      'link add sink type ifb',
      'address add 198.51.100.1/24 dev sink',
      'link set sink up',
      'route add default via 198.51.100.2',
      'neigh replace 198.51.100.2 lladdr 02:00:00:00:00:02 dev sink nud permanent',
    ]) {
      ip('-n', sink, ...line.split(' '));
    }
    leave = enterNamespace(sink);
    await later(CARRIER_MILLIS);
    return await measure(options.runs ?? RUNS_DEFAULT);
  } finally {
    leave();
    ip('netns', 'delete', sink);
  }
}

async function measure(runs: number): Promise<BenchReport> {
  const opening = { txSlots: CLIENTS, sendBufferBytes: 1 << 22 };
  const udp = await new LinuxSys(openSharedParts()).openUdp(addressOf('0.0.0.0', 4001)!, opening);
  const packet = await new PacketSys(openSharedParts()).openUdp(addressOf('0.0.0.0', 4002)!, opening);
  for (const socket of [udp, packet]) {
    fill(socket);
    for (let round = 0; round < WARM_UP_ROUNDS; round++) fanOut(socket);
  }
  // Ways are asked for at a bounded rate.
  for (let round = 0; round < PATIENCE_ROUNDS; round++) {
    const before = packet.ways.udpOut;
    fanOut(packet);
    if (packet.ways.udpOut === before) break;
    await later(100);
  }
  const byUdpBefore = packet.ways.udpOut;
  const found = await alternate(runs, { udp: () => cpuOf(udp), packet: () => cpuOf(packet) });
  const byUdp = packet.ways.udpOut - byUdpBefore;
  udp.close();
  packet.close();
  const ns = 'ns of CPU a datagram';
  return {
    bench: 'kernel-packet',
    machine: machine(),
    figures: [
      figure('1,000 clients: packet / udp', 'ratio', found.ratios('packet', 'udp'), { op: '<=', value: 0.4 }),
      figure('1,000 clients: packet', ns, found.samples.packet),
      figure('1,000 clients: udp', ns, found.samples.udp),
    ],
    notes: byUdp === 0 ? [] : [`${byUdp} datagrams of packet went by UDP`],
  };
}

/** CPU nanoseconds a datagram. */
function cpuOf(socket: DatagramSocket): number {
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) fanOut(socket);
  const used = process.cpuUsage(before);
  return ((used.user + used.system) * 1000) / (ROUNDS * CLIENTS);
}

/** The slots still hold what was sent last time: only the count has gone down. */
function fanOut(socket: DatagramSocket): void {
  socket.tx.count = CLIENTS;
  socket.flush();
  if (socket.tx.count > 0) throw new Error(`${socket.tx.count} datagrams were not taken`);
}

function fill({ tx }: DatagramSocket): void {
  for (let i = 0; i < CLIENTS; i++) {
    tx.length[i] = PAYLOAD_BYTES;
    tx.address.set(addressOf(`10.7.${i >> 8}.${i & 255}`, 5000)!, i * ADDRESS_BYTES);
    tx.arena.fill(i, tx.home(i), tx.home(i) + PAYLOAD_BYTES);
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

function later(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/**
 * AF_XDP against the kernel's UDP sockets, in network namespaces of its own: what a datagram costs the process that sends
 * it to each of a thousand clients, that echoes it, that receives it.
 *
 * The sink of the first is an `ifb` without a redirect: it drops what it is given, as near to a card's driver as a
 * machine without a card comes. A veth delivers within the send, so there the sender pays for the receiver's kernel too.
 */

import { readFileSync } from 'node:fs';
import { ADDRESS_BYTES, addressOf, type DatagramSocket, type Sys } from '../../sys/api.ts';
import { FAR, NamespacePair, NEAR } from '../sys/linux/namespaces.ts';
import { ip, openLinux, openXdp, whyNoXdp, XdpPair } from '../sys/xdp/veth.ts';
import { BenchChild, canPin, cpuMicros, UNPINNED_NOTE } from './bench-child.ts';
import { alternate, type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';

const CLIENTS = 1000;
const PAYLOAD_BYTES = 100;
const FAN_OUT_MILLIS = 400;
const RECEIVE_BATCHES = 2000;
/** What is waiting when the clock starts: what a default receive buffer holds of 100 bytes each. */
const WAITING = 200;
const ECHO_SECONDS = 1.5;
const ECHO_WINDOW = 64;
const SERVER_CORE = 0;
const CLIENT_CORE = 1;

type Backend = 'xdp' | 'udp';

export async function run(options: BenchOptions): Promise<BenchReport> {
  const why = whyNoXdp();
  if (why !== '') return { bench: 'kernel-xdp', machine: machine(), figures: [], skipped: why };
  const runs = options.runs ?? RUNS_DEFAULT;
  const fan = await fanOut(runs);
  const receive = await receiveSide(runs);
  const echo = await alternate(runs, { xdp: () => echoMicros('xdp'), udp: () => echoMicros('udp') });
  const ns = 'ns of CPU';
  return {
    bench: 'kernel-xdp',
    machine: machine(),
    figures: [
      figure('one packet to each of 1,000 clients: xdp / udp', 'ratio', fan.ratios('xdp', 'udp'), {
        op: '<=',
        value: 0.3,
      }),
      figure('one packet to each of 1,000 clients: xdp', ns, fan.samples.xdp),
      figure('one packet to each of 1,000 clients: udp', ns, fan.samples.udp),
      figure('echo, window 64, both ends: xdp / udp', 'ratio', echo.ratios('xdp', 'udp'), { op: '<=', value: 0.45 }),
      figure('echo, window 64, both ends: xdp', 'us', echo.samples.xdp),
      figure('echo, window 64, both ends: udp', 'us', echo.samples.udp),
      figure('receive: xdp / recvmmsg', 'ratio', receive.ratios('xdp', 'udp'), { op: '<=', value: 0.1 }),
      figure('receive, checksums trusted: xdp / recvmmsg', 'ratio', receive.ratios('trusting', 'udp')),
      figure('receive: xdp', 'ns', receive.samples.xdp),
      figure('receive, checksums trusted: xdp', 'ns', receive.samples.trusting),
      figure('receive: recvmmsg', 'ns', receive.samples.udp),
    ],
    notes: [
      `payload ${PAYLOAD_BYTES} bytes; checksums are written by us, and verified by us where not said otherwise`,
      ...(canPin() ? [] : [UNPINNED_NOTE]),
    ],
  };
}

/** CPU nanoseconds a datagram of a flush of 1,000 to as many clients behind a gateway. */
async function fanOut(runs: number): Promise<Awaited<ReturnType<typeof alternate<Backend>>>> {
  const pair = new NamespacePair('fan');
  const systems: Record<Backend, Sys> = { xdp: openXdp({ interface: 'sink' }), udp: openLinux() };
  try {
    ip('-n', pair.near, 'link', 'add', 'sink', 'type', 'ifb');
    ip('-n', pair.near, 'link', 'set', 'sink', 'up');
    ip('-n', pair.near, 'address', 'add', '203.0.113.1/24', 'dev', 'sink');
    ip('-n', pair.near, 'route', 'add', '10.0.0.0/8', 'via', '203.0.113.254', 'dev', 'sink');
    const gateway = ['203.0.113.254', 'lladdr', '02:00:00:00:00:99', 'dev', 'sink', 'nud', 'permanent'];
    ip('-n', pair.near, 'neigh', 'replace', ...gateway);
    const local = addressOf('203.0.113.1', 0)!;
    const open = (sys: Sys) => pair.inside(pair.near, () => sys.openUdp(local, { txSlots: CLIENTS, slotBytes: 256 }));
    const sockets: Record<Backend, DatagramSocket> = { xdp: await open(systems.xdp), udp: await open(systems.udp) };
    const clients = Array.from({ length: CLIENTS }, (_, i) => addressOf(`10.1.${i >> 8}.${i & 255}`, 40_000)!);
    const measure = (socket: DatagramSocket) => () => {
      const start = cpuMicros();
      const end = performance.now() + FAN_OUT_MILLIS;
      let sent = 0;
      while (performance.now() < end) sent += flushAll(socket, clients);
      return ((cpuMicros() - start) * 1000) / sent;
    };
    for (const socket of Object.values(sockets)) measure(socket)();
    return await alternate(runs, { xdp: measure(sockets.xdp), udp: measure(sockets.udp) });
  } finally {
    for (const sys of Object.values(systems)) sys.close();
    pair.close();
  }
}

function flushAll(socket: DatagramSocket, clients: readonly Uint8Array[]): number {
  const { tx } = socket;
  for (let i = 0; i < clients.length; i++) {
    tx.length[i] = PAYLOAD_BYTES;
    tx.address.set(clients[i]!, i * ADDRESS_BYTES);
  }
  tx.count = clients.length;
  return socket.flush();
}

/** Nanoseconds a datagram of draining a socket in which some wait. */
async function receiveSide(runs: number): Promise<Awaited<ReturnType<typeof alternate<Backend | 'trusting'>>>> {
  const pair = new XdpPair('drain');
  try {
    pair.introduce();
    const measure = (open: () => Sys) => async () => {
      const sys = open();
      const sender = openXdp();
      const to = await pair.openUdp(sys, 'near', NEAR, 0, { receiveBufferBytes: 1 << 20 });
      const from = await pair.openUdp(sender, 'far', FAR, 0, { txSlots: WAITING });
      const targets = Array.from({ length: WAITING }, () => to.localAddress);
      let micros = 0;
      let came = 0;
      for (let batch = -RECEIVE_BATCHES / 2; batch < RECEIVE_BATCHES; batch++) {
        flushAll(from, targets);
        const start = sys.clock.now();
        let count = 0;
        for (let n = to.receive(); n > 0; n = to.receive()) count += n;
        if (batch < 0) continue; // warming up
        micros += sys.clock.now() - start;
        came += count;
      }
      to.close();
      from.close();
      sys.close();
      sender.close();
      if (came < (RECEIVE_BATCHES * WAITING) / 2) throw new Error(`only ${came} datagrams came`);
      return (micros * 1000) / came;
    };
    return await alternate(runs, {
      xdp: measure(() => openXdp()),
      trusting: measure(() => openXdp({ verifyChecksums: false })),
      udp: measure(() => openLinux()),
    });
  } finally {
    pair.close();
  }
}

/** Microseconds an echo, with both ends polling on a core each. */
async function echoMicros(backend: Backend): Promise<number> {
  const pair = new XdpPair('echo');
  try {
    pair.introduce();
    const child = (side: 'near' | 'far', args: readonly string[], core: number) =>
      new BenchChild(
        `echo ${side}`,
        'ip',
        ['netns', 'exec', pair[side], process.execPath, fileOf('./kernel-xdp-echo.js'), backend, side, ...args],
        core,
      );
    const server = child('near', ['0'], SERVER_CORE);
    try {
      const { port } = await server.report<{ port: number }>();
      const client = child('far', [String(port), String(ECHO_WINDOW), String(ECHO_SECONDS)], CLIENT_CORE);
      try {
        const found = await Promise.race([client.report<{ micros: number; frames: number }>(), server.failure()]);
        if (backend === 'xdp' && found.frames === 0) throw new Error('no frame was used');
        return found.micros;
      } finally {
        await client.stop();
      }
    } finally {
      await server.stop();
    }
  } finally {
    pair.close();
  }
}

function fileOf(name: string): string {
  const url = new URL(name, import.meta.url);
  readFileSync(url); // fails here, and not in a child that says nothing
  return url.pathname;
}

/**
 * The latency ladder's upper rungs: what a round trip to an echo server takes by the server's way through the kernel, over a
 * veth pair, both ends spinning. The probe is a UDP socket, as a player's is; in the last rung it goes past the kernel too.
 */

import { fileURLToPath } from 'node:url';
import type { Backend } from '../../sys/api.ts';
import { FAR, NEAR } from '../sys/linux/namespaces.ts';
import { whyNoXdp, XdpPair } from '../sys/xdp/veth.ts';
import { BenchChild, canPin, UNPINNED_NOTE } from './bench-child.ts';
import type { LadderFigures } from './ladder-probe.ts';
import { alternate, type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';

type Way = Extract<Backend, 'udp' | 'packet' | 'xdp'>;
type Rung = Way | 'xdp both';
const RUNGS: readonly Rung[] = ['udp', 'packet', 'xdp', 'xdp both'];
const SERVER_CORE = 0;
const PROBE_CORE = 1;
const WARM_UP = 3000;
const ECHOES = 4000;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const why = whyNoXdp();
  if (why !== '') return { bench: 'kernel-ladder-veth', machine: machine(), figures: [], skipped: why };
  const tails: Record<Rung, { p99: number[]; p999: number[] }> = {
    udp: { p99: [], p999: [] },
    packet: { p99: [], p999: [] },
    xdp: { p99: [], p999: [] },
    'xdp both': { p99: [], p999: [] },
  };
  const measure = (rung: Rung) => async (): Promise<number> => {
    const found = await roundTrips(rung);
    tails[rung].p99.push(found.p99);
    tails[rung].p999.push(found.p999);
    return found.p50;
  };
  const ladder = await alternate(options.runs ?? RUNS_DEFAULT, {
    udp: measure('udp'),
    packet: measure('packet'),
    xdp: measure('xdp'),
    'xdp both': measure('xdp both'),
  });
  return {
    bench: 'kernel-ladder-veth',
    machine: machine(),
    figures: [
      figure('round trip over a veth, p50: xdp / udp', 'ratio', ladder.ratios('xdp', 'udp'), { op: '<=', value: 0.8 }),
      figure('round trip over a veth, p50: packet / udp', 'ratio', ladder.ratios('packet', 'udp')),
      figure('round trip over a veth, p50: xdp at both ends / udp', 'ratio', ladder.ratios('xdp both', 'udp')),
      ...RUNGS.flatMap((rung) => [
        figure(`round trip over a veth, ${nameOf(rung)}: p50`, 'us', ladder.samples[rung]),
        figure(`round trip over a veth, ${nameOf(rung)}: p99`, 'us', tails[rung].p99),
        figure(`round trip over a veth, ${nameOf(rung)}: p99.9`, 'us', tails[rung].p999),
      ]),
    ],
    notes: canPin() ? [] : [UNPINNED_NOTE],
  };
}

function nameOf(rung: Rung): string {
  return rung === 'xdp both' ? 'xdp at both ends' : `server by ${rung}`;
}

async function roundTrips(rung: Rung): Promise<LadderFigures> {
  const way: Way = rung === 'xdp both' ? 'xdp' : rung;
  const pair = new XdpPair('ladder');
  try {
    pair.introduce();
    const child = (side: 'near' | 'far', sys: Way, file: string, args: readonly string[], core: number): BenchChild => {
      const path = fileURLToPath(new URL(file, import.meta.url));
      const words = ['netns', 'exec', pair[side], 'env', `TICKWIRE_SYS=${sys}`, process.execPath, path, ...args];
      return new BenchChild(`${file} ${side}`, 'ip', words, core);
    };
    const server = child('near', way, './ladder-server.js', ['spin', NEAR], SERVER_CORE);
    let probe: BenchChild | null = null;
    try {
      const said = await server.report<{ port: number; way: string }>();
      if (said.way !== way) throw new Error(`the server goes by ${said.way}, not by ${way}`);
      const words = [NEAR, `${said.port}`, FAR, `${WARM_UP}`, `${ECHOES}`];
      probe = child('far', rung === 'xdp both' ? 'xdp' : 'udp', './ladder-probe.js', words, PROBE_CORE);
      return await Promise.race([probe.report<LadderFigures>(), server.failure()]);
    } finally {
      await probe?.stop();
      await server.stop();
    }
  } finally {
    pair.close();
  }
}

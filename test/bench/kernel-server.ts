/**
 * An encrypted game server over a veth pair: 1,000 clients at 60 Hz, 40 bytes in and 400 out for each at every tick, by each of the
 * ways through the kernel. The clients are in the other namespace and use UDP sockets always.
 */

import { fileURLToPath } from 'node:url';
import type { Backend } from '../../sys/api.ts';
import { FAR, NEAR } from '../sys/linux/namespaces.ts';
import { whyNoXdp, XdpPair } from '../sys/xdp/veth.ts';
import { BenchChild, canPin, UNPINNED_NOTE } from './bench-child.ts';
import { alternate, type BenchOptions, type BenchReport, figure, machine, median, RUNS_DEFAULT } from './report.ts';
import { type LoadFigures, TICK_RATE_HZ, type TickFigures } from './tick-workload.ts';

type Way = Extract<Backend, 'udp' | 'packet' | 'xdp'>;
const WAYS: readonly Way[] = ['udp', 'packet', 'xdp'];
const CLIENTS = 1000;
const SERVER_CORE = 0;
const LOAD_CORE = 1;
const WARM_UP_SECONDS = 6;
const WINDOW_SECONDS = 4;
/** Inputs and snapshots of a window that must arrive, as a share of all. */
const DELIVERED_MIN = 0.98;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const why = whyNoXdp();
  if (why !== '') return { bench: 'kernel-server', machine: machine(), figures: [], skipped: why };
  const whole: Record<Way, number[]> = { udp: [], packet: [], xdp: [] };
  const notes: string[] = [];
  const measure = (way: Way) => async (): Promise<number> => {
    const found = await runOnce(way, notes);
    whole[way].push(found.machineMicros! / (found.ticks * CLIENTS));
    return found.cpuMicros / (found.ticks * CLIENTS);
  };
  const found = await alternate(options.runs ?? RUNS_DEFAULT, {
    udp: measure('udp'),
    packet: measure('packet'),
    xdp: measure('xdp'),
  });
  return {
    bench: 'kernel-server',
    machine: machine(),
    figures: [
      figure('encrypted server, veth: xdp / udp', 'ratio', found.ratios('xdp', 'udp'), { op: '<=', value: 0.7 }),
      figure('encrypted server, veth: packet / udp', 'ratio', found.ratios('packet', 'udp'), { op: '<=', value: 0.88 }),
      ...WAYS.map((way) => figure(`client-tick, ${way}: server`, 'us of CPU', found.samples[way])),
      ...WAYS.map((way) => figure(`client-tick, ${way}: whole machine`, 'us of CPU', whole[way])),
    ],
    notes: [...notes, ...(canPin() ? [] : [UNPINNED_NOTE])],
  };
}

async function runOnce(way: Way, notes: string[]): Promise<TickFigures> {
  const pair = new XdpPair('server');
  try {
    pair.introduce();
    const child = (side: 'near' | 'far', sys: Way, file: string, args: readonly string[], core: number): BenchChild => {
      const path = fileURLToPath(new URL(file, import.meta.url));
      const words = ['netns', 'exec', pair[side], 'env', `TICKWIRE_SYS=${sys}`, process.execPath, path, ...args];
      return new BenchChild(`${file} ${side}`, 'ip', words, core);
    };
    const times = [`${CLIENTS}`, `${WARM_UP_SECONDS}`, `${WINDOW_SECONDS}`];
    const server = child('near', way, './tick-server.js', ['encrypted', ...times, NEAR], SERVER_CORE);
    let load: BenchChild | null = null;
    try {
      const { port, way: used } = await server.report<{ port: number; way: string }>();
      if (used !== way) throw new Error(`the server goes by ${used}, not by ${way}`);
      load = child('far', 'udp', './tick-load.js', ['encrypted', `${port}`, `${CLIENTS}`, NEAR, FAR], LOAD_CORE);
      const found = await Promise.race([server.report<TickFigures>(), load.failure()]);
      const said = await load.stopAndRead<LoadFigures>();
      const full = said.filter((line) => line.connected === CLIENTS).slice(-3, -1);
      const arrived = median(full.map((line) => line.snapshots)) / (TICK_RATE_HZ * CLIENTS);
      if (arrived < DELIVERED_MIN || found.inputs / (found.ticks * CLIENTS) < DELIVERED_MIN) {
        const shares = `${Math.round(arrived * 100)} % of the snapshots, ${found.inputs} inputs of ${found.ticks * CLIENTS}`;
        notes.push(`a run of ${way} was disturbed: ${shares} arrived`);
      }
      return found;
    } finally {
      await server.stop();
      await load?.stop();
    }
  } finally {
    pair.close();
  }
}

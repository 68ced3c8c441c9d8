/**
 * `sim proxy`: what it adds, how exact it is, how much it carries, and its latencies beside the simulator's.
 *
 * The proxy has one core, what loads it and takes in what it sends the other.
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import type { ProxyReport } from '../../sim/proxy/proxy-report.ts';
import { BenchChild, canPin, UNPINNED_NOTE } from './bench-child.ts';
import type { Setting } from './proxy-child.ts';
import type { Load, Received } from './proxy-load.ts';
import type { Latencies, Stream } from './proxy-probe.ts';
import { DATAGRAMS, distance, RATE_HZ, SCENARIO, SEED, share, simulate } from './proxy-workload.ts';
import { type BenchOptions, type BenchReport, type Figure, figure, machine, median, RUNS_DEFAULT } from './report.ts';

const PROXY_CORE = 0;
const LOAD_CORE = 1;
const DATAGRAM_BYTES = 100;
const CLIENTS = 4;
const WARM_UP_SECONDS = 2;
const BLAST_SECONDS = 5;
/** As much as nothing here carries. */
const TOO_MUCH = 600_000;
/** One datagram at a time. */
const LONE = { datagrams: 2_000, rateHz: 1_000, sizes: false, sleeps: false };
const GAME = { datagrams: DATAGRAMS, rateHz: RATE_HZ, sizes: true, sleeps: true };
const EMPTY: DirectionOptions = {};
/** Every packet has to be timed. */
const DELAYS: DirectionOptions = { latencyMicros: 20_000, jitterMicros: 10_000 };
const STAGES: DirectionOptions = {
  ...DELAYS,
  rateBitsPerSecond: 2_000_000_000,
  loss: { model: 'gilbert-elliott', loss: 0.02, meanBurstPackets: 3 },
  duplicate: 0.01,
  reorder: 0.01,
};

interface Blast {
  readonly packetsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const figures: Figure[] = [];
  const added: number[] = [];
  const addedSpinning: number[] = [];
  for (let run = 0; run < runs; run++) {
    const direct = median((await probe(null, LONE)).micros);
    added.push(median((await probe({ link: EMPTY }, LONE)).micros) - direct);
    addedSpinning.push(median((await probe({ link: EMPTY, spin: true }, LONE)).micros) - direct);
  }
  figures.push(figure('added, empty link, one way, p50', 'us', added, { op: '<=', value: 100 }));
  figures.push(figure('the same with --spin', 'us', addedSpinning));
  const timing = await repeat(runs, () => blast({ link: DELAYS }, 5_000));
  figures.push(...lateness('at 5,000 packets/s', timing));
  const spinning = await repeat(runs, () => blast({ link: DELAYS, spin: true }, 5_000));
  figures.push(...lateness('the same with --spin', spinning, false));
  const plain = await repeat(runs, () => blast({ link: EMPTY }, TOO_MUCH));
  figures.push(rate('most packets/s, empty link', plain));
  const stages = await repeat(runs, () => blast({ link: STAGES }, TOO_MUCH));
  figures.push(rate('most packets/s, every stage', stages));
  const steady = await repeat(runs, () => blast({ link: STAGES }, 100_000));
  figures.push(...lateness('every stage at 100,000 packets/s', steady, false));
  const real = await repeat(runs, () => probe({ link: SCENARIO }, GAME));
  const simulated = await Promise.all(real.map(({ sentAt }) => simulate(sentAt)));
  const distances = real.map(({ micros }, run) => distance(micros, simulated[run]!.micros));
  figures.push(figure('latencies against the simulator, KS', 'distance', distances, { op: '<=', value: 0.05 }));
  const other = real.map(({ index }, run) => differences(index, simulated[run]!.index));
  figures.push(figure('packets with another fate', 'count', other, { op: '<=', value: 0 }));
  return {
    bench: 'proxy',
    machine: machine(),
    figures,
    notes: [
      `CDF in ms, simulator ${cdf(simulated[0]!.micros)}`,
      `CDF in ms, proxy     ${cdf(real[0]!.micros)}`,
      `CPU of the proxy at most: ${amounts(plain)} us a packet, every stage ${amounts(stages)}`,
      ...(canPin() ? [] : [UNPINNED_NOTE]),
    ],
  };
}

/** Latencies through a proxy, or of the bare kernel. */
async function probe(
  of: Pick<Setting, 'link' | 'spin'> | null,
  wanted: Omit<Stream, 'bindPort' | 'toPort'>,
): Promise<Latencies> {
  const bindPort = await freePort();
  const seconds = wanted.datagrams / wanted.rateHz + 3;
  const proxy =
    of === null
      ? null
      : BenchChild.node(
          './proxy-child.js',
          [json({ ...of, toPort: bindPort, seed: SEED, seconds, warmUpSeconds: 0 })],
          PROXY_CORE,
        );
  try {
    const toPort = proxy === null ? bindPort : (await proxy.report<{ port: number }>()).port;
    const stream: Stream = { ...wanted, bindPort, toPort };
    const child = BenchChild.node('./proxy-probe.js', [JSON.stringify(stream)], LOAD_CORE);
    try {
      return await child.report<Latencies>();
    } finally {
      await child.stop();
    }
  } finally {
    await proxy?.stop();
  }
}

/** Packets through a proxy at a rate, or as many as it carries. */
async function blast(of: Pick<Setting, 'link' | 'spin'>, packetsPerSecond: number): Promise<Blast> {
  const bindPort = await freePort();
  const setting = { ...of, toPort: bindPort, seed: SEED, seconds: BLAST_SECONDS, warmUpSeconds: WARM_UP_SECONDS };
  const proxy = BenchChild.node('./proxy-child.js', [json(setting)], PROXY_CORE);
  try {
    const toPort = (await proxy.report<{ port: number }>()).port;
    const load: Load = { bindPort, toPort, packetsPerSecond, bytes: DATAGRAM_BYTES, clients: CLIENTS };
    const child = BenchChild.node('./proxy-load.js', [JSON.stringify(load)], LOAD_CORE);
    try {
      const report = await proxy.report<ProxyReport & { cpuMicros: number }>();
      return {
        packetsPerSecond: rateOf(await child.stopAndRead<Received>()),
        p50: report.latenessMs.p50!,
        p99: report.latenessMs.p99!,
        cpuMicros: report.cpuMicros / report.up.delivered,
      };
    } finally {
      await child.stop();
    }
  } finally {
    await proxy.stop();
  }
}

/** Over the second half of the lines in which something came. */
function rateOf(lines: readonly Received[]): number {
  const busy = lines.filter((line, i) => i > 0 && line.datagrams > lines[i - 1]!.datagrams);
  const [from, to] = [busy[busy.length >> 1]!, busy.at(-2)!];
  return ((to.datagrams - from.datagrams) * 1_000_000) / (to.atMicros - from.atMicros);
}

function rate(name: string, blasts: readonly Blast[]): Figure {
  const samples = blasts.map((blast) => blast.packetsPerSecond);
  return figure(name, 'packets/s', samples, { op: '>=', value: 100_000 });
}

function lateness(name: string, blasts: readonly Blast[], must = true): Figure[] {
  const p50 = blasts.map((blast) => blast.p50 * 1000);
  const p99 = blasts.map((blast) => blast.p99 * 1000);
  return [
    figure(`lateness ${name}, p50`, 'us', p50),
    figure(`lateness ${name}, p99`, 'us', p99, must ? { op: '<=', value: 1_000 } : undefined),
  ];
}

/** Packets that only one of them got. */
function differences(a: readonly number[], b: readonly number[]): number {
  const [mine, theirs] = [new Set(a), new Set(b)];
  return a.filter((one) => !theirs.has(one)).length + b.filter((one) => !mine.has(one)).length;
}

function cdf(micros: readonly number[]): string {
  return [25, 30, 35, 40, 50, 60, 80].map((millis) => `${millis}: ${share(micros, millis).toFixed(3)}`).join('  ');
}

function amounts(blasts: readonly Blast[]): string {
  return median(blasts.map((blast) => blast.cpuMicros)).toFixed(2);
}

async function repeat<T>(runs: number, measure: () => Promise<T>): Promise<T[]> {
  const found: T[] = [];
  for (let run = 0; run < runs; run++) found.push(await measure());
  return found;
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

function json(setting: Setting): string {
  return JSON.stringify(setting);
}

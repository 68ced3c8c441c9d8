/**
 * UDP echo through `engine/drive.ts`, without a protocol, against node:dgram: what the server's process pays for an echo.
 *
 * Both servers are loaded by the same client: one socket, a fixed number of datagrams in flight. Server and client have
 * a core each. `joined` is the default of our sockets, where echoes to one peer go out as one GSO send.
 */

import { BenchChild, canPin, UNPINNED_NOTE } from './bench-child.ts';
import type { EchoFigures, EchoKind } from './echo-server.ts';
import { alternate, type BenchOptions, type BenchReport, figure, machine, median, RUNS_DEFAULT } from './report.ts';

const SERVER_CORE = 0;
const CLIENT_CORE = 1;
const WARM_UP_SECONDS = 2;
const WINDOW_SECONDS = 2;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const echoes: number[] = [];
  const measure = (kind: EchoKind, inFlight: number) => () => cpuOfEcho(kind, inFlight, echoes);
  const full = await alternate(runs, {
    dgram: measure('dgram', 64),
    joined: measure('tickwire', 64),
    single: measure('tickwire-no-gso', 64),
  });
  const lone = await alternate(runs, { dgram: measure('dgram', 1), ours: measure('tickwire', 1) });
  const must = { op: '<=', value: 0.65 } as const;
  const us = 'us of server CPU';
  return {
    bench: 'echo',
    machine: machine(),
    figures: [
      figure('window 64: ours / node:dgram', 'ratio', full.ratios('joined', 'dgram'), must),
      figure('window 64, no GSO: ours / node:dgram', 'ratio', full.ratios('single', 'dgram'), must),
      figure('window 64: ours', us, full.samples.joined),
      figure('window 64, no GSO: ours', us, full.samples.single),
      figure('window 64: node:dgram', us, full.samples.dgram),
      figure('window 1: ours / node:dgram', 'ratio', lone.ratios('ours', 'dgram')),
      figure('window 1: ours', us, lone.samples.ours),
      figure('window 1: node:dgram', us, lone.samples.dgram),
    ],
    notes: [`median of ${Math.round(median(echoes) / 1000)},000 echoes a second`, ...(canPin() ? [] : [UNPINNED_NOTE])],
  };
}

/** Server CPU microseconds an echo, in one run. */
async function cpuOfEcho(kind: EchoKind, inFlight: number, echoesPerSecond: number[]): Promise<number> {
  const server = BenchChild.node('./echo-server.js', [kind, `${WARM_UP_SECONDS}`, `${WINDOW_SECONDS}`], SERVER_CORE);
  try {
    const { port } = await server.report<{ port: number }>();
    const client = BenchChild.node('./echo-client.js', [`${port}`, `${inFlight}`], CLIENT_CORE);
    try {
      const found = await Promise.race([server.report<EchoFigures>(), client.failure()]);
      if (found.echoes === 0) throw new Error(`${kind}: no echo in the whole window`);
      echoesPerSecond.push(found.echoes / WINDOW_SECONDS);
      return found.cpuMicros / found.echoes;
    } finally {
      await client.stop();
    }
  } finally {
    await server.stop();
  }
}

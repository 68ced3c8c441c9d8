/** The latency ladder: what a round trip to an echo server takes by how the server waits, over loopback. */

import { BenchChild, canPin, UNPINNED_NOTE } from './bench-child.ts';
import type { LadderFigures } from './ladder-probe.ts';
import type { Waiting } from './ladder-server.ts';
import { alternate, type BenchOptions, type BenchReport, figure, machine, RUNS_DEFAULT } from './report.ts';

const WAYS: readonly Waiting[] = ['dgram', 'attach', 'run', 'spin'];
const SERVER_CORE = 0;
const PROBE_CORE = 1;
const WARM_UP = 3000;
const ECHOES = 4000;

export async function run(options: BenchOptions): Promise<BenchReport> {
  const runs = options.runs ?? RUNS_DEFAULT;
  const tails: Record<Waiting, { p99: number[]; p999: number[] }> = {
    dgram: { p99: [], p999: [] },
    attach: { p99: [], p999: [] },
    run: { p99: [], p999: [] },
    spin: { p99: [], p999: [] },
  };
  const measure = (way: Waiting) => async (): Promise<number> => {
    const found = await roundTrips(way);
    tails[way].p99.push(found.p99);
    tails[way].p999.push(found.p999);
    return found.p50;
  };
  const ladder = await alternate(runs, {
    dgram: measure('dgram'),
    attach: measure('attach'),
    run: measure('run'),
    spin: measure('spin'),
  });
  return {
    bench: 'kernel-ladder',
    machine: machine(),
    figures: [
      figure('round trip over loopback, p50: spin / attach', 'ratio', ladder.ratios('spin', 'attach'), {
        op: '<=',
        value: 0.6,
      }),
      ...WAYS.flatMap((way) => [
        figure(`round trip over loopback, ${way}: p50`, 'us', ladder.samples[way]),
        figure(`round trip over loopback, ${way}: p99`, 'us', tails[way].p99),
        figure(`round trip over loopback, ${way}: p99.9`, 'us', tails[way].p999),
      ]),
    ],
    notes: canPin() ? [] : [UNPINNED_NOTE],
  };
}

async function roundTrips(way: Waiting): Promise<LadderFigures> {
  const server = BenchChild.node('./ladder-server.js', [way, '127.0.0.1'], SERVER_CORE);
  try {
    const { port } = await server.report<{ port: number }>();
    const words = ['127.0.0.1', `${port}`, '127.0.0.1', `${WARM_UP}`, `${ECHOES}`];
    const probe = BenchChild.node('./ladder-probe.js', words, PROBE_CORE);
    try {
      return await Promise.race([probe.report<LadderFigures>(), server.failure()]);
    } finally {
      await probe.stop();
    }
  } finally {
    await server.stop();
  }
}

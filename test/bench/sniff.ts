/**
 * `tickwire sniff` against `tcpdump -w /dev/null -B 32768` on the same veth under the same load: CPU a packet, and what the
 * kernel had to drop. Ours counts flows, sources and numbers besides; `sniff-write` writes to /dev/null as tcpdump does.
 */

import { canPin, UNPINNED_NOTE } from './bench-child.ts';
import {
  alternate,
  type BenchOptions,
  type BenchReport,
  type Figure,
  figure,
  machine,
  median,
  RUNS_DEFAULT,
} from './report.ts';
import { type Contender, type Run, SniffContest } from './sniff-contest.ts';

/** A machine that is too slow for the last two tells what it made. */
const RATES: readonly number[] = [100_000, 200_000, 400_000];
const CONTENDERS: readonly Contender[] = ['tcpdump', 'sniff', 'sniff-write'];

export async function run(options: BenchOptions): Promise<BenchReport> {
  const skipped = SniffContest.whyNot();
  if (skipped !== '') return { bench: 'sniff', machine: machine(), figures: [], skipped };
  const { figures, notes } = await sniffRows(options.runs ?? RUNS_DEFAULT);
  return { bench: 'sniff', machine: machine(), figures, notes: [...notes, ...(canPin() ? [] : [UNPINNED_NOTE])] };
}

/** The rows, for a bench that has others besides. */
export async function sniffRows(runs: number): Promise<{ figures: Figure[]; notes: string[] }> {
  const contest = new SniffContest();
  const figures: Figure[] = [];
  const notes: string[] = [];
  try {
    for (const rate of RATES) {
      const found: Record<Contender, Run[]> = { tcpdump: [], sniff: [], 'sniff-write': [] };
      const measure = (contender: Contender) => async () => {
        const run = await contest.run(contender, rate);
        found[contender].push(run);
        return run.cpuNanosAPacket;
      };
      const all = await alternate(runs, {
        tcpdump: measure('tcpdump'),
        sniff: measure('sniff'),
        'sniff-write': measure('sniff-write'),
      });
      const name = `${rate / 1000} k packets/s`;
      const must = { op: '<=', value: 1 } as const;
      figures.push(
        figure(`${name}: CPU, sniff / tcpdump`, 'ratio', all.ratios('sniff', 'tcpdump'), must),
        figure(`${name}: CPU, sniff --write / tcpdump`, 'ratio', all.ratios('sniff-write', 'tcpdump'), must),
        ...CONTENDERS.map((who) => figure(`${name}: CPU, ${who}`, 'ns a packet', all.samples[who])),
        ...CONTENDERS.map((who) =>
          figure(
            `${name}: drops, ${who}`,
            'packets',
            found[who].map((run) => run.drops),
            who === 'tcpdump' ? undefined : { op: '<=', value: 0 },
          ),
        ),
      );
      const made = CONTENDERS.flatMap((who) => found[who].map((run) => run.packetsPerSecond));
      const unseen = CONTENDERS.map((who) => `${who} ${Math.max(...found[who].map((run) => run.sent - run.seen))}`);
      notes.push(
        `${name}: the sender made ${Math.round(median(made) / 1000)} k; sent and not seen at most: ${unseen.join(', ')}`,
      );
    }
  } finally {
    contest.close();
  }
  return { figures, notes };
}

/** A sweep as a table for people. */

import type { ChannelReport } from '../scenario/message-latencies.ts';
import type { SweepRecord } from './sweep-task.ts';

/** A row a cell: what became of packets and of each channel's messages, medians over the seeds. */
export function sweepTable(records: readonly SweepRecord[], repeat: number): string {
  const channels = channelsOf(records);
  const header = [
    ...Object.keys(records[0]!.cell),
    'failed',
    'dropped %',
    ...channels.map(({ channel, from }) => `${channel} of ${from} p99`),
  ];
  const rows: string[][] = [header];
  for (let i = 0; i < records.length; i += repeat) {
    const runs = records.slice(i, i + repeat).map(({ report }) => report);
    const dropped = runs.map((run) => (100 * run.packetsDropped) / Math.max(1, run.packetsSent));
    const p99s = channels.map(({ channel, from }) =>
      median(
        runs
          .map((run) => run.channels.find((one: ChannelReport) => one.channel === channel && one.from === from))
          .map((one) => one?.latencyMs.p99 ?? Number.NaN)
          .filter((value) => !Number.isNaN(value)),
      ),
    );
    rows.push([
      ...Object.values(records[i]!.cell).map(String),
      String(runs.reduce((sum, run) => sum + run.clientsFailed, 0)),
      median(dropped),
      ...p99s,
    ]);
  }
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((text, column) => text.padStart(widths[column]!)).join('  ')).join('\n');
}

/** Every channel that some run has, by direction and name. */
function channelsOf(records: readonly SweepRecord[]): Pick<ChannelReport, 'channel' | 'from'>[] {
  const all = new Map(
    records.flatMap(({ report }) => report.channels.map((one) => [`${one.from}/${one.channel}`, one])),
  );
  return [...all.keys()].sort().map((key) => all.get(key)!);
}

function median(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const value = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return value.toFixed(1);
}

/** The table of flows as lines of text. */

import type { LaneReport, NetcodeReport, WatchReport } from './sniff-report.ts';

const HEAD: readonly string[] = ['flow', 'packets', 'bytes', 'packets/s', 'netcode', 'loss', 'rtt', 'note'];
/** What is not about the flow with a name is right-aligned. */
const LEFT: readonly boolean[] = [true, false, false, false, true, true, true, true];

const UNITS = 'kMGT';

/** Packets a second of a flow: what the table shows beside the sums. */
export type RateOf = (row: number) => number;

/**
 * @param rowsMax flows that are shown, the first of the report
 * @param width characters of a line at most
 */
export function flowLines(report: WatchReport, rowsMax: number, width: number, rateOf: RateOf): string[] {
  const rows = report.flows
    .slice(0, rowsMax)
    .map((flow, i) => [
      `${flow.protocol} ${flow.from} > ${flow.to}`,
      pair(flow.forward.packets, flow.back.packets),
      pair(flow.forward.bytes, flow.back.bytes),
      count(rateOf(i)),
      flow.netcode === null ? '-' : flow.netcode.certainty,
      flow.netcode === null ? '-' : `${loss(flow.forward)} / ${loss(flow.back)}`,
      roundTrip(flow.netcode),
      note(flow.netcode),
    ]);
  const table = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    row
      .map((cell, i) => (LEFT[i] ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd()
      .slice(0, width),
  );
  const more = report.flowCount - rows.length;
  if (more > 0) lines.push(`and ${more} more flows`);
  for (const { text } of report.findings) lines.push(`! ${text}`.slice(0, width));
  return lines;
}

/** Whole numbers below 10,000, three significant digits with k, M, G or T above. */
export function count(value: number): string {
  if (value < 9_999.5) return String(Math.round(value));
  let scaled = value;
  let unit = -1;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled.toPrecision(3)}${UNITS[unit]}`;
}

function pair(forward: number, back: number): string {
  return `${count(forward)} / ${count(back)}`;
}

function loss({ numbers }: LaneReport): string {
  return numbers === null ? '-' : `${(100 * numbers.lossShare).toFixed(1)} %`;
}

/** To the server + to the client, as seen from here. */
function roundTrip(netcode: NetcodeReport | null): string {
  if (netcode === null || (netcode.toServerMicros === null && netcode.toClientMicros === null)) return '-';
  const millis = (micros: number | null): string => (micros === null ? '?' : (micros / 1000).toFixed(1));
  return `${millis(netcode.toServerMicros)} + ${millis(netcode.toClientMicros)} ms`;
}

function note(netcode: NetcodeReport | null): string {
  if (netcode === null) return '';
  return netcode.amplification > 0 ? `x${netcode.amplification.toFixed(2)} before proof` : '';
}

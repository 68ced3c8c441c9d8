/** What `sim proxy` tells people: a line a second while it runs, and a table at the end. */

import type { ProxyReport, WayReport } from '../proxy/proxy-report.ts';
import type { CaptureReport } from './proxy-capture.ts';

/** How things stand, and how fast since `before` (null: the beginning). */
export function lineOf(report: ProxyReport, before: ProxyReport | null): string {
  const seconds = report.seconds - (before?.seconds ?? 0);
  const way = (name: 'up' | 'down'): string => {
    const delivered = report[name].delivered - (before?.[name].delivered ?? 0);
    const gone = goneOf(report[name]) - (before === null ? 0 : goneOf(before[name]));
    return `${name} ${rate(delivered, seconds)} packets/s, ${rate(gone, seconds)} dropped`;
  };
  const { p50, p99 } = report.latenessMs;
  return `${report.clients.now} clients | ${way('up')} | ${way('down')} | late p50 ${millis(p50)}, p99 ${millis(p99)}`;
}

/** All of it. */
export function summaryOf(report: ProxyReport): string {
  const { clients, dropped, latenessMs } = report;
  const rows = [
    `time       ${report.seconds.toFixed(1)} s, seed ${report.seed}`,
    `clients    ${clients.seen} seen, ${clients.highest} at once, ${clients.forgotten} forgotten, ${report.rebinds} rebound`,
    `up         ${wayText(report.up)}`,
    `down       ${wayText(report.down)}`,
    `lateness   p50 ${millis(latenessMs.p50)}, p99 ${millis(latenessMs.p99)}, at most ${millis(latenessMs.max)}`,
  ];
  const odd = some({
    'of clients beyond the most': dropped.refused,
    'while too many were under way': dropped.crowded,
    'not from the server': dropped.strangers,
    'longer than --datagram': dropped.tooLong,
    'refused by the kernel': report.notSent,
  });
  if (odd.length > 0) rows.push(`dropped    ${odd.join(', ')}`);
  return rows.join('\n');
}

/** A row of the summary. */
export function captureText({ file, whole, packets, bytes, stalls, longestStallMs }: CaptureReport): string {
  const late =
    stalls === 0 ? '' : `; datagrams waited ${count(stalls)} times for it, ${millis(longestStallMs)} at most`;
  return `capture    ${whole ? '' : 'not whole: the first of '}${count(packets)} packets, ${count(bytes)} bytes in ${file}${late}`;
}

function wayText(way: WayReport): string {
  const { sent, delivered, lost, queueDropped, cut, tooLarge, policed, corrupted, duplicated, unheard, overflowed } =
    way;
  const fates = some({
    lost,
    'queue full': queueDropped,
    cut,
    'too large': tooLarge,
    policed,
    unheard,
    overflowed,
    twice: duplicated,
    corrupted,
    'under way': way.underWay,
  });
  const latency = delivered === 0 ? '' : `; p50 ${millis(way.latencyMs.p50)}, p99 ${millis(way.latencyMs.p99)}`;
  const counts = [`${count(sent)} in`, `${count(delivered)} out (${count(way.packetsPerSecond)}/s)`, ...fates];
  return `${counts.join(', ')}${latency}`;
}

/** Those that are not zero. */
function some(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts)
    .filter(([, value]) => value > 0)
    .map(([name, value]) => `${name} ${count(value)}`);
}

function goneOf({ lost, queueDropped, cut, tooLarge, policed, unheard, overflowed }: WayReport): number {
  return lost + queueDropped + cut + tooLarge + policed + unheard + overflowed;
}

function rate(packets: number, seconds: number): string {
  return seconds > 0 ? count(Math.round(packets / seconds)) : '0';
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function millis(value: number | null): string {
  return value === null ? 'none' : `${value.toFixed(2)} ms`;
}

/** Measures a running arena server: one line a second for people, one summary at the end. */

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { ArenaServer } from './game.ts';

export interface Summary {
  readonly ticks: number;
  readonly ticksSkipped: number;
  /** Most clients at once. */
  readonly clients: number;
  readonly inputsReceived: number;
  readonly snapshotsSent: number;
  /** Joins, leaves and kills, told to each player. */
  readonly eventsSent: number;
  /** From wake-up to the last send of a tick. */
  readonly tickMicros: { readonly p50: number; readonly p99: number };
  /** How late ticks began. */
  readonly latenessMicros: { readonly p50: number; readonly p99: number };
  readonly packetsIn: number;
  readonly packetsOut: number;
  /** UDP payload bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The backend in use when the summary was made. */
  readonly backend: string;
  /** Datagrams dropped, by reason; only reasons that occurred. */
  readonly dropped: Readonly<Record<string, number>>;
}

export class Meter {
  readonly #arena: ArenaServer;
  readonly #tickMicros: RecordableHistogram = createHistogram();
  readonly #latenessMicros: RecordableHistogram = createHistogram();
  #ticks = 0;
  #clients = 0;
  /** Counters at the last line, to show what came since. */
  #packetsInBefore = 0;
  #packetsOutBefore = 0;
  #bytesInBefore = 0;
  #bytesOutBefore = 0;

  constructor(arena: ArenaServer) {
    this.#arena = arena;
    arena.server.on('ticked', (_tick, durationMicros, latenessMicros) => {
      this.#ticks++;
      // The histogram starts at 1.
      this.#tickMicros.record(Math.max(1, durationMicros));
      this.#latenessMicros.record(Math.max(1, latenessMicros));
    });
    arena.server.on('connect', () => {
      this.#clients = Math.max(this.#clients, arena.server.peers.length);
    });
  }

  /** What happened since the last line, in 80 columns: times are p50/p99 since the start, traffic is packets and bytes. */
  line(): string {
    const { server } = this.#arena;
    const { datagramsIn, datagramsOut, bytesIn, bytesOut } = server.socketStats;
    const { notAdmitted = 0 } = server.drops;
    const text = [
      `${server.peers.length} clients`,
      `tick ${this.#tickMicros.percentile(50)}/${this.#tickMicros.percentile(99)} µs`,
      `late ${this.#latenessMicros.percentile(50)}/${this.#latenessMicros.percentile(99)} µs`,
      `in ${datagramsIn - this.#packetsInBefore} ${kilobytes(bytesIn - this.#bytesInBefore)}/s`,
      `out ${datagramsOut - this.#packetsOutBefore} ${kilobytes(bytesOut - this.#bytesOutBefore)}/s`,
      ...(notAdmitted === 0 ? [] : [`${notAdmitted} not admitted`]),
    ].join(' · ');
    this.#packetsInBefore = datagramsIn;
    this.#packetsOutBefore = datagramsOut;
    this.#bytesInBefore = bytesIn;
    this.#bytesOutBefore = bytesOut;
    return text;
  }

  summary(): Summary {
    const { server, counters } = this.#arena;
    const { datagramsIn, datagramsOut, bytesIn, bytesOut } = server.socketStats;
    return {
      ticks: this.#ticks,
      ticksSkipped: server.ticksSkipped,
      clients: this.#clients,
      inputsReceived: counters.inputsReceived,
      snapshotsSent: counters.snapshotsSent,
      eventsSent: counters.eventsSent,
      tickMicros: { p50: this.#tickMicros.percentile(50), p99: this.#tickMicros.percentile(99) },
      latenessMicros: { p50: this.#latenessMicros.percentile(50), p99: this.#latenessMicros.percentile(99) },
      packetsIn: datagramsIn,
      packetsOut: datagramsOut,
      bytesIn,
      bytesOut,
      backend: server.way.backend,
      dropped: Object.fromEntries(Object.entries(server.drops).filter(([, count]) => count > 0)),
    };
  }
}

/** A summary as text for people. */
export function formatSummary(summary: Summary): string {
  const rows: [string, string][] = [
    ['ticks', `${summary.ticks} (${summary.ticksSkipped} skipped)`],
    ['clients', `${summary.clients} at most`],
    ['inputs received', `${summary.inputsReceived}`],
    ['snapshots sent', `${summary.snapshotsSent}`],
    ['events sent', `${summary.eventsSent}`],
    ['tick', `p50 ${summary.tickMicros.p50} µs, p99 ${summary.tickMicros.p99} µs`],
    ['lateness', `p50 ${summary.latenessMicros.p50} µs, p99 ${summary.latenessMicros.p99} µs`],
    ['in', `${summary.packetsIn} packets, ${kilobytes(summary.bytesIn)}`],
    ['out', `${summary.packetsOut} packets, ${kilobytes(summary.bytesOut)}`],
    ['way', summary.backend],
  ];
  for (const [reason, count] of Object.entries(summary.dropped)) rows.push([`dropped: ${reason}`, `${count}`]);
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n');
}

/** Bytes for people. */
export function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

/** What `tickwire sniff` shows while it runs and when it is done. */

import type { Clock, Micros } from '../../sys/api.ts';
import type { RingCounts } from '../../sys/packet-ring/packet-ring.ts';
import { count, flowLines } from '../inspect/sniff/flow-lines.ts';
import { FlowRates } from '../inspect/sniff/flow-rates.ts';
import type { PacketWatch } from '../inspect/sniff/packet-watch.ts';
import { busiest, type WatchReport, watchReport } from '../inspect/sniff/sniff-report.ts';
import type { Terminal } from './terminal.ts';

/** To the first line, clear the rest: the table is drawn over itself. */
const REDRAW = '\u001b[H\u001b[J';
/** Lines beside the flows: head, names of columns, rest, and a few findings. */
const OTHER_LINES = 6;

/** A table on a terminal, a line elsewhere. */
export class SniffView {
  readonly #watch: PacketWatch;
  readonly #terminal: Terminal;
  readonly #rows: number;
  readonly #clock: Clock;
  readonly #rates: FlowRates;
  #frames = 0;
  #bytes = 0;
  #at: Micros;
  #isDrawn = false;

  constructor(watch: PacketWatch, terminal: Terminal, rows: number, clock: Clock) {
    this.#watch = watch;
    this.#terminal = terminal;
    this.#rows = rows;
    this.#clock = clock;
    this.#rates = new FlowRates(watch);
    this.#at = clock.now();
  }

  redraw(drops: number): void {
    const watch = this.#watch;
    const now = this.#clock.now();
    const seconds = (now - this.#at) / 1e6;
    const line =
      `${count((watch.frames - this.#frames) / seconds)} packets/s  ` +
      `${count((8 * (watch.bytes - this.#bytes)) / seconds)}bit/s  ` +
      `${watch.flows.count} flows  ${watch.malformed} malformed  ${drops} dropped by the kernel`;
    this.#frames = watch.frames;
    this.#bytes = watch.bytes;
    this.#at = now;
    const screen = this.#terminal.screen?.() ?? null;
    if (screen === null) {
      this.#terminal.out(line);
      return;
    }
    this.#rates.update(seconds);
    const rows = Math.max(1, Math.min(this.#rows, screen.rows - OTHER_LINES));
    const order = busiest(watch);
    const lines = flowLines(watchReport(watch, rows), rows, screen.columns, (row) => this.#rates.of(order[row]!));
    this.#terminal.out(REDRAW + [line.slice(0, screen.columns), ...lines].slice(0, screen.rows - 1).join('\n'));
    this.#isDrawn = true;
  }

  /** Clears the table, so that the summary stands alone. */
  end(): void {
    if (this.#isDrawn) this.#terminal.out(REDRAW.trimEnd());
  }
}

interface Sums {
  readonly source: string;
  readonly kernel: RingCounts | null;
  readonly written: number;
  readonly otherLinks: number;
  readonly seconds: number;
}

/** The flows once more, and the sums. */
export function summaryLines(report: WatchReport, sums: Sums, width: number): string[] {
  const rows = report.flows;
  const lines = flowLines(report, rows.length, width, (row) => rows[row]!.packetsPerSecond);
  const { frames, bytes, malformed, notIp, fragments, flowCount, evicted } = report;
  lines.push(
    `${sums.source}: ${frames} packets, ${bytes} bytes in ${sums.seconds.toFixed(1)} s; ${flowCount} flows` +
      (evicted.flows > 0 ? `, and ${evicted.flows} that made room (${evicted.packets} packets)` : ''),
    `${malformed} malformed, ${notIp} not IP, ${fragments} fragments` +
      (sums.otherLinks > 0 ? `, ${sums.otherLinks} of another link layer` : '') +
      (sums.written > 0 ? `; ${sums.written} written` : ''),
  );
  if (sums.kernel !== null)
    lines.push(`kernel: ${sums.kernel.packets} passed the filter, ${sums.kernel.drops} dropped for want of room`);
  return lines;
}

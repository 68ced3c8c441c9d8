/** `tickwire sniff`: watches an interface or reads a file, shows what it sees, and sums it up. */

import { SysError } from '../../sys/api.ts';
import { SystemClock } from '../../sys/clock.ts';
import { SystemRng } from '../../sys/entropy.ts';
import { FilterError } from '../../sys/filter/filter-error.ts';
import type { RingCounts } from '../../sys/packet-ring/packet-ring.ts';
import { PcapngError } from '../../sys/pcapng/reader.ts';
import { ConfigError } from '../errors.ts';
import { FileSniffer } from '../inspect/sniff/file-sniffer.ts';
import { LAST_BLOCK_MILLIS, LiveSniffer } from '../inspect/sniff/live-sniffer.ts';
import type { PacketWatch } from '../inspect/sniff/packet-watch.ts';
import { watchReport } from '../inspect/sniff/sniff-report.ts';
import { EXIT_FAILED, EXIT_OK, EXIT_USAGE, exitCodeOf } from './exit-code.ts';
import { SniffView, summaryLines } from './sniff-view.ts';
import type { Terminal } from './terminal.ts';

export interface SniffOptions {
  readonly interface?: string;
  readonly read?: string;
  readonly filter: string;
  readonly write?: string;
  /** 0: until SIGINT. */
  readonly seconds: number;
  readonly rows: number;
  readonly promiscuous: boolean;
  readonly json: boolean;
}

/** What a run ended with. */
interface Outcome {
  readonly watch: PacketWatch;
  /** The interface or the file. */
  readonly source: string;
  /** Null where no kernel counted. */
  readonly kernel: RingCounts | null;
  readonly written: number;
  readonly otherLinks: number;
  readonly seconds: number;
  /** What ended it too early; null: nothing did. */
  readonly error: unknown;
}

/** Packets of a file between two looks at signals. */
const PACKETS_A_SLICE = 20_000;
const REDRAW_MILLIS = 1000;

/** Returns the exit code. What a person can act on is told, bugs are thrown. */
export async function sniff(options: SniffOptions, terminal: Terminal): Promise<number> {
  try {
    if ((options.interface === undefined) === (options.read === undefined))
      throw new ConfigError('--interface', 'give --interface <name> to watch one, or --read <file>, and not both');
    const outcome = await (options.read === undefined
      ? watchInterface(options.interface!, options, terminal)
      : readFile(options.read, options));
    tell(outcome, options, terminal);
    if (outcome.error === null) return EXIT_OK;
    return complain(outcome.error, terminal);
  } catch (error) {
    return complain(error, terminal);
  }
}

async function watchInterface(name: string, options: SniffOptions, terminal: Terminal): Promise<Outcome> {
  const clock = new SystemClock();
  const startedAt = clock.now();
  const sniffer = new LiveSniffer({
    interfaceName: name,
    filter: options.filter,
    write: options.write ?? null,
    promiscuous: options.promiscuous,
    seed: new SystemRng().u32(),
    clock,
  });
  const view = options.json ? null : new SniffView(sniffer.watch, terminal, options.rows, clock);
  const stop = new AbortController();
  let error: unknown = null;
  sniffer.attach((ended) => {
    error = ended;
    stop.abort();
  });
  const redraw = setInterval(() => view?.redraw(sniffer.counts().drops), REDRAW_MILLIS);
  await stopped(stop, options.seconds);
  clearInterval(redraw);
  const seconds = (clock.now() - startedAt) / 1e6;
  if (error === null) await new Promise((resolve) => setTimeout(resolve, LAST_BLOCK_MILLIS));
  try {
    sniffer.close();
  } catch (last) {
    error ??= last;
  }
  view?.end();
  const { watch, written } = sniffer;
  return { watch, source: name, kernel: sniffer.counts(), written, otherLinks: 0, seconds, error };
}

async function readFile(file: string, options: SniffOptions): Promise<Outcome> {
  const clock = new SystemClock();
  const startedAt = clock.now();
  const seed = new SystemRng().u32();
  const sniffer = new FileSniffer({ read: file, filter: options.filter, write: options.write ?? null, seed });
  const stop = new AbortController();
  const stopping = stopped(stop, options.seconds);
  let error: unknown = null;
  try {
    while (!stop.signal.aborted && sniffer.advance(PACKETS_A_SLICE))
      await new Promise((resolve) => setImmediate(resolve));
  } catch (broken) {
    error = broken;
  }
  stop.abort();
  await stopping;
  try {
    sniffer.close();
  } catch (last) {
    error ??= last;
  }
  const { watch, written, otherLinks } = sniffer;
  return { watch, source: file, kernel: null, written, otherLinks, seconds: (clock.now() - startedAt) / 1e6, error };
}

/** Until `stop`, SIGINT, SIGTERM, or so many seconds. Aborts `stop`. */
async function stopped(stop: AbortController, seconds: number): Promise<void> {
  const { signal } = stop;
  const end = (): void => stop.abort();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  const timer = seconds > 0 ? setTimeout(end, seconds * 1000) : undefined;
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  clearTimeout(timer);
  process.off('SIGINT', end);
  process.off('SIGTERM', end);
}

function tell(outcome: Outcome, options: SniffOptions, terminal: Terminal): void {
  const { watch, source, kernel, written, otherLinks, seconds } = outcome;
  const report = watchReport(watch, options.json ? undefined : options.rows);
  if (!options.json) {
    for (const line of summaryLines(report, outcome, terminal.screen?.()?.columns ?? Number.POSITIVE_INFINITY))
      terminal.out(line);
    return;
  }
  const error = outcome.error === null ? null : messageOf(outcome.error);
  terminal.out(
    JSON.stringify({ source, filter: options.filter, seconds, kernel, written, otherLinks, ...report, error }),
  );
}

function complain(error: unknown, terminal: Terminal): number {
  terminal.err(`tickwire sniff: ${messageOf(error)}`);
  if (error instanceof FilterError || (error instanceof SysError && error.code === 'ENODEV')) return EXIT_USAGE;
  if (error instanceof PcapngError || isFileError(error)) return EXIT_FAILED;
  const code = exitCodeOf(error);
  if (code === null) throw error;
  return code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What node:fs throws: no such file, no right to it. */
function isFileError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'path' in error;
}

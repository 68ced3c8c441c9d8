/** What `sim run` writes down about packets: options, and the capture that they ask for. */

import type { Command } from 'commander';
import { Capture } from '../capture/capture.ts';
import { PcapSink } from '../capture/pcap-sink.ts';
import { QlogSink, type Side } from '../capture/qlog-sink.ts';
import type { SequenceReport } from '../capture/sequence-report.ts';
import { SequenceSink } from '../capture/sequence-sink.ts';
import { decimal, UsageError, whole } from './command.ts';
import { GrowingFile } from './growing-file.ts';
import { checkPlace, writeText } from './report-file.ts';

/** Packets of a diagram unless told otherwise: a second or two of a game, and what a reader scrolls through. */
const SEQUENCE_PACKETS = 400;
/** A page draws each as some elements; beyond, browsers begin to creep. */
const SEQUENCE_PACKETS_MAX = 5_000;
const SECONDS_MAX = 86_400;

export interface CaptureOptions {
  readonly pcap?: string;
  readonly qlog?: string;
  readonly sequence?: string;
  /** The page has the diagram too. */
  readonly html?: string;
  readonly client: number;
  readonly from: number;
  readonly until?: number;
  readonly packets: number;
}

/** Options that name what a run is written into, for commands that are to be repeated without them; all take a value. */
export const CAPTURE_FILES: readonly string[] = ['--pcap', '--qlog', '--sequence'];

export function addCaptureOptions(command: Command): Command {
  return command
    .option('--pcap <file>', 'write a capture of all packets for Wireshark, as sent and opened (pcapng)')
    .option(
      '--qlog <file>',
      'write both ends of a client for tools like qvis: <file>, and <file> with .server in its name',
    )
    .option('--sequence <file>', 'write the packets of a client as JSON, as the page of --html draws them')
    .option('--client <index>', 'the client of qlog and sequence', whole(0, 9_999), 0)
    .option('--from <seconds>', 'the sequence begins here', decimal(0, SECONDS_MAX), 0)
    .option('--until <seconds>', 'and ends there', decimal(0, SECONDS_MAX))
    .option('--packets <count>', 'or after so many', whole(1, SEQUENCE_PACKETS_MAX), SEQUENCE_PACKETS);
}

/** What is written down of one run. */
export class RunCapture {
  /** To be given to the run; null: nothing is asked for. */
  readonly capture: Capture | null;
  readonly #options: CaptureOptions;
  readonly #files: { readonly option: string; readonly name: string; readonly file: GrowingFile }[] = [];
  #sequence: SequenceSink | null = null;

  /** Opens the files. Throws UsageError for options that cannot be. */
  constructor(options: CaptureOptions, clients: number, title: string) {
    this.#options = options;
    const { pcap, qlog, sequence, html } = options;
    const ofClient = qlog !== undefined || sequence !== undefined;
    if (ofClient && options.client >= clients) {
      throw new UsageError(`--client ${options.client}: the run has ${clients}, counted from 0`);
    }
    const drawn = sequence !== undefined || html !== undefined;
    if (pcap === undefined && qlog === undefined && !drawn) {
      this.capture = null;
      return;
    }
    const client = `client-${options.client}`;
    const isOfClient = (direction: string): boolean =>
      direction === `${client}>server` || direction === `server>${client}`;
    const capture = new Capture((direction, time) => {
      if (pcap !== undefined) return true;
      return isOfClient(direction) && (qlog !== undefined || !this.#sequence!.isFull(time));
    });
    this.capture = capture;
    const nameOf = capture.channelName;
    if (drawn) this.#sequence = sequenceOf(options, client, capture);
    try {
      if (pcap !== undefined) {
        const file = this.#open('--pcap', pcap);
        capture.sinks.push(new PcapSink((block) => file.write(block), nameOf));
      }
      for (const side of qlog === undefined ? [] : (['client', 'server'] as const)) {
        const file = this.#open('--qlog', side === 'client' ? qlog! : serverNameOf(qlog!));
        const end = () => endOf(capture, side, options.client);
        const write = (text: string) => file.write(Buffer.from(text));
        capture.sinks.push(new QlogSink(write, { client, side, title, nameOf, end }));
      }
    } catch (error) {
      for (const { file } of this.#files) file.abandon();
      throw error;
    }
  }

  /** The run is over: gives the files their names; also after one that failed, of which they show most. */
  finish(): void {
    for (const { option, name, file } of this.#files) attempt(option, name, () => file.finish());
    const { sequence } = this.#options;
    if (sequence !== undefined) writeText('--sequence', sequence, `${JSON.stringify(this.sequence())}\n`);
  }

  /** The diagram's data; null when it is not asked for, or there is no such client. */
  sequence(): SequenceReport | null {
    return this.#sequence?.report() ?? null;
  }

  #open(option: string, name: string): GrowingFile {
    const file = attempt(option, name, () => new GrowingFile(name));
    this.#files.push({ option, name, file });
    return file;
  }
}

function sequenceOf(options: CaptureOptions, client: string, capture: Capture): SequenceSink {
  const { from, until = SECONDS_MAX, packets, sequence } = options;
  if (until <= from) throw new UsageError(`--until ${until} is not after --from ${from}`);
  checkPlace('--sequence', sequence);
  const sink = new SequenceSink({
    client,
    fromMicros: Math.round(from * 1_000_000),
    untilMicros: Math.round(until * 1_000_000),
    packetsMax: packets,
    nameOf: capture.channelName,
  });
  capture.sinks.push(sink);
  return sink;
}

function endOf({ ends }: Capture, side: Side, client: number): ReturnType<NonNullable<Capture['ends']>['clientOf']> {
  return (side === 'client' ? ends?.clientOf(client) : ends?.peerOf(client)) ?? null;
}

/** `out.server.sqlog` for `out.sqlog`. */
function serverNameOf(name: string): string {
  const dot = name.lastIndexOf('.');
  const slash = Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\'));
  return dot <= slash + 1 ? `${name}.server` : `${name.slice(0, dot)}.server${name.slice(dot)}`;
}

function attempt<T>(option: string, name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new UsageError(`${option} ${name} cannot be written: ${(error as Error).message}`);
  }
}

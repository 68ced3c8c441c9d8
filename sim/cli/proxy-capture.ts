/** What `sim proxy` writes down of datagrams: the options, and a pcapng file that grows while the proxy runs. */

import { closeSync, openSync, readSync } from 'node:fs';
import type { Command } from 'commander';
import { type Clock, type Micros, type Sys, SysError } from '../../sys/api.ts';
import { Capture } from '../capture/capture.ts';
import { PcapSink } from '../capture/pcap-sink.ts';
import type { DatagramObserver } from '../world/observer.ts';
import { oneLine, UsageError } from './command.ts';
import { GrowingFile } from './growing-file.ts';

export interface ProxyCaptureOptions {
  readonly pcap?: string;
  readonly key?: string;
}

/** What became of the file. */
export interface CaptureReport {
  readonly file: string;
  /** False: the file could not be written to its end, and has only the first of the packets. */
  readonly whole: boolean;
  readonly packets: number;
  /** Of the file. */
  readonly bytes: number;
  /** Times that writing took so long that datagrams were late for it, and the longest. */
  readonly stalls: number;
  readonly longestStallMs: number;
}

/** A file by what is needed of it: a test has a slow one. */
export type PacketFile = Pick<GrowingFile, 'write' | 'finish' | 'keep' | 'abandon'>;

const KEY_BYTES = 32;
/** More is no key, with whatever blanks around it. */
const KEY_FILE_BYTES_MAX = 256;
const KEY_DIGITS = /^[0-9a-f]{64}$/i;
/** Writing goes into the memory of the system and takes a tenth of a millisecond a chunk; what takes so long waits for a disk. */
const STALL_MICROS: Micros = 2_000;
/** Times that the calendar is read for one of them to be good. */
const CALENDAR_READS = 5;

export function addProxyCaptureOptions(command: Command): Command {
  return command
    .option('--pcap <file>', 'write a capture for Wireshark: each datagram as it came, and what became of it (pcapng)')
    .option(
      '--key <hex or file>',
      "the private key of a server of this engine: the capture has what is sealed too. 64 digits, or a file of them or of the key's 32 bytes",
    );
}

export class ProxyCapture {
  readonly observe: DatagramObserver;
  readonly #capture: Capture = new Capture();
  readonly #name: string;
  readonly #file: PacketFile;
  readonly #clock: Clock;
  readonly #warn: (text: string) => void;
  #opens = false;
  #packets = 0;
  #bytes = 0;
  #stalls = 0;
  #longest: Micros = 0;
  #failure: Error | null = null;

  constructor(name: string, file: PacketFile, clock: Clock, warn: (text: string) => void) {
    this.#name = name;
    this.#file = file;
    this.#clock = clock;
    this.#warn = warn;
    // Once the file cannot be written any more, packets are not even looked at.
    this.observe = (...event) => {
      if (this.#failure === null) this.#capture.observe(...event);
    };
  }

  /** What the options ask for; null: nothing. Opens the file. Throws UsageError for options that cannot be. */
  static open(options: ProxyCaptureOptions, sys: Sys, warn: (text: string) => void): ProxyCapture | null {
    const { pcap, key } = options;
    if (pcap === undefined) {
      if (key !== undefined) throw new UsageError('--key opens packets of a capture: give --pcap too');
      return null;
    }
    const privateKey = key === undefined ? null : keyOf(key);
    const made = new ProxyCapture(pcap, growing(pcap), sys.clock, warn);
    if (privateKey !== null) made.unseal(privateKey, (slots, slotBytes) => sys.openAead(slots, slotBytes));
    return made;
  }

  /** Packets of sessions whose tokens this key seals are opened. To be called before `begin`. */
  unseal(privateKey: Uint8Array, openAead: Sys['openAead']): void {
    this.#opens = true;
    this.#capture.begin({ privateKey, openAead });
  }

  /** The proxy is there; its time 0 was `startedAt` on the machine's clock. To be called before its first turn. */
  begin(startedAt: Micros): void {
    const options = {
      zeroMicros: calendarAt(startedAt, this.#clock),
      opens: this.#opens,
      wire: 'datagrams as they came to the proxy, with IP and UDP headers made up of their addresses',
    };
    this.#capture.sinks.push({ onSent: () => void this.#packets++ });
    this.#capture.sinks.push(new PcapSink((block) => this.#write(block), this.#capture.channelName, options));
  }

  /** The proxy has ended at `time` of its own: gives the file its name. */
  finish(time: Micros): CaptureReport {
    if (this.#failure === null) this.#capture.end(time);
    if (this.#failure === null) this.#attempt(() => this.#file.finish());
    if (this.#failure !== null) {
      this.#attempt(() => {
        this.#bytes = this.#file.keep();
      });
    }
    return {
      file: this.#name,
      whole: this.#failure === null,
      packets: this.#packets,
      bytes: this.#bytes,
      stalls: this.#stalls,
      longestStallMs: this.#longest / 1000,
    };
  }

  /** Throws SysError when the capture is not whole. */
  check(): void {
    const { code = 'EIO', message = '' } = (this.#failure ?? {}) as NodeJS.ErrnoException;
    if (this.#failure !== null) throw new SysError(code, 'write', `--pcap ${this.#name} is not whole: ${message}`);
  }

  /** The proxy has not begun: leaves nothing behind. */
  abandon(): void {
    this.#file.abandon();
  }

  #write(block: Uint8Array): void {
    if (this.#failure !== null) return;
    const before = this.#clock.now();
    this.#attempt(() => this.#file.write(block));
    this.#bytes += block.length;
    const took = this.#clock.now() - before;
    if (took < STALL_MICROS) return;
    if (this.#stalls++ === 0) {
      this.#warn(`writing --pcap ${this.#name} took ${took / 1000} ms, in which no datagram moved: is the disk busy?`);
    }
    if (took > this.#longest) this.#longest = took;
  }

  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (this.#failure === null) this.#warn(`--pcap ${this.#name} ends here, the proxy goes on: ${oneLine(error)}`);
      this.#failure = error as Error;
    }
  }
}

function growing(name: string): GrowingFile {
  try {
    return new GrowingFile(name);
  } catch (error) {
    throw new UsageError(`--pcap ${name} cannot be written: ${oneLine(error)}`);
  }
}

/** A key by its digits, or from a file. What was given may be a key with a mistake: it is not repeated. */
export function keyOf(given: string): Uint8Array {
  if (KEY_DIGITS.test(given)) return bytesOf(given);
  let bytes: Buffer;
  try {
    bytes = beginningOf(given);
  } catch {
    throw new UsageError('--key is neither 64 hexadecimal digits nor a file that can be read');
  }
  if (bytes.length === KEY_BYTES) return Uint8Array.from(bytes);
  const text = bytes.toString('latin1').trim();
  if (KEY_DIGITS.test(text)) return bytesOf(text);
  throw new UsageError(`--key ${given} has neither 64 hexadecimal digits nor ${KEY_BYTES} bytes in it`);
}

function beginningOf(file: string): Buffer {
  const bytes = Buffer.alloc(KEY_FILE_BYTES_MAX);
  const descriptor = openSync(file, 'r');
  try {
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/**
 * The calendar at time `at` of the clock, in microseconds since 1970. It is read as it turns to another millisecond, some
 * times, and the middle one taken: between two reads the machine may have done something else. Both clocks run alike (NTP
 * slews both) but for jumps of the calendar, which a capture does not make.
 */
function calendarAt(at: Micros, clock: Clock): Micros {
  const offsets: number[] = [];
  while (offsets.length < CALENDAR_READS) {
    const before = Date.now();
    let now = clock.now();
    let calendar = Date.now();
    while (calendar === before) {
      now = clock.now();
      calendar = Date.now();
    }
    offsets.push(calendar * 1000 - now);
  }
  return offsets.sort((a, b) => a - b)[CALENDAR_READS >> 1]! + at;
}

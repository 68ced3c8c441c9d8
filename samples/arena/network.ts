/** The way to the network on the arena's command line, and in what it prints. */

import { type Command, Option } from 'commander';
import type { Backend, BackendOptions, SocketWay } from 'tickwire';
import { whole } from './command-line.ts';

export interface NetworkFlags {
  readonly sys: Backend;
  readonly interface?: string;
  readonly mode?: string;
  readonly admission?: number;
  readonly burst?: number;
}

/** Adds the options. What they mean, and what goes with what, the engine checks. */
export function addNetwork(command: Command): Command {
  return command
    .addOption(
      new Option('--sys <backend>', 'way to the network')
        .choices(['auto', 'udp', 'packet', 'xdp', 'dgram'])
        .default('auto'),
    )
    .option('--interface <name>', 'with --sys xdp: the interface that players come by; else the one with the address')
    .option('--mode <mode>', 'with --sys xdp: native (in the driver) or generic (after it); else what works')
    .option(
      '--admission <rate>',
      'with --sys xdp: drop what one address sends beyond so many datagrams a second, in the kernel',
      whole(0, 10_000_000),
    )
    .option('--burst <count>', 'with --admission: datagrams that a silent address saves up', whole(0, 1_000_000));
}

/** The flags as the engine takes them: with what was given and nothing else. */
export function networkOf(flags: NetworkFlags): Backend | BackendOptions {
  const { sys, interface: name, mode, admission, burst } = flags;
  const given = { interface: name, mode, admission: limitOf(admission, burst) };
  const options = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Object.keys(options).length === 0) return sys;
  return { backend: sys, ...options } as BackendOptions; // whatever it is: the engine says what is wrong with it
}

function limitOf(datagramsPerSecond: number | undefined, burst: number | undefined): object | undefined {
  if (datagramsPerSecond === undefined && burst === undefined) return undefined;
  return burst === undefined ? { datagramsPerSecond } : { datagramsPerSecond, burst };
}

/** The way as a line, and again when it changes: an interface may go away under a running server. */
export class WayNews {
  text: string;

  constructor(way: SocketWay) {
    this.text = lineOf(way);
  }

  look(way: SocketWay): void {
    const text = lineOf(way);
    if (text === this.text) return;
    this.text = text;
    process.stderr.write(`\n${text}\n`);
  }
}

function lineOf({ backend, details, fallback }: SocketWay): string {
  const how = details === '' ? '' : ` (${details})`;
  const why = fallback === '' ? '' : `; ${fallback}`;
  return `way to the network: ${backend}${how}${why}`;
}

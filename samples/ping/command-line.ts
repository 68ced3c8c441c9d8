/** The options of ping, by the letters that everybody knows. */

import { Command, InvalidArgumentError } from 'commander';

export interface PingOptions {
  readonly host: string;
  /** 0: whatever the name has. */
  readonly family: 0 | 4 | 6;
  /** Infinity: until SIGINT. */
  readonly count: number;
  readonly intervalMicros: number;
  readonly size: number;
  readonly ttl: number;
  readonly patienceMicros: number;
}

interface Parsed {
  ipv4?: true;
  ipv6?: true;
  count?: number;
  interval: number;
  size: number;
  ttl: number;
  timeout: number;
}

/** Parses all of `process.argv`. Ends the process with 0 after `--help`, with 2 where the words are wrong, as ping does. */
export function parseCommandLine(argv: readonly string[]): PingOptions {
  const command = new Command('ping')
    .description('Sends echo requests (ICMP, ICMPv6) and shows the answers. Needs the right CAP_NET_RAW.')
    .argument('<host>', 'name or address')
    .option('-4, --ipv4', 'IPv4 only')
    .option('-6, --ipv6', 'IPv6 only')
    .option('-c, --count <n>', 'stop after so many requests; without it, at Ctrl-C', within(1, 1e9))
    // Two milliseconds are what ping lets users other than root have.
    .option('-i, --interval <seconds>', 'between two requests', within(0.002, 86_400, false), 1)
    .option('-s, --size <bytes>', 'of data in a request', within(0, 65_507), 56)
    .option('-t, --ttl <hops>', 'TTL or hop limit of requests', within(1, 255), 64)
    .option(
      '-W, --timeout <seconds>',
      'wait for the first answer, after the last request',
      within(0, 86_400, false),
      10,
    )
    .addHelpText('after', '\nExit codes: 0 it answers, 1 nothing came back, 2 something is wrong here.')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
    .parse(argv);
  const { ipv4, ipv6, count, interval, size, ttl, timeout } = command.opts<Parsed>();
  if (ipv4 && ipv6) command.error('error: -4 and -6 at once');
  return {
    host: command.args[0]!,
    family: ipv4 ? 4 : ipv6 ? 6 : 0,
    count: count ?? Number.POSITIVE_INFINITY,
    intervalMicros: Math.round(interval * 1e6),
    size,
    ttl,
    patienceMicros: Math.round(timeout * 1e6),
  };
}

/** An option that is a number from `min` to `max`. */
function within(min: number, max: number, whole = true): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(whole ? /^\d+$/ : /^\d*\.?\d+$/).test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`give a ${whole ? 'whole ' : ''}number from ${min} to ${max}.`);
    }
    return value;
  };
}

/**
 * `sim proxy`: the simulator's links between real programs.
 *
 * Ends after `--seconds`, or on Ctrl-C, with a summary, and perhaps a capture; a line `rebind client-0` (or `rebind all`) on stdin gives a client
 * a new port.
 */

import { createInterface, type Interface } from 'node:readline';
import { Command, InvalidArgumentError } from 'commander';
import { resolveEndpointText } from '../../engine/context.ts';
import { ConfigError } from '../../engine/errors.ts';
import { resolveHostName } from '../../engine/resolve.ts';
import { DATAGRAM_BYTES_MAX, formatAddress, isIPv4, type Micros, portOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { ProxyLoop } from '../proxy/proxy-loop.ts';
import { CLIENTS_DEFAULT, CLIENTS_MAX, DATAGRAM_BYTES_DEFAULT, IDLE_MICROS } from '../proxy/proxy-options.ts';
import { type ProxyReport, proxyReport } from '../proxy/proxy-report.ts';
import { UdpProxy } from '../proxy/udp-proxy.ts';
import type { ProxyPlan } from '../scenario/proxy-scenario.ts';
import { NONE } from '../world/datagram-pool.ts';
import { decimal, UsageError, whole } from './command.ts';
import { addNetworkOptions, changesOf, commandLineOf, linksOf, type NetworkOptions } from './network-options.ts';
import { addProxyCaptureOptions, ProxyCapture, type ProxyCaptureOptions } from './proxy-capture.ts';
import { captureText, lineOf, summaryOf } from './proxy-text.ts';
import { readProxyFile } from './scenario-file.ts';
import { addFileArgument } from './scenario-options.ts';
import { SIM } from './spoken.ts';

interface Options extends NetworkOptions, ProxyCaptureOptions {
  readonly listen: string;
  readonly to: string;
  readonly seed: string;
  readonly seconds?: number;
  readonly rebindEvery?: Micros;
  readonly idle: Micros;
  readonly datagram: number;
  readonly spin: boolean;
  readonly json: boolean;
}

/** Node's timers end at 24.8 days. */
const SECONDS_MAX = 24 * 86_400;
const LIVE_MILLIS = 1_000;
const UNIT_MICROS: Readonly<Record<string, number>> = { ms: 1_000, s: 1_000_000, m: 60_000_000 };
const DURATION_MICROS_MAX = 3_600_000_000;

const command = new Command('proxy').description('put a simulated network between real UDP programs');
addFileArgument(command)
  .requiredOption('--listen <host:port>', 'where clients send to')
  .requiredOption('--to <host:port>', 'the server');
export const proxyCommand: Command = addProxyCaptureOptions(addNetworkOptions(command, ['clients']))
  .option(
    '--clients <count>',
    'clients at once; datagrams of others are dropped',
    whole(1, CLIENTS_MAX),
    CLIENTS_DEFAULT,
  )
  .option('--seed <text>', 'decides every chance, as in `sim run`', '1')
  .option('--seconds <count>', 'end after so long (default: on Ctrl-C)', decimal(0.001, SECONDS_MAX))
  .option('--rebind-every <time>', 'clients get new ports so often, as behind a forgetful NAT', duration)
  .option('--idle <time>', 'forget a client after so much silence', duration, IDLE_MICROS)
  .option(
    '--datagram <bytes>',
    'longest datagram; longer ones are dropped',
    whole(1, DATAGRAM_BYTES_MAX),
    DATAGRAM_BYTES_DEFAULT,
  )
  .option('--spin', 'stay awake before something is due: more exact, costs up to a core', false)
  .option('--json', 'print one JSON object at the end', false)
  .addHelpText(
    'after',
    '\nExamples:\n' +
      `  ${SIM} proxy --listen 127.0.0.1:7777 --to 127.0.0.1:9000 --preset lte --seed 7\n` +
      `  ${SIM} proxy --listen 127.0.0.1:7777 --to 127.0.0.1:9000 --latency 50 --loss 5 --rebind-every 10s\n` +
      `  ${SIM} proxy samples/scenarios/train.json --listen 127.0.0.1:7777 --to 127.0.0.1:9000\n` +
      `  ${SIM} proxy --listen 127.0.0.1:7777 --to 127.0.0.1:9000 --loss 5 --pcap out.pcapng --key server.key\n` +
      '\nTimes are 500ms, 10s or 2m. The timeline of a file begins with the first client. A line `rebind client-0` or ' +
      '`rebind all` on stdin gives clients new ports.',
  )
  .action(run);

async function run(file: string | undefined, options: Options, command: Command): Promise<void> {
  const network =
    file === undefined ? { ...linksOf(options), seed: options.seed } : await planOf(file, options, command);
  const listen = await addressOfText('--listen', options.listen);
  const to = await addressOfText('--to', options.to);
  checkLoop(listen, to);
  const sys = openSys();
  const capture = ProxyCapture.open(options, sys, note);
  let proxy: UdpProxy;
  try {
    proxy = await UdpProxy.open(
      { sys },
      {
        ...network,
        listen,
        to,
        clientsMax: options.clients,
        idleMicros: options.idle,
        ...(options.rebindEvery === undefined ? {} : { rebindEveryMicros: options.rebindEvery }),
        datagramBytesMax: options.datagram,
        ...(capture === null ? {} : { observe: capture.observe }),
        warn: note,
      },
    );
  } catch (error) {
    capture?.abandon();
    sys.close();
    throw error;
  }
  capture?.begin(proxy.startedAt);
  const says = file === undefined ? commandLineOf(options) : file;
  note(`${formatAddress(proxy.address)} -> ${formatAddress(to)}: ${says} --seed ${network.seed}; Ctrl-C ends it`);
  await runAndReport(proxy, capture, options);
  sys.close();
  capture?.check();
}

/** Runs to the end; what was captured is kept also when that is an error. */
async function runAndReport(proxy: UdpProxy, capture: ProxyCapture | null, options: Options): Promise<void> {
  try {
    await runUntilEnd(proxy, options);
  } catch (error) {
    capture?.finish(proxy.now);
    proxy.close();
    throw error;
  }
  const captured = capture?.finish(proxy.now) ?? null;
  const report = proxyReport(proxy);
  proxy.close();
  const printed = options.json
    ? JSON.stringify(captured === null ? report : { ...report, capture: captured })
    : `${summaryOf(report)}${captured === null ? '' : `\n${captureText(captured)}`}`;
  process.stdout.write(`${printed}\n`);
}

/** What a file says, with what options say instead. */
async function planOf(file: string, options: Options, command: Command): Promise<ProxyPlan> {
  const given = (name: string): boolean => command.getOptionValueSource(name) === 'cli';
  const network = Object.fromEntries(Object.entries(options).filter(([name]) => given(name))) as Partial<Options>;
  const plan = await readProxyFile(file, {
    clients: network.clients,
    seed: network.seed,
    ...(network.preset === undefined ? {} : { preset: network.preset }),
    changes: changesOf(network),
  });
  if (plan.expects) note(`${file}: what it expects is for \`sim run\` to look at`);
  return plan;
}

async function runUntilEnd(proxy: UdpProxy, options: Options): Promise<void> {
  const loop = new ProxyLoop(proxy, { spin: options.spin });
  const stop = (): void => loop.stop();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const timer = options.seconds === undefined ? undefined : setTimeout(stop, options.seconds * 1000);
  const live = process.stderr.isTTY ? showLive(proxy) : undefined;
  const lines = readLines(proxy);
  try {
    await loop.run();
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    clearTimeout(timer);
    clearInterval(live);
    if (live !== undefined) process.stderr.write('\r\u001b[K');
    lines.close();
    process.stdin.destroy();
  }
}

/** One line that is written over each second. */
function showLive(proxy: UdpProxy): NodeJS.Timeout {
  let before: ProxyReport | null = null;
  return setInterval(() => {
    const report = proxyReport(proxy);
    process.stderr.write(`\r\u001b[K${lineOf(report, before)}`);
    before = report;
  }, LIVE_MILLIS);
}

/** Commands on stdin. */
function readLines(proxy: UdpProxy): Interface {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const [verb, name] = line.trim().split(/\s+/);
    if (verb === undefined || verb === '') return;
    const client = name === undefined ? NONE : proxy.clients.named(name);
    if (verb !== 'rebind' || name === undefined)
      note(`'${line.trim()}' is no command: write rebind client-0, or rebind all`);
    else if (name === 'all') proxy.rebindAll();
    else if (client === NONE) note(`there is no ${name} now: write rebind client-0, or rebind all`);
    else proxy.rebind(client);
  });
  return lines;
}

async function addressOfText(option: string, text: string): Promise<Uint8Array> {
  try {
    const [address] = await resolveEndpointText({ resolve: resolveHostName }, option, text);
    return address!;
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.message);
    throw error;
  }
}

/** A proxy that is its own server would fill itself with the first datagram. */
function checkLoop(listen: Uint8Array, to: Uint8Array): void {
  if (portOf(to) === 0) throw new UsageError('--to has port 0: give the port that the server listens on');
  if (portOf(to) !== portOf(listen)) return;
  const loopback = isIPv4(to) ? to[12] === 127 : to.subarray(0, 15).every((byte) => byte === 0) && to[15] === 1;
  const wildcard = listen.subarray(isIPv4(listen) ? 12 : 0, 16).every((byte) => byte === 0);
  const same = to.subarray(0, 16).every((byte, i) => byte === listen[i]);
  if (!same && !(loopback && wildcard)) return;
  throw new UsageError(`--to ${formatAddress(to)} is where the proxy itself listens: give one of them another port`);
}

function duration(text: string): Micros {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const micros = amount === undefined ? Number.NaN : Math.round(Number(amount) * UNIT_MICROS[unit!]!);
  if (micros > 0 && micros <= DURATION_MICROS_MAX) return micros;
  throw new InvalidArgumentError('give a time such as 500ms, 10s or 2m, at most 60m.');
}

function note(text: string): void {
  process.stderr.write(`sim: ${text}\n`);
}

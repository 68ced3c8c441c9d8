/**
 * `npm run bench -- <name> [--json]`: runs one bench, or all of them.
 *
 * Exit codes: 0 all as they must be, 1 a figure missed, 2 usage, 3 nothing could be measured here (the report says why).
 */

import { existsSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { type BenchModule, type BenchOptions, type BenchReport, machine, RUNS_DEFAULT, table } from './report.ts';

/** Every bench, each in the file of its name. */
const BENCHES: Readonly<Record<string, string>> = {
  executor: 'futures, tasks and timers: nanoseconds and bytes a step',
  transport:
    'messages, acks and packets of 1,000 connections without sockets and ciphers: nanoseconds a packet in and out',
  loss: 'latency under loss and transfers through bottlenecks, in virtual time: --runs n takes n of 20 seeds',
  netcode: 'an endpoint with 1,000 clients without sockets: nanoseconds a packet in and out',
  aead: 'each ChaCha20-Poly1305 provider: nanoseconds a packet and a token',
  echo: 'UDP echo through drive against node:dgram: server CPU an echo',
  tick: '1,000 clients at 60 Hz against a C floor: server CPU a client-tick',
  memory: 'idle clients of a server, over loopback: bytes a connection',
  congestion: 'congestion control in the bottleneck model: rates, queues, fairness',
  proxy: 'links of the simulator in real time: microseconds added and late, packets a second, and beside the simulator',
  sniff: 'the sniffer against tcpdump on a veth under load: CPU a packet, drops',
  sim: 'the simulator: events and virtual seconds a second',
};

const EXIT_MISSED = 1;
const EXIT_USAGE = 2;
const EXIT_MISSING_CAPABILITY = 3;

interface Flags {
  readonly json?: boolean;
  readonly runs: number;
}

/** Runs a bench by name. */
async function runBench(name: string, options: BenchOptions): Promise<BenchReport> {
  const file = new URL(`./${name}.js`, import.meta.url);
  if (!existsSync(file)) {
    return { bench: name, machine: machine(), figures: [], skipped: `test/bench/${name}.ts is not in this build` };
  }
  const module = (await import(file.href)) as BenchModule;
  return module.run(options);
}

async function runNamed(name: string, flags: Flags): Promise<number> {
  const names = name === 'all' ? Object.keys(BENCHES) : [name];
  const reports: BenchReport[] = [];
  for (const one of names) {
    if (names.length > 1) process.stderr.write(`${one} ...\n`);
    const report = await runBench(one, { runs: flags.runs });
    reports.push(report);
    if (!flags.json) process.stdout.write(`${table(report)}\n`);
  }
  if (flags.json) process.stdout.write(`${JSON.stringify(name === 'all' ? joined(reports) : reports[0])}\n`);
  if (reports.some((report) => report.figures.some((f) => !f.ok))) return EXIT_MISSED;
  return reports.some((report) => report.skipped !== undefined) ? EXIT_MISSING_CAPABILITY : 0;
}

/** All reports as one, each figure named after its bench. */
function joined(reports: readonly BenchReport[]): BenchReport {
  return {
    bench: 'all',
    machine: machine(),
    figures: reports.flatMap((report) => report.figures.map((f) => ({ ...f, name: `${report.bench}: ${f.name}` }))),
    notes: reports.flatMap((report) => [
      ...(report.notes ?? []).map((note) => `${report.bench}: ${note}`),
      ...(report.skipped === undefined ? [] : [`${report.bench}: skipped: ${report.skipped}`]),
    ]),
  };
}

function runsOption(text: string): number {
  const runs = Number(text);
  if (!Number.isInteger(runs) || runs < 1 || runs > 1000) throw new InvalidArgumentError('give 1 to 1000.');
  return runs;
}

function nameArgument(text: string): string {
  if (text === 'all' || text in BENCHES) return text;
  throw new InvalidArgumentError(`there are: all, ${Object.keys(BENCHES).join(', ')}.`);
}

const command = new Command('bench')
  .description('Measures and compares with what must be reached.')
  .argument(
    '<name>',
    `all, or one of:\n${Object.entries(BENCHES)
      .map(([n, d]) => `${n}: ${d}`)
      .join('\n')}`,
    nameArgument,
  )
  .option('--json', 'one object on stdout')
  .option('--runs <n>', 'alternating runs a figure', runsOption, RUNS_DEFAULT)
  .exitOverride()
  .action(async (name: string, flags: Flags) => {
    process.exitCode = await runNamed(name, flags);
  });

try {
  await command.parseAsync();
} catch (error) {
  // commander has printed its own; help asked for is no error.
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
}

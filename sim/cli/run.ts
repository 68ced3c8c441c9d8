/** `sim run`: one game in one network, and what became of its packets. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, Option } from 'commander';
import { QUEUE_BYTES_MAX } from '../link/bottleneck.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { LossModel } from '../link/loss.ts';
import type { ChannelReport } from '../scenario/message-latencies.ts';
import { runScenario, type ScenarioReport, type SimulatedGame } from '../scenario/scenario.ts';
import type { AeadFactory } from '../world/sim-sys.ts';
import { decimal, oneLine, UsageError, whole } from './command.ts';

/** Games that come with the package, relative to this file once built. */
const SCENARIOS: Readonly<Record<string, string>> = { arena: '../../samples/arena/game.js' };
const CLIENTS_MAX = 10_000;
const LATENCY_MILLIS_MAX = 60_000;
const SECONDS_MAX = 30 * 86_400;
const BURST_PACKETS_MAX = 1_000;
const RATE_MEGABITS_MAX = 100_000;
/** How much later held-back packets and copies come: longer than a tick at 60 Hz, so that the next packet overtakes. */
const SECOND_ARRIVAL_MICROS = 20_000;

interface RunOptions {
  readonly scenario: string;
  readonly game?: string;
  readonly clients: number;
  readonly latency: number;
  readonly jitter: number;
  readonly loss: number;
  readonly burst?: number;
  readonly rate?: number;
  readonly queue?: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly seconds: number;
  readonly seed: string;
  readonly json: boolean;
  readonly strict: boolean;
  readonly aead: 'sim' | 'real';
}

export const runCommand: Command = new Command('run')
  .description('run one scenario and print what the network did')
  .addOption(new Option('--scenario <name>', 'game to run').choices(Object.keys(SCENARIOS)).default('arena'))
  .option('--game <file>', 'run this built game module instead: exports server(host, args) and client(host, args)')
  .option('--clients <count>', 'clients', whole(0, CLIENTS_MAX), 8)
  .option('--latency <ms>', 'one-way delay', decimal(0, LATENCY_MILLIS_MAX), 50)
  .option('--jitter <ms>', 'delays lie within latency +- jitter', decimal(0, LATENCY_MILLIS_MAX), 0)
  .option('--loss <percent>', 'packets lost, each way', decimal(0, 100), 0)
  .option('--burst <packets>', 'lose so many in a row in the mean (Gilbert-Elliott)', decimal(1, BURST_PACKETS_MAX))
  .option('--rate <Mbit/s>', 'each way of each client; packets queue for it', decimal(0.001, RATE_MEGABITS_MAX))
  .option('--queue <ms>', 'what the queue holds at that rate; more is dropped', decimal(0, LATENCY_MILLIS_MAX))
  .option('--duplicate <percent>', 'packets that arrive twice, up to 20 ms apart', decimal(0, 100), 0)
  .option('--reorder <percent>', 'packets held back for 20 ms', decimal(0, 100), 0)
  .option('--seconds <count>', 'virtual time', decimal(0.001, SECONDS_MAX), 60)
  .option('--seed <text>', 'decides every chance', '1')
  .addOption(
    new Option('--aead <kind>', 'cryptography: a stand-in, or the real one').choices(['sim', 'real']).default('sim'),
  )
  .option('--strict', 'clocks, timers and Math.random throw in the game', false)
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    '\nExamples:\n' +
      '  npm run sim -- run --clients 8 --latency 50 --jitter 10 --loss 5 --seed 7\n' +
      '  npm run sim -- run --loss 5 --burst 4 --rate 2 --queue 100 --duplicate 1 --reorder 1\n' +
      '  npm run sim -- run --game ./dist/my-game.js --clients 100 --loss 2 --seconds 600 --json',
  )
  .action(run);

async function run(options: RunOptions): Promise<void> {
  const link = linkOf(options);
  const game = await loadGame(options);
  const openAead = options.aead === 'real' ? await realAead() : null;
  const start = performance.now();
  const report = await runScenario({
    name: options.game ?? options.scenario,
    game,
    clients: options.clients,
    link,
    seconds: options.seconds,
    seed: options.seed,
    strict: options.strict,
    warn: (text) => void process.stderr.write(`${text}\n`),
    ...(openAead === null ? {} : { openAead }),
  });
  const wallSeconds = Math.round(performance.now() - start) / 1000;
  const printed = options.json ? JSON.stringify({ ...report, wallSeconds }) : table(report, options, wallSeconds);
  process.stdout.write(`${printed}\n`);
}

/** The options of each direction; throws UsageError where two of the user's do not fit. */
function linkOf(options: RunOptions): DirectionOptions {
  const { latency, jitter, rate, queue, duplicate, reorder } = options;
  if (jitter > latency) {
    throw new UsageError(`--jitter ${jitter} is larger than --latency ${latency}: delays cannot be negative`);
  }
  if (queue !== undefined && rate === undefined) {
    throw new UsageError(`--queue ${queue} without --rate: a link without a rate has no queue; give --rate too`);
  }
  return {
    latencyMicros: Math.round(latency * 1000),
    jitterMicros: Math.round(jitter * 1000),
    loss: lossOf(options),
    ...(rate === undefined ? {} : { rateBitsPerSecond: Math.round(rate * 1_000_000) }),
    ...(queue === undefined ? {} : { queueBytes: queueBytesOf(rate!, queue) }),
    duplicate: duplicate / 100,
    duplicateDelayMicros: SECOND_ARRIVAL_MICROS,
    reorder: reorder / 100,
    reorderMicros: SECOND_ARRIVAL_MICROS,
  };
}

function lossOf({ loss, burst }: RunOptions): number | LossModel {
  if (burst === undefined) return loss / 100;
  if (loss === 0) throw new UsageError(`--burst ${burst} without --loss: give the percentage of packets that are lost`);
  if (loss === 100)
    throw new UsageError(`--burst ${burst} with --loss 100: the one burst has no end; leave --burst out`);
  const shortest = loss / (100 - loss);
  if (burst < shortest) {
    throw new UsageError(
      `--burst ${burst} is too short for --loss ${loss}, since a packet gets through between two bursts: ` +
        `give ${Math.ceil(shortest * 100) / 100} or more`,
    );
  }
  return { model: 'gilbert-elliott', loss: loss / 100, meanBurstPackets: burst };
}

function queueBytesOf(rate: number, queue: number): number {
  const bytes = Math.round((rate * 1_000_000 * queue) / 8_000);
  if (bytes > QUEUE_BYTES_MAX) {
    const most = Math.floor((QUEUE_BYTES_MAX * 8_000) / (rate * 1_000_000));
    throw new UsageError(`--queue ${queue} at --rate ${rate} is more than a queue holds: give ${most} or less`);
  }
  return bytes;
}

async function loadGame(options: RunOptions): Promise<SimulatedGame> {
  const builtIn = new URL(SCENARIOS[options.scenario]!, import.meta.url);
  const url = options.game === undefined ? builtIn : pathToFileURL(resolve(options.game));
  let game: SimulatedGame;
  try {
    game = (await import(url.href)) as SimulatedGame;
  } catch (error) {
    throw new UsageError(`the game ${options.game ?? options.scenario} cannot be loaded: ${oneLine(error)}`);
  }
  if (typeof game.server !== 'function' && typeof game.client !== 'function') {
    throw new UsageError(
      `the game ${options.game ?? options.scenario} exports neither server(host, args) nor client(host, args)`,
    );
  }
  return game;
}

/** The machine's own cryptography, through the one door that the engine has to the machine. */
async function realAead(): Promise<AeadFactory> {
  const { openContext } = await import('../../engine/open.ts');
  const { sys, runtime } = openContext();
  runtime.close(); // of this machine only the ciphers are wanted
  return (slots, slotBytes) => sys.openAead(slots, slotBytes);
}

function table(report: ScenarioReport, options: RunOptions, wallSeconds: number): string {
  const { packetsSent, packetsDropped, dropped, latencyMs } = report;
  const share = packetsSent === 0 ? '0' : ((packetsDropped / packetsSent) * 100).toFixed(2);
  const speed = wallSeconds > 0 ? `, ${(report.virtualSeconds / wallSeconds).toFixed(1)} x real time` : '';
  const failed = report.clientsFailed === 0 ? '' : `, ${report.clientsFailed} could not connect`;
  return [
    `scenario         ${report.scenario}, ${report.clients} clients${failed}, seed ${report.seed}`,
    `links            ${linksText(options)}`,
    `virtual time     ${report.virtualSeconds} s in ${wallSeconds.toFixed(2)} s${speed}`,
    `packets sent     ${count(packetsSent)}`,
    `packets dropped  ${count(packetsDropped)} (${share} %): lost ${count(dropped.lost)}, ` +
      (options.rate === undefined ? '' : `queue full ${count(dropped.queueFull)}, `) +
      `receive buffer full ${count(dropped.overflowed)}, nobody listening ${count(dropped.unheard)}`,
    `one-way latency  p50 ${millisText(latencyMs.p50)}, p99 ${millisText(latencyMs.p99)}`,
    ...report.channels.map(channelText),
    `digest           ${report.digest}`,
  ].join('\n');
}

function channelText({ channel, from, queued, arrived, latencyMs }: ChannelReport): string {
  const share = queued === 0 ? '0' : ((arrived / queued) * 100).toFixed(2);
  return (
    `${`${channel} of ${from}`.padEnd(24)} ${count(arrived)} of ${count(queued)} messages (${share} %), ` +
    `p50 ${millisText(latencyMs.p50)}, p99 ${millisText(latencyMs.p99)}, p99.9 ${millisText(latencyMs.p999)}`
  );
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function linksText({ latency, jitter, loss, burst, rate, queue, duplicate, reorder }: RunOptions): string {
  const parts = [`${latency} ms +- ${jitter} ms one way`, `${loss} % loss`];
  if (burst !== undefined) parts[1] += ` in bursts of ${burst}`;
  if (rate !== undefined) parts.push(`${rate} Mbit/s${queue === undefined ? '' : ` with ${queue} ms of queue`}`);
  if (duplicate > 0) parts.push(`${duplicate} % twice`);
  if (reorder > 0) parts.push(`${reorder} % held back`);
  return parts.join(', ');
}

function millisText(millis: number | null): string {
  return millis === null ? 'none' : `${millis.toFixed(1)} ms`;
}

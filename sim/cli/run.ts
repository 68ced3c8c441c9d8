/** `sim run`: one game in one network, and what became of its packets. */

import { Command, Option } from 'commander';
import { runView } from '../report/views.ts';
import type { ChannelReport } from '../scenario/message-latencies.ts';
import { runScenario, type ScenarioReport } from '../scenario/scenario.ts';
import { addGameOptions, type GameOptions, loadGame, nameOf, realAead } from './game-options.ts';
import { addNetworkOptions, linksOf, type NetworkOptions } from './network-options.ts';
import { checkPlace, writeHtml } from './report-file.ts';

interface RunOptions extends GameOptions, NetworkOptions {
  readonly json: boolean;
  readonly series: boolean;
  readonly html?: string;
  readonly strict: boolean;
  readonly aead: 'sim' | 'real';
}

const SECONDS_BY_DEFAULT = 60;

export const runCommand: Command = new Command('run').description('run one scenario and print what the network did');
addGameOptions(addNetworkOptions(runCommand), SECONDS_BY_DEFAULT)
  .addOption(
    new Option('--aead <kind>', 'cryptography: a stand-in, or the real one').choices(['sim', 'real']).default('sim'),
  )
  .option('--strict', 'clocks, timers and Math.random throw in the game', false)
  .option('--json', 'print one JSON object', false)
  .option('--series', 'put samples over time into it', false)
  .option('--html <file>', 'write a page that shows the run over time')
  .addHelpText(
    'after',
    '\nExamples:\n' +
      '  npm run sim -- run --clients 8 --latency 50 --jitter 10 --loss 5 --seed 7\n' +
      '  npm run sim -- run --loss 5 --burst 4 --rate 2 --queue 100 --duplicate 1 --reorder 1\n' +
      '  npm run sim -- run --game ./dist/my-game.js --clients 100 --loss 2 --seconds 600 --json',
  )
  .action(run);

async function run(options: RunOptions): Promise<void> {
  checkPlace('--html', options.html);
  const links = linksOf(options);
  const game = await loadGame(options);
  const openAead = options.aead === 'real' ? await realAead() : null;
  const start = performance.now();
  const report = await runScenario({
    name: nameOf(options),
    game,
    clients: options.clients,
    ...links,
    seconds: options.seconds,
    seed: options.seed,
    strict: options.strict,
    deadlineMicros: options.deadline * 1000,
    series: options.series || options.html !== undefined,
    warn: (text) => void process.stderr.write(`${text}\n`),
    ...(openAead === null ? {} : { openAead }),
  });
  const wallSeconds = Math.round(performance.now() - start) / 1000;
  if (options.html !== undefined) writeHtml('--html', options.html, [runView(report, commandTyped())]);
  const printed = options.json
    ? JSON.stringify({ schema: 'tickwire-run/1', command: commandTyped(), ...report, wallSeconds })
    : table(report, options, wallSeconds);
  process.stdout.write(`${printed}\n`);
}

/** The command as it was given, without what only says where its results go. */
function commandTyped(): string {
  const words = process.argv.slice(2);
  const kept = words.filter((word, i) => !/^--(json|html|series)\b/.test(word) && words[i - 1] !== '--html');
  const quoted = kept.map((word) => (/^[\w./=,%:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ['npm run sim --', ...quoted].join(' ');
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
    `packets dropped  ${count(packetsDropped)} (${share} %): ${causesText(dropped)}`,
    `one-way latency  p50 ${millisText(latencyMs.p50)}, p99 ${millisText(latencyMs.p99)}`,
    ...report.channels.map(channelText),
    `digest           ${report.digest}`,
  ].join('\n');
}

/** Why packets did not arrive; what only some links do is left out where it did not happen. */
function causesText({ lost, queueFull, tooLarge, policed, overflowed, unheard }: ScenarioReport['dropped']): string {
  const some = Object.entries({ 'queue full': queueFull, 'too large': tooLarge, policed });
  return [
    `lost ${count(lost)}`,
    ...some.filter(([, packets]) => packets > 0).map(([cause, packets]) => `${cause} ${count(packets)}`),
    `receive buffer full ${count(overflowed)}`,
    `nobody listening ${count(unheard)}`,
  ].join(', ');
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

function linksText({ preset, latency, jitter, loss, burst, rate, queue, duplicate, reorder }: RunOptions): string {
  if (preset !== undefined) return `preset ${preset}`;
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

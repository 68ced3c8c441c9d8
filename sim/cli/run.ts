/** `sim run`: one game in one network, and what became of its packets. */

import { Command, Option } from 'commander';
import { runView, sequenceView } from '../report/views.ts';
import type { Verdict } from '../scenario/expectations.ts';
import type { ChannelReport } from '../scenario/message-latencies.ts';
import { runScenario, type ScenarioReport } from '../scenario/scenario.ts';
import { addCaptureOptions, CAPTURE_FILES, type CaptureOptions, RunCapture } from './capture-options.ts';
import { EXIT_FAILED } from './command.ts';
import { addGameOptions, type GameOptions, realAead } from './game-options.ts';
import { addNetworkOptions, type NetworkOptions } from './network-options.ts';
import { checkPlace, writeHtml } from './report-file.ts';
import { addFileArgument, optionsWithFile, scenarioOf } from './scenario-options.ts';
import { readScript, scriptLine } from './script-option.ts';
import { SIM } from './spoken.ts';

interface RunOptions extends GameOptions, NetworkOptions, CaptureOptions {
  readonly file?: string;
  readonly json: boolean;
  readonly series: boolean;
  readonly html?: string;
  readonly script?: string;
  readonly strict: boolean;
  readonly aead: 'sim' | 'real';
}

const SECONDS_BY_DEFAULT = 60;

export const runCommand: Command = new Command('run').description('run one scenario and print what the network did');
addCaptureOptions(addGameOptions(addNetworkOptions(addFileArgument(runCommand)), SECONDS_BY_DEFAULT))
  .addOption(
    new Option('--aead <kind>', 'cryptography: a stand-in, or the real one').choices(['sim', 'real']).default('sim'),
  )
  .option('--script <file>', 'faults by packet and time, as swarm and shrink write them, in place of chance')
  .option('--strict', 'clocks, timers and Math.random throw in the game', false)
  .option('--json', 'print one JSON object', false)
  .option('--series', 'put samples over time into it', false)
  .option('--html <file>', 'write a page that shows the run over time, and the packets of a client')
  .addHelpText(
    'after',
    '\nExamples:\n' +
      `  ${SIM} run --clients 8 --latency 50 --jitter 10 --loss 5 --seed 7\n` +
      `  ${SIM} run samples/scenarios/train.json --seed 9\n` +
      `  ${SIM} run --loss 5 --burst 4 --rate 2 --queue 100 --duplicate 1 --reorder 1\n` +
      `  ${SIM} run --loss 5 --seconds 10 --pcap out.pcapng --qlog out.sqlog --html out.html\n` +
      `  ${SIM} run --game ./my-game.ts --clients 2 --latency 40 --script failure-min.txt\n` +
      `  ${SIM} run --game ./my-game.ts --clients 100 --loss 2 --seconds 600 --json`,
  )
  .action(run);

async function run(file: string | undefined, given: RunOptions, command: Command): Promise<void> {
  const options = optionsWithFile(file, given, command);
  checkPlace('--html', options.html);
  const { scenario, verdicts } = await scenarioOf(options);
  const script = options.script === undefined ? null : readScript(options.script, scenario.clients);
  const openAead = options.aead === 'real' ? await realAead() : null;
  const written = new RunCapture(options, scenario.clients, commandTyped());
  const start = performance.now();
  let report: ScenarioReport;
  try {
    report = await runScenario({
      ...scenario,
      strict: options.strict,
      series: options.series || options.html !== undefined,
      warn: (text) => void process.stderr.write(`${text}\n`),
      ...(script === null ? {} : { script }),
      ...(openAead === null ? {} : { openAead }),
      ...(written.capture === null ? {} : { capture: written.capture }),
    });
  } finally {
    written.finish();
  }
  const wallSeconds = Math.round(performance.now() - start) / 1000;
  const expectations = verdicts(report);
  if (options.html !== undefined) {
    const sequence = written.sequence();
    const views = sequence === null || sequence.packets.length === 0 ? [] : [sequenceView(sequence)];
    writeHtml('--html', options.html, [runView(report, commandTyped()), ...views]);
  }
  const judged = expectations.length === 0 ? {} : { expectations };
  const printed = options.json
    ? JSON.stringify({ schema: 'tickwire-run/1', command: commandTyped(), ...report, wallSeconds, ...judged })
    : `${table(report, options, wallSeconds)}${expectationsText(expectations)}`;
  process.stdout.write(`${printed}\n`);
  for (const { held, text, place } of expectations) if (!held) process.stderr.write(`${place}: expected ${text}\n`);
  if (expectations.some(({ held }) => !held)) process.exitCode = EXIT_FAILED;
}

function expectationsText(verdicts: readonly Verdict[]): string {
  if (verdicts.length === 0) return '';
  return `\nexpectations     ${verdicts.filter(({ held }) => held).length} of ${verdicts.length} hold`;
}

/** The command as it was given, without what only says where its results go. */
function commandTyped(): string {
  const words = process.argv.slice(2);
  const kept = words.filter((word, i) => !isPlace(word) && !takesPlace(words[i - 1], word));
  const quoted = kept.map((word) => (/^[\w./=,%:-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return [SIM, ...quoted].join(' ');
}

/** An option that only says where or how results are shown; the value of one. */
function isPlace(word: string): boolean {
  const name = word.split('=')[0]!;
  return ['--json', '--html', '--series', ...CAPTURE_FILES].includes(name);
}

function takesPlace(before: string | undefined, word: string): boolean {
  return before !== undefined && ['--html', ...CAPTURE_FILES].includes(before) && !word.startsWith('-');
}

function table(report: ScenarioReport, options: RunOptions, wallSeconds: number): string {
  const { packetsSent, packetsDropped, dropped, latencyMs } = report;
  const share = packetsSent === 0 ? '0' : ((packetsDropped / packetsSent) * 100).toFixed(2);
  const speed = wallSeconds > 0 ? `, ${(report.virtualSeconds / wallSeconds).toFixed(1)} x real time` : '';
  const failed = report.clientsFailed === 0 ? '' : `, ${report.clientsFailed} could not connect`;
  return [
    `scenario         ${report.scenario}, ${report.clients} clients${failed}, seed ${report.seed}`,
    `links            ${linksText(options)}`,
    ...(report.script === undefined ? [] : [scriptLine(options.script!, report.script)]),
    `virtual time     ${report.virtualSeconds} s in ${wallSeconds.toFixed(2)} s${speed}`,
    `packets sent     ${count(packetsSent)}`,
    `packets dropped  ${count(packetsDropped)} (${share} %): ${causesText(dropped)}`,
    `one-way latency  p50 ${millisText(latencyMs.p50)}, p99 ${millisText(latencyMs.p99)}`,
    ...report.channels.map(channelText),
    `digest           ${report.digest}`,
  ].join('\n');
}

/** Why packets did not arrive; what only some links do is left out where it did not happen. */
function causesText({
  lost,
  queueFull,
  cut,
  tooLarge,
  policed,
  overflowed,
  unheard,
}: ScenarioReport['dropped']): string {
  const some = Object.entries({ 'queue full': queueFull, cut, 'too large': tooLarge, policed });
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

function linksText(options: RunOptions): string {
  const { file, preset, latency, jitter, jitterShape, keepOrder, loss, burst, rate, rateTrace, queue } = options;
  const { duplicate, reorder, discipline, mtu, corrupt } = options;
  if (file !== undefined) return `as in ${file}`;
  if (preset !== undefined) return `preset ${preset}`;
  const parts = [`${latency} ms +- ${jitter} ms one way`, `${loss} % loss`];
  if (jitterShape !== undefined) parts[0] += ` (${jitterShape})`;
  if (keepOrder) parts[0] += ' in order';
  if (burst !== undefined) parts[1] += ` in bursts of ${burst}`;
  const line = rate === undefined ? rateTrace : `${rate} Mbit/s`;
  const before = `${queue === undefined ? '' : ` with ${queue} ms of queue`}`;
  if (line !== undefined) parts.push(`${line}${before}${discipline === undefined ? '' : ` (${discipline})`}`);
  if (duplicate > 0) parts.push(`${duplicate} % twice`);
  if (reorder > 0) parts.push(`${reorder} % held back`);
  if (mtu !== undefined) parts.push(`at most ${mtu} bytes`);
  if (corrupt !== undefined) parts.push(`${corrupt} % damaged`);
  return parts.join(', ');
}

function millisText(millis: number | null): string {
  return millis === null ? 'none' : `${millis.toFixed(1)} ms`;
}

/**
 * `sim replay`: a run of the swarm again, by its seed or by a script of faults in place of chance, and what it did.
 *
 * Exit code 1: a promise was broken.
 */

import { Command } from 'commander';
import { scriptText } from '../swarm/script.ts';
import { runSwarm } from '../swarm/swarm.ts';
import { decimal, EXIT_FAILED, rejections } from './command.ts';
import { SIM, SIM_SILENT } from './spoken.ts';
import { readSubject, SUBJECT } from './swarm-subject.ts';

interface Options {
  readonly seconds?: number;
  readonly until?: number;
  readonly trace: boolean;
  readonly faults: boolean;
  readonly json: boolean;
}

const SECONDS_MAX = 3_600;

export const replayCommand: Command = new Command('replay')
  .description('run a seed of the swarm again, or a script of faults, written by hand or by shrink')
  .argument(SUBJECT, 'what to run; a script stands in place of chance')
  .option('--seconds <count>', 'for a seed: what swarm was given', decimal(0, SECONDS_MAX))
  .option('--until <seconds>', 'stop there, in virtual seconds', decimal(0, SECONDS_MAX))
  .option('--trace', 'print a line for each event of the network', false)
  .option('--faults', 'print what befell the run as a script', false)
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    `\nExamples:\n  ${SIM} replay failure-1375.json\n  ${SIM} replay 1375 --trace --until 0.25\n` +
      `  ${SIM_SILENT} replay 1375 --faults > all.txt`,
  )
  .action(run);

async function run(subject: string, options: Options): Promise<void> {
  const script = readSubject(subject, options.seconds);
  rejections.areFatal = false;
  const report = await runSwarm({
    seed: script.seed,
    secondsMax: script.seconds,
    limits: script.limits,
    faults: script.faults,
    record: true,
    ...(options.until === undefined ? {} : { untilMicros: Math.round(options.until * 1_000_000) }),
    ...(options.trace ? { trace: (line: string) => void process.stdout.write(`${line}\n`) } : {}),
  });
  const { digest, complaints, faults, met } = report;
  if (complaints.length > 0) process.exitCode = EXIT_FAILED;
  if (options.json) {
    const { firstComplaintAt, ...rest } = report;
    const seen = complaints.length === 0 ? {} : { firstComplaintAt };
    process.stdout.write(`${JSON.stringify({ ...rest, ...seen, met: met.size })}\n`);
    return;
  }
  if (options.faults) {
    process.stdout.write(scriptText({ ...script, faults }));
    return;
  }
  for (const complaint of complaints) process.stdout.write(`${complaint}\n`);
  const given = script.faults === null ? '' : `; of ${script.faults.length} faults given ${met.size} befell it`;
  process.stdout.write(
    `seed ${script.seed}: ${report.sent} messages sent, ${report.arrived} arrived in ` +
      `${(report.virtualMicros / 1_000_000).toFixed(3)} virtual seconds, ${faults.length} faults${given}\n` +
      `digest ${digest}, ${complaints.length} broken promises\n`,
  );
}

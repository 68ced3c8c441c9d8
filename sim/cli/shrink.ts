/**
 * `sim shrink`: the fewest faults with which a run of the swarm still breaks its promise, as a script for a test.
 *
 * Exit code 2: the run breaks no promise.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { scriptText } from '../swarm/script.ts';
import { NothingToShrink, shrink } from '../swarm/shrink.ts';
import { kindOf } from '../swarm/trials.ts';
import { decimal, JOBS_MAX, rejections, UsageError, whole } from './command.ts';
import { SIM } from './spoken.ts';
import { readSubject, SUBJECT } from './swarm-subject.ts';
import { SwarmWorkers } from './swarm-workers.ts';

interface Options {
  readonly seconds: number;
  readonly badSeconds?: number;
  readonly jobs: number;
  readonly out: string;
  readonly json: boolean;
}

const SECONDS_MAX = 86_400;
const MILLIS = 1_000;

export const shrinkCommand: Command = new Command('shrink')
  .description('find the fewest faults with which a run of the swarm still breaks its promise')
  .argument(SUBJECT, 'what fails')
  .option('--seconds <count>', 'seconds that it may take', decimal(0, SECONDS_MAX), 60)
  .option('--bad-seconds <count>', 'for a seed: the --seconds that swarm was given', decimal(0, 3_600))
  .option('--jobs <count>', 'runs at once', whole(1, JOBS_MAX), availableParallelism())
  .option('--out <file>', 'where the script goes', 'failure-min.txt')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    '\nThe script is a test when it lies in test/sim/swarm/regressions/: all of them must pass.\n' +
      `\nExamples:\n  ${SIM} shrink failure-1375.json\n  ${SIM} shrink 1375 --out lost-ack.txt --seconds 300`,
  )
  .action(run);

async function run(subject: string, options: Options): Promise<void> {
  const script = readSubject(subject, options.badSeconds);
  rejections.areFatal = false;
  const start = performance.now();
  const end = start + options.seconds * MILLIS;
  const trials = new SwarmWorkers(options.jobs, false);
  try {
    const shrunk = await shrink({
      script,
      trials,
      isOver: () => performance.now() >= end,
      progress: (text) => void process.stderr.write(`${text}\n`),
    });
    const wallSeconds = Math.round(performance.now() - start) / MILLIS;
    const kind = kindOf(shrunk.complaint);
    writeFileSync(options.out, scriptText(shrunk.script, [`It once failed so: ${kind}`]));
    const faults = shrunk.script.faults!.length;
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ ...shrunk, kind, wallSeconds, file: options.out })}\n`);
      return;
    }
    const minimal = shrunk.isMinimal ? '' : ' (not yet the fewest: give it more --seconds)';
    process.stdout.write(
      `${shrunk.complaint}\n${shrunk.faultsBefore} faults down to ${faults}${minimal} in ${shrunk.runs} runs and ` +
        `${wallSeconds.toFixed(1)} s\nwritten to ${options.out}; see it with: ${SIM} replay ${options.out} --trace\n`,
    );
  } catch (error) {
    if (error instanceof NothingToShrink) throw new UsageError(error.message);
    throw error;
  } finally {
    await trials.close();
  }
}

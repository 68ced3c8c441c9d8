/**
 * `sim swarm` (`npm run swarm`): seed after seed, without end, up to the first broken promise.
 *
 * Exit code 1: a promise was broken, and the last line repeats it.
 */

import { Command } from 'commander';
import { runSwarm } from '../swarm/swarm.ts';
import { decimal, EXIT_FAILED, whole } from './command.ts';
import { Progress } from './progress.ts';

interface Options {
  readonly seeds?: number;
  readonly seed?: string;
  readonly first: number;
  readonly seconds?: number;
}

/** Between two lines that say how far it is. */
const LINE_MILLIS = 5_000;
const SECONDS_MAX = 3_600;

export const swarmCommand: Command = new Command('swarm')
  .description('run the engine in random networks, a seed each, and check everything that it promises')
  .option('--seeds <count>', 'stop after so many seeds (default: never)', whole(1, Number.MAX_SAFE_INTEGER))
  .option('--seed <text>', 'run this one seed and say what it did')
  .option('--first <number>', 'the first seed', whole(0, Number.MAX_SAFE_INTEGER), 1)
  .option('--seconds <count>', 'virtual seconds of bad network at most, beyond the first 0.2', decimal(0, SECONDS_MAX))
  .addHelpText('after', '\nExamples:\n  npm run swarm -- --seeds 2000\n  npm run swarm -- --seed 1375 --seconds 2')
  .action(run);

async function run(options: Options): Promise<void> {
  const more = options.seconds === undefined ? {} : { secondsMax: options.seconds };
  const count = options.seed === undefined ? (options.seeds ?? Number.POSITIVE_INFINITY) : 1;
  const progress = options.seeds === undefined ? null : new Progress(count, 'seeds');
  let lineAt = performance.now() + LINE_MILLIS;
  let [sent, arrived, virtualSeconds, settledMillis] = [0, 0, 0, 0];
  const line = (done: number): string =>
    `${done} seeds, ${Math.round(virtualSeconds)} virtual seconds, ${sent} messages sent, ${arrived} arrived, ` +
    `settled at most ${settledMillis} ms after the healing`;
  for (let done = 0; done < count; done++) {
    const seed = options.seed ?? options.first + done;
    const report = await runSwarm({ seed, ...more });
    progress?.count();
    sent += report.sent;
    arrived += report.arrived;
    virtualSeconds += report.virtualMicros / 1_000_000;
    if (report.complaints.length > 0) {
      progress?.end();
      const seconds = options.seconds === undefined ? '' : ` --seconds ${options.seconds}`;
      for (const complaint of report.complaints) process.stdout.write(`seed ${seed}: ${complaint}\n`);
      process.stdout.write(`repeat it with: npm run swarm -- --seed ${seed}${seconds}\n`);
      process.exitCode = EXIT_FAILED;
      return;
    }
    settledMillis = Math.max(settledMillis, report.settledAfterMicros / 1000);
    if (options.seed !== undefined) process.stdout.write(`seed ${seed}: digest ${report.digest}\n`);
    if (progress?.isShown === true || performance.now() < lineAt) continue;
    lineAt += LINE_MILLIS;
    process.stdout.write(`${line(done + 1)}\n`);
  }
  progress?.end();
  process.stdout.write(`${line(count)}\n`);
}

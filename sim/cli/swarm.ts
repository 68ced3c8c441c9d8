/**
 * `sim swarm` (`npm run swarm`): seed after seed on all cores, without end, up to the first broken promise.
 *
 * Workers are some seeds ahead of what is counted, which is in order: the first seed that fails is the same with any number of them.
 *
 * Exit code 1: a promise was broken; a file tells all about it, and the last lines how to repeat and to shrink it.
 */

import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { SECONDS_BY_DEFAULT, type SwarmFailure, scriptLines } from '../swarm/script.ts';
import { SIGHTS, type Sight } from '../swarm/sights.ts';
import { runSwarm, type SwarmReport } from '../swarm/swarm.ts';
import { decimal, EXIT_FAILED, JOBS_MAX, rejections, UsageError, whole } from './command.ts';
import { Progress } from './progress.ts';
import { SIM } from './spoken.ts';
import { SwarmWorkers } from './swarm-workers.ts';

interface Options {
  readonly seeds?: number;
  readonly seed?: string;
  readonly first: number;
  readonly seconds?: number;
  readonly jobs: number;
  readonly out: string;
  readonly sights: boolean;
  readonly json: boolean;
}

/** Between two lines that say how far it is. */
const LINE_MILLIS = 5_000;
const SECONDS_MAX = 3_600;
/** Seeds that are asked of each worker before they are counted: a slow one keeps nobody waiting. */
const AHEAD = 8;

export const swarmCommand: Command = new Command('swarm')
  .description('run the engine in random networks, a seed each, and check everything that it promises')
  .option('--seeds <count>', 'stop after so many seeds (default: never)', whole(1, Number.MAX_SAFE_INTEGER))
  .option('--seed <text>', 'run this one seed and say what it did')
  .option('--first <number>', 'the first seed', whole(0, Number.MAX_SAFE_INTEGER), 1)
  .option('--seconds <count>', 'virtual seconds of bad network at most, beyond the first 0.2', decimal(0, SECONDS_MAX))
  .option('--jobs <count>', 'seeds at once', whole(1, JOBS_MAX), availableParallelism())
  .option('--out <folder>', 'where failure-<seed>.json goes when a promise is broken', '.')
  .option('--sights', 'say in how many seeds each remarkable thing was met', false)
  .option('--json', 'print one JSON object in the end', false)
  .addHelpText('after', `\nExamples:\n  ${SIM} swarm --seeds 2000\n  ${SIM} swarm --seed 1375 --seconds 2`)
  .action(run);

/** What all seeds together did. */
class Tally {
  seeds = 0;
  sent = 0;
  arrived = 0;
  virtualSeconds = 0;
  settledMillisMax = 0;
  readonly sights: Map<Sight, number> = new Map(SIGHTS.map((sight) => [sight, 0]));

  text(): string {
    return (
      `${this.seeds} seeds, ${Math.round(this.virtualSeconds)} virtual seconds, ${this.sent} messages sent, ` +
      `${this.arrived} arrived, settled at most ${this.settledMillisMax} ms after the healing`
    );
  }

  sightsText(all: boolean): string {
    const never = SIGHTS.filter((sight) => this.sights.get(sight) === 0);
    const lines = [...this.sights].map(([sight, seeds]) => `${String(seeds).padStart(9)}  ${sight}`);
    const missing = never.length === 0 ? '' : `; never: ${never.join(', ')}`;
    return [...(all ? lines : []), `${SIGHTS.length - never.length} of ${SIGHTS.length} sights met${missing}`].join(
      '\n',
    );
  }
}

async function run(options: Options): Promise<void> {
  const secondsMax = options.seconds ?? SECONDS_BY_DEFAULT;
  const count = options.seed === undefined ? (options.seeds ?? Number.POSITIVE_INFINITY) : 1;
  if (options.json && count === Number.POSITIVE_INFINITY) throw new UsageError('--json needs an end: give --seeds too');
  const print = (text: string): void => void (options.json ? process.stderr : process.stdout).write(`${text}\n`);
  const progress = options.seeds === undefined ? null : new Progress(count, 'seeds');
  const tally = new Tally();
  let failure: SwarmFailure | null = null;
  let lineAt = performance.now() + LINE_MILLIS;
  for await (const report of reports(options, count, secondsMax)) {
    tally.seeds++;
    progress?.count();
    tally.sent += report.sent;
    tally.arrived += report.arrived;
    tally.virtualSeconds += report.virtualMicros / 1_000_000;
    for (const sight of report.sights) tally.sights.set(sight, tally.sights.get(sight)! + 1);
    if (report.complaints.length > 0) {
      rejections.areFatal = false;
      failure = await recorded(report.seed, secondsMax);
      break;
    }
    tally.settledMillisMax = Math.max(tally.settledMillisMax, report.settledAfterMicros / 1000);
    if (options.seed !== undefined) print(`seed ${report.seed}: digest ${report.digest}`);
    if (progress?.isShown === true || performance.now() < lineAt) continue;
    lineAt += LINE_MILLIS;
    print(tally.text());
  }
  progress?.end();
  const file = failure === null ? null : tell(failure, options, print);
  if (failure === null) print(tally.text());
  if (count > 1) print(tally.sightsText(options.sights));
  if (!options.json) return;
  const { sights, ...rest } = tally;
  const failed = failure === null ? null : { seed: failure.seed, complaints: failure.complaints, file };
  process.stdout.write(
    `${JSON.stringify({ ...rest, sights: Object.fromEntries(sights), cpuSeconds: cpuSeconds(), failure: failed })}\n`,
  );
}

/** Seed after seed. */
async function* reports(options: Options, count: number, secondsMax: number): AsyncGenerator<SwarmReport> {
  const jobs = Math.min(options.jobs, count);
  const at = (index: number) => ({ seed: options.seed ?? options.first + index, secondsMax });
  if (jobs === 1) {
    for (let index = 0; index < count; index++) yield await runSwarm(at(index));
    return;
  }
  const workers = new SwarmWorkers(jobs, true);
  try {
    const ahead: Promise<SwarmReport>[] = [];
    for (let index = 0; index < count; index++) {
      for (let next = index + ahead.length; ahead.length < jobs * AHEAD && next < count; next++) {
        const report = workers.run(at(next));
        // Who rejects first is heard when it is its turn.
        report.catch(() => {});
        ahead.push(report);
      }
      yield await ahead.shift()!;
    }
  } finally {
    await workers.close();
  }
}

/** What this command has taken of all cores. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000_000;
}

/** The same seed once more, its faults listed. */
async function recorded(seed: string, seconds: number): Promise<SwarmFailure> {
  const { digest, complaints, faults } = await runSwarm({ seed, secondsMax: seconds, record: true });
  const script = scriptLines({ seed, seconds, limits: {}, faults });
  return { schema: 'tickwire/swarm-failure/1', seed, seconds, digest, complaints, script };
}

/** Writes the failure down and says so; returns the file. */
function tell(failure: SwarmFailure, options: Options, print: (text: string) => void): string {
  process.exitCode = EXIT_FAILED;
  const { seed } = failure;
  for (const complaint of failure.complaints) print(`seed ${seed}: ${complaint}`);
  const file = join(options.out, `failure-${seed.replace(/[^\w-]/g, '_')}.json`);
  writeFileSync(file, `${JSON.stringify(failure, null, 1)}\n`);
  const seconds = options.seconds === undefined ? '' : ` --seconds ${options.seconds}`;
  print(`repeat it with: ${SIM} swarm --seed ${seed}${seconds}`);
  print(`shrink it with: ${SIM} shrink ${file}`);
  return file;
}

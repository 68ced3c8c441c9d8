/**
 * `sim sweep`: a game in every cell of a grid of networks, under several seeds each, on all cores.
 *
 * The same seeds are used in every cell, so that two cells differ by what was set and not by luck. What is written does not
 * depend on the number of workers: records are in the order of cells and seeds.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Command } from 'commander';
import type { ChannelReport } from '../scenario/message-latencies.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { UsageError, whole } from './command.ts';
import { addGameOptions, type GameOptions, loadGame } from './game-options.ts';
import { addNetworkOptions, commandLineOf, linksOf, type NetworkOptions } from './network-options.ts';
import { cellsOf, readGrid } from './sweep-grid.ts';
import type { SweepAnswer, SweepTask } from './sweep-task.ts';

interface SweepOptions extends GameOptions, NetworkOptions {
  readonly grid: readonly string[];
  readonly repeat: number;
  readonly jobs: number;
  readonly out?: string;
  readonly json: boolean;
}

/** One run of a sweep: a line of the file that `--out` names. */
export interface SweepRecord {
  readonly schema: 'tickwire-sweep/1';
  /** What this cell sets. */
  readonly cell: Partial<NetworkOptions>;
  readonly seed: string;
  /** Repeats this run alone. */
  readonly command: string;
  readonly report: ScenarioReport;
}

const SECONDS_BY_DEFAULT = 30;
const REPEAT_BY_DEFAULT = 5;
const REPEAT_MAX = 10_000;
const JOBS_MAX = 256;
const PROGRESS_MILLIS = 500;

export const sweepCommand: Command = new Command('sweep').description('run a game in a grid of networks, on all cores');
addGameOptions(addNetworkOptions(sweepCommand), SECONDS_BY_DEFAULT)
  .requiredOption('--grid <setting=values...>', 'values of a setting, with commas; may be given several times')
  .option('--repeat <count>', 'seeds in each cell', whole(1, REPEAT_MAX), REPEAT_BY_DEFAULT)
  .option('--jobs <count>', 'runs at once', whole(1, JOBS_MAX), availableParallelism())
  .option('--out <file>', 'write one JSON object a run, a line each')
  .option('--json', 'print one JSON object', false)
  .addHelpText(
    'after',
    '\nExamples:\n' +
      '  npm run sim -- sweep --grid loss=0,1,5,20 --grid latency=20,60,120 --clients 1\n' +
      '  npm run sim -- sweep --game ./dist/my-game.js --grid rate=1,2,4 --queue 200 --repeat 20 --out runs.ndjson',
  )
  .action(sweep);

async function sweep(options: SweepOptions): Promise<void> {
  const axes = readGrid(options.grid);
  await loadGame(options); // what is wrong with it is said once, before anything runs
  const tasks: SweepTask[] = [];
  for (const cell of cellsOf(axes)) {
    linksOf({ ...options, ...cell });
    for (let repeat = 0; repeat < options.repeat; repeat++) {
      const seed = `${options.seed}/${repeat}`;
      tasks.push({ number: tasks.length, options: { ...gameOf(options), ...networkOf(options), ...cell, seed } });
    }
  }
  const reports = await runAll(tasks, Math.min(options.jobs, tasks.length));
  const records = tasks.map((task, i) =>
    recordOf(
      task,
      axes.map(({ name }) => name),
      reports[i]!,
    ),
  );
  if (options.out !== undefined) write(options.out, records);
  const printed = options.json ? JSON.stringify({ records }) : table(records, options.repeat);
  process.stdout.write(`${printed}\n`);
}

/** Runs the tasks on `jobs` workers. Rejects with the first error of the game's code. */
function runAll(tasks: readonly SweepTask[], jobs: number): Promise<ScenarioReport[]> {
  const reports: ScenarioReport[] = new Array(tasks.length);
  const workers = Array.from({ length: jobs }, () => new Worker(new URL('./sweep-worker.js', import.meta.url)));
  let [next, done, shownAt] = [0, 0, 0];
  const start = performance.now();
  const run = new Promise<ScenarioReport[]>((resolve, reject) => {
    const give = (worker: Worker): void => {
      if (next < tasks.length) worker.postMessage(tasks[next++]!);
    };
    for (const worker of workers) {
      worker.on('error', reject);
      worker.on('message', (answer: SweepAnswer) => {
        if ('error' in answer) {
          reject(new Error(`${commandOf(tasks[answer.number]!)}: ${answer.error}`));
          return;
        }
        reports[answer.number] = answer.report;
        done++;
        const now = performance.now();
        if (process.stderr.isTTY && (now > shownAt + PROGRESS_MILLIS || done === tasks.length)) {
          shownAt = now;
          const left = Math.ceil((((now - start) / done) * (tasks.length - done)) / 1000);
          process.stderr.write(
            `\r${done} of ${tasks.length} runs, ${left} s left   ${done === tasks.length ? '\n' : ''}`,
          );
        }
        if (done === tasks.length) resolve(reports);
        else give(worker);
      });
      give(worker);
    }
  });
  return run.finally(() => Promise.all(workers.map((worker) => worker.terminate())));
}

function gameOf({ scenario, game, seconds, seed }: GameOptions): GameOptions {
  return { scenario, seconds, seed, ...(game === undefined ? {} : { game }) };
}

function networkOf(options: NetworkOptions): NetworkOptions {
  const { preset, clients, latency, jitter, loss, burst, rate, queue, duplicate, reorder } = options;
  return {
    clients,
    latency,
    jitter,
    loss,
    duplicate,
    reorder,
    ...(preset === undefined ? {} : { preset }),
    ...(burst === undefined ? {} : { burst }),
    ...(rate === undefined ? {} : { rate }),
    ...(queue === undefined ? {} : { queue }),
  };
}

function recordOf(task: SweepTask, names: readonly (keyof NetworkOptions)[], report: ScenarioReport): SweepRecord {
  const cell = Object.fromEntries(names.map((name) => [name, task.options[name]]));
  return { schema: 'tickwire-sweep/1', cell, seed: task.options.seed, command: commandOf(task), report };
}

function commandOf({ options }: SweepTask): string {
  const game = options.game === undefined ? `--scenario ${options.scenario}` : `--game ${options.game}`;
  return `npm run sim -- run ${game} ${commandLineOf(options)} --seconds ${options.seconds} --seed ${options.seed}`;
}

/** Under a name for the time being first, so that a file is whole or not there. */
function write(file: string, records: readonly SweepRecord[]): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    renameSync(temporary, file);
  } catch (error) {
    throw new UsageError(`--out ${file} cannot be written: ${(error as Error).message}`);
  }
}

/** A row a cell: what became of packets and of each channel's messages, medians over the seeds. */
function table(records: readonly SweepRecord[], repeat: number): string {
  const channels = channelsOf(records);
  const header = [
    ...Object.keys(records[0]!.cell),
    'failed',
    'dropped %',
    ...channels.map(({ channel, from }) => `${channel} of ${from} p99`),
  ];
  const rows: string[][] = [header];
  for (let i = 0; i < records.length; i += repeat) {
    const runs = records.slice(i, i + repeat).map(({ report }) => report);
    const dropped = runs.map((run) => (100 * run.packetsDropped) / Math.max(1, run.packetsSent));
    const p99s = channels.map(({ channel, from }) =>
      median(
        runs
          .map((run) => run.channels.find((one: ChannelReport) => one.channel === channel && one.from === from))
          .map((one) => one?.latencyMs.p99 ?? Number.NaN)
          .filter((value) => !Number.isNaN(value)),
      ),
    );
    rows.push([
      ...Object.values(records[i]!.cell).map(String),
      String(runs.reduce((sum, run) => sum + run.clientsFailed, 0)),
      median(dropped),
      ...p99s,
    ]);
  }
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((text, column) => text.padStart(widths[column]!)).join('  ')).join('\n');
}

/** Every channel that some run has, by direction and name. */
function channelsOf(records: readonly SweepRecord[]): Pick<ChannelReport, 'channel' | 'from'>[] {
  const all = new Map(
    records.flatMap(({ report }) => report.channels.map((one) => [`${one.from}/${one.channel}`, one])),
  );
  return [...all.keys()].sort().map((key) => all.get(key)!);
}

function median(values: readonly number[]): string {
  if (values.length === 0) return 'none';
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const value = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return value.toFixed(1);
}

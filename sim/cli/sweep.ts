/**
 * `sim sweep`: a game in every cell of a grid of networks, under several seeds each, on all cores.
 *
 * The same seeds are used in every cell, so that two cells differ by what was set and not by luck. What is written does not
 * depend on the number of workers: records are in the order of cells and seeds.
 */

import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { sweepViews } from '../report/views.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { EXIT_FAILED, JOBS_MAX, whole } from './command.ts';
import { addGameOptions, type GameOptions } from './game-options.ts';
import { addNetworkOptions, type NetworkOptions } from './network-options.ts';
import { checkPlace, writeHtml, writeText } from './report-file.ts';
import {
  addFileArgument,
  checkNetwork,
  optionsOfRun,
  optionsWithFile,
  type PlacedVerdict,
  scenarioOf,
} from './scenario-options.ts';
import { SIM } from './spoken.ts';
import { expectationsText, failuresOf } from './sweep-expectations.ts';
import { cellsOf, readGrid } from './sweep-grid.ts';
import { sweepTable } from './sweep-table.ts';
import { commandOf, type SweepRecord, type SweepTask } from './sweep-task.ts';
import { runAll } from './sweep-workers.ts';

interface SweepOptions extends GameOptions, NetworkOptions {
  readonly grid: readonly string[];
  readonly repeat: number;
  readonly jobs: number;
  readonly out?: string;
  readonly json: boolean;
  readonly html?: string;
}

const SECONDS_BY_DEFAULT = 30;
const REPEAT_BY_DEFAULT = 5;
const REPEAT_MAX = 10_000;

export const sweepCommand: Command = new Command('sweep').description('run a game in a grid of networks, on all cores');
addGameOptions(addNetworkOptions(addFileArgument(sweepCommand)), SECONDS_BY_DEFAULT)
  .requiredOption('--grid <setting=values...>', 'values of a setting, with commas; may be given several times')
  .option('--repeat <count>', 'seeds in each cell', whole(1, REPEAT_MAX), REPEAT_BY_DEFAULT)
  .option('--jobs <count>', 'runs at once', whole(1, JOBS_MAX), availableParallelism())
  .option('--out <file>', 'write one JSON object a run, a line each')
  .option('--json', 'print one JSON object', false)
  .option('--html <file>', 'write a page with heat maps and distributions')
  .addHelpText(
    'after',
    '\nExamples:\n' +
      `  ${SIM} sweep --grid loss=0,1,5,20 --grid latency=20,60,120 --clients 1\n` +
      `  ${SIM} sweep --game ./dist/my-game.js --grid rate=1,2,4 --queue 200 --repeat 20 --out runs.ndjson\n` +
      `  ${SIM} sweep --grid loss=0,1,2,5,10 --grid latency=20,60,120 --clients 2 --html report.html`,
  )
  .action(sweep);

async function sweep(file: string | undefined, given: SweepOptions, command: Command): Promise<void> {
  const options = optionsWithFile(file, given, command);
  const axes = readGrid(options.grid);
  checkPlace('--out', options.out);
  checkPlace('--html', options.html);
  const { scenario, verdicts } = await scenarioOf(options); // what is wrong with it is said once, before anything runs
  const tasks: SweepTask[] = [];
  for (const cell of cellsOf(axes)) {
    await checkNetwork(optionsOfRun(options, cell));
    for (let repeat = 0; repeat < options.repeat; repeat++) {
      const seed = `${scenario.seed}/${repeat}`;
      tasks.push({ number: tasks.length, options: optionsOfRun(options, { ...cell, seed }) });
    }
  }
  const reports = await runAll(tasks, Math.min(options.jobs, tasks.length));
  const records = tasks.map((task, i) =>
    recordOf(
      task,
      axes.map(({ name }) => name),
      reports[i]!,
      verdicts(reports[i]!),
    ),
  );
  if (options.out !== undefined) {
    writeText('--out', options.out, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
  if (options.html !== undefined) writeHtml('--html', options.html, sweepViews(records));
  const printed = options.json
    ? JSON.stringify({ records })
    : `${sweepTable(records, options.repeat)}${expectationsText(records, options.repeat)}`;
  process.stdout.write(`${printed}\n`);
  const failures = failuresOf(records, options.repeat);
  for (const failure of failures) process.stderr.write(`${failure}\n`);
  if (failures.length > 0) process.exitCode = EXIT_FAILED;
}

function recordOf(
  task: SweepTask,
  names: readonly (keyof NetworkOptions)[],
  report: ScenarioReport,
  expectations: readonly PlacedVerdict[],
): SweepRecord {
  const cell = Object.fromEntries(names.map((name) => [name, task.options[name]]));
  const record = {
    schema: 'tickwire-sweep/1',
    cell,
    seed: task.options.seed,
    command: commandOf(task),
    report,
  } as const;
  return expectations.length === 0 ? record : { ...record, expectations };
}

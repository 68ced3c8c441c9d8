/**
 * `sim compare`: two settings or two games under the same seeds, so on the same fates, and how much they differ.
 *
 * Every metric is compared seed by seed; the interval of the mean difference holds the true one 95 times in 100. Of many
 * metrics one in twenty is outside by chance alone.
 */

import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { type ComparedSide, type Comparison, compare, figure } from '../report/comparison.ts';
import { compareView } from '../report/views.ts';
import type { ScenarioReport } from '../scenario/scenario.ts';
import { JOBS_MAX, UsageError, whole } from './command.ts';
import { labelOf, readSide, type SideSettings } from './compare-sides.ts';
import { addGameOptions, type GameOptions } from './game-options.ts';
import { addNetworkOptions, type NetworkOptions } from './network-options.ts';
import { checkPlace, writeHtml } from './report-file.ts';
import { optionsOfRun, type ScenarioOptions, scenarioOf } from './scenario-options.ts';
import { SIM } from './spoken.ts';
import { commandOf, type SweepTask } from './sweep-task.ts';
import { runAll } from './sweep-workers.ts';

interface CompareOptions extends GameOptions, NetworkOptions {
  readonly a: string;
  readonly b: string;
  readonly aGame?: string;
  readonly bGame?: string;
  readonly seeds: number;
  readonly jobs: number;
  readonly json: boolean;
  readonly html?: string;
}

const SECONDS_BY_DEFAULT = 30;
const SEEDS_BY_DEFAULT = 20;
const SEEDS_MAX = 10_000;

export const compareCommand: Command = new Command('compare').description(
  'two settings on the same fates, seed by seed',
);
addGameOptions(addNetworkOptions(compareCommand), SECONDS_BY_DEFAULT)
  .option('--a <settings>', 'what A sets, with commas: loss=5,burst=4', '')
  .option('--b <settings>', 'what B sets', '')
  .option('--a-game <file>', 'game module of A')
  .option('--b-game <file>', 'game module of B')
  .option('--seeds <count>', 'seeds that both run under', whole(1, SEEDS_MAX), SEEDS_BY_DEFAULT)
  .option('--jobs <count>', 'runs at once', whole(1, JOBS_MAX), availableParallelism())
  .option('--json', 'print one JSON object, which `sim report` reads', false)
  .option('--html <file>', 'write a page that shows it')
  .addHelpText(
    'after',
    '\nExamples:\n' +
      `  ${SIM} compare --a loss=5 --b loss=5,burst=4 --seeds 50\n` +
      `  ${SIM} compare --preset wifi-lossy --a-game ./before/game.js --b-game ./after/game.js --html report.html`,
  )
  .action(runCompare);

async function runCompare(options: CompareOptions): Promise<void> {
  checkPlace('--html', options.html);
  const sides = [
    sideOf('--a', options.a, options.aGame, options),
    sideOf('--b', options.b, options.bGame, options),
  ] as const;
  if (JSON.stringify(sides[0].options) === JSON.stringify(sides[1].options)) {
    throw new UsageError('A and B are the same: let --a and --b (or --a-game and --b-game) differ');
  }
  for (const side of sides) await scenarioOf(side.options); // what is wrong with it is said once, before anything runs
  const seeds = Array.from({ length: options.seeds }, (_, i) => `${options.seed}/${i}`);
  const tasks = seeds.flatMap((seed, i) =>
    sides.map((side, k): SweepTask => ({ number: 2 * i + k, options: { ...side.options, seed } })),
  );
  const reports = await runAll(tasks, Math.min(options.jobs, tasks.length));
  const [a, b] = sides.map((side, k) => compared(side.label, k, tasks, reports));
  const comparison = compare(a!, b!, seeds, options.seed);
  if (options.html !== undefined) writeHtml('--html', options.html, [compareView(comparison)]);
  process.stdout.write(`${options.json ? JSON.stringify(comparison) : table(comparison)}\n`);
}

interface Side {
  readonly label: string;
  readonly options: ScenarioOptions;
}

function sideOf(option: string, text: string, game: string | undefined, common: CompareOptions): Side {
  const settings: SideSettings = readSide(option, text);
  const more = { ...settings, ...(game === undefined ? {} : { game }) };
  return { label: labelOf(settings, game), options: optionsOfRun(common, more) };
}

function compared(
  label: string,
  side: number,
  tasks: readonly SweepTask[],
  reports: readonly ScenarioReport[],
): ComparedSide {
  const own = tasks.filter(({ number }) => number % 2 === side);
  return { label, commands: own.map(commandOf), reports: own.map(({ number }) => reports[number]!) };
}

function table({ a, b, seeds, metrics }: Comparison): string {
  const shown = (value: number | null, unit: string): string =>
    value === null ? 'none' : `${figure(value)}${unit === '' ? '' : ` ${unit}`}`;
  const both = metrics.filter(({ difference }) => difference !== null);
  const rows = both.map((metric) => [
    `${metric.group} ${metric.label}`,
    shown(metric.a, metric.unit),
    shown(metric.b, metric.unit),
    `${metric.wins}/${metric.losses}/${metric.ties}`,
    metric.verdict,
  ]);
  rows.unshift(['', 'A', 'B', 'B wins/loses/ties', '']);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((text, column) =>
        column === 0 || column === 4 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
  return [
    `A  ${a.label}`,
    `B  ${b.label}`,
    `${seeds.length} seeds, medians; mean difference with its 95 % interval`,
    ...lines,
  ].join('\n');
}

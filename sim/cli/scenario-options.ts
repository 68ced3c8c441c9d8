/** What a command line and a scenario file together say: the scenario to run. */

import type { Command } from 'commander';
import type { Verdict } from '../scenario/expectations.ts';
import type { Scenario, ScenarioReport, SimulatedGame } from '../scenario/scenario.ts';
import type { ScenarioOverrides, ScenarioPlan } from '../scenario/scenario-plan.ts';
import { FileError } from './command.ts';
import { type GameOptions, isBuiltIn, loadGame, loadGameFile, loadGameNamed, nameOf } from './game-options.ts';
import { changesOf, linksOf, type NetworkOptions, networkOf } from './network-options.ts';
import { besideFile, nameOfFile, readScenarioFile } from './scenario-file.ts';

/** Options with the file that they were given beside. */
export interface ScenarioOptions extends GameOptions, NetworkOptions {
  readonly file?: string;
  /** Options that the command line gave; only those take the place of what the file says. */
  readonly given?: readonly string[];
}

/** What became of an expectation, and where it stands: `storm.json:31`. */
export interface PlacedVerdict extends Verdict {
  readonly place: string;
}

/** A scenario, and what is said of its report. */
export interface PlannedScenario {
  readonly scenario: Scenario;
  readonly verdicts: (report: ScenarioReport) => PlacedVerdict[];
}

/** Adds the scenario file. */
export function addFileArgument(command: Command): Command {
  return command.argument(
    '[file]',
    'scenario file, JSON with comments; options given beside it take the place of what it says',
  );
}

/** The options with the file, if any, and the names of those that were given. */
export function optionsWithFile<Options extends object>(
  file: string | undefined,
  options: Options,
  command: Command,
): Options & Pick<ScenarioOptions, 'file' | 'given'> {
  if (file === undefined) return options;
  const given = Object.keys(options).filter((name) => command.getOptionValueSource(name) === 'cli');
  return { ...options, file, given };
}

/** The options of one run, with those that `more` sets: what a worker is told. */
export function optionsOfRun(options: ScenarioOptions, more: Partial<ScenarioOptions>): ScenarioOptions {
  const { scenario, game, seconds, seed, deadline, file, given } = options;
  return {
    ...networkOf(options),
    scenario,
    seconds,
    seed,
    deadline,
    ...(game === undefined ? {} : { game }),
    ...(file === undefined || given === undefined ? {} : { file, given: [...given, ...Object.keys(more)] }),
    ...more,
  };
}

/** Of the options those that were given. */
export function givenOf(options: ScenarioOptions): Partial<ScenarioOptions> {
  const { given = [] } = options;
  return Object.fromEntries(Object.entries(options).filter(([name]) => given.includes(name)));
}

/** Throws UsageError where options, or they and the file, do not fit. */
export async function checkNetwork(options: ScenarioOptions): Promise<void> {
  if (options.file === undefined) linksOf(options);
  else await planOf(options.file, options);
}

/** The scenario that the options ask for. Throws UsageError. */
export async function scenarioOf(options: ScenarioOptions): Promise<PlannedScenario> {
  const { file } = options;
  if (file !== undefined) return withFile(file, options);
  const links = linksOf(options);
  const { clients, seconds, seed } = options;
  const game = await loadGame(options);
  const deadlineMicros = options.deadline * 1000;
  const scenario = { name: nameOf(options), game, clients, ...links, seconds, seed, deadlineMicros };
  return { scenario, verdicts: () => [] };
}

async function withFile(file: string, options: ScenarioOptions): Promise<PlannedScenario> {
  const plan = await planOf(file, options);
  const { clients, link, down, seconds, seed, prepare } = plan;
  const scenario: Scenario = {
    name: plan.name ?? nameOfFile(file),
    game: await gameOf(file, plan, options),
    clients,
    link,
    ...(down === undefined ? {} : { down }),
    seconds,
    seed,
    deadlineMicros: options.deadline * 1000,
    prepare,
  };
  const { judge } = await import('../scenario/expectations.ts');
  return {
    scenario,
    verdicts: (report) =>
      judge(plan.expect, report).map(({ index, ...verdict }) => ({ ...verdict, place: plan.placeOf(index) })),
  };
}

function planOf(file: string, options: ScenarioOptions): Promise<ScenarioPlan> {
  const { clients, seconds, seed, preset, ...given } = givenOf(options);
  const overrides: ScenarioOverrides = {
    ...(clients === undefined ? {} : { clients }),
    ...(seconds === undefined ? {} : { seconds }),
    ...(seed === undefined ? {} : { seed }),
    ...(preset === undefined ? {} : { preset }),
    changes: changesOf(given),
  };
  return readScenarioFile(file, overrides);
}

/** The command line's game, or the file's, or the one that comes with the package. */
async function gameOf(file: string, { game }: ScenarioPlan, options: ScenarioOptions): Promise<SimulatedGame> {
  const given = givenOf(options);
  if (game === undefined || given.game !== undefined || given.scenario !== undefined) return loadGame(options);
  if (isBuiltIn(game)) return loadGameNamed(game);
  try {
    return await loadGameFile(besideFile(file, game));
  } catch (error) {
    throw new FileError(`${file}: game: ${(error as Error).message}`);
  }
}

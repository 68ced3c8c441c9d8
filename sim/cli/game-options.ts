/** The game on the command line: one that comes with the package, or the user's own. */

import { type Command, Option } from 'commander';
import { DEADLINE_MICROS } from '../scenario/message-latencies.ts';
import type { SimulatedGame } from '../scenario/scenario.ts';
import type { AeadFactory } from '../world/sim-sys.ts';
import { decimal, UsageError } from './command.ts';

/** Games that come with the package, relative to this file once built. */
const SCENARIOS: Readonly<Record<string, string>> = { arena: '../../samples/arena/game.js' };
const SECONDS_MAX = 30 * 86_400;
const DEADLINE_MILLIS_MAX = 60_000;

export interface GameOptions {
  readonly scenario: string;
  readonly game?: string;
  readonly seconds: number;
  readonly seed: string;
  /** Milliseconds after which a message counts as missed. */
  readonly deadline: number;
}

/** Adds the options of a game and its run. */
export function addGameOptions(command: Command, secondsByDefault: number): Command {
  return command
    .addOption(new Option('--scenario <name>', 'game to run').choices(Object.keys(SCENARIOS)).default('arena'))
    .option(
      '--game <file>',
      'run this game instead, JavaScript or TypeScript: exports server(host, args), client(host, args)',
    )
    .addOption(new Option('--app <file>', 'the same as --game').hideHelp())
    .on('option:app', (file: string) => command.setOptionValueWithSource('game', file, 'cli'))
    .option('--seconds <count>', 'virtual time', decimal(0.001, SECONDS_MAX), secondsByDefault)
    .option('--seed <text>', 'decides every chance', '1')
    .option(
      '--deadline <ms>',
      'messages that take longer count as missed',
      decimal(0.001, DEADLINE_MILLIS_MAX),
      DEADLINE_MICROS / 1000,
    );
}

/** What the report calls it. */
export function nameOf(options: GameOptions): string {
  return options.game ?? options.scenario;
}

/** Loads the game that the options name. Throws UsageError when there is none, or it is no game. */
export function loadGame(options: GameOptions): Promise<SimulatedGame> {
  return options.game === undefined ? loadGameNamed(options.scenario) : loadGameFile(options.game);
}

/** Whether a game of this name comes with the package. */
export function isBuiltIn(name: string): boolean {
  return Object.hasOwn(SCENARIOS, name);
}

/** Loads a game that comes with the package. */
export async function loadGameNamed(name: string): Promise<SimulatedGame> {
  return (await import(new URL(SCENARIOS[name]!, import.meta.url).href)) as SimulatedGame;
}

/** Loads a user's module. Throws UsageError when there is none, or it is no game. */
export async function loadGameFile(file: string): Promise<SimulatedGame> {
  const { importGame } = await import('./game-module.ts');
  const game = (await importGame(file)) as SimulatedGame;
  if (typeof game.server !== 'function' && typeof game.client !== 'function') {
    throw new UsageError(`the game ${file} exports neither server(host, args) nor client(host, args)`);
  }
  return game;
}

/** The machine's own cryptography, through the one door that the engine has to the machine. */
export async function realAead(): Promise<AeadFactory> {
  const { openContext } = await import('../../engine/open.ts');
  const { sys, runtime } = openContext();
  runtime.close(); // of this machine only the ciphers are wanted
  return (slots, slotBytes) => sys.openAead(slots, slotBytes);
}

/** The game on the command line: one that comes with the package, or the user's own. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Command, Option } from 'commander';
import { DEADLINE_MICROS } from '../scenario/message-latencies.ts';
import type { SimulatedGame } from '../scenario/scenario.ts';
import type { AeadFactory } from '../world/sim-sys.ts';
import { decimal, oneLine, UsageError } from './command.ts';

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
    .option('--game <file>', 'run this built game module instead: exports server(host, args) and client(host, args)')
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

/** Loads the module. Throws UsageError when there is none, or it is no game. */
export async function loadGame(options: GameOptions): Promise<SimulatedGame> {
  const builtIn = new URL(SCENARIOS[options.scenario]!, import.meta.url);
  const url = options.game === undefined ? builtIn : pathToFileURL(resolve(options.game));
  let game: SimulatedGame;
  try {
    game = (await import(url.href)) as SimulatedGame;
  } catch (error) {
    throw new UsageError(`the game ${options.game ?? options.scenario} cannot be loaded: ${oneLine(error)}`);
  }
  if (typeof game.server !== 'function' && typeof game.client !== 'function') {
    throw new UsageError(
      `the game ${options.game ?? options.scenario} exports neither server(host, args) nor client(host, args)`,
    );
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

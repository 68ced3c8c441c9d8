/** The command line of the package. Each subcommand is one function here and one file beside. */

import { createRequire } from 'node:module';
import { Command, CommanderError } from 'commander';
import type { DoctorReport } from './doctor.ts';
import { EXIT_OK, EXIT_USAGE, exitCodeOf } from './exit-code.ts';
import type { SniffOptions } from './sniff.ts';
import { addSniff } from './sniff-command.ts';
import type { Terminal } from './terminal.ts';

/** What commands do, replaceable in tests. Loaded only when the command is called. */
export interface Commands {
  examine(): Promise<DoctorReport>;
  /** Runs the simulator's command line and returns its exit code. */
  simulate(words: readonly string[]): Promise<number>;
  /** Watches an interface or reads a file, and returns the exit code. */
  sniff(options: SniffOptions, terminal: Terminal): Promise<number>;
}

/**
 * The simulator's command, in the package beside this one. It is known by its place and not imported: the engine runs
 * without the simulator, and whoever calls another command does not load it.
 */
const SIMULATOR: URL = new URL('../../sim/cli/main.js', import.meta.url);

const COMMANDS: Commands = {
  examine: async () => (await import('./doctor.ts')).examine(),
  simulate: async (words) => {
    process.env.TICKWIRE_COMMAND = 'npx tickwire sim'; // what it says to paste
    return (await import('./hand-over.ts')).handOver(SIMULATOR, words);
  },
  sniff: async (options, terminal) => (await import('./sniff.ts')).sniff(options, terminal),
};

const EXIT_CODES = `
Exit codes:
  0  ok
  1  a check failed
  2  the command line is wrong
  3  this machine lacks something, the output says what and how to get it`;

/**
 * Runs one command line (without `node` and the script) and returns the exit code. Errors that a person can act on become
 * one line on stderr; bugs are thrown.
 */
export async function runCommandLine(
  words: readonly string[],
  terminal: Terminal,
  commands: Commands = COMMANDS,
): Promise<number> {
  // All that follows is the simulator's, `--help` too.
  if (words[0] === 'sim') return commands.simulate(words.slice(1));
  let exitCode = EXIT_OK;
  const program = newProgram(terminal);
  addDoctor(program, terminal, commands, (code) => {
    exitCode = code;
  });
  addSniff(program, terminal, commands, (code) => {
    exitCode = code;
  });
  // For the help only.
  program.command('sim').description('run games in a simulated network: scenarios, sweeps, a proxy (sim --help)');
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    const code = exitCodeOf(error);
    if (code === null) throw error;
    terminal.err(`tickwire: ${(error as Error).message}`);
    return code;
  }
}

function newProgram(terminal: Terminal): Command {
  return new Command('tickwire')
    .description('game server networking over UDP: tools')
    .version(ownVersion(), '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .showHelpAfterError('(tickwire --help shows what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
      getOutHasColors: () => terminal.colour,
      getErrHasColors: () => false,
    })
    .addHelpText(
      'after',
      `${EXIT_CODES}

Examples:
  $ npx tickwire doctor
  $ npx tickwire doctor --json | jq '.checks[] | select(.ok | not) | .remedy'
  $ npx tickwire sim run --clients 8 --latency 50 --loss 5 --seconds 60`,
    );
}

function addDoctor(program: Command, terminal: Terminal, commands: Commands, exit: (code: number) => void): void {
  program
    .command('doctor')
    .description('try what this machine offers, and say how to get what is missing')
    .option('--json', 'print one object: {machine, checks: [{name, ok, required, found, remedy}]}', false)
    .addHelpText(
      'after',
      `
Exit code 3 when something is missing without which the engine cannot run.

Examples:
  $ npx tickwire doctor
  $ TICKWIRE_SYS=dgram npx tickwire doctor --json`,
    )
    .action(async (options: { json: boolean }) => {
      const { printReport } = await import('./doctor.ts');
      exit(printReport(await commands.examine(), terminal, options.json));
    });
}

/** The package's own version, from wherever this file was installed to. */
function ownVersion(): string {
  return (createRequire(import.meta.url)('tickwire/package.json') as { version: string }).version;
}

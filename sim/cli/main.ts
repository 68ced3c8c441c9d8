#!/usr/bin/env node
/**
 * The simulator's command: `npm run sim -- run --scenario arena --clients 8 --latency 50 --loss 5`.
 *
 * Data on stdout, the rest on stderr. Exit codes: 0 ok, 1 the run failed, 2 usage, 3 the machine lacks something.
 */

import { Command } from 'commander';
import { EXIT_USAGE, fail, rejections } from './command.ts';
import { compareCommand } from './compare.ts';
import { dissectorCommand } from './dissector.ts';
import { presetsCommand } from './presets.ts';
import { proxyCommand } from './proxy.ts';
import { replayCommand } from './replay.ts';
import { reportCommand } from './report.ts';
import { runCommand } from './run.ts';
import { selftestCommand } from './selftest.ts';
import { shrinkCommand } from './shrink.ts';
import { swarmCommand } from './swarm.ts';
import { sweepCommand } from './sweep.ts';

const program = new Command('sim').description('Runs games in a simulated network, repeatably.');
for (const command of [
  runCommand,
  sweepCommand,
  compareCommand,
  reportCommand,
  swarmCommand,
  replayCommand,
  shrinkCommand,
  selftestCommand,
  presetsCommand,
  proxyCommand,
  dissectorCommand,
])
  program.addCommand(command);
for (const command of [program, ...program.commands]) {
  command
    .configureOutput({ outputError: (text, write) => write(`${text.trim()}\n`) })
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE));
}

// A promise of the game that nobody awaits: the run is over, as it would be in production.
process.on('unhandledRejection', (error) => {
  if (!rejections.areFatal) return;
  fail(error);
  process.exit();
});

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}

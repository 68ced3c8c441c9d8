/**
 * `npm run mutants`: how many seeds and seconds of CPU the swarm needs for each planted bug of the protocol, as a table.
 *
 * Exit code 1: one was not found within `--seeds`, or its patch no longer applies.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { runMutant } from './mutant.ts';
import { PROTOCOL_MUTANTS, type ProtocolMutant } from './protocol-mutants.ts';

const TIMEOUT_MILLIS = 600_000;

const { seeds, name, skip } = new Command('mutants')
  .description('Measures how soon the swarm finds each planted bug.')
  .option('--seeds <count>', 'give up after so many', '2000')
  .option('--name <part>', 'only those whose name has this in it', '')
  .option('--skip <count>', 'not the first ones', '0')
  .parse()
  .opts<{ seeds: string; name: string; skip: string }>();

/** What `sim swarm --json` tells, as far as it matters here. */
interface Found {
  readonly seeds: number;
  readonly cpuSeconds: number;
  readonly failure: { readonly complaints: readonly string[] } | null;
}

const folder = mkdtempSync(join(tmpdir(), 'tickwire-mutants-'));
try {
  process.stdout.write('| bug | seeds | CPU s | what the swarm says |\n|---|---|---|---|\n');
  for (const mutant of PROTOCOL_MUTANTS.slice(Number(skip)).filter((one) => one.name.includes(name)))
    process.stdout.write(`${row(mutant)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function row(mutant: ProtocolMutant): string {
  // One seed after the other: what other workers have done ahead of the one that fails is no cost of finding it.
  const args = ['swarm', '--seeds', seeds, '--jobs', '1', '--json', '--out', folder];
  const { status, stdout, stderr } = runMutant(mutant, args, TIMEOUT_MILLIS);
  const found: Found | null = stdout === '' ? null : JSON.parse(stdout);
  const seconds = found?.cpuSeconds.toFixed(1) ?? '';
  if (status === 1 && found?.failure != null) {
    const says = found.failure.complaints[0]!.split('\n', 1)[0]!;
    return `| ${mutant.name} | ${found.seeds} | ${seconds} | ${says} |`;
  }
  process.exitCode = 1;
  const error = stderr.split('\n').find((line) => line.includes('Error')) ?? 'it did not run';
  return `| ${mutant.name} | > ${seeds} | ${seconds} | ${found === null ? error : 'not found'} |`;
}

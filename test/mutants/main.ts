/**
 * `npm run mutants`: how many seeds and seconds the swarm needs for each planted bug of the protocol, as a table.
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

const folder = mkdtempSync(join(tmpdir(), 'tickwire-mutants-'));
try {
  process.stdout.write('| bug | seeds | seconds | what the swarm says |\n|---|---|---|---|\n');
  for (const mutant of PROTOCOL_MUTANTS.slice(Number(skip)).filter((one) => one.name.includes(name)))
    process.stdout.write(`${row(mutant)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function row(mutant: ProtocolMutant): string {
  const start = performance.now();
  const { status, stdout, stderr } = runMutant(
    mutant,
    ['swarm', '--seeds', seeds, '--json', '--out', folder],
    TIMEOUT_MILLIS,
  );
  const seconds = ((performance.now() - start) / 1_000).toFixed(1);
  const found =
    stdout === '' ? null : (JSON.parse(stdout) as { seeds: number; failure: { complaints: string[] } | null });
  if (status === 1 && found?.failure != null) {
    const says = found.failure.complaints[0]!.split('\n', 1)[0]!;
    return `| ${mutant.name} | ${found.seeds} | ${seconds} | ${says} |`;
  }
  process.exitCode = 1;
  const why =
    found === null ? (stderr.split('\n').find((line) => line.includes('Error')) ?? 'it did not run') : 'not found';
  return `| ${mutant.name} | > ${seeds} | ${seconds} | ${why} |`;
}

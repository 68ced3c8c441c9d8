// The package as a new user gets it: packed, unpacked into an empty folder, and used by its name.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const built = existsSync(join(ROOT, 'dist/engine/cli/main.js')) && existsSync(join(ROOT, 'dist/sim/cli/main.js'));
/** Processes that load the engine, and npm, on a machine that does other things too. */
const PATIENCE_MILLIS = 240_000;
/** What only commands need: `import 'tickwire/sim'` has to do without. */
const OF_COMMANDS: readonly string[] = ['cli-progress', 'commander', 'jiti', 'jsonc-parser', 'zod'];

const folder = mkdtempSync(join(tmpdir(), 'tickwire-packed-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe.skipIf(!built)(
  `the package${built ? '' : ' (skipped: dist/ is missing, build first)'}`,
  { timeout: PATIENCE_MILLIS },
  () => {
    let user = '';
    beforeAll(() => {
      const { status, stderr } = spawnSync(
        'npm',
        ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder],
        {
          cwd: ROOT,
          encoding: 'utf8',
        },
      );
      expect([status, stderr]).toEqual([0, '']);
      user = install('user', []);
    }, PATIENCE_MILLIS);

    it('has the schema for editors and the samples of scenarios, under the names that are promised', () => {
      const schema = 'node_modules/tickwire/sim/scenario/scenario.schema.json';
      const text = readFileSync(join(user, schema), 'utf8');
      expect(text).toBe(readFileSync(join(ROOT, 'sim/scenario/scenario.schema.json'), 'utf8'));
      expect(text).toContain('"natTimeout"');
      expect(readdirSync(join(user, 'node_modules/tickwire/samples/scenarios'))).toContain('bad-day.json');
      const script = "console.log(createRequire(import.meta.url).resolve('tickwire/scenario.schema.json'))";
      const { stdout } = node(user, `import { createRequire } from 'node:module'; ${script}`);
      expect(stdout.trim()).toMatch(/scenario\.schema\.json$/);
    });

    it('runs the simulator as `npx tickwire sim run`, with its output and exit codes', () => {
      const run = npx(['sim', 'run', '--seconds', '2', '--clients', '2', '--seed', '7']);
      expect([run.status, run.stderr]).toEqual([0, '']);
      expect(run.stdout).toContain('scenario         arena, 2 clients, seed 7');
      const direct = spawnSync(
        process.execPath,
        [join(ROOT, 'dist/sim/cli/main.js'), 'run', '--seconds', '2', '--clients', '2', '--seed', '7'],
        {
          encoding: 'utf8',
        },
      );
      const digest = /digest +([0-9a-f]{32})/;
      expect(digest.exec(run.stdout)![1]).toBe(digest.exec(direct.stdout)![1]);
    });

    it('runs a scenario file of the user, whose broken expectation is exit code 1', () => {
      writeFileSync(
        join(user, 'storm.json'),
        '{ "clients": 1, "seconds": 2, "timeline": [{ "at": "1s", "pause": "server", "for": "100ms" }],\n' +
          '"expect": [{ "metric": "packetsSent", "lt": 1 }] }',
      );
      const { status, stderr } = npx(['sim', 'run', 'storm.json']);
      expect(status).toBe(1);
      expect(stderr).toContain('storm.json:2: expected packetsSent < 1, and it is');
      expect(npx(['sim', 'run', 'nowhere.json']).status).toBe(2);
      expect(npx(['sim', '--help']).stdout).toContain('sweep');
      expect(npx(['sim', 'sweep', '--help']).stdout).toContain('  npx tickwire sim sweep --grid loss=');
    });

    it('lets Ctrl-C and stdin reach the simulator', async () => {
      const args = [
        join(user, 'node_modules/tickwire/dist/engine/cli/main.js'),
        'sim',
        'proxy',
        '--listen',
        '127.0.0.1:0',
      ];
      const proxy = spawn(process.execPath, [...args, '--to', '127.0.0.1:9', '--json'], {
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      const said: string[] = [];
      for (const stream of [proxy.stdout, proxy.stderr]) stream.on('data', (data) => said.push(String(data)));
      const ended = once(proxy, 'exit');
      for (let i = 0; i < 600 && said.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      proxy.stdin.write('nonsense\n'); // a line that it does not know is told
      const before = said.length;
      for (let i = 0; i < 600 && said.length === before; i++) await new Promise((resolve) => setTimeout(resolve, 100));
      expect(said.slice(before).join('')).toContain('nonsense');
      proxy.kill('SIGINT');
      const [code, signal] = await ended;
      expect([code, signal]).toEqual([0, null]);
      expect(said.join('')).toContain('"');
    });

    it("imports 'tickwire/sim' where nothing is that only its commands need", () => {
      const bare = install('bare', OF_COMMANDS);
      const script =
        "import { World } from 'tickwire/sim'; import 'tickwire'; import 'tickwire/sys'; import 'tickwire/packets'; import 'tickwire/transport';" +
        'console.log(new World({ seed: 7 }).digest())';
      const { status, stdout, stderr } = node(bare, script);
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/^[0-9a-f]{32}\n$/);
      expect(node(bare, "import 'zod'").stderr).toContain('ERR_MODULE_NOT_FOUND');
    });

    function npx(args: readonly string[]) {
      return spawnSync('npx', ['--no-install', 'tickwire', ...args], { cwd: user, encoding: 'utf8' });
    }
  },
);

/** A folder in which the packed package is installed with its dependencies, those of this project, but for some. */
function install(name: string, without: readonly string[]): string {
  const made = join(folder, name);
  const modules = join(made, 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  writeFileSync(join(made, 'package.json'), '{ "name": "user", "private": true, "type": "module" }');
  const archive = readdirSync(folder).find((file) => file.endsWith('.tgz'))!;
  spawnSync('tar', ['-xzf', join(folder, archive), '-C', modules]);
  spawnSync('mv', [join(modules, 'package'), join(modules, 'tickwire')]);
  const { dependencies, bin } = JSON.parse(readFileSync(join(modules, 'tickwire/package.json'), 'utf8'));
  spawnSync('chmod', ['+x', join(modules, 'tickwire', bin.tickwire)]);
  symlinkSync(join('..', 'tickwire', bin.tickwire), join(modules, '.bin/tickwire'));
  for (const dependency of Object.keys(dependencies)) {
    if (without.includes(dependency)) continue;
    mkdirSync(dirname(join(modules, dependency)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', dependency), join(modules, dependency));
  }
  return made;
}

function node(cwd: string, script: string) {
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd, encoding: 'utf8' });
}

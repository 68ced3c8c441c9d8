/** The command line: what it takes, what it refuses, which code it answers. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../../engine/cli/exit-code.ts';
import { type Commands, runCommandLine } from '../../../engine/cli/program.ts';
import { SysError } from '../../../sys/api.ts';
import { ConfigError } from '../../../transport/config-error.ts';

// Read, not imported: the compiler would copy it into dist/, where it would pass for the package's own.
const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const BUILT = fileURLToPath(new URL('../../../dist/engine/cli/main.js', import.meta.url));
const unbuilt = existsSync(BUILT) ? '' : ' (skipped: dist/ is not built, npm run build)';

const HEALTHY: Commands = {
  examine: async () => ({
    machine: { platform: 'x', arch: 'y', kernel: 'z', node: '20.19.0', cpu: 'c', cpus: 1, memoryBytes: 1 },
    checks: [{ name: 'sockets', ok: true, required: true, found: 'they work', remedy: '' }],
    backends: [{ backend: 'dgram', ok: true, found: 'node:dgram', remedy: '' }],
    auto: { backend: 'dgram', why: 'there is no other' },
    interfaces: [],
  }),
  simulate: async () => 0,
  sniff: async () => 0,
};

async function run(words: readonly string[], commands: Commands = HEALTHY) {
  const outs: string[] = [];
  const errs: string[] = [];
  const terminal = {
    out: (text: string) => void outs.push(text),
    err: (text: string) => void errs.push(text),
    colour: false,
    env: {},
  };
  const code = await runCommandLine(words, terminal, commands);
  return { code, out: outs.join('\n'), err: errs.join('\n') };
}

describe('the tickwire command', () => {
  it('prints its version, the one in package.json', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, out: manifest.version, err: '' });
  });

  it('prints help with examples and exit codes on stdout', async () => {
    for (const words of [['--help'], ['doctor', '--help']]) {
      const { code, out, err } = await run(words);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out).toContain('Examples:');
      expect(out).toContain('$ npx tickwire doctor');
      expect(out).toMatch(/exit code/i);
    }
  });

  it('answers 2 to a command line that it does not understand, with nothing on stdout', async () => {
    for (const words of [[], ['doktor'], ['doctor', '--jsn'], ['--frobnicate'], ['doctor', 'extra']]) {
      const { code, out, err } = await run(words);
      expect({ words, code, out }).toEqual({ words, code: 2, out: '' });
      expect(err).not.toBe('');
    }
  });

  it('suggests what may have been meant', async () => {
    expect((await run(['doktor'])).err).toContain('doctor');
  });

  it('runs doctor', async () => {
    const { code, out } = await run(['doctor', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out).checks[0].name).toBe('sockets');
  });

  it('leaves all that follows `sim` to the simulator, and answers its exit code', async () => {
    const heard: (readonly string[])[] = [];
    const commands: Commands = {
      ...HEALTHY,
      simulate: async (words) => {
        heard.push(words);
        return 1;
      },
    };
    for (const words of [['sim', 'run', '--help', '--version', '-x'], ['sim'], ['sim', 'doctor', '--json']]) {
      expect(await run(words, commands)).toEqual({ code: 1, out: '', err: '' });
    }
    expect(heard).toEqual([['run', '--help', '--version', '-x'], [], ['doctor', '--json']]);
    expect((await run(['--help'])).out).toMatch(/^ +sim +run games/m);
  });

  it('makes one line and an exit code of an error that a person can act on', async () => {
    const failing = (error: Error): Commands => ({ ...HEALTHY, examine: () => Promise.reject(error) });
    const missing = await run(['doctor'], failing(new SysError('EPERM', 'socket', 'no right')));
    expect(missing).toEqual({ code: 3, out: '', err: 'tickwire: socket: EPERM: no right' });
    expect(await run(['doctor'], failing(new SysError('EADDRINUSE', 'bind', 'port 7')))).toMatchObject({ code: 1 });
    expect(await run(['doctor'], failing(new SysError('EINVAL', 'openSys', 'no such')))).toMatchObject({ code: 2 });
  });

  it('lets a bug of ours through, with its stack', async () => {
    await expect(
      run(['doctor'], { ...HEALTHY, examine: () => Promise.reject(new TypeError('a bug')) }),
    ).rejects.toThrow('a bug');
  });

  it('answers 2 for a bad option of the engine', () => {
    expect(exitCodeOf(new ConfigError('port', 'must be a number'))).toBe(2);
    expect(exitCodeOf(new TypeError('a bug'))).toBeNull();
  });

  it.skipIf(unbuilt !== '')(`keeps data on stdout and colours away with NO_COLOR, as a program${unbuilt}`, () => {
    const env = { ...process.env, NO_COLOR: '1', TICKWIRE_SYS: '' };
    const { status, stdout, stderr } = spawnSync(process.execPath, [BUILT, 'doctor', '--json'], {
      env,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const report = JSON.parse(stdout) as { checks: { ok: boolean; remedy: string }[] };
    for (const check of report.checks) expect(check.remedy === '').toBe(check.ok);
  });

  it.skipIf(unbuilt !== '')(`answers 2 and one line when the environment asks for nonsense${unbuilt}`, () => {
    const env = { ...process.env, TICKWIRE_SYS: 'abacus' };
    const { status, stdout, stderr } = spawnSync(process.execPath, [BUILT, 'doctor'], { env, encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^tickwire: .*abacus.*\n$/);
  });
});

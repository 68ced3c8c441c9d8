/** Worker threads over the built code: Node 20 runs no TypeScript, so these need `npm run build` first. */

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { startWorker as StartWorker, StartWorkerOptions } from '../../../engine/executor/worker.ts';

/** Beside the sources, or around us where this file itself is built. */
const dist = ['../../../dist/', '../../../']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(new URL('engine/executor/worker-entry.js', url)))!;
const built = dist !== undefined;
/** A Windows Node under Wine cannot write to pipes. */
const pipes = !(process.platform === 'win32' && process.env.WINEPREFIX);
const unless = built ? '' : ' (skipped: dist/ is missing, run `npm run build`)';

const fixture = (name: string): URL => new URL(`test/engine/executor/fixtures/${name}.js`, dist);

async function start(options: Partial<StartWorkerOptions>): ReturnType<typeof StartWorker> {
  const module = (await import(new URL('engine/executor/worker.js', dist).href)) as {
    startWorker: typeof StartWorker;
  };
  return module.startWorker({ moduleUrl: fixture('game'), ...options });
}

/** Waits until a word of shared memory is at least `atLeast`; the test's own timeout is the bound. */
async function reaches(words: Int32Array, word: number, atLeast: number): Promise<void> {
  while (Atomics.load(words, word) < atLeast) await new Promise((resolve) => setTimeout(resolve, 5));
}

function runProgram(name: string): Promise<{ code: number | null; signal: string | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(fixture(name))], {
      stdio: ['ignore', pipes ? 'pipe' : 'ignore', pipes ? 'inherit' : 'ignore'],
      timeout: 20_000,
    });
    let stdout = '';
    child.stdout?.on('data', (bytes) => {
      stdout += bytes;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout }));
  });
}

describe.skipIf(!built)(`a worker${unless}`, () => {
  test('runs its tasks, and lets finally blocks that wait come to their end when it is stopped', async () => {
    const words = new Int32Array(new SharedArrayBuffer(8));
    const worker = await start({ bootUrl: fixture('plain-boot'), args: words.buffer });
    await reaches(words, 0, 20);
    await worker.stop();
    await worker.stop();
    expect(Atomics.load(words, 1)).toBe(1);
  });

  test('runs a game module that listens and ticks, and stops it', async () => {
    const words = new Int32Array(new SharedArrayBuffer(8));
    const worker = await start({ args: { report: words.buffer } });
    await reaches(words, 0, 10);
    await worker.stop();
    const ticks = Atomics.load(words, 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(Atomics.load(words, 0)).toBe(ticks);
  });

  test('is refused with the error of a game that cannot start', async () => {
    await expect(start({ exportName: 'broken' })).rejects.toThrow('no map to load');
  });

  test('names the export that a module does not have', async () => {
    await expect(start({ exportName: 'client' })).rejects.toThrow("no function 'client'");
  });

  test('is refused when its boot module cannot be loaded', async () => {
    await expect(start({ bootUrl: pathToFileURL('/nowhere/boot.js') })).rejects.toThrow(/nowhere.boot\.js/);
  });

  test('that blocks in the kernel does not keep process.exit() waiting, and its console.log comes through', async () => {
    const { code, signal, stdout } = await runProgram('exit-with-worker');
    expect({ code, signal }).toEqual({ code: 7, signal: null });
    if (pipes) expect(stdout).toBe('line one\nline two\n');
  });
});

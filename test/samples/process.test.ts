/** The samples as a user runs them: processes of their own, built code, real sockets. */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const DIST = join(import.meta.dirname, '../../dist/samples');
const built = existsSync(join(DIST, 'arena/main.js'));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts a sample; `until` resolves when its output matches, `ended` when the process has. */
function start(script: string, words: readonly string[], env: Record<string, string> = {}) {
  const child: ChildProcess = spawn(process.execPath, [join(DIST, script), ...words], {
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  let look = () => {};
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    look();
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    look();
  });
  const ended = new Promise<Ended>((resolve) => child.once('close', (code) => resolve({ code, out, err })));
  const until = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      look = () => {
        const found = pattern.exec(out + err);
        if (found !== null) resolve(found);
      };
      look();
      void ended.then((end) => reject(new Error(`ended with ${end.code} before ${pattern}: ${end.out}${end.err}`)));
    });
  return { child, ended, until };
}

const arena = (...words: string[]) => start('arena/main.js', ['--port', '0', '--token-port', '0', ...words]);

describe.skipIf(!built)(`the samples${built ? '' : ' (need npm run build)'}`, () => {
  it.skipIf(process.platform !== 'linux')(
    'the arena plays in two workers, and prints what each did and the sum',
    async () => {
      const { code, out, err } = await arena('--bots', '6', '--workers', '2', '--seconds', '2', '--json').ended;
      expect(err).toContain('arena on udp 127.0.0.1:');
      expect(code).toBe(0);
      const { workers, total } = JSON.parse(out) as {
        workers: Record<string, number>[];
        total: Record<string, number>;
      };
      expect(workers.map(({ worker, state, lost }) => [worker, state, lost])).toEqual([
        [0, 'running', 0],
        [1, 'running', 0],
      ]);
      expect(total.clients).toBe(6);
      for (const count of ['clients', 'datagramsIn', 'bytesOut']) {
        expect(total[count], count).toBe(workers[0]![count]! + workers[1]![count]!);
      }
      expect(total.datagramsIn).toBeGreaterThan(0);
    },
  );

  it('the arena plays with bots for a while and prints one JSON object on stdout', async () => {
    const { code, out, err } = await arena('--bots', '3', '--seconds', '2', '--json').ended;
    expect(err).toContain('arena on udp 127.0.0.1:');
    expect(code).toBe(0);
    const summary = JSON.parse(out) as Record<string, number>;
    expect(summary).toMatchObject({ clients: 3, tickMicros: {}, latenessMicros: {} });
    for (const count of ['ticks', 'inputsReceived', 'snapshotsSent', 'bytesIn', 'bytesOut']) {
      expect(summary[count], count).toBeGreaterThan(0);
    }
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('the arena ends cleanly at %s, telling its clients', async (signal) => {
    const server = arena('--bots', '2');
    await server.until(/2 clients/);
    server.child.kill(signal);
    const { code, out } = await server.ended;
    expect(code).toBe(0);
    expect(out).toMatch(/inputs received +\d+/);
  });

  it('the arena says in one line that its port is taken, and fails', async () => {
    const first = arena('--bots', '0');
    const [, port] = await first.until(/udp 127\.0\.0\.1:(\d+)/);
    const { code, out, err } = await start('arena/main.js', ['--port', port!]).ended;
    first.child.kill('SIGTERM');
    expect(err).toMatch(/^arena: .*EADDRINUSE.*another program holds udp port \d+.*\n$/);
    expect([code, out]).toEqual([1, '']);
    await first.ended;
  });

  it.each([
    [['--bots', '99'], /'99' is invalid/],
    [['--port', 'x'], /'x' is invalid/],
    [['--bogus'], /unknown option/],
  ])('the arena refuses %o as a mistake on the command line', async (words, pattern) => {
    const { code, out, err } = await arena(...words).ended;
    expect(err).toMatch(pattern);
    expect([code, out]).toEqual([2, '']);
  });

  it('a terminal client without a terminal, or without a server, says so', async () => {
    const { code, err } = await start('arena/terminal.js', []).ended;
    expect([code, err]).toEqual([1, 'client: this client draws on a terminal; its output is not one\n']);
  });

  it('the tour shows what it says', async () => {
    const { code, out } = await start('tour/tour.js', []).ended;
    for (const line of [
      'chat: welcome, number 0',
      'chat: 0 says hello',
      'door 0 is shut',
      'door 1 is open',
      'message 1 was delivered',
      '12 gold buy a sword',
      '3 gold: not enough gold',
      'the world came again and again, 1 player moved',
    ]) {
      expect(out).toContain(`${line}\n`);
    }
    expect(code).toBe(0);
  });

  it('the echo client gets its words back', async () => {
    const server = start('echo/server.js', [], { PORT: '0' });
    const [, port] = await server.until(/listening on 127\.0\.0\.1:(\d+)/);
    const { code, out } = await start('echo/client.js', [], { PORT: port! }).ended;
    expect(out).toMatch(/connected as client 0/);
    // Unreliable messages: on loopback they arrive, but one may be missing on a busy machine.
    expect(out.match(/came back after/g)!.length).toBeGreaterThanOrEqual(4);
    expect(code).toBe(0);
    await server.until(/peer 0 left: closed bye/);
    server.child.kill('SIGINT');
    expect((await server.ended).code).toBe(0);
  });
});

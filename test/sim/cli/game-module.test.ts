// A user's game in TypeScript: the engine that it imports is ours, and what is wrong in it is said with its place.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-game-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SHORT = ['--clients', '2', '--seconds', '2', '--latency', '20'];
/** Each run is a process that loads the engine. */
const PATIENCE_MILLIS = 120_000;

/** An enum, a parameter property and a file of its own: what only a real compiler of TypeScript takes. */
const RULES = `
export enum Rule { Pings = 20 }
export class Pace { constructor(readonly micros: number) {} }
`;
const body = (types: boolean): string => `
import { Client, ${types ? 'type Host, ' : ''}unreliable } from 'tickwire';
import { World } from 'tickwire/sim';
${types ? "import { Pace, Rule } from './rules.ts';" : ''}

const CHANNELS = { ping: unreliable() };
const pace = ${types ? 'new Pace(1_000_000 / Rule.Pings)' : '{ micros: 50_000 }'};

export async function server(host${types ? ': Host' : ''}, args${types ? ': any' : ''})${types ? ': Promise<void>' : ''} {
  const { port, address, privateKey, maxClients } = args;
  if (typeof World !== 'function') throw new Error('no simulator');
  await host.listen({ port, host: address, privateKey, maxClients, channels: CHANNELS });
}

export async function client(host${types ? ': Host' : ''}, args${types ? ': any' : ''}) {
  const client = await host.connect({ token: args.token, channels: CHANNELS });
  if (!(client instanceof Client)) throw new Error('the engine was loaded twice');
  for (;;) {
    client.send('ping', new Uint8Array(9));
    await host.sleep(pace.micros);
  }
}
`;

describe.skipIf(!built)(
  `a game in TypeScript${built ? '' : ' (skipped: dist/ is missing, build first)'}`,
  { timeout: PATIENCE_MILLIS },
  () => {
    it(
      'runs with the engine of the package, by every way to name it, and in the workers of a sweep',
      () => {
        write('rules.ts', RULES);
        const game = write('game.ts', body(true));
        const file = write(
          'storm.json',
          '{ "game": "./game.ts", "clients": 2, "seconds": 2, "link": { "latency": "20ms" } }',
        );
        const reports = [['--game', game, ...SHORT], ['--app', game, ...SHORT], [file]].map((args) => {
          const { status, stdout, stderr } = sim(['run', ...args, '--json']);
          expect([status, stderr]).toEqual([0, '']);
          return JSON.parse(stdout);
        });
        expect(reports[0].channels).toMatchObject([{ channel: 'ping', from: 'clients' }]);
        expect(reports[0].channels[0].arrived).toBeGreaterThan(60);
        expect(new Set(reports.map(({ digest }) => digest)).size).toBe(1);
        const swept = sim(['sweep', file, '--grid', 'loss=0', '--repeat', '1', '--seed', '1', '--json']);
        expect(swept.stderr).toBe('');
        expect(JSON.parse(swept.stdout).records[0].report.channels[0].arrived).toBeGreaterThan(60);
      },
      PATIENCE_MILLIS,
    );

    it.each([
      [
        'syntax.ts',
        'export const a: number = 1;\nexport function server( { return 1;\n}\n',
        /Unexpected keyword.* at .*syntax\.ts:2:26$/,
      ],
      [
        'syntax.mjs',
        'export const a = 1;\nexport function server( { return 1;\n}\n',
        /Unexpected .* at .*syntax\.mjs:2$/,
      ],
      ['throws.ts', "const a: number = 1;\nthrow new Error('planted ' + a);\n", /planted 1 at .*throws\.ts:2:7$/],
      ['throws.mjs', "const a = 1;\nthrow new Error('planted ' + a);\n", /planted 1 at .*throws\.mjs:2:7$/],
      ['lonely.ts', "import './nowhere.ts';\n", /Cannot find module '\.\/nowhere\.ts'/],
      ['none.ts', 'export const a: number = 1;\n', /exports neither server\(host, args\) nor client/],
    ])('is refused with its place on one line: %s', (name, text, line) => {
      const { status, stdout, stderr } = sim(['run', '--game', write(name, text), ...SHORT]);
      expect(stderr.trim()).toMatch(line);
      expect([status, stdout, stderr.trim().split('\n').length]).toEqual([2, '', 1]);
    });
  },
);

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
}

// `sim run` with captures, and `sim dissector`: what they write, leave behind and refuse. Runs the built files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { dissectorText } from '../../../sim/capture/dissector.ts';
import { GrowingFile } from '../../../sim/cli/growing-file.ts';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const folder = mkdtempSync(join(tmpdir(), 'tickwire-capture-'));
afterAll(() => rmSync(folder, { recursive: true }));
/** Several commands in turn, beside compilers. */
const TIMEOUT_MILLIS = 120_000;
const SHORT = ['run', '--clients', '2', '--seconds', '2', '--loss', '5', '--seed', '7', '--json'];

function sim(...args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', cwd: folder });
}

describe('a file that grows', () => {
  it('is there under its name when it is whole, with all that was written', () => {
    const name = join(folder, 'grown');
    const file = new GrowingFile(name);
    const parts = [1, 100_000, 200_000, 600_000, 7].map((length, i) => new Uint8Array(length).fill(i + 1));
    for (const part of parts) file.write(part);
    expect(existsSync(name)).toBe(false);
    file.finish();
    file.abandon();
    expect(readFileSync(name).equals(Buffer.concat(parts))).toBe(true);
    rmSync(name);
  });

  it('leaves nothing behind when it is abandoned', () => {
    const file = new GrowingFile(join(folder, 'abandoned'));
    file.write(Uint8Array.of(1));
    file.abandon();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe.skipIf(!built)(`sim run with a capture${built ? '' : ' (skipped: dist/ is missing, build first)'}`, () => {
  it('writes what was asked for, and nothing else of the run differs', { timeout: TIMEOUT_MILLIS }, () => {
    const plain = sim(...SHORT);
    const files = [
      '--pcap',
      'out.pcapng',
      '--qlog',
      'out.sqlog',
      '--sequence',
      'out.json',
      '--client',
      '1',
      '--packets',
      '50',
    ];
    const { status, stdout, stderr } = sim(...SHORT, ...files);
    expect([status, stderr]).toEqual([0, '']);
    const told = (text: string) => ({ ...(JSON.parse(text) as Record<string, unknown>), wallSeconds: 0, command: '' });
    expect(told(stdout)).toEqual(told(plain.stdout));
    // What only says where captures go is not part of the command that repeats the run.
    expect(JSON.parse(stdout).command).toBe(`${JSON.parse(plain.stdout).command} --client 1 --packets 50`);
    expect(readdirSync(folder).sort()).toEqual(['out.json', 'out.pcapng', 'out.server.sqlog', 'out.sqlog']);
    expect([...readFileSync(join(folder, 'out.pcapng')).subarray(0, 4)]).toEqual([0x0a, 0x0d, 0x0d, 0x0a]);
    expect(statSync(join(folder, 'out.pcapng')).size).toBeGreaterThan(200_000);
    for (const [name, type] of [
      ['out.sqlog', 'client'],
      ['out.server.sqlog', 'server'],
    ] as const) {
      const header = readFileSync(join(folder, name), 'utf8').split('\x1e')[1]!;
      expect(JSON.parse(header).trace).toMatchObject({
        vantage_point: { type },
        common_fields: { group_id: 'client-1' },
      });
    }
    const sequence = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8'));
    expect(sequence).toMatchObject({ schema: 'tickwire-sequence/1', client: 'client-1', isCut: true });
    expect(sequence.packets.length).toBe(50);
  });

  it('opens packets of the real ciphers too', { timeout: TIMEOUT_MILLIS }, () => {
    expect(sim(...SHORT, '--aead', 'real', '--sequence', 'real.json').status).toBe(0);
    const { packets } = JSON.parse(readFileSync(join(folder, 'real.json'), 'utf8'));
    const carries = packets.flatMap((packet: { carries: string[] }) => packet.carries).join('; ');
    expect(carries).toMatch(/hello.*input ticks \d+ to \d+/);
  });

  it('keeps the capture of a run that failed', { timeout: TIMEOUT_MILLIS }, () => {
    writeFileSync(
      join(folder, 'broken.mjs'),
      `import { unreliable } from '${new URL('../../../dist/engine/index.js', import.meta.url).href}';\n` +
        'const channels = { noise: unreliable() };\n' +
        'export async function client(host, { token }) { await host.connect({ token, channels }); }\n' +
        'export async function server(host) { await host.sleep(500000); throw new Error("it breaks"); }\n',
    );
    const { status, stderr } = sim(...SHORT, '--game', './broken.mjs', '--pcap', 'broken.pcapng');
    expect([status, stderr.includes('it breaks')]).toEqual([1, true]);
    expect(statSync(join(folder, 'broken.pcapng')).size).toBeGreaterThan(1_000);
  });

  it('refuses what cannot be, before the run', { timeout: TIMEOUT_MILLIS }, () => {
    const before = readdirSync(folder);
    for (const [args, message] of [
      [['--qlog', 'x.sqlog', '--client', '2'], '--client 2: the run has 2, counted from 0'],
      [['--sequence', 'x.json', '--from', '2', '--until', '1'], '--until 1 is not after --from 2'],
      [['--pcap', 'x.pcapng', '--qlog', 'nowhere/x.sqlog'], '--qlog nowhere/x.sqlog cannot be written'],
    ] as const) {
      const { status, stderr } = sim(...SHORT, ...args);
      expect([status, stderr]).toEqual([2, expect.stringContaining(message)]);
    }
    expect(readdirSync(folder)).toEqual(before);
  });

  it('prints the dissector', { timeout: TIMEOUT_MILLIS }, () => {
    expect(sim('dissector').stdout).toBe(dissectorText());
  });
});

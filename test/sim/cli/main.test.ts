// The command: what it prints and how it exits. Runs the built files.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const built = existsSync(CLI);
const SHORT = [
  'run',
  '--clients',
  '3',
  '--latency',
  '50',
  '--jitter',
  '10',
  '--loss',
  '5',
  '--seconds',
  '5',
  '--seed',
  '7',
];

describe.skipIf(!built)(`sim command${built ? '' : ' (skipped: dist/sim/cli/main.js is missing, build first)'}`, () => {
  it('runs the arena twice in fresh processes with the same digest, and with --strict too', () => {
    const reports = [[], [], ['--strict']].map((more) => report([...SHORT, ...more]));
    for (const { digest, packetsSent, packetsDropped, virtualSeconds, latencyMs, clientsFailed } of reports) {
      expect(digest).toBe(reports[0].digest);
      expect(digest).toMatch(/^[0-9a-f]{32}$/);
      expect(packetsSent).toBeGreaterThan(3 * 5 * 60);
      expect(packetsDropped).toBeGreaterThan(0);
      expect(virtualSeconds).toBe(5);
      expect(latencyMs.p50).toBeGreaterThan(45);
      expect(latencyMs.p99).toBeLessThanOrEqual(60);
      expect(clientsFailed).toBe(0);
    }
    expect(reports[0].seed).toBe('7');
    expect(reports[0].wallSeconds).toBeGreaterThan(0);
  });

  it('gives the same digest where Node cannot drain microtasks on demand, only slower', () => {
    const without = ['--import', 'data:text/javascript,delete process._tickCallback'];
    const { stdout } = spawnSync(process.execPath, [...without, CLI, ...SHORT, '--json'], { encoding: 'utf8' });
    expect(JSON.parse(stdout).digest).toBe(report(SHORT).digest);
  });

  it('runs over a slow line that loses in bursts, reorders and duplicates, and accounts for it', () => {
    const slow = [...SHORT, '--burst', '4', '--rate', '0.05', '--queue', '100', '--duplicate', '5', '--reorder', '5'];
    const { dropped, packetsSent, packetsDuplicated, packetsDropped, latencyMs, digest } = report(slow);
    expect(dropped.queueFull).toBeGreaterThan(0);
    expect(dropped.lost / packetsSent).toBeGreaterThan(0.01);
    expect(packetsDuplicated / packetsSent).toBeGreaterThan(0.02);
    expect(packetsDropped).toBe(dropped.lost + dropped.queueFull + dropped.overflowed + dropped.unheard);
    expect(latencyMs.p99).toBeGreaterThan(100);
    const { stdout } = sim(slow);
    expect(stdout).toContain(digest);
    expect(stdout).toContain('5 % loss in bursts of 4, 0.05 Mbit/s with 100 ms of queue, 5 % twice, 5 % held back');
    expect(stdout).toContain(`queue full ${dropped.queueFull}`);
  });

  it('prints a table for people that shows the same digest', () => {
    const { status, stdout } = sim(SHORT);
    expect(status).toBe(0);
    expect(stdout).toContain(report(SHORT).digest);
    expect(stdout).toContain('3 clients, seed 7');
  });

  it.each([
    [['run', '--jitter', '51'], '--jitter 51 is larger than --latency 50'],
    [['run', '--burst', '3'], '--burst 3 without --loss'],
    [['run', '--burst', '3', '--loss', '100'], 'leave --burst out'],
    [['run', '--burst', '3', '--loss', '90'], 'give 9 or more'],
    [['run', '--burst', '0.5', '--loss', '9'], 'give a number from 1 to 1000'],
    [['run', '--queue', '50'], '--queue 50 without --rate'],
    [['run', '--queue', '60000', '--rate', '10'], 'give 53687 or less'],
    [['run', '--rate', '0'], 'give a number from 0.001'],
    [['run', '--duplicate', '101'], 'give a number from 0 to 100'],
    [['run', '--reorder', '-1'], 'give a number from 0 to 100'],
    [['run', '--loss', '101'], 'give a number from 0 to 100'],
    [['run', '--clients', '-1'], 'give a whole number'],
    [['run', '--scenario', 'chess'], 'Allowed choices are arena'],
    [['run', '--preset', 'pigeon'], 'Allowed choices are lan, fiber'],
    [['run', '--preset', 'wifi', '--loss', '3'], 'leave --loss out, or the preset'],
    [['presets', 'pigeon'], 'Allowed choices are lan, fiber'],
    [['run', '--game', './nowhere.js'], 'cannot be loaded'],
    [['run', '--game', fileURLToPath(new URL('../../../dist/sim/world/world.js', import.meta.url))], 'exports neither'],
    [['walk'], 'unknown command'],
  ])('exits with 2 and one line for %o', (args, line) => {
    const { status, stdout, stderr } = sim(args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(line);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it.each([
    ['throws', 'export function client() { throw new Error("planted"); }'],
    ['rejects', 'export async function client(host) { await host.sleep(5); throw new Error("planted"); }'],
    [
      'rejects unheard',
      'export function client(host) { void host.sleep(5).then(() => { throw new Error("planted"); }); }',
    ],
  ])('exits with 1 and shows the error of a game that %s', (_, source) => {
    const game = join(mkdtempSync(join(tmpdir(), 'tickwire-sim-')), 'game.mjs');
    writeFileSync(game, source);
    const { status, stdout, stderr } = sim(['run', '--game', game, '--clients', '1', '--seconds', '1']);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^sim: Error: planted/);
    expect(stderr).toContain('game.mjs');
    rmSync(dirname(game), { recursive: true });
  });

  it('runs a network by name, whose two ways differ, and lists those names with sources', () => {
    const bloat = report(['run', '--preset', 'adsl-bufferbloat', '--clients', '2', '--seconds', '5']);
    const of = (from: string, name: string) =>
      bloat.channels.find((one: { from: string; channel: string }) => one.from === from && one.channel === name);
    expect(of('server', 'state').arrived).toBeGreaterThan(2 * 4 * 50);
    expect(of('clients', 'input').latencyMs.p50).toBeGreaterThan(20);
    const { presets } = JSON.parse(sim(['presets', '--json']).stdout);
    expect(presets.length).toBeGreaterThanOrEqual(10);
    expect(sim(['presets', 'geo']).stdout).toContain('source: Michel et al.');
  });

  it('shows help with examples', () => {
    const { status, stdout } = sim(['run', '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('Examples:');
  });
});

function sim(args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
}

function report(args: readonly string[]) {
  const { status, stdout, stderr } = sim([...args, '--json']);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return JSON.parse(stdout);
}

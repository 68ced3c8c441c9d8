import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { DatagramBatch, NEVER } from '../../sys/api.ts';
import { EchoEndpoint } from './echo-endpoint.ts';
import { alternate, figure, machine, median, table } from './report.ts';

describe('a figure', () => {
  test('is the median of its samples, with their least and greatest', () => {
    expect(figure('a', 'ns', [5, 1, 9, 2, 100])).toEqual({
      name: 'a',
      value: 5,
      unit: 'ns',
      spread: [1, 100],
      ok: true,
    });
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(() => median([])).toThrow(RangeError);
  });

  test('is ok when its median is what it must be, the limit included', () => {
    expect(figure('a', 'ns', [3], { op: '<=', value: 3 }).ok).toBe(true);
    expect(figure('a', 'ns', [3.1], { op: '<=', value: 3 }).ok).toBe(false);
    expect(figure('a', 'ns', [3], { op: '>=', value: 3 }).ok).toBe(true);
    expect(figure('a', 'ns', [2.9], { op: '>=', value: 3 }).ok).toBe(false);
  });
});

test('contenders run once a run each, every other run in reverse order, and are compared within a run', async () => {
  const order: string[] = [];
  let value = 0;
  const sample = (name: string) => () => {
    order.push(name);
    return ++value;
  };
  const found = await alternate(3, { a: sample('a'), b: sample('b') });
  expect(order.join('')).toBe('abbaab');
  expect(found.samples).toEqual({ a: [1, 4, 5], b: [2, 3, 6] });
  expect(found.ratios('b', 'a')).toEqual([2, 3 / 4, 6 / 5]);
});

test('the table for people marks what is missed, and says what was skipped and noted', () => {
  const missed = figure('slow', 'us', [12.345], { op: '<=', value: 10 });
  const text = table({ bench: 'b', machine: machine(), figures: [missed], notes: ['beware'] });
  expect(text).toMatch(/slow +12\.3 +us +12\.3 \.\. 12\.3 +<= 10\.0 +MISSED/);
  expect(text).toContain('note: beware');
  expect(table({ bench: 'b', machine: machine(), figures: [], skipped: 'no gcc' })).toContain('skipped: no gcc');
});

const gcc = spawnSync('gcc', ['--version']).status === 0;
test.skipIf(!gcc)('floor.c compiles without a warning (skipped where gcc is missing)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-floor-'));
  try {
    const source = fileURLToPath(new URL('./floor.c', import.meta.url));
    const built = spawnSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', join(folder, 'floor'), source]);
    expect(built.stderr.toString()).toBe('');
    expect(built.status).toBe(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the echo endpoint sends every datagram back, in order, over transmit batches of any size', () => {
  const endpoint = new EchoEndpoint();
  const rx = DatagramBatch.allocate(8, 300);
  const tx = DatagramBatch.allocate(3, 300);
  for (let slot = 0; slot < 8; slot++) {
    rx.length[slot] = slot === 5 ? 299 : slot * 9; // number 5 is longer than it holds
    rx.arena.fill(slot + 1, rx.home(slot), rx.home(slot) + 299);
    rx.address.fill(slot + 1, slot * 24, (slot + 1) * 24);
  }
  rx.count = 8;
  endpoint.receive(rx);
  expect(endpoint.deadline()).toBe(0);
  const echoed: number[] = [];
  while (endpoint.deadline() !== NEVER) {
    tx.count = 0;
    endpoint.transmit(tx);
    for (let slot = 0; slot < tx.count; slot++) {
      const bytes = tx.arena.subarray(tx.offset[slot]!, tx.offset[slot]! + tx.length[slot]!);
      const from = tx.address[slot * 24]!;
      expect(bytes.every((byte) => byte === from)).toBe(true);
      expect(bytes.length).toBe((from - 1) * 9);
      echoed.push(from);
    }
  }
  expect(echoed).toEqual([1, 2, 3, 4, 5, 7, 8]);
  expect([endpoint.received, endpoint.dropped]).toEqual([8, 1]);
});

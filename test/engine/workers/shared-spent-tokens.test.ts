/** The table of spent tokens that threads share without locks. */

import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { SharedSpentTokens } from '../../../engine/workers/shared-spent-tokens.ts';
import type { SpenderData } from './fixtures/spender.ts';

const SPENDER = new URL('../../../dist/test/engine/workers/fixtures/spender.js', import.meta.url);

const tag = (n: number): Uint8Array => {
  const bytes = new Uint8Array(16);
  const words = new Uint32Array(bytes.buffer);
  words.set([Math.imul(n + 1, 0x9e37_79b1), n, 7, 9]);
  return bytes;
};

describe('the table of spent tokens', () => {
  test('knows a token from when it is spent until it expires, in every view of the memory', () => {
    let now = 1000;
    const memory = SharedSpentTokens.allocate(100);
    const one = new SharedSpentTokens(memory, () => now);
    const other = new SharedSpentTokens(memory, () => now);
    expect(one.isSpent(tag(1))).toBe(false);
    expect(one.spend(tag(1), 1030)).toBe(true);
    expect(other.isSpent(tag(1))).toBe(true);
    expect(other.spend(tag(1), 1030)).toBe(false);
    expect(other.isSpent(tag(2))).toBe(false);
    now = 2000; // expired, but the row has not been needed: it is refused by its age anyway
    expect(one.isSpent(tag(1))).toBe(true);
  });

  test('uses rows of expired tokens again, for ever', () => {
    let now = 1000;
    const table = new SharedSpentTokens(SharedSpentTokens.allocate(64), () => now);
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 40; i++) expect(table.spend(tag(round * 40 + i), now + 30)).toBe(true);
      now += 30;
    }
  });

  test('never forgets a token that does not expire, and refuses when it is full', () => {
    let now = 1000;
    const table = new SharedSpentTokens(SharedSpentTokens.allocate(16), () => now);
    const kept: number[] = [];
    for (let i = 0; i < 500; i++)
      if (table.spend(tag(i), i % 2 === 0 ? Number.POSITIVE_INFINITY : 2 ** 33)) kept.push(i);
    expect(kept).toHaveLength(32);
    now = 2 ** 32 - 2;
    expect(table.spend(tag(1000), now + 30)).toBe(false);
    for (const i of kept) expect(table.isSpent(tag(i))).toBe(true);
  });

  test('holds as many as it was made for, by far', () => {
    const table = new SharedSpentTokens(SharedSpentTokens.allocate(20_000), () => 0);
    for (let i = 0; i < 20_000; i++) if (!table.spend(tag(i), 30)) expect.fail(`token ${i} found no room`);
  });

  test('a row that an ended thread was writing stays unused, and the rest goes on', () => {
    const memory = SharedSpentTokens.allocate(16);
    const state = new Int32Array(memory, 0, 32);
    state[0] = 1;
    const table = new SharedSpentTokens(memory, () => 0);
    expect(table.spend(tag(1), 30)).toBe(true);
    expect(table.isSpent(tag(1))).toBe(true);
    expect(state[0]).toBe(1);
  });

  test.skipIf(!existsSync(SPENDER))(
    `four threads spend the same tokens: nobody's token is spent twice${existsSync(SPENDER) ? '' : ' (npm run build first)'}`,
    async () => {
      const tokens = 20_000;
      const threads = 4;
      const tags = new Uint8Array(tokens * 16);
      for (let i = 0; i < tokens; i++) tags.set(tag(i), i * 16);
      const start = new SharedArrayBuffer(8);
      const words = new Int32Array(start);
      const data: SpenderData = { memory: SharedSpentTokens.allocate(tokens), start, tags };
      const results = Array.from({ length: threads }, () => {
        const worker = new Worker(SPENDER, { workerData: data });
        return new Promise<Uint8Array>((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      });
      while (Atomics.load(words, 0) < threads) await new Promise((resolve) => setTimeout(resolve, 1));
      Atomics.store(words, 1, 1);
      Atomics.notify(words, 1);
      const won = await Promise.all(results);
      let nobody = 0;
      for (let i = 0; i < tokens; i++) {
        const winners = won.reduce((sum, one) => sum + one[i]!, 0);
        if (winners > 1) expect.fail(`token ${i} was spent ${winners} times`);
        if (winners === 0) nobody++;
      }
      // Both of two may be turned away, but that is rare.
      expect(nobody).toBeLessThan(tokens / 100);
    },
  );
});

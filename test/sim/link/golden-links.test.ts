// Every model of a link gives the digests that it has always had: else old seeds stop meaning anything.

import { describe, expect, it } from 'vitest';
import { GOLDEN_LINKS, runGolden } from './golden-links.ts';

describe('seed 7 has the digest that it has always had over', () => {
  it.each(GOLDEN_LINKS)('$name', async ({ link, shows, digest }) => {
    const run = await runGolden(link);
    expect(run.digest).toBe(digest);
    expect(run.stats.delivered).toBeGreaterThan(150);
    if (shows !== null) expect(run.stats[shows]).toBeGreaterThan(0);
  });
});

it('no two of them are alike: each model does something', () => {
  expect(new Set(GOLDEN_LINKS.map(({ digest }) => digest)).size).toBe(GOLDEN_LINKS.length);
});

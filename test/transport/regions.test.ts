import { expect, it } from 'vitest';
import { Regions } from '../../transport/regions.ts';

it('gives runs that do not overlap, grows its columns, and gives freed runs again', () => {
  let column = new Int32Array(0);
  const regions = new Regions((slots) => {
    const longer = new Int32Array(slots);
    longer.set(column);
    column = longer;
  });
  const runs: { base: number; log2: number }[] = [];
  for (let i = 0; i < 200; i++) {
    const log2 = i % 8;
    const base = regions.take(log2);
    runs.push({ base, log2 });
    column.fill(i + 1, base, base + (1 << log2));
  }
  for (const [i, { base, log2 }] of runs.entries()) {
    expect(column.subarray(base, base + (1 << log2)).every((value) => value === i + 1)).toBe(true);
  }
  expect(column.length).toBe(regions.slots);
  regions.give(runs[7]!.base, 7);
  expect(regions.take(7)).toBe(runs[7]!.base);
  expect(regions.take(7)).not.toBe(runs[7]!.base);
});

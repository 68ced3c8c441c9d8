import { describe, expect, it } from 'vitest';
import { BlockPool } from '../../../transport/block-pool.ts';
import { LargeMessages } from '../../../transport/channel/large-messages.ts';

describe('LargeMessages', () => {
  it('hands out each fragment once, the lowest first, and lost ones again before those that follow', () => {
    const pool = new BlockPool(1 << 20);
    const large = new LargeMessages(pool);
    const row = large.open(1152 * 19 + 1);
    expect(large.count[row]).toBe(20);
    const take = () => {
      const fragment = large.nextPending(row);
      large.sent(row, fragment);
      return fragment;
    };
    expect([take(), take(), take(), take()]).toEqual([0, 1, 2, 3]);
    expect(large.onLost(row, 1)).toBe(true);
    expect(large.onLost(row, 1)).toBe(false);
    expect([take(), take()]).toEqual([1, 4]);
    while (large.pending[row]! > 0) take();
    for (let fragment = 0; fragment < 20; fragment++) expect(large.onAcked(row, fragment)).toBe(true);
    expect(large.onAcked(row, 7)).toBe(false);
    expect(large.acked[row]).toBe(20);
    expect(large.onLost(row, 7)).toBe(false);
    large.close(row);
    expect(pool.held).toBe(0);
  });

  it('does not send again what was declared lost and has arrived after all', () => {
    const large = new LargeMessages(new BlockPool(1 << 20));
    const row = large.open(5000);
    for (let i = 0; i < 5; i++) large.sent(row, large.nextPending(row));
    large.onLost(row, 2);
    expect(large.pending[row]).toBe(1);
    large.onAcked(row, 2);
    expect(large.pending[row]).toBe(0);
    expect(large.firstUnacked(row)).toBe(0);
    large.onAcked(row, 0);
    large.onAcked(row, 1);
    expect(large.firstUnacked(row)).toBe(3);
  });
});

import { describe, expect, it } from 'vitest';
import { TickClock } from '../../engine/tick-clock.ts';
import { NEVER } from '../../sys/api.ts';

describe('TickClock', () => {
  it('does not drift: an hour at 60 Hz ends where it must, to the microsecond', () => {
    const clock = new TickClock(60, 5_000_000);
    let last = -1;
    for (let n = 0; n < 216_000; n++) last = clock.take(clock.deadline);
    expect(last).toBe(215_999);
    expect(clock.deadline).toBe(5_000_000 + 3_600_000_000);
    expect(clock.skipped).toBe(0);
  });

  it('is never early', () => {
    const clock = new TickClock(60, 0);
    expect(clock.take(0)).toBe(0);
    expect(clock.deadline).toBe(16_666);
    expect(clock.take(16_665)).toBe(-1);
    expect(clock.take(16_666)).toBe(1);
  });

  it('makes up for a short delay tick by tick', () => {
    const clock = new TickClock(100, 0);
    clock.take(0);
    expect([clock.take(35_000), clock.take(35_000), clock.take(35_000), clock.take(35_000)]).toEqual([1, 2, 3, -1]);
    expect(clock.skipped).toBe(0);
  });

  it('skips what a long delay has made pointless, keeps its rhythm, and counts it', () => {
    const clock = new TickClock(100, 0);
    clock.take(0);
    const taken: number[] = [];
    for (let tick = clock.take(1_005_000); tick >= 0; tick = clock.take(1_005_000)) taken.push(tick);
    expect(taken).toEqual([1]);
    expect(clock.skipped).toBe(99);
    expect(clock.deadline).toBe(1_010_000);
  });

  it('never ticks at a rate of 0', () => {
    const clock = new TickClock(0, 1);
    expect(clock.deadline).toBe(NEVER);
    expect(clock.take(1e12)).toBe(-1);
  });
});

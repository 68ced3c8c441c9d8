import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Micros, NEVER } from '../../sys/api.ts';
import { DueWheel } from '../../transport/due-wheel.ts';

const BUCKET = 1024;
const START: Micros = 2 ** 41;

function set(wheel: DueWheel, item: number, at: Micros): void {
  wheel.at[item] = at;
  wheel.set(item);
}

function drain(wheel: DueWheel, now: Micros): number[] {
  const items: number[] = [];
  for (let item = wheel.takeDue(now); item >= 0; item = wheel.takeDue(now)) items.push(item);
  return items;
}

describe('DueWheel', () => {
  test('has no deadline and nothing due when nothing is set', () => {
    const wheel = new DueWheel(4);
    expect(wheel.deadline()).toBe(NEVER);
    expect(wheel.takeDue(START)).toBe(-1);
  });

  test('gives an item up not before its time and at most a bucket late', () => {
    const wheel = new DueWheel(2);
    drain(wheel, START);
    set(wheel, 1, START + 100_000);
    expect(drain(wheel, START + 99_999)).toEqual([]);
    expect(wheel.deadline()).toBeGreaterThanOrEqual(START + 100_000);
    expect(wheel.deadline()).toBeLessThan(START + 100_000 + BUCKET);
    expect(drain(wheel, wheel.deadline())).toEqual([1]);
    expect(wheel.count).toBe(0);
  });

  test('keeps an item that is further off than the ring until its time, looking after it now and then', () => {
    const wheel = new DueWheel(1);
    drain(wheel, START);
    set(wheel, 0, START + 1_000_000);
    let looks = 0;
    for (let now = wheel.deadline(); now < START + 1_000_000; now = wheel.deadline()) {
      expect(drain(wheel, now)).toEqual([]);
      looks++;
    }
    expect(looks).toBeLessThan(6);
    expect(drain(wheel, START + 1_000_000 + BUCKET)).toEqual([0]);
  });

  test('an item set for the past comes within a bucket, never in the same turn again', () => {
    const wheel = new DueWheel(1);
    drain(wheel, START);
    set(wheel, 0, 0);
    expect(wheel.takeDue(START)).toBe(-1);
    expect(drain(wheel, START + 2 * BUCKET)).toEqual([0]);
  });

  test('after a long sleep everything comes at once', () => {
    const wheel = new DueWheel(300);
    drain(wheel, START);
    for (let i = 0; i < 300; i++) set(wheel, i, START + i * 1000);
    expect(drain(wheel, START + 3_600_000_000).sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i));
  });

  test('behaves like a list of times, whatever is set, moved and cancelled', () => {
    const step = fc.oneof(
      fc.tuple(fc.constant('set' as const), fc.nat(20), fc.nat(200_000)),
      fc.tuple(fc.constant('cancel' as const), fc.nat(20), fc.constant(0)),
      fc.tuple(fc.constant('wait' as const), fc.constant(0), fc.nat(50_000)),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const wheel = new DueWheel(21);
        const times = new Map<number, Micros>();
        let now = START;
        drain(wheel, now);
        for (const [what, item, micros] of steps) {
          if (what === 'set') {
            set(wheel, item, now + micros);
            times.set(item, now + micros);
          } else if (what === 'cancel') {
            wheel.cancel(item);
            times.delete(item);
          } else {
            now += micros;
            for (const due of drain(wheel, now)) {
              expect(times.get(due)).toBeLessThanOrEqual(now);
              times.delete(due);
            }
            for (const at of times.values()) expect(at).toBeGreaterThan(now - 2 * BUCKET);
          }
          expect(wheel.count).toBe(times.size);
          if (times.size > 0) {
            const first = Math.min(...times.values());
            expect(wheel.deadline()).toBeLessThan(Math.max(first, now) + 2 * BUCKET);
            expect(wheel.deadline()).toBeGreaterThan(Math.min(first, now + 260_000) - 2 * BUCKET);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

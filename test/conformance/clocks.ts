/** Conformance of `Clock` and `Rng`: what the protocol relies on, over any backend. */

import { describe, expect } from 'vitest';
import { NEVER } from '../../sys/api.ts';
import type { BackendFactory } from './backend.ts';
import { upTo, workbenchTest } from './workbench.ts';

/** Declares the clock and chance tests of the backend `name`. */
export function describeClockConformance(name: string, factory: BackendFactory): void {
  const test = workbenchTest(factory);

  describe(`${name}: clock`, () => {
    test('tells whole microseconds, not negative, far before NEVER', async ({ sys }) => {
      const now = sys.clock.now();
      expect(Number.isSafeInteger(now)).toBe(true);
      expect(now).toBeGreaterThanOrEqual(0);
      expect(now).toBeLessThan(NEVER / 1024);
    });

    test('never goes back over 100,000 readings', async ({ sys }) => {
      let last = sys.clock.now();
      let backwards = 0;
      for (let reading = 0; reading < 100_000; reading++) {
        const now = sys.clock.now();
        if (now < last) backwards++;
        last = now;
      }
      expect(backwards).toBe(0);
    });

    test('moves on while time passes', async ({ sys, backend }) => {
      for (const micros of [1000, 7000, 20_000]) {
        const before = sys.clock.now();
        await backend.elapse(micros);
        expect(sys.clock.now() - before).toBeGreaterThanOrEqual(micros);
      }
    });

    test('tells the calendar in whole seconds, and it moves with the clock', async ({ sys, backend }) => {
      const before = sys.clock.unixSeconds();
      expect(Number.isSafeInteger(before)).toBe(true);
      expect(before).toBeGreaterThan(0);
      await backend.elapse(1_100_000);
      expect(sys.clock.unixSeconds() - before).toBeGreaterThanOrEqual(1);
      expect(sys.clock.unixSeconds() - before).toBeLessThan(60);
    });

    test.needing(['unixTime'], "tells the machine's calendar", async ({ sys }) => {
      expect(Math.abs(sys.clock.unixSeconds() - Date.now() / 1000)).toBeLessThan(2);
    });

    test.needing(['unixTime'], 'tells moments apart that are less than a millisecond apart', async ({ sys }) => {
      const { clock } = sys;
      let shortestMicros = Number.POSITIVE_INFINITY;
      let last = clock.now();
      for (const start = last; last - start < 20_000; ) {
        const now = clock.now();
        if (now > last) shortestMicros = Math.min(shortestMicros, now - last);
        last = now;
      }
      expect(shortestMicros).toBeLessThan(1000);
    });
  });

  describe(`${name}: chance`, () => {
    test('fills every byte of an array, of any length', async ({ sys }) => {
      for (const length of [0, 1, 7, 32, 4096, 100_000]) {
        const guarded = new Uint8Array(length + 2);
        sys.rng.fill(guarded.subarray(1, length + 1));
        expect([guarded[0], guarded[length + 1]]).toEqual([0, 0]);
        if (length >= 32) expect(longestZeros(guarded.subarray(1, length + 1))).toBeLessThan(8); // 2^-64 each by chance
      }
    });

    test('gives whole numbers in 0 .. 2^32 - 1 that use every bit', async ({ sys }) => {
      let ones = 0;
      let zeros = 0;
      for (const _ of upTo(1000)) {
        const value = sys.rng.u32();
        expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32).toBe(true);
        ones |= value;
        zeros |= ~value;
      }
      expect([ones >>> 0, zeros >>> 0]).toEqual([0xffff_ffff, 0xffff_ffff]);
    });

    test('does not repeat itself', async ({ sys }) => {
      const seen = new Set(upTo(1000).map(() => `${sys.rng.u32()}:${sys.rng.u32()}`));
      expect(seen.size).toBe(1000);
    });
  });
}

function longestZeros(bytes: Uint8Array): number {
  let longest = 0;
  let run = 0;
  for (const byte of bytes) {
    run = byte === 0 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}

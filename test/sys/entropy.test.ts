/** Chance from the system. */

import { describe, expect, it } from 'vitest';
import { SystemRng } from '../../sys/entropy.ts';

describe('SystemRng', () => {
  it('gives whole numbers over all 32 bits, also past the end of its pool', () => {
    const rng = new SystemRng();
    const bits = new Array<number>(32).fill(0);
    const seen = new Set<number>();
    for (let i = 0; i < 4000; i++) {
      const number = rng.u32();
      expect(Number.isInteger(number) && number >= 0 && number < 2 ** 32).toBe(true);
      seen.add(number);
      for (let bit = 0; bit < 32; bit++) bits[bit]! += (number >>> bit) & 1;
    }
    // 4,000 fair coins: 32 standard deviations (of 31.6) from the middle never happens.
    for (const ones of bits) expect(Math.abs(ones - 2000)).toBeLessThan(1000);
    expect(seen.size).toBeGreaterThan(3990); // two collisions among 4,000 are rare, ten unheard of
  });

  it('fills exactly the bytes it is given', () => {
    const bytes = new Uint8Array(1024);
    new SystemRng().fill(bytes.subarray(100, 900));
    expect(bytes.subarray(0, 100).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray(900).every((byte) => byte === 0)).toBe(true);
    expect(new Set(bytes.subarray(100, 900)).size).toBeGreaterThan(200);
  });

  it('gives every instance other numbers', () => {
    expect(new SystemRng().u32()).not.toBe(new SystemRng().u32());
  });
});

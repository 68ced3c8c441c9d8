import { describe, expect, it } from 'vitest';
import { LossRate } from '../../../transport/recovery/loss-rate.ts';

const C = 1;

/** Feeds a path on which a packet is lost with chance p after an arrived one and q after a lost one. */
function feed(rates: LossRate, packets: number, p: number, q: number, seed = 1): void {
  let random = seed;
  let lost = false;
  for (let i = 0; i < packets; i++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    lost = random / 2 ** 32 < (lost ? q : p);
    rates.onFate(C, lost);
  }
}

function fates(rates: LossRate, script: string): void {
  for (const letter of script) rates.onFate(C, letter === 'x');
}

describe('the rates', () => {
  it('are the shares of all packets while there are few', () => {
    const rates = new LossRate(2);
    fates(rates, '.x..xx....');
    expect(rates.lossRate[C]).toBeCloseTo(0.3);
    expect(rates.lostAfterLost[C]).toBeCloseTo(1 / 3);
    expect(rates.meanBurst[C]).toBeCloseTo(1.5);
    expect(rates.longestBurst[C]).toBe(2);
    expect([rates.lostPackets[C], rates.settledPackets[C]]).toEqual([3, 10]);
    expect(rates.settledPackets[0]).toBe(0);
  });

  it('forget, so that a path that has become clean is clean again after some thousand packets', () => {
    const rates = new LossRate(2);
    feed(rates, 5000, 0.1, 0.5);
    expect(rates.lossRate[C]).toBeGreaterThan(0.08);
    expect(rates.copies(C)).toBeGreaterThan(4);
    feed(rates, 2000, 0, 0);
    expect(rates.lossRate[C]).toBeLessThan(1 / 2000);
    expect(rates.copies(C)).toBe(0);
    rates.reset(C);
    expect(rates.settledPackets[C]).toBe(0);
  });

  it('tell bursts from single losses', () => {
    const single = new LossRate(2);
    const bursts = new LossRate(2);
    feed(single, 20_000, 0.05, 0.05);
    feed(bursts, 20_000, 0.02, 0.7);
    expect(single.meanBurst[C]).toBeLessThan(1.3);
    expect(bursts.meanBurst[C]).toBeGreaterThan(2);
    expect(bursts.lostAfterLost[C]).toBeGreaterThan(0.5);
  });

  it('count the longest burst no further than 65,535', () => {
    const rates = new LossRate(2);
    for (let i = 0; i < 70_000; i++) rates.onFate(C, true);
    expect(rates.longestBurst[C]).toBe(65_535);
  });
});

describe('copies', () => {
  it.each([
    [0, 0, 0],
    [0.0005, 0.9, 0],
    [0.01, 0, 1],
    [0.05, 0.05, 2],
    [0.05, 0.3, 4],
    [0.3, 0.5, 8],
    [1, 1, 8],
  ])('at p = %d and q = %d are %d', (p, q, copies) => {
    const rates = new LossRate(2);
    rates.onFate(C, false);
    rates.lossRate[C] = p;
    rates.lostAfterLost[C] = q;
    expect(rates.copies(C)).toBe(copies);
  });
});

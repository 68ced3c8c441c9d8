import { expect, it } from 'vitest';
import { RttEstimator } from '../../../transport/recovery/rtt-estimator.ts';

const MS = 1000;
const SECOND = 1_000_000;

it('assumes 100 ms, so that a first probe goes after a third of a second', () => {
  const rtt = new RttEstimator(2);
  expect(rtt.hasSample(1)).toBe(false);
  expect(rtt.ptoMicros(1)).toBe(325 * MS);
});

it('follows RFC 9002, section 5.3', () => {
  const rtt = new RttEstimator(2);
  rtt.onSample(1, 80 * MS, 5 * MS, 0);
  expect([rtt.latest[1], rtt.min[1], rtt.smoothed[1], rtt.variance[1]]).toEqual([80 * MS, 80 * MS, 80 * MS, 40 * MS]);
  rtt.onSample(1, 110 * MS, 10 * MS, 1);
  expect([rtt.latest[1], rtt.min[1]]).toEqual([100 * MS, 80 * MS]);
  expect(rtt.smoothed[1]).toBeCloseTo((7 / 8) * 80 * MS + (1 / 8) * 100 * MS);
  expect(rtt.variance[1]).toBeCloseTo((3 / 4) * 40 * MS + (1 / 4) * 20 * MS);
  expect(rtt.ptoMicros(1)).toBe(82.5 * MS + 4 * 35 * MS + 25 * MS);
  expect(rtt.jitter[1]).toBeCloseTo((20 * MS) / 16);
  expect(rtt.smoothed[0]).toBe(100 * MS);
});

it('takes the delay of the peer off only where no less than the minimum is left', () => {
  const rtt = new RttEstimator(1);
  rtt.onSample(0, 50 * MS, 0, 0);
  rtt.onSample(0, 60 * MS, 11 * MS, 1);
  expect(rtt.latest[0]).toBe(60 * MS);
  rtt.onSample(0, 60 * MS, 10 * MS, 1);
  expect(rtt.latest[0]).toBe(50 * MS);
  rtt.onSample(0, 60 * MS, 500 * MS, 1);
  expect(rtt.latest[0]).toBe(60 * MS);
});

it('keeps the minimum of the last ten seconds, and learns a longer path', () => {
  const rtt = new RttEstimator(1);
  for (let now = 0; now < 20 * SECOND; now += SECOND / 10) rtt.onSample(0, 50 * MS, 0, now);
  rtt.onSample(0, 30 * MS, 0, 20 * SECOND);
  for (let now = 20 * SECOND; now < 25 * SECOND; now += SECOND / 10) rtt.onSample(0, 90 * MS, 0, now);
  expect(rtt.min[0]).toBe(30 * MS);
  for (let now = 25 * SECOND; now <= 30 * SECOND; now += SECOND / 10) rtt.onSample(0, 90 * MS, 0, now);
  expect(rtt.min[0]).toBe(90 * MS);
  rtt.onSample(0, 120 * MS, 0, 60 * SECOND);
  expect(rtt.min[0]).toBe(120 * MS);
});

it('cuts absurd samples', () => {
  const rtt = new RttEstimator(1);
  rtt.onSample(0, -5, 0, 0);
  expect(rtt.latest[0]).toBe(1);
  expect(rtt.ptoMicros(0)).toBe(1 + MS + 25 * MS);
  for (let i = 0; i < 100; i++) rtt.onSample(0, 3600 * SECOND, 0, i);
  expect(rtt.smoothed[0]).toBeLessThanOrEqual(10 * SECOND);
  expect(rtt.ptoMicros(0)).toBeLessThan(60 * SECOND);
  rtt.reset(0);
  expect(rtt.ptoMicros(0)).toBe(325 * MS);
});

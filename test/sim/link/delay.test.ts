// Shapes of delay against their distributions.

import { describe, expect, it } from 'vitest';
import { Chance } from '../../../sim/link/chance.ts';
import type { JitterShape } from '../../../sim/link/delay.ts';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { exponential, naturalLog } from '../../../sim/link/elementary.ts';
import { LinkDirection } from '../../../sim/link/link.ts';
import {
  exponentialTable,
  gammaTable,
  lognormalTable,
  normalTable,
  paretoTable,
  UNIT,
} from '../../../sim/link/quantile-table.ts';
import { Streams } from '../../../sim/world/streams.ts';

const PACKETS = 200_000;
const LATENCY = 200_000;
const JITTER = 40_000;

/** P(X <= x) of each shape in standard deviations from the latency; closed forms. */
const DISTRIBUTIONS: [JitterShape, (x: number) => number][] = [
  ['exponential', (x) => 1 - Math.exp(-x)],
  ['gamma', (x) => 1 - (1 + Math.SQRT2 * x) * Math.exp(-Math.SQRT2 * x)],
  ['lognormal', (x) => normal(Math.log(Math.max(x, 1e-9) * Math.sqrt((Math.E - 1) * Math.E)))],
  ['pareto', (x) => 1 - (1 + (x * Math.sqrt(3)) / 2) ** -3],
  ['normal', normal],
];

describe('jitter by a table', () => {
  it.each(DISTRIBUTIONS)(
    '%s has its distribution (Kolmogorov and Smirnov), around or above the latency',
    (shape, p) => {
      const delays = delaysOf({ latencyMicros: LATENCY, jitterMicros: JITTER, jitterShape: shape }).sort(
        (a, b) => a - b,
      );
      let furthest = 0;
      delays.forEach((delay, i) => {
        const expected = p((delay - LATENCY) / JITTER);
        furthest = Math.max(furthest, Math.abs(expected - (i + 0.5) / PACKETS));
      });
      // P(sqrt n D > 1.95) is one in a thousand.
      expect(furthest * Math.sqrt(PACKETS)).toBeLessThan(1.95);
      if (shape !== 'normal') expect(delays[0]).toBeGreaterThanOrEqual(LATENCY);
    },
  );

  it.each([
    [0, exponentialTable, 1],
    [1, gammaTable, Math.SQRT2],
    [2, lognormalTable, 1 / Math.sqrt(Math.E - 1)],
    [3, paretoTable, 1 / Math.sqrt(3)],
    [4, normalTable, 0],
  ] as const)('the whole table of distribution %d has its mean, its standard deviation and its tail', (...row) => {
    const [number, table, mean] = row;
    const quantiles = table();
    let [sum, squares, weight] = [0, 0, 0];
    // Each octave of each tail at its own weight, so that the far tail is counted as it should.
    for (const sign of [0, 0x8000_0000]) {
      for (let octave = 0; octave < 31; octave++) {
        for (let step = 0; step < 4096; step++) {
          const place = Math.floor(2 ** octave * (1 + (step + 0.5) / 4096));
          const value = quantiles.at((sign + place - 1) | 0) / UNIT;
          sum += (value * 2 ** octave) / 4096;
          squares += (value ** 2 * 2 ** octave) / 4096;
          weight += 2 ** octave / 4096;
        }
      }
    }
    expect(Math.abs(sum / weight - mean)).toBeLessThan(1e-3);
    // The tail of a Pareto beyond 2^-32 has a thousandth of its variance.
    expect(Math.abs(Math.sqrt(squares / weight - (sum / weight) ** 2) - 1)).toBeLessThan(3e-3);
    // Above the value of draw 3 lie four draws of 2^32.
    const above = 1 - DISTRIBUTIONS[number][1](quantiles.at((0x8000_0000 + 3) | 0) / UNIT);
    expect(Math.abs(above * 2 ** 30 - 1)).toBeLessThan(1e-3);
    for (let word = -(2 ** 31), last = Number.POSITIVE_INFINITY; word < 0; word += 1_000_003) {
      const value = quantiles.at(word);
      expect(value).toBeLessThanOrEqual(last);
      last = value;
    }
  });

  it('never delays by less than nothing', () => {
    const delays = delaysOf({ latencyMicros: 10_000, jitterMicros: 10_000, jitterShape: 'normal' });
    expect(Math.min(...delays.slice(0, 10_000))).toBe(0);
    const atZero = delays.filter((delay) => delay === 0).length / PACKETS;
    expect(Math.abs(atZero - normal(-1))).toBeLessThan(4 * Math.sqrt(0.16 / PACKETS));
  });

  it('has a logarithm and an exponential as good as the engine has, to 12 digits', () => {
    for (let x = 1e-10; x < 1e10; x *= 1.7) expect(Math.abs(naturalLog(x) - Math.log(x))).toBeLessThan(1e-12 * 24);
    for (let x = -30; x < 30; x += 0.37) expect(Math.abs(exponential(x) / Math.exp(x) - 1)).toBeLessThan(1e-12);
  });
});

describe('delayTableMicros', () => {
  it('spreads delays evenly over the steps of the table, on straight lines, on top of the latency', () => {
    const table = [0, 1_000, 5_000, 5_000, 105_000];
    const delays = delaysOf({ latencyMicros: 7_000, delayTableMicros: table }).map((delay) => delay - 7_000);
    const sigma = 4 * Math.sqrt((PACKETS * 3) / 16);
    const within = (from: number, to: number) => delays.filter((delay) => delay > from && delay < to).length;
    expect(Math.abs(within(-1, 1_000) - PACKETS / 4)).toBeLessThan(sigma + 25);
    expect(Math.abs(within(1_000, 5_000) - PACKETS / 4)).toBeLessThan(sigma + 25);
    expect(Math.abs(delays.filter((delay) => delay === 5_000).length - PACKETS / 4)).toBeLessThan(sigma + 25);
    const mean = (500 + 3_000 + 5_000 + 55_000) / 4;
    const sum = delays.reduce((total, delay) => total + delay);
    expect(Math.abs(sum / PACKETS - mean)).toBeLessThan((4 * 29_000) / Math.sqrt(PACKETS));
  });
});

describe('wifi', () => {
  it('waits Poisson steps less a part of one: mean, variance and the share that waits not at all', () => {
    const delays = delaysOf({ wifi: { busy: 0 } }, 1_000_000);
    const none = Math.exp(-1);
    // N - U [N > 0]: mean 1 - (1 - e^-1) / 2; E of its square 2 - 1 + (1 - e^-1) / 3.
    const mean = 1 - (1 - none) / 2;
    const variance = 1 + (1 - none) / 3 - mean ** 2;
    const seen = delays.reduce((sum, delay) => sum + delay / 1000) / PACKETS;
    expect(Math.abs(seen - mean)).toBeLessThan(4 * Math.sqrt(variance / PACKETS));
    // Some with one step lose all of it again.
    const still = none + Math.exp(-1) / 1001;
    const waits = delays.filter((delay) => delay === 0).length / PACKETS;
    expect(Math.abs(waits - still)).toBeLessThan(4 * Math.sqrt((still * (1 - still)) / PACKETS));
  });

  it('meets a busy channel as often as told, for twelve long steps in the mean', () => {
    const delays = delaysOf({ wifi: { stepMicros: 0, busy: 0.2 } }, 1_000_000);
    const mean = 0.2 * 12 * 7_500;
    const variance = 7_500 ** 2 * (0.2 * (12 + 144) - 2.4 ** 2);
    const seen = delays.reduce((sum, delay) => sum + delay) / PACKETS;
    expect(Math.abs(seen - mean)).toBeLessThan(4 * Math.sqrt(variance / PACKETS));
    expect(delays.every((delay) => delay % 7_500 === 0)).toBe(true);
  });

  it('keeps the order, and holds up those behind a packet that waits', () => {
    const link = directionOf({ latencyMicros: 10_000, wifi: { busy: 0.1 } });
    let last = 0;
    let together = 0;
    for (let i = 0; i < PACKETS; i++) {
      const arrival = link.cross(link.enter(100), i * 1_000);
      if (arrival < last) expect.fail(`packet ${i} overtook`);
      if (arrival === last) together++;
      last = arrival;
    }
    expect(together).toBeGreaterThan(PACKETS / 2);
  });

  it('holds what is sent in a suspension until its end: share of time, and lengths', () => {
    const wifi = { stepMicros: 0, busy: 0, suspendEveryMicros: 400_000, suspendMicros: 100_000 };
    const delays = delaysOf({ wifi }, 1_000);
    const held = delays.filter((delay) => delay > 0);
    expect(Math.max(...held.slice(0, 10_000))).toBeLessThanOrEqual(100_000);
    // Renewals of 500 ms with a deviation of 400: n of them in the time, each holding 100 packets.
    const renewals = (PACKETS * 1_000) / 500_000;
    const sigma = Math.sqrt(renewals) * (400 / 500) * 100;
    expect(Math.abs(held.length - renewals * 100)).toBeLessThan(4 * sigma);
    // Packets of one suspension arrive together: one millisecond less delay from each to the next.
    for (let i = 1; i < PACKETS; i++) if (delays[i - 1]! > 1_000) expect(delays[i]).toBe(delays[i - 1]! - 1_000);
  });
});

it.each([
  [{ jitterMicros: 1, jitterShape: 'normal' }, 'jitter (1 us) is larger than latency'],
  [{ jitterShape: 'gauss' }, 'jitterShape is one of uniform, bell, normal'],
  [{ jitterShape: 'toString' }, 'jitterShape is one of'],
  [{ jitterShape: 'pareto', jitterMicros: 60_000_001 }, 'jitterMicros'],
  [{ delayTableMicros: [1] }, 'delayTableMicros is a list of 2 ..'],
  [{ delayTableMicros: [2, 1] }, 'delayTableMicros[1] is less than the one before it'],
  [{ delayTableMicros: [0, -1] }, 'delayTableMicros[1] is an integer'],
  [{ delayTableMicros: [0, 1], latencyMicros: 5, jitterMicros: 1 }, 'give one of them'],
  [{ wifi: { busy: 2 } }, 'wifi.busy is a probability'],
  [{ wifi: { suspendEveryMicros: 5 } }, 'wifi.suspendEveryMicros is an integer in 1000'],
  [{ wifi: {}, keepOrder: false }, 'leave keepOrder out'],
] as [DirectionOptions, string][])('refuses %o: %s', (options, text) => {
  expect(() => directionOf(options)).toThrow(RangeError);
  expect(() => directionOf(options)).toThrow(`link a>b: `);
  expect(() => directionOf(options)).toThrow(text);
});

it('draws shapes from one draw a packet: a packet that is late by one is late by the others', () => {
  const chance = new Chance(new Streams(7).stream('link/a>b'));
  const link = directionOf({ jitterMicros: 1_000_000, jitterShape: 'exponential' });
  for (let i = 0; i < 100; i++) {
    expect(link.delayMicros(i)).toBe(Math.round((exponentialTable().at(chance.int32(i, 2)) * 1_000_000) / UNIT));
  }
});

function directionOf(options: DirectionOptions): LinkDirection {
  return new LinkDirection('a>b', 0, new Streams(7), options);
}

/** Delays of packets sent `gap` apart. */
function delaysOf(options: DirectionOptions, gap = 0): number[] {
  const link = directionOf(options);
  return Array.from({ length: PACKETS }, (_, i) => link.cross(link.enter(100), i * gap) - i * gap);
}

/** P(Z <= x) of a standard normal by its series. */
function normal(x: number): number {
  if (Math.abs(x) > 7) return x > 0 ? 1 : 0;
  let term = x;
  let sum = x;
  for (let n = 3; Math.abs(term) > 1e-17; n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

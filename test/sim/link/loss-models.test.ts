// Loss in outages of time, by four states, by lists and patterns, against their closed forms.

import { describe, expect, it } from 'vitest';
import { LinkDirection, LOST } from '../../../sim/link/link.ts';
import type { LossModel } from '../../../sim/link/loss.ts';
import { Streams } from '../../../sim/world/streams.ts';
import { count, runsOf } from './fates.ts';

const PACKETS = 400_000;

describe('outages (Gilbert-Elliott in continuous time)', () => {
  it.each([
    [0.02, 100_000, 1_000],
    [0.1, 50_000, 16_667],
    [0.4, 20_000, 5_000],
  ])('are a share of %d of the time, in the mean %d us, to packets %d us apart', (loss, meanBurstMicros, gap) => {
    const fates = fatesOf({ model: 'gilbert-elliott-time', loss, meanBurstMicros }, gap);
    // The state forgets at the rate a + b, b = 1 / mean outage, a = b loss / (1 - loss).
    const kept = Math.exp(-gap / meanBurstMicros / (1 - loss));
    const sigma = Math.sqrt(((loss * (1 - loss)) / PACKETS) * ((1 + kept) / (1 - kept)));
    expect(Math.abs(count(fates) / PACKETS - loss)).toBeLessThan(4 * sigma);
    // P(next lost | this lost) = loss + (1 - loss) e^-(a + b) T.
    const pairs = fates.filter((lost, i) => lost && fates[i + 1]).length;
    const next = loss + (1 - loss) * kept;
    expect(Math.abs(pairs / count(fates) - next)).toBeLessThan(4 * Math.sqrt((next * (1 - next)) / count(fates)));
  });

  it('last as long whoever sends: bursts count six times as many packets at six times the rate', () => {
    const model: LossModel = { model: 'gilbert-elliott-time', loss: 0.1, meanBurstMicros: 500_000 };
    const slow = fatesOf(model, 60_000);
    const fast = fatesOf(model, 10_000);
    for (let i = 0; i * 6 < PACKETS; i++) if (slow[i] !== fast[i * 6]) expect.fail(`another state at ${i * 60} ms`);
  });

  it('have exponential lengths (chi-square in ten equal parts)', () => {
    const gap = 100;
    const runs = runsOf(fatesOf({ model: 'gilbert-elliott-time', loss: 0.5, meanBurstMicros: 2_000 }, gap));
    // In steps of 1/20 of the mean: geometric with the share that an exponential loses in a step, save those of no step.
    const stay = (1 + Math.exp(-0.1)) / 2;
    const bins = Array.from({ length: 10 }, () => 0);
    const edges = bins.map((_, i) => Math.round(Math.log(1 - i / 10) / Math.log(stay)));
    for (const run of runs) bins[edges.findLastIndex((edge) => run > edge)]!++;
    let squares = 0;
    edges.forEach((edge, i) => {
      const share = stay ** edge - (i === 9 ? 0 : stay ** edges[i + 1]!);
      squares += (bins[i]! - share * runs.length) ** 2 / (share * runs.length);
    });
    expect(squares).toBeLessThan(9 + 4 * Math.sqrt(2 * 9));
  });

  it('begin as often at time 0 as they are later, over 4,000 seeds', () => {
    let lost = 0;
    for (let seed = 0; seed < 4_000; seed++) {
      const loss: LossModel = { model: 'gilbert-elliott-time', loss: 0.3, meanBurstMicros: 1_000_000 };
      const link = new LinkDirection('a>b', 0, new Streams(seed), { loss });
      if (link.cross(link.enter(100), 0) === LOST) lost++;
    }
    expect(Math.abs(lost - 1_200)).toBeLessThan(4 * Math.sqrt(4_000 * 0.3 * 0.7));
  });

  it('never are at loss 0', () => {
    expect(count(fatesOf({ model: 'gilbert-elliott-time', loss: 0, meanBurstMicros: 1_000 }, 1_000))).toBe(0);
  });
});

describe('the chain of four states', () => {
  it.each([
    { p13: 0.01, p31: 0.3, p23: 0.4, p32: 0.2, p14: 0.005 },
    { p13: 0.05, p31: 0.1, p23: 0.8, p32: 0.6, p14: 0 },
    { p13: 0, p31: 1, p23: 1, p32: 0, p14: 0.1 },
  ])('has the share and the mean run of its stationary state: %o', (p) => {
    const fates = fatesOf({ model: 'four-state', ...p });
    const g = p.p13 / p.p31;
    const all = 1 + g + (g * p.p32) / p.p23 + p.p14;
    const loss = (g + p.p14) / all;
    const share = count(fates) / PACKETS;
    const batches = batchesOf(fates, 100);
    const sigma = Math.sqrt(batches.reduce((sum, mean) => sum + (mean - loss) ** 2, 0) / batches.length / 100);
    expect(Math.abs(share - loss)).toBeLessThan(4 * sigma);
    expect(Math.abs(share / loss - 1)).toBeLessThan(0.05);
    // A run ends when state 3 is left for 1 or 2, and after each loss alone.
    const ends = (g * (p.p31 + p.p32) + p.p14) / all;
    expect(Math.abs(count(fates) / runsOf(fates).length / (loss / ends) - 1)).toBeLessThan(0.03);
  });
});

describe('loss by hand', () => {
  it('loses the packets of a list and no others, in whatever order they are named', () => {
    const fates = fatesOf({ model: 'list', lost: [17, 3, 3, 399_999, 0] });
    expect(fates.flatMap((lost, index) => (lost ? [index] : []))).toEqual([0, 3, 17, 399_999]);
  });

  it('loses by a pattern that repeats', () => {
    const fates = fatesOf({ model: 'trace', pattern: '0001100' });
    expect(fates.every((lost, index) => lost === (index % 7 === 3 || index % 7 === 4))).toBe(true);
  });

  it('begins a list in the middle when it is set in the middle', () => {
    const link = new LinkDirection('a>b', 0, new Streams(7), {});
    for (let i = 0; i < 10; i++) link.cross(link.enter(100), 0);
    link.configure({ loss: { model: 'list', lost: [3, 11] } });
    const later = Array.from({ length: 5 }, () => link.cross(link.enter(100), 0) === LOST);
    expect(later).toEqual([false, true, false, false, false]);
  });
});

it.each([
  [{ model: 'gilbert-elliott-time', loss: 1, meanBurstMicros: 1000 }, 'give loss: 1'],
  [{ model: 'gilbert-elliott-time', loss: 0.1, meanBurstMicros: 99 }, 'loss.meanBurstMicros is an integer in 100'],
  [{ model: 'gilbert-elliott-time', loss: 1e-9, meanBurstMicros: 1000 }, 'more than an hour between outages'],
  [{ model: 'four-state', p13: 0.6, p31: 1, p23: 1, p32: 0, p14: 0.6 }, 'loss.p13 + loss.p14 is at most 1'],
  [{ model: 'four-state', p13: 0.6, p31: 1, p23: 1, p32: 0.1, p14: 0 }, 'loss.p31 + loss.p32 is at most 1'],
  [{ model: 'four-state', p13: 0.6, p31: 1, p23: 2, p32: 0, p14: 0 }, 'loss.p23 is a probability'],
  [{ model: 'list', lost: [1, -1] }, 'loss.lost[1] is an integer'],
  [{ model: 'trace', pattern: '' }, 'digits 0 and 1'],
  [{ model: 'trace', pattern: '012' }, 'digits 0 and 1'],
] as [LossModel, string][])('refuses %o: %s', (loss, text) => {
  const refusal = () => new LinkDirection('a>b', 0, new Streams(7), { loss });
  expect(refusal).toThrow(RangeError);
  expect(refusal).toThrow(`link a>b: `);
  expect(refusal).toThrow(text);
});

/** Fates of packets that are sent `gap` apart. */
function fatesOf(loss: LossModel, gap = 1_000): boolean[] {
  const link = new LinkDirection('a>b', 0, new Streams(7), { loss });
  return Array.from({ length: PACKETS }, (_, index) => link.cross(link.enter(100), index * gap) === LOST);
}

/** Shares of losses in `parts` equal parts. */
function batchesOf(fates: readonly boolean[], parts: number): number[] {
  const size = fates.length / parts;
  return Array.from({ length: parts }, (_, i) => count(fates.slice(i * size, (i + 1) * size)) / size);
}

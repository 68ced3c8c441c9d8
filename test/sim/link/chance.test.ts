// Chance: golden numbers (they must never change, or old seeds stop meaning anything) and its statistics.

import { describe, expect, it } from 'vitest';
import { Chance, LANE_JITTER, LANE_LOSS, thresholdOf } from '../../../sim/link/chance.ts';
import { Streams } from '../../../sim/world/streams.ts';

const SAMPLES = 100_000;

describe('Streams', () => {
  it('draws the same numbers as ever for seed 7', () => {
    const stream = new Streams(7).stream('golden');
    expect([stream.u32(), stream.u32(), stream.int32(), stream.double(), stream.below(1000)]).toMatchInlineSnapshot(`
      [
        1626499492,
        1507193683,
        -108834309,
        0.4383730692297513,
        946,
      ]
    `);
    const bytes = new Uint8Array(7);
    stream.fill(bytes);
    expect([...bytes]).toMatchInlineSnapshot(`
      [
        233,
        73,
        79,
        53,
        44,
        81,
        204,
      ]
    `);
  });

  it('takes a number and its text as one seed', () => {
    expect(new Streams(7).stream('a').u32()).toBe(new Streams('7').stream('a').u32());
  });

  it('gives streams of different names, and of different seeds, different numbers', () => {
    const firsts = [
      new Streams(7).stream('a').u32(),
      new Streams(7).stream('b').u32(),
      new Streams(8).stream('a').u32(),
      new Streams(8).stream('b').u32(),
    ];
    expect(new Set(firsts).size).toBe(4);
  });
});

describe('Chance', () => {
  const chance = new Chance(new Streams(7).stream('link/a>b'));

  it('gives packets the same fates as ever for seed 7', () => {
    expect([0, 1, 2, 0x7fff_ffff, 0xffff_ffff].map((index) => chance.int32(index, LANE_LOSS))).toMatchInlineSnapshot(`
      [
        108224848,
        -1960953766,
        2095888193,
        1422922335,
        -402729848,
      ]
    `);
    expect([0, 1, 2].map((index) => chance.below(index, LANE_JITTER, 20_001))).toMatchInlineSnapshot(`
      [
        18635,
        889,
        7682,
      ]
    `);
  });

  it('never lets an event of probability 0 happen, and always one of probability 1', () => {
    const never = thresholdOf(0);
    const always = thresholdOf(1);
    for (let index = 0; index < SAMPLES; index++) {
      expect(chance.happens(index, LANE_LOSS, never)).toBe(false);
      expect(chance.happens(index, LANE_LOSS, always)).toBe(true);
    }
  });

  it.each([0.0001, 0.05, 0.5, 0.95])('lets an event of probability %d happen that often, within 4 sigma', (p) => {
    const share = count((index) => chance.happens(index, LANE_LOSS, thresholdOf(p))) / SAMPLES;
    expect(Math.abs(share - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / SAMPLES));
  });

  it('spreads small ranges evenly (chi-square of 64 cells)', () => {
    const cells = new Float64Array(64);
    for (let index = 0; index < SAMPLES; index++) cells[chance.below(index, LANE_JITTER, 64)]!++;
    expect(chiSquare(cells)).toBeLessThan(63 + 4 * Math.sqrt(2 * 63));
  });

  it('decides lanes, neighbouring packets and directions independently', () => {
    const half = thresholdOf(0.5);
    const other = new Chance(new Streams(7).stream('link/b>a'));
    const lost = (index: number) => chance.happens(index, LANE_LOSS, half);
    const pairs: ((index: number) => boolean)[] = [
      (index) => chance.happens(index, LANE_JITTER, half),
      (index) => chance.happens(index + 1, LANE_LOSS, half),
      (index) => chance.happens(index + 256, LANE_LOSS, half),
      (index) => other.happens(index, LANE_LOSS, half),
    ];
    for (const second of pairs) {
      const agreement = count((index) => lost(index) === second(index)) / SAMPLES;
      expect(Math.abs(agreement - 0.5)).toBeLessThan(4 * Math.sqrt(0.25 / SAMPLES));
    }
  });

  it('moves about half of the bits when one bit of the index moves', () => {
    for (let bit = 0; bit < 32; bit++) {
      let moved = 0;
      for (let index = 0; index < 1000; index++) {
        moved += bits(chance.int32(index, LANE_LOSS) ^ chance.int32(index ^ (1 << bit), LANE_LOSS));
      }
      // 32,000 bits, each moved with probability 1/2.
      expect(Math.abs(moved - 16_000)).toBeLessThan(5 * Math.sqrt(8_000));
    }
  });
});

function count(happens: (index: number) => boolean): number {
  let times = 0;
  for (let index = 0; index < SAMPLES; index++) if (happens(index)) times++;
  return times;
}

function chiSquare(cells: Float64Array): number {
  const expected = SAMPLES / cells.length;
  return cells.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
}

function bits(word: number): number {
  let left = word >>> 0;
  let set = 0;
  for (; left !== 0; left = (left & (left - 1)) >>> 0) set++;
  return set;
}

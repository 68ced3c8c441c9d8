// Quantities, and names by pattern.

import { describe, expect, it } from 'vitest';
import { globMatcher } from '../../../sim/scenario/host-glob.ts';
import { nearest } from '../../../sim/scenario/unit-schemas.ts';
import {
  DURATION_UNITS,
  RATE_UNITS,
  readQuantity,
  readShare,
  SIZE_UNITS,
  writeQuantity,
} from '../../../sim/scenario/units.ts';

it.each([
  ['300us', DURATION_UNITS, 300],
  ['50ms', DURATION_UNITS, 50_000],
  ['0.1ms', DURATION_UNITS, 100],
  ['2 s', DURATION_UNITS, 2_000_000],
  ['1.5min', DURATION_UNITS, 90_000_000],
  ['2Mbit/s', RATE_UNITS, 2_000_000],
  ['500kbit/s', RATE_UNITS, 500_000],
  ['64KiB', SIZE_UNITS, 65_536],
  ['1500B', SIZE_UNITS, 1_500],
  ['50', DURATION_UNITS, null],
  ['50 sec', DURATION_UNITS, null],
  ['-5ms', DURATION_UNITS, null],
  ['5e3ms', DURATION_UNITS, null],
  ['1constructor', DURATION_UNITS, null],
  ['', DURATION_UNITS, null],
])('reads %j', (text, units, value) => {
  expect(readQuantity(text, units)).toBe(value);
});

it('writes a quantity in its largest unit', () => {
  const micros = [0, 1, 1_500, 2_000, 60_000_000, 90_000_000].map((value) => writeQuantity(value, DURATION_UNITS));
  expect(micros).toEqual(['0us', '1us', '1500us', '2ms', '1min', '90s']);
});

it.each([
  [0.05, 0.05],
  ['5%', 0.05],
  ['0.5 %', 0.005],
  ['100%', 1],
  [1, 1],
  ['101%', null],
  [1.1, null],
  [-0.1, null],
  [Number.NaN, null],
  ['5', null],
])('reads the share %j', (value, share) => {
  expect(readShare(value)).toBe(share);
});

describe('a pattern', () => {
  it.each([
    ['client-3', ['client-3']],
    ['client-1?', ['client-10', 'client-11', 'client-12']],
    ['*-[2..10]', ['client-2', 'client-3', 'client-10']],
    ['client-[11..11]', ['client-11']],
    ['*', ['client-2', 'client-3', 'client-10', 'client-11', 'client-12', 'server']],
    ['client.3', []],
    ['client-[a..b]', []],
    ['s(er|x)ver', []],
  ])('%s means %j', (glob, names) => {
    const all = ['client-2', 'client-3', 'client-10', 'client-11', 'client-12', 'server'];
    expect(all.filter(globMatcher(glob))).toEqual(names);
  });
});

it('finds the nearest word when it is near', () => {
  const words = ['latency', 'loss', 'rate', 'rateTrace'];
  expect(['latenzy', 'los', 'Rate', 'ratetrace', 'x', 'bandwidth'].map((word) => nearest(word, words))).toEqual([
    'latency',
    'loss',
    'rate',
    'rateTrace',
    null,
    null,
  ]);
});

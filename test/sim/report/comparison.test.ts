// A against B: paired differences, verdicts, and the view of it.

import { describe, expect, it } from 'vitest';
import { type ComparedSide, compare } from '../../../sim/report/comparison.ts';
import { compareView } from '../../../sim/report/views.ts';
import { channel, run } from './runs.ts';

const SEEDS = ['1/0', '1/1', '1/2', '1/3', '1/4', '1/5'];

describe('a comparison', () => {
  it('says by how much B is later, with an interval, and who wins under how many seeds', () => {
    const metric = metricOf(
      side('a', (i) => 50 + 30 * i),
      side('b', (i) => 50 + 30 * i + 10 + (i % 3)),
      'p99',
    );
    expect(metric).toMatchObject({ wins: 0, losses: 6, ties: 0, outcome: 'worse', a: 125, b: 136 });
    expect(metric.difference!.mean).toBe(11);
    expect(metric.verdict).toMatch(/^B later by 11\.0 ms \(10\.\d \.\. 11\.\d\)$/);
  });

  it('sees what differs less between settings than between seeds, since luck is shared', () => {
    const steady = metricOf(
      side('a', (i) => 1_000 * i),
      side('b', (i) => 1_000 * i - 3),
      'p50',
    );
    expect(steady).toMatchObject({ wins: 6, losses: 0, outcome: 'better' });
    expect(steady.verdict).toBe('B sooner by 3.0 ms (3.0 .. 3.0)');
  });

  it('sees no difference where seeds disagree, and none in what is the same', () => {
    const mixed = metricOf(
      side('a', () => 50),
      side('b', (i) => (i % 2 === 0 ? 40 : 61)),
      'p99',
    );
    expect(mixed).toMatchObject({ wins: 3, losses: 3, outcome: 'none' });
    expect(mixed.verdict).toMatch(/^no difference seen \(-\d.* ms\)$/);
    const same = metricOf(
      side('a', () => 50),
      side('b', () => 50),
      'p99',
    );
    expect(same).toMatchObject({ ties: 6, outcome: 'none', verdict: 'the same in every seed' });
  });

  it('knows that more messages are better and more misses are worse', () => {
    const [a, b] = [side('a', () => 50), side('b', () => 50, 900)];
    expect(metricOf(a, b, 'arrived')).toMatchObject({ losses: 6, outcome: 'worse', difference: { mean: -10 } });
    expect(metricOf(a, b, 'arrived').verdict).toBe('B less by 10.0 points (10.0 .. 10.0)');
    expect(metricOf(a, b, 'deadlineMiss')).toMatchObject({ losses: 6, outcome: 'worse', difference: { mean: 10 } });
  });

  it('tells nothing of two seeds, and of a channel that one side lacks', () => {
    const few = compare(
      side('a', () => 50, 1_000, 2),
      side('b', (i) => 60 + i, 1_000, 2),
      SEEDS.slice(0, 2),
      '1',
    );
    expect(few.metrics.find(({ id }) => id.endsWith('p99'))!.verdict).toBe('too few seeds to tell');
    const lacking = { ...side('b', () => 1), reports: SEEDS.map((seed) => run(seed, [])) };
    expect(
      metricOf(
        side('a', () => 50),
        lacking,
        'p99',
      ),
    ).toMatchObject({ difference: null, outcome: 'unknown' });
  });

  it('is the same each time, and its view packs commands that end in their seed', () => {
    const [a, b] = [side('a', (i) => 50 + i), side('b', (i) => 60 - i)];
    expect(compare(a, b, SEEDS, '1')).toEqual(compare(a, b, SEEDS, '1'));
    const view = compareView(compare(a, b, SEEDS, '1'));
    expect(view.sides[0].commands).toBe('sim a --seed ');
    expect(view.sides[1].values[view.metrics.findIndex(({ id }) => id.endsWith('p50'))]).toEqual([
      60, 59, 58, 57, 56, 55,
    ]);
    expect(view.sides[1].curves[0]).toHaveLength(view.shares.length);
  });
});

function side(label: string, latency: (i: number) => number, arrived = 1_000, seeds = SEEDS.length): ComparedSide {
  const own = SEEDS.slice(0, seeds);
  return {
    label,
    commands: own.map((seed) => `sim ${label} --seed ${seed}`),
    reports: own.map((seed, i) => run(seed, [channel('state', 'server', () => latency(i), arrived)])),
  };
}

function metricOf(a: ComparedSide, b: ComparedSide, name: string) {
  return compare(a, b, SEEDS, '1').metrics.find(({ id }) => id === `server/state/${name}`)!;
}

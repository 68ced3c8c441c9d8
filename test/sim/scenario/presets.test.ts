// Presets do what their sources report, and are complete.

import { describe, expect, it } from 'vitest';
import type { DirectionOptions } from '../../../sim/link/direction-options.ts';
import { PRESETS, presetNamed } from '../../../sim/scenario/presets.ts';
import { Bed } from '../../../sim/selftest/bed.ts';
import { Streams } from '../../../sim/world/streams.ts';

const PACKETS = 60_000;
const APART_MICROS = 20_000;

describe('a preset', () => {
  it.each(PRESETS)('$name has sources, and links that can be', ({ sources, up, down }) => {
    expect(sources.length).toBeGreaterThan(0);
    for (const options of [up, down]) expect(passThrough(options).lost).toBeLessThan(0.1);
  });

  it('has a name that no other has', () => {
    expect(new Set(PRESETS.map(({ name }) => name)).size).toBe(PRESETS.length);
    expect(presetNamed('wifi')?.name).toBe('wifi');
    expect(presetNamed('carrier-pigeon')).toBeNull();
  });

  it.each([
    ['fiber', { p50: [18, 22] }],
    ['cable', { p50: [45, 55] }],
    ['starlink', { p25: [38, 46], p50: [46, 54], p75: [54, 64], lost: [0.01, 0.03] }],
    ['geo', { p0: [600, 610] }],
    ['intercontinental', { p0: [66, 120], p50: [110, 150] }],
    ['lte', { p50: [80, 120] }],
  ] as const)('%s has the round trips that its sources report', (name, bounds) => {
    const { up, down } = presetNamed(name)!;
    const [there, back] = [passThrough(up), passThrough(down, 'down')];
    // Round trips pair the n-th packet of each way: the ways know nothing of each other.
    const trips = Float64Array.from(
      { length: Math.min(there.delays.length, back.delays.length) },
      (_, i) => (there.delays[i]! + back.delays[i]!) / 1000,
    ).sort();
    const found: Record<string, number> = { lost: 1 - (1 - there.lost) * (1 - back.lost) };
    for (const percent of [0, 25, 50, 75]) found[`p${percent}`] = trips[Math.floor((trips.length * percent) / 100)]!;
    for (const [what, [least, most]] of Object.entries(bounds)) {
      expect(found[what], `${what} of ${name}`).toBeGreaterThanOrEqual(least);
      expect(found[what], `${what} of ${name}`).toBeLessThanOrEqual(most);
    }
  });

  it('of a lossy radio shows more than half of the packets at 20 ms or more', () => {
    const { delays } = passThrough(presetNamed('wifi-lossy')!.up);
    expect(delays.filter((delay) => delay > 12_000 + 3_000).length / delays.length).toBeGreaterThan(0.5);
  });
});

/** Packets of 100 bytes at 50 Hz, twenty minutes of them. */
function passThrough(options: DirectionOptions, name = 'up'): { delays: number[]; lost: number } {
  const delays: number[] = [];
  const bed = new Bed(new Streams('presets'), name, options, (_, sentAt, now) => {
    delays.push(now - sentAt);
  });
  for (let k = 0; k < PACKETS; k++) {
    bed.send(k, 100);
    bed.advance(bed.now + APART_MICROS);
  }
  bed.advance(bed.now + 10_000_000);
  return { delays, lost: 1 - delays.length / PACKETS };
}

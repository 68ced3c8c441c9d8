// Shrinking: a planted bug that takes two certain losses, among ten thousand faults, is boiled down to them.

import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SwarmScript } from '../../../sim/swarm/script.ts';
import { kindOf, NothingToShrink, shrink } from '../../../sim/swarm/shrink.ts';
import { runSwarm } from '../../../sim/swarm/swarm.ts';
import { Flight } from '../../../transport/flight.ts';

afterEach(() => void vi.restoreAllMocks());

/** From now on an engine breaks when it has lost its packets of these two numbers. */
function plant(first: number, second: number): void {
  const lost = new WeakMap<Flight, Set<number>>();
  const original = Flight.prototype.packetLost;
  vi.spyOn(Flight.prototype, 'packetLost').mockImplementation(function (this: Flight, c: number, slot: number) {
    const numbers = lost.get(this) ?? new Set();
    lost.set(this, numbers.add(this.sent.number[slot]!));
    if (numbers.has(first) && numbers.has(second)) throw new Error(`planted: lost ${first} and ${second}`);
    original.call(this, c, slot);
  });
}

const SEED = '5';
const SECONDS = 20;

const search = (script: SwarmScript, runsMax = Number.POSITIVE_INFINITY) => {
  let asked = 0;
  return shrink({ script, isOver: () => ++asked > runsMax, progress: () => {} });
};

describe('shrinking', () => {
  it('finds the two losses that a planted bug takes among ten thousand faults', async () => {
    plant(60, 75);
    const script = { seed: SEED, seconds: SECONDS, limits: {}, faults: null };
    const { faults } = await runSwarm({ seed: SEED, secondsMax: SECONDS, record: true, isEnough: () => false });
    expect(faults.length).toBeGreaterThan(10_000);
    const shrunk = await search(script);
    expect(shrunk.isMinimal).toBe(true);
    expect(shrunk.script.faults!.length).toBeLessThanOrEqual(5);
    expect(kindOf(shrunk.complaint)).toBe('Error: planted: lost # and #');
    const { complaints } = await runSwarm({
      seed: SEED,
      secondsMax: SECONDS,
      limits: shrunk.script.limits,
      faults: shrunk.script.faults,
    });
    expect(complaints.map(kindOf)).toContain('Error: planted: lost # and #');
  }, 120_000);

  it('ends with the best so far when its time is over', async () => {
    plant(4, 9);
    const seed = await failing();
    const shrunk = await search({ seed, seconds: 0.5, limits: {}, faults: null }, 3);
    expect(shrunk.isMinimal).toBe(false);
    expect(shrunk.complaint).toContain('planted');
  });

  it('refuses a run that breaks no promise', async () => {
    await expect(search({ seed: '3', seconds: 0.5, limits: {}, faults: null })).rejects.toThrow(NothingToShrink);
  });

  it('takes failures that differ in names and numbers alone for one', () => {
    const one = 'client-0 toServer chat: message 17 of 40 did not arrive';
    expect(kindOf(one)).toBe(kindOf('client-1 toClient door: message 3 of 5 did not arrive'));
    expect(kindOf(one)).not.toBe(kindOf('client-0 toServer chat: message 17 arrived twice'));
    expect(kindOf('Error: a\n    at b')).toBe('Error: a');
  });
});

/** The first seed that the planted bug breaks. */
async function failing(): Promise<string> {
  for (let seed = 1; ; seed++) if ((await runSwarm({ seed })).complaints.length > 0) return String(seed);
}

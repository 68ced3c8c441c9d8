/** The swarm: the engine keeps its promises in two thousand random networks. `npm run swarm` goes on for ever. */

import { describe, expect, it } from 'vitest';
import { runSwarm } from '../../../sim/swarm/swarm.ts';

const SEEDS = 2_000;
/** So many seeds a test: one that fails is named soon. */
const SEEDS_A_TEST = 100;
/** Seeds beyond that showed something once. */
const REMARKABLE: readonly number[] = [2193, 2241, 2413, 3448, 4890];

describe('the swarm', () => {
  for (let first = 1; first <= SEEDS; first += SEEDS_A_TEST) {
    it(`keeps every promise in seeds ${first} to ${first + SEEDS_A_TEST - 1}`, async () => {
      for (let seed = first; seed < first + SEEDS_A_TEST; seed++) {
        const { complaints } = await runSwarm({ seed });
        expect(complaints, `repeat it with: npm run swarm -- --seed ${seed}`).toEqual([]);
      }
    }, 120_000);
  }

  it.each(REMARKABLE)('keeps every promise in seed %i', async (seed) => {
    expect((await runSwarm({ seed })).complaints).toEqual([]);
  });

  it('does the same again for the same seed', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const first = await runSwarm({ seed });
      expect((await runSwarm({ seed })).digest).toBe(first.digest);
    }
  });
});

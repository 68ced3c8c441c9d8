// Acts of the world itself: what changes the network at a time, in an order that the seed and the code decide.

import { expect, it } from 'vitest';
import { openWorld } from '../open-world.ts';

it('does acts at their times, those of one time in the order in which they were given, before what hosts do then', async () => {
  const world = openWorld();
  const done: string[] = [];
  const note = (name: string) => () => void done.push(`${name} ${world.now}`);
  world.at(2_000, note('late'));
  world.at(1_000, note('first'));
  world.at(1_000, note('second'));
  world.start(world.host('a'), 1_000, note('host'));
  world.at(1_000, () => world.at(500, note('past')));
  await world.run({ untilMicros: 3_000 });
  expect(done).toEqual(['first 1000', 'second 1000', 'host 1000', 'past 1000', 'late 2000']);
});

it('shows acts in the digest', async () => {
  const digests = await Promise.all(
    [[], [1_000], [1_001], [1_000]].map(async (times) => {
      const world = openWorld();
      for (const time of times) world.at(time, () => {});
      await world.run({ untilMicros: 3_000 });
      return world.digest();
    }),
  );
  expect(new Set(digests).size).toBe(3);
  expect(digests[1]).toBe(digests[3]);
});

it('gives acts no clock and no chance of a host, and ends with their error', async () => {
  const world = openWorld();
  world.start(world.host('a'), 0, () => {});
  world.at(1_000, () => Math.random());
  await expect(world.run({ untilMicros: 3_000 })).rejects.toThrow('clocks and chance belong to a host');
});

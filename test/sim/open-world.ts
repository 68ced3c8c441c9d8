// A world for tests that need no cryptography.

import { World, type WorldOptions } from '../../sim/world.ts';

/** Opens a world with seed 7, unless told otherwise. */
export function openWorld(options: Partial<WorldOptions> = {}): World {
  const openAead = () => {
    throw new Error('this test needs no cryptography');
  };
  return new World({ seed: 7, openAead, ...options });
}

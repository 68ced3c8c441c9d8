// Scripts of runs that once failed, or that show a planted bug: the engine keeps its promises in all of them.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseScript } from '../../../sim/swarm/script.ts';
import { runSwarm } from '../../../sim/swarm/swarm.ts';

const FOLDER = join(import.meta.dirname, 'regressions');
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

describe('the swarm by script', () => {
  it.each(files)('keeps every promise in %s', async (file) => {
    const { seed, seconds, limits, faults } = parseScript(readFileSync(join(FOLDER, file), 'utf8'));
    const { complaints, met } = await runSwarm({ seed, secondsMax: seconds, limits, faults });
    expect(complaints).toEqual([]);
    // A script whose faults meet nothing any more shows nothing any more.
    expect(met.size).toBeGreaterThan(0);
  });
});

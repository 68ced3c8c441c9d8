/** The hot path allocates nothing: through the runtime, the drive, the protocol, real cryptography and a game's callbacks. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { aeadReport } from '../../sys/aead/choose.ts';
import { EngineOnTape } from './engine-on-tape.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const CLIENTS = 1000;
const TICKS = 300;
/** Compilation settles after a few rounds; V8 counts its heap in steps that 100,000 packets alone would not average out. */
const ROUNDS_MAX = 14;

const native = aeadReport().some((finding) => finding.ok && finding.name !== 'node-crypto');

it.skipIf(!native)(
  `grows the heap by at most a byte a packet over 300,000 packets each way of 1,000 clients${native ? '' : ' (needs koffi: node:crypto allocates)'}`,
  { timeout: 120_000 },
  async () => {
    const engine = await EngineOnTape.open(CLIENTS);
    expect(engine.server.peers).toHaveLength(CLIENTS);
    const growth: number[] = [];
    for (let round = 0; round < ROUNDS_MAX && !(growth.at(-1)! <= 1); round++) {
      collect();
      const before = process.memoryUsage().heapUsed;
      engine.play(TICKS);
      growth.push((process.memoryUsage().heapUsed - before) / (TICKS * CLIENTS));
    }
    expect(growth.at(-1), `bytes a packet, round by round: ${growth.map((g) => g.toFixed(2))}`).toBeLessThanOrEqual(1);
  },
);

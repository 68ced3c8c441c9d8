/** The hot path allocates nothing: through the runtime, the drive, the protocol, real cryptography and a game's callbacks. */

import { expect, it } from 'vitest';
import { aeadReport } from '../../sys/aead/choose.ts';
import { heapBytesOfSlices } from '../sys/collect-garbage.ts';
import { EngineOnTape } from './engine-on-tape.ts';

const CLIENTS = 1000;
const TICKS = 1000;
const SLICES = 10;
/** Compilation settles after a few rounds; V8 counts its heap in steps of 256 KiB, which 100,000 packets alone would not average out. */
const ROUNDS_MAX = 8;

const native = aeadReport().some((finding) => finding.ok && finding.name !== 'node-crypto');

it.skipIf(!native)(
  `grows the heap by at most a byte a packet over a million packets each way of 1,000 clients${native ? '' : ' (needs koffi: node:crypto allocates)'}`,
  { timeout: 120_000 },
  async () => {
    const engine = await EngineOnTape.open(CLIENTS);
    expect(engine.server.peers).toHaveLength(CLIENTS);
    const growth: number[] = [];
    for (let round = 0; round < ROUNDS_MAX && !(growth.at(-1)! <= 1); round++) {
      growth.push(heapBytesOfSlices(SLICES, () => engine.play(TICKS / SLICES)) / (TICKS * CLIENTS));
    }
    expect(growth.at(-1), `bytes a packet, round by round: ${growth.map((g) => g.toFixed(2))}`).toBeLessThanOrEqual(1);
  },
);
